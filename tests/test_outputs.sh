#!/bin/sh
# Where the program writes: devices, FIFOs, links, directories, inputs, full disks, closed descriptors and readers that
# die. CHORUS: the program, SRC: the source tree. Each check is a sentence; one that fails is printed, and the script
# ends with 1.
set -u
CHORUS=${CHORUS:?the program}
SRC=${SRC:-.}
TINY=$SRC/tests/data/tiny/tiny.gguf
FAULTS=$(dirname "$CHORUS")/tests/faults.so
DIR=$(mktemp -d "${TMPDIR:-/tmp}/chorus-outputs-XXXXXX") || exit 1
trap 'rm -rf "$DIR"' EXIT
export NO_COLOR=1
. "$SRC/tests/support/checks.sh"

one_line() { [ "$(grep -cv '^computes in ' "$DIR/err")" -eq 1 ]; }

mkdir "$DIR/tasks" "$DIR/out"
cat > "$DIR/tasks/ab.json" <<'END'
{"Definition": ["Say a or b."], "Paraphrases": ["Answer a or b.", "Reply a or b.", "Give a or b."],
 "Instances": [{"id": "1", "input": "one", "output": ["a"]}, {"id": "2", "input": "two", "output": ["b"]},
  {"id": "3", "input": "three", "output": ["a"]}, {"id": "4", "input": "four", "output": ["b"]}]}
END

measure() # measure ANSWERS: exit code to $code
{
    "$CHORUS" measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --max-new 4 -q --answers "$1" > "$DIR/stdout" \
        2> "$DIR/err"
    code=$?
}

# ---- where it leads

measure "$DIR/out/plain"
check "answers go to a file" is "$code" 0
measure /dev/null
check "answers go to a device" is "$code" 0
check "the device is one still" test -c /dev/null
mkfifo "$DIR/fifo"
cat "$DIR/fifo" > "$DIR/read" &
measure "$DIR/fifo"
wait
check "answers go to a FIFO" is "$code" 0
check "a FIFO's reader gets them all" same_file "$DIR/read" "$DIR/out/plain"
check "the FIFO is one still" test -p "$DIR/fifo"
measure /dev/stdout
check "answers go to stdout" is "$code" 0
check "the report stands behind them" grep -q '^Consistency of' "$DIR/stdout"
head -n "$(wc -l < "$DIR/out/plain")" "$DIR/stdout" > "$DIR/head"
check "answers on stdout are all of them" same_file "$DIR/head" "$DIR/out/plain"

echo old > "$DIR/out/target"
ln -s target "$DIR/out/link"
ln -s "$DIR/out/link" "$DIR/far"
measure "$DIR/far"
check "answers go through two links" is "$code" 0
check "links stay links" test -L "$DIR/out/link"
check "and the file that they lead to is replaced" same_file "$DIR/out/target" "$DIR/out/plain"
ln -s nothing "$DIR/out/dangling"
measure "$DIR/out/dangling"
check "a link to what is not there makes it" same_file "$DIR/out/nothing" "$DIR/out/plain"
ln -s circle "$DIR/circle"

refused() # refused SENTENCE WORD ANSWERS
{
    measure "$3"
    check "$1: exit code 2" is "$code" 2
    check "$1: says \"$2\"" says "$2"
    check "$1: one line" one_line
}
refused "a directory" "is a directory" "$DIR/out"
refused "a directory that is not there" "No such file" "$DIR/none/x"
refused "below a file" "Not a directory" "$DIR/out/plain/x"
refused "links in a circle" "Too many levels" "$DIR/circle"
refused "a full device" "No space left on device" /dev/full

# ---- stdout

