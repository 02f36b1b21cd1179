#!/bin/sh
# Breaks one thing at a time, as tests/mutants/list.txt says, in a copy of the sources, and demands that the
# quick tests below turn red. Kernels are one source for all instruction sets: the copy has the portable ones.
#   MUTANTS=regex picks mutants by name, MUTANTS=every:N each N-th of them, from one that the commit decides
#   LLAMA_DIR=dir as for make
set -eu
cd "$(dirname "$0")/.."
root=$PWD work=$PWD/build-mutants list=tests/mutants/list.txt
tree=$work/tree
quick='test_gradients test_train test_resume test_sampling'
whole='test_whole_align test_whole_train test_whole_splits test_whole_figures test_whole_cli'
export OMP_WAIT_POLICY=passive SRC="$root" CHORUS="$work/build/chorus"
unset MAKEFLAGS MAKELEVEL

# The sources and those tests, nothing else: what is broken is built again in seconds.
lay_tree() {
    rm -rf "$work"
    mkdir -p "$tree/tests" "$work/m"
    cp -r CMakeLists.txt cmake include src examples "$tree/"
    cp -r tests/CMakeLists.txt tests/support tests/mutants tests/torture "$tree/tests/"
    rm -f "$tree"/tests/support/report*
    for t in $quick $whole; do cp "tests/$t.c" "$tree/tests/"; done
    # auto is portable, the others are refused, and oneDNN is free to use what the CPU has (bf16 needs it)
    sed -e 's/\*isa = c->avx512 ? .*/*isa = CH_ISA_PORTABLE;/' -e 's/ && !c->avx\(512\|2\))/)/g' \
        -e '/\*choose_ops(/,/^}/ s/#ifdef __x86_64__/#if 0/' src/tensor/device.c >"$tree/src/tensor/device.c"
    sed 's/^    hold_to(isa);$/    hold_to(CH_ISA_AVX512);/' src/tensor/gemm.c >"$tree/src/tensor/gemm.c"
    for f in device gemm; do
        cmp -s src/tensor/$f.c "$tree/src/tensor/$f.c" && { echo "mutants: follow the code of $f.c"; exit 1; }
    done
    rm -f "$tree"/src/tensor/cpu_avx*.c
}

build() {
    cmake --build "$work/build" --parallel "${JOBS:-2}" --target "$@" >"$work/build.log" 2>&1 || {
        grep -m 20 'error' "$work/build.log" >&2 || tail -20 "$work/build.log" >&2
        echo "mutants: a mutant that does not compile proves nothing" >&2
        exit 1
    }
}

# What looks at a file: the quick tests at arithmetic, whole runs at what stands above it.
tests_of() {
    case $1 in
    src/align/objectives.c | src/align/losses.c) echo "$quick" ;;
    src/tensor/team.c) echo test_whole_cli ;;
    src/base/* | src/tensor/* | src/model/* | src/train/*) echo "$quick" ;;
    *) echo "$whole" ;;
    esac
}

# The first of these tests that turns red, or nothing.
red_test() {
    for t; do
        build "$t"
        code=0
        timeout 300 "$work/build/tests/$t" >"$work/run.log" 2>&1 || code=$?
        if [ $code != 0 ]; then
            failed=$(sed -n 's/^ *\([0-9]*\) FAILED TEST(S).*/\1/p' "$work/run.log")
            echo "$t: ${failed:-crashed, code $code}${failed:+ failed}"
            return
        fi
    done
}

llama=${LLAMA_DIR:-}
[ -n "$llama" ] || [ ! -d third_party/llama ] || llama=$root/third_party/llama
lay_tree
cmake --log-level=ERROR -S "$tree" -B "$work/build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O1 \
    -DCHORUS_LLAMA="$llama" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
red=$(red_test $quick $whole)
[ -z "$red" ] || { cat "$work/run.log"; echo "mutants: red without any mutant: $red"; exit 1; }
echo "mutants: green without a mutant"

# One file a mutant: name, source, script.
awk -v dir="$work/m" '
function put(factor) {
    text = script
    gsub(/FACTOR/, factor, text)
    label = name (factor == "" ? "" : factor == "0.f" ? ", times 0" : ", times 1.01")
    n++
    out = sprintf("%s/%03d", dir, n)
    print label > (out ".name"); print file > (out ".file"); printf "%s", text > (out ".sed")
    close(out ".name"); close(out ".file"); close(out ".sed")
}
function flush() {
    if (name == "") return
    if (script ~ /FACTOR/) { put("0.f"); put("1.01f") } else put("")
    name = file = script = ""
}
/^#/ && name == "" { next }
/^$/ { flush(); next }
/^= / { name = substr($0, 3); next }
name != "" && file == "" { file = $0; next }
{ script = script $0 "\n" }
END { flush() }' "$list"

pick=${MUTANTS:-.} every=1 from=0
case $pick in
every:*)
    every=${pick#every:} pick=.
    commit=$(git rev-parse --short=7 HEAD 2>/dev/null) || commit=0
    from=$((0x$commit % every))
    ;;
esac

seen=0 ran=0 alive=0
for m in "$work"/m/*.sed; do
    m=${m%.sed} name=$(cat "${m}.name") file=$(cat "${m}.file")
    echo "$name" | grep -Eq "$pick" || continue
    seen=$((seen + 1))
    [ $((seen % every)) = "$from" ] || continue
    sed -f "$m.sed" "$file" >"$work/mutated"
    cmp -s "$work/mutated" "$file" && { echo "mutants: \"$name\" changes nothing in $file: follow the code"; exit 1; }
    cp "$work/mutated" "$tree/$file"
    red=$(red_test $(tests_of "$file"))
    cp "$file" "$tree/$file"
    ran=$((ran + 1))
    if [ -n "$red" ]; then
        echo "  red    $name ($red)"
    else
        echo "  ALIVE  $name"
        alive=$((alive + 1))
    fi
done
echo "mutants: $((ran - alive)) of $ran red, $alive alive"
[ "$ran" -gt 0 ] && [ "$alive" = 0 ]
