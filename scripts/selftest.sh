#!/bin/sh
# Checks the checkers: wrong, empty and NaN data must turn them red. First each comparison of tests/support on
# its own (tests/selftest.c), then whole test programs on spoiled copies of their fixtures. Needs `make build`.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive
ran=0 bad=0

# verdict WANT CODE NAME: CODE is an exit code; a signal (128 and more) or 99 is no verdict of a checker.
verdict() {
    ran=$((ran + 1))
    if [ "$2" = 0 ]; then got=green; elif [ "$2" -lt 99 ]; then got=red; else got="crashed ($2)"; fi
    if [ "$got" = "$1" ]; then
        printf '  %-5s as it must be: %s\n' "$got" "$3"
    else
        printf '  WRONG: %s, must be %s: %s\n' "$got" "$1" "$3"
        bad=$((bad + 1))
    fi
}

# expect WANT NAME COMMAND...
expect() {
    want=$1 name=$2
    shift 2
    code=0
    "$@" >"$work/log" 2>&1 || code=$?
    verdict "$want" "$code" "$name"
}

echo "selftest: the comparisons"
${CC:-cc} -std=gnu11 -O2 -Isrc -Iinclude -Itests tests/selftest.c tests/support/close.c -lcmocka -lm \
    -o "$work/selftest"
"$work/selftest" list >"$work/cases"
while read -r kind name; do
    case $kind in good) want=green ;; *) want=red ;; esac
    expect "$want" "$name" "$work/selftest" run "$name"
done <"$work/cases"

echo "selftest: test programs on spoiled fixtures"
# fixture WANT TEST NAME: runs TEST on the copy in $work/src, then lays the copy anew.
fresh() {
    rm -rf "$work/src"
    mkdir -p "$work/src/tests/data"
    cp -r tests/data/tiny "$work/src/tests/data/"
}
run_on_copy() {
    expect "$1" "$2: $3" env SRC="$work/src" "$build/tests/$2"
    fresh
}
data=$work/src/tests/data/tiny

fresh
run_on_copy green test_gradients "fixtures as they are"
run_on_copy green test_train "fixtures as they are"
for how in zero nan inf scale swap; do
    for file in tiny.grad tiny_untied.grad tiny.hinge.grad; do
        "$work/selftest" spoil $how "$data/$file"
        run_on_copy red test_gradients "$file, $how"
    done
done
head -c 4000 tests/data/tiny/tiny.grad >"$data/tiny.grad"
run_on_copy red test_gradients "tiny.grad cut short"
: >"$data/tiny.grad"
run_on_copy red test_gradients "tiny.grad empty"
# change FILE SED-SCRIPT: demands that something did change.
change() {
    sed "$2" "tests/data/tiny/$1" >"$data/$1"
    if cmp -s "tests/data/tiny/$1" "$data/$1"; then
        echo "selftest: '$2' changed nothing in $1"
        exit 1
    fi
}
change tiny.json '/"logp"/,/\]/ s/-\([0-9]\)\./-9\1./'
run_on_copy red test_gradients "one log P of tiny.json wrong"
change tiny.json 's/"logp": \[/"logp": [], "unused": [/'
run_on_copy red test_gradients "no log P in tiny.json"
change tiny.json 's/"tensors": \[/"tensors": [], "unused": [/'
run_on_copy red test_gradients "no tensors in tiny.json"
change tiny.json '/"losses"/,/\]/ s/\(-*[0-9]\)\.\([0-9]\)[0-9][0-9]/\1.\2ab/; s/ab/77/'
run_on_copy red test_train "AdamW losses of tiny.json wrong"
change tiny.json 's/"losses": \[/"losses": [], "unused": [/'
run_on_copy red test_train "no AdamW losses in tiny.json"
change tiny.json 's/"weight_decay": 0.1/"weight_decay": 0.0/'
run_on_copy red test_train "another weight decay"
change tiny.json 's/"beta2": 0.95/"beta2": 0.999/'
run_on_copy red test_train "another beta2"

