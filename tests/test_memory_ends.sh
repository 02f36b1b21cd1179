#!/bin/sh
# Memory ends somewhere in a command: one sentence, exit code 1, nothing half written, and started again it goes on to
# the same bytes. Every n-th of the program's own allocations fails in turn; `make torture` tries all of them.
# CHORUS: the program, SRC: the source tree.
set -u
CHORUS=${CHORUS:?the program}
SRC=${SRC:-.}
TINY=$SRC/tests/data/tiny/tiny.gguf
FAULTS=$(dirname "$CHORUS")/tests/faults.so
[ -e "$FAULTS" ] || exit 77 # a sanitizer has the allocator
DIR=$(mktemp -d "${TMPDIR:-/tmp}/chorus-memory-XXXXXX") || exit 1
trap 'rm -rf "$DIR"' EXIT
export GOMP_SPINCOUNT=2000
. "$SRC/tests/support/checks.sh"

mkdir "$DIR/tasks"
cat > "$DIR/tasks/ab.json" <<'END'
{"Definition": ["Say a or b."], "Paraphrases": ["Answer a or b.", "Reply a or b.", "Give a or b.", "Name a or b."],
 "Instances": [{"id": "1", "input": "one", "output": ["a"]}, {"id": "2", "input": "two", "output": ["b"]},
  {"id": "3", "input": "three", "output": ["a"]}, {"id": "4", "input": "four", "output": ["b"]},
  {"id": "5", "input": "five", "output": ["a"]}, {"id": "6", "input": "six", "output": ["b"]}]}
END

# chorus ARGS, its AT-th allocation failing (0: none); exit code to $code, the number of allocations to $calls
run_at() # run_at AT ARGS...
{
    at=$1
    shift
    rm -f "$DIR/report"
    FAULT_FROM=own FAULT_CALLS=alloc FAULT_AT=$at FAULT_REPORT=$DIR/report LD_PRELOAD=$FAULTS \
        "$CHORUS" "$@" --threads 1 --precision f32 -q > "$DIR/stdout" 2> "$DIR/err" < /dev/null
    code=$?
    calls=$(sed -n 's/^calls //p' "$DIR/report")
}

ended_well()
{
    check "allocation $at: exit code 1" [ "$code" -eq 1 ]
    check "allocation $at: one line" [ "$(wc -l < "$DIR/err")" -eq 1 ]
    check "allocation $at: about memory" grep -q memory "$DIR/err"
    check "allocation $at: nothing half written" [ -z "$(find "$DIR" -name '*.tmp')" ]
}

set -- measure --model "$TINY" --tasks "$DIR/tasks" --max-new 4 --answers "$DIR/answers"
run_at 0 "$@"
check "a measurement" [ "$code" -eq 0 ]
n=$((calls / 40))
mv "$DIR/answers" "$DIR/want"
for k in $(seq 40); do
    rm -f "$DIR/answers"
    run_at $((k * n)) "$@"
    [ "$code" -eq 0 ] || ended_well
    [ ! -e "$DIR/answers" ] || check "allocation $at: all answers or none" cmp -s "$DIR/answers" "$DIR/want"
done

set -- train --model "$TINY" --tasks "$DIR/tasks" --steps 4 --batch 2 --lr 1e-3 --set train.save_every=1
run_at 0 "$@" --out "$DIR/calm"
check "a training" [ "$code" -eq 0 ]
n=$((calls / 30))
for k in $(seq 30); do
    run_at $((k * n)) "$@" --out "$DIR/rough"
    [ "$code" -eq 0 ] || ended_well
done
run_at 0 "$@" --out "$DIR/rough"
check "the training goes on to its end" [ "$code" -eq 0 ]
check "to the same bytes" cmp -s "$DIR/calm/sft/model.gguf" "$DIR/rough/sft/model.gguf"

# The system gives no more, also to the libraries: the limit rises from where the program starts at all to where
# the command ends well.
least=30000
until (ulimit -c 0; ulimit -v $least; "$CHORUS" --version) > /dev/null 2>&1; do least=$((least + 1000)); done
under_limits() # under_limits ARGS...
{
    at=$least
    code=1
    while [ "$code" -eq 1 ] && [ "$at" -lt $((least + 400000)) ]; do
        at=$((at + 700))
        rm -rf "$DIR/narrow"
        (ulimit -c 0; ulimit -v $at; "$CHORUS" "$@" --threads 2 -q > "$DIR/stdout" 2> "$DIR/err" < /dev/null)
        code=$?
        check "$1 in $at KB: exit code 0 or 1" [ "$code" -le 1 ]
        [ "$code" -eq 0 ] || check "$1 in $at KB: about memory" grep -q '^chorus: .*memory\|^libgomp' "$DIR/err"
    done
    check "$1 in $at KB: ends well" [ "$code" -eq 0 ]
}
under_limits measure --model "$TINY" --tasks "$DIR/tasks" --max-new 4
under_limits train --model "$TINY" --tasks "$DIR/tasks" --steps 2 --out "$DIR/narrow"

checks_done
