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
${CC:-cc} -std=gnu11 -O2 -Isrc -Iinclude -Itests tests/selftest.c tests/support/compare.c -lcmocka -lm \
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

echo "selftest: a run of no test"
expect red "ctest with nothing to run" env -C "$build" ctest --no-tests=error -R '^no such test$'

echo "selftest: $((ran - bad)) of $ran as they must be"
[ "$ran" -gt 0 ] && [ "$bad" = 0 ]