echo "selftest: the checks of the house, on a small one"
# Six rooms of equal size; one thing is put wrong at a time.
house=$work/house
lay_house() {
    rm -rf "$house"
    mkdir -p "$house/include" "$house/build/x.dir"
    printf '#ifndef CHORUS_H\n#define CHORUS_H\n#endif\n' >"$house/include/chorus.h"
    for room in base tensor data model train generate; do
        mkdir -p "$house/src/$room"
        for f in low high; do
            n=${room}_$f
            printf '/* %s.c tells more. */\n#ifndef %s_H\n#define %s_H\nint %s(void);\n#endif\n' \
                "$n" "$n" "$n" "$n" >"$house/src/$room/$n.h"
        done
        printf '#include "%s/%s.h"\n\nint %s(void)\n{\n    return 1;\n}\n' \
            $room ${room}_low ${room}_low >"$house/src/$room/${room}_low.c"
        printf '#include "%s/%s.h"\n#include "%s/%s.h"\n\nint %s(void)\n{\n    return %s();\n}\n' \
            $room ${room}_high $room ${room}_low ${room}_high ${room}_low >"$house/src/$room/${room}_high.c"
    done
}
# because WORD: what the last check said.
because() {
    [ -z "$1" ] || grep -q "$1" "$work/log" || { echo "  WRONG: it does not say \"$1\""; cat "$work/log"; bad=$((bad + 1)); }
}
# checked WANT CHECK NAME [WORD]: CHECK is a script of scripts/, on the house as it stands.
checked() {
    expect "$1" "$3" "scripts/$2.sh" "$house"
    because "${4:-}"
    lay_house
}
# calls WANT NAME [WORD]: the house's objects, from sources that need not include what they use.
calls() {
    for c in "$house"/src/*/*.c; do
        o=$house/build/x.dir/${c#"$house"/}.o
        mkdir -p "$(dirname "$o")"
        ${CC:-cc} -std=gnu11 -O0 -w -I"$house/src" -c "$c" -o "$o"
    done
    expect "$1" "$2" scripts/calls-check.sh "$house/build" "$house"
    because "${3:-}"
    lay_house
}
lay_house
for check in deps-check names-check budgets; do checked green $check "$check: the house as it is"; done
calls green "calls-check: the house as it is"
echo '#include "train/train_low.h"' >>"$house/src/base/base_low.h"
checked red deps-check "an include upward" "base may not include train/train_low.h"
echo '#include "base/base_high.h"' >>"$house/src/base/base_low.h"
echo '#include "base/base_low.h"' >>"$house/src/base/base_high.h"
checked red deps-check "two headers in a circle" "a circle: src/base/base_high.h"
mkdir -p "$house/src/attic"
echo 'int attic;' >"$house/src/attic/attic.c"
checked red deps-check "a room without a place" "no place in the order"
echo '#include <llama.h>' >>"$house/src/train/train_low.c"
checked red deps-check "libllama outside of its room" "only src/model may"
echo 'int train_low(void); int up(void); int up(void) { return train_low(); }' >>"$house/src/base/base_low.c"
calls red "a call upward, through a prototype of its own" "base may not use train_low"
echo 'int base_high(void); int back(void); int back(void) { return base_high(); }' >>"$house/src/base/base_low.c"
calls red "two files that call each other" "a circle: src/base/base_low.c"
echo 'int tensor_high(void); int a(void); int a(void) { return tensor_high(); }' >>"$house/src/tensor/tensor_low.c"
printf 'int base_high(void);\nint *p = (int *)base_high;\n' >>"$house/src/tensor/tensor_high.c"
calls red "a circle beside a call that is fine" "a circle: src/tensor/tensor_high.c"
lines() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "/* a line */" }' >>"$house/src/data/data_low.c"; }
lines 4
checked green budgets "a room of 19 % of the lines"
lines 15
checked red budgets "a room of a quarter of the lines" "at most a fifth"
awk 'BEGIN { print "int f(void)\n{"; for (i = 0; i < 60; i++) print "    f();"; print "}" }' >>"$house/src/data/data_low.c"
checked red budgets "a long function" "f has 62 lines"
cp "$house/src/base/base_low.c" "$house/src/data/"
checked red names-check "two sources of one name" "has that name already"
mkdir -p "$house/tests"
cp "$house/src/base/base_low.h" "$house/tests/base_low.h"
checked red names-check "two headers of one name, one in tests" "has that name already"
mv "$house/src/base/base_low.c" "$house/src/base/other.c"
checked red names-check "a header without its source" "declares functions"
printf 'typedef int f_fn(int a);\nstruct ops {\n    int (*f)(int a);\n};\nextern const int table[3];\n' >"$house/src/base/types.h"
checked green names-check "a header of types alone"
echo '/* as gone.c says */' >>"$house/src/base/base_low.c"
checked red names-check "a comment that names a file that is not there" "no gone.c"
echo 'See `src/base/gone.h`.' >"$house/README.md"
checked red names-check "a document that names a file that is not there" "no src/base/gone.h"
echo '/* ch_gone does it */' >>"$house/src/base/base_low.c"
checked red names-check "a comment that names a function that is not there" "no ch_gone"
mkdir -p "$house/src/recipe"
echo '    INT("train", "steps", train.steps, "100", 1, 1e9, "updates"),' >"$house/src/recipe/fields.c"
echo 'train.steps counts, train.stops does not.' >"$house/README.md"
checked red names-check "a document that names a key that is not there" "no key train.stops"

echo "selftest: a run of no test"
expect red "ctest with nothing to run" env -C "$build" ctest --no-tests=error -R '^no such test$'

echo "selftest: $((ran - bad)) of $ran as they must be"
[ "$ran" -gt 0 ] && [ "$bad" = 0 ]