stdout_full() # stdout_full SENTENCE ARGS...
{
    what=$1
    shift
    "$CHORUS" "$@" > /dev/full 2> "$DIR/err" < /dev/null
    code=$?
    check "$what on a full disk: exit code 2" is "$code" 2
    check "$what on a full disk: says so" says "stdout: cannot be written: No space left on device"
    "$CHORUS" "$@" >&- 2> "$DIR/err" < /dev/null
    code=$?
    check "$what without stdout: exit code 2" is "$code" 2
    check "$what without stdout: says so" says "stdout: cannot be written"
}
stdout_full "help" --help
stdout_full "a command's help" run --help
stdout_full "the version" --version
stdout_full "a measurement" measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --max-new 4 -q
stdout_full "a measurement in JSON" measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --max-new 4 -q --json
stdout_full "an answer" generate --model "$TINY" --threads 1 --max-new 4 -q hello
stdout_full "an answer in JSON" generate --model "$TINY" --threads 1 --max-new 4 -q --json hello
stdout_full "a batch" show-batch --model "$TINY" --tasks "$DIR/tasks" --threads 1 --set generate.max_new=6
stdout_full "a comparison" compare "$DIR/out/plain" "$DIR/out/target"
stdout_full "a dry run" run --model "$TINY" --tasks "$DIR/tasks" --threads 1 --dry-run -q --set split.train_wordings=1 \
    --set split.test_wordings=1 --set generate.max_new=6

# ---- descriptors that are closed, and readers that die

"$CHORUS" measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --max-new 4 -q --answers "$DIR/out/closed" <&- >&- 2>&-
code=$?
check "without any standard stream: exit code 2" is "$code" 2
check "and none of it in the file" same_file "$DIR/out/closed" "$DIR/out/plain"
"$CHORUS" generate --model "$TINY" --threads 1 --max-new 4 -q hello 2>&- > "$DIR/stdout"
code=$?
check "without stderr: exit code 0" is "$code" 0

"$CHORUS" --help 2> "$DIR/err" | true
code=0
check "a reader that died: nothing is said" test ! -s "$DIR/err"
(trap '' PIPE; { sleep 0.3; "$CHORUS" --help; echo "$?" > "$DIR/code"; } 2> "$DIR/err" | true)
code=$(cat "$DIR/code")
check "a reader that died, the signal ignored: exit code 2" is "$code" 2
check "a reader that died, the signal ignored: says so" says "Broken pipe"

# ---- errors of the system are told as what they are

if [ -e "$FAULTS" ]; then
    export GOMP_SPINCOUNT=2000
    measure_failing() # measure_failing CALL ERROR
    {
        rm -f "$DIR/out/a"
        FAULT_CALLS=$1 FAULT_AT=1 FAULT_ERROR=$2 FAULT_DIR=$DIR/out FAULT_REPORT=$DIR/report LD_PRELOAD=$FAULTS \
            "$CHORUS" measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --max-new 4 -q --answers "$DIR/out/a" \
            > "$DIR/stdout" 2> "$DIR/err"
        code=$?
    }
    for call in open write fsync rename close; do
        measure_failing $call ENOSPC
        check "$call, no space: exit code 2" is "$code" 2
        check "$call, no space: is told as that" says "No space left on device"
        check "$call, no space: no answers" absent "$DIR/out/a"
        check "$call, no space: no remains" absent "$DIR/out/a.tmp"
        measure_failing $call EIO
        check "$call, bad disk: exit code 2" is "$code" 2
        check "$call, bad disk: is told as that" says "Input/output error"
    done
    rm -f "$DIR/out/a"
    FAULT_CALLS=fsync FAULT_AT=2 FAULT_DIR=$DIR/out LD_PRELOAD=$FAULTS "$CHORUS" measure --model "$TINY" \
        --tasks "$DIR/tasks" --threads 1 --max-new 4 -q --answers "$DIR/out/a" > "$DIR/stdout" 2> "$DIR/err"
    code=$?
    check "a directory that is not synced: exit code 2" is "$code" 2
    check "a directory that is not synced: is told" says "the directory cannot be synced"
fi

checks_done
