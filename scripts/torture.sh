#!/bin/sh
# A whole tiny run (measure, SFT, CAT, a control) is killed, stopped, refused its disk and its memory at file calls and
# allocations spread evenly over all that it makes; each time a resume must end with exit code 0 and every file of the
# run directory with the bytes of a run that nothing happened to. Ends with a table; exit code 1 when a count of wrong
# bytes, crashes, refusals to resume or bad sentences is not 0.
#   CHORUS=the program, beside it tests/faults.so (build/chorus)  JOBS=processes (2)
#   POINTS="kill=300 tear=50 .." how many of each kind; kinds that are not named: 0
#   KEEP=dir for what went wrong
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
CHORUS=$(realpath "${CHORUS:-$here/build/chorus}")
JOBS=${JOBS:-2}
POINTS=${POINTS:-kill=300 tear=60 eio=100 enospc=100 full=60 reading=60 alloc=200 library=60 term=60 stop=40 fresh=60 \
    other=40 two=60 report=40 report-eio=30 report-alloc=40}
FAULTS=$(dirname "$CHORUS")/tests/faults.so
[ -e "$FAULTS" ] || exit 77 # a sanitizer has the allocator
# In memory where there is a place for that: thousands of syncs say nothing more on a disk.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || TMPDIR=/dev/shm
DIR=$(mktemp -d "${TMPDIR:-/tmp}/chorus-torture-XXXXXX") || exit 1
trap 'rm -rf "$DIR"' EXIT
cp "$CHORUS" "$FAULTS" "$DIR" # they stay as they are while this goes on
CHORUS=$DIR/$(basename "$CHORUS")
FAULTS=$DIR/faults.so
export GOMP_SPINCOUNT=2000 NO_COLOR=1 FAULT_REPORT=report

# ---- what is tortured, in directories that are alike

lay_out() # lay_out DIRECTORY
{
    mkdir -p "$1/tasks"
    cp "$here/tests/data/tiny/tiny.gguf" "$1"
    for pair in "a b" "c d"; do
        set -- "$1" $pair
        cat > "$1/tasks/$2$3.json" << EOF
{"Definition": ["Say $2 or $3."], "Paraphrases": ["Answer $2 or $3.", "Reply $2 or $3.", "Write $2 or $3."],
 "Instances": [{"id": "1", "input": "one", "output": ["$2"]}, {"id": "2", "input": "two", "output": ["$3"]},
  {"id": "3", "input": "three", "output": ["$2"]}, {"id": "4", "input": "four", "output": ["$3"]},
  {"id": "5", "input": "five", "output": ["$2"]}, {"id": "6", "input": "six", "output": ["$3"]}]}
EOF
    done
    cat > "$1/a.yaml" << EOF
model: tiny.gguf
run: run
threads: 1
precision: f32
data: {tasks: tasks}
split: {train_wordings: 1, test_wordings: 2, train_inputs: 2, dev_inputs: 1, test_inputs: 3}
generate: {max_new: 4}
train: {steps: 4, batch: 4, lr: 1e-3, eval_every: 2, save_every: 1, keep: best}
align: {reward: reference, gold_target: true}
measure: {resamples: 20, sim: judge}
arms:
  - {name: sft, title: S, objective: sft}
  - {name: cat, title: C, objective: cat, from: sft}
  - {name: control, title: K, objective: sft, from: sft}
EOF
    sed 's/lr: 1e-3/lr: 2e-3/' "$1/a.yaml" > "$1/b.yaml"
    sed 's/^run:/seed: 2\nrun:/' "$1/a.yaml" > "$1/c.yaml"
}

# Every file of a directory and its hash; the mark lists the arms that were ever there.
sums() { (cd "$1" && find . -type f ! -name chorus.run | sort | xargs sha256sum); }

calm() { env -u FAULT_REPORT "$CHORUS" "$@" < /dev/null > out 2> err; }

# The fault is done to: chorus ARGS. FAULT_* are set by the caller. code: its exit code.
rough()
{
    rm -f report
    LD_PRELOAD=$FAULTS FAULT_DIR=$PWD "$CHORUS" "$@" < /dev/null > out 2> err
    code=$?
}

count() # count CALLS FROM ARGS...: calls that a run without a fault makes
{
    export FAULT_CALLS="$1" FAULT_FROM="$2" FAULT_AT=0
    shift 2
    rough "$@" -q
    [ "$code" -eq 0 ] || { cat err >&2; exit 1; }
    sed -n 's/^calls //p' report
}

# ---- one point

verdict() # verdict WORD: the first one stands
{
    [ -n "$result" ] || result=$1
}

# A run, or what is done to its directory, ends with exit code 0 and the bytes of a calm one.
resumes() # resumes FILE_OF_SUMS ARGS...
{
    want=$1
    shift
    cp err err.fault
    calm "$@" -q
    end=$?
    [ $end -lt 128 ] || verdict crash
    [ $end -eq 0 ] || verdict refused
    sums run > got
    if [ "$kind" = two ]; then # the other recipe's candidates stay beside, and curves that it wrote over are told
        beside='/align/|/train/|report.html|results.json'
        grep -vE "$beside" got > got.of
        grep -vE "$beside" "$want" | cmp -s - got.of || verdict wrong
    else
        cmp -s got "$want" || verdict wrong
    fi
}

# After a fault that the program can tell: an exit code of its own and one sentence with the reason.
told() # told PATTERN CODES
{
    case $code in
    0) # nothing was lost: a file that could not be read was made again, a temporary one stays for later
        grep -qE '^hit (look|read|unlink|malloc|calloc|realloc|aligned|mmap)$' report && ended=1 || verdict sentence
        ;;
    139 | 134 | 13[0-9]) verdict crash ;;
    *)
        case " $2 " in *" $code "*) ;; *) verdict sentence ;; esac
        [ "$(wc -l < err)" -eq 1 ] && grep -qE "$1" err || verdict sentence
        ;;
    esac
}

hit() { [ -s report ] && grep -q '^hit' report; }

point() # point KIND AT
{
    kind=$1
    result=
    ended=0
    export FAULT_AT="$2" FAULT_DO=kill FAULT_CALLS=file FAULT_ERROR=EIO FAULT_FROM= FAULT_NOT=none
    rm -rf run
    case $kind in fresh | other | two | report*) cp -a "$DIR/done" run ;; esac
    case $kind in other) rm -rf run && cp -a "$DIR/done.c" run ;; esac
    case $kind in
    kill | tear | fresh | other | two) ;;
    eio | report-eio) FAULT_DO=fail ;;
    enospc) FAULT_DO=fail FAULT_ERROR=ENOSPC ;;
    full) FAULT_DO=all FAULT_ERROR=ENOSPC ;;
    reading) FAULT_DO=fail FAULT_CALLS=reading ;;
    alloc | report-alloc) FAULT_DO=fail FAULT_CALLS=alloc FAULT_FROM=own ;;
    library) FAULT_DO=fail FAULT_CALLS=alloc FAULT_NOT=libdnnl ;;
    term) FAULT_DO=term ;;
    esac
    [ "$kind" != tear ] || FAULT_DO=tear FAULT_CALLS=write
    case $kind in
    fresh | other) rough run a.yaml -q --fresh ;;
    two) rough run b.yaml -q ;;
    report*) rough report run -q ;;
    stop) # from outside, after AT hundredths of a second
        "$CHORUS" run a.yaml -q < /dev/null > out 2> err &
        pid=$!
        sleep "$(awk -v t="$2" 'BEGIN { print t / 100 }')"
        kill -TERM "$pid" 2> /dev/null
        wait "$pid"
        code=$?
        ;;
    *) rough run a.yaml -q ;;
    esac
    case $kind in
    kill | tear | fresh | other | two | report) [ "$code" -eq 137 ] || ! hit || verdict crash ;;
    eio | reading | report-eio) told '^.*(run|tasks|tiny|a\.yaml).*: Input/output error' "1 2" ;;
    enospc | full) told '^.*run.*: No space left on device' "1 2" ;;
    alloc | library | report-alloc) told 'memory' "1" ;;
    # Before handlers stand and after the last work a signal ends the process in the common way.
    term | stop) case $code in 0 | 130 | 143) ;; *) verdict crash ;; esac ;;
    esac
    case $kind in
    report*) resumes "$DIR/want" report run ;;
    other) resumes "$DIR/want" run a.yaml --fresh ;;
    *) resumes "$DIR/want" run a.yaml ;;
    esac
    [ "$(find . -name '*.tmp')" = "" ] || verdict wrong
    [ "$result" = "" ] || keep "$2"
    [ "$ended" -eq 0 ] || result=${result:-harmless}
    echo "$kind $2 ${result:-well} $(sed -n 's/^hit //p' report 2> /dev/null)"
}

keep() # keep AT
{
    echo "FAILED: $kind $1: $result (exit code $code): $(tail -1 err.fault); resume: $(tail -1 err)" >&2
    diff got "$DIR/want" | sed 's/^/    /' | head -2 >&2
    [ -n "${KEEP:-}" ] && mkdir -p "$KEEP" && cp -a . "$KEEP/$kind-$1"
}

# ---- all points

lay_out "$DIR/0"
cd "$DIR/0" || exit 1
calm run a.yaml || { cat err; exit 1; }
cp -a run "$DIR/done"
sums run > "$DIR/want"
rm -rf run
calm run c.yaml || { cat err; exit 1; }
mv run "$DIR/done.c"

total() # total KIND: how many places there are
{
    rm -rf run
    case $1 in
    fresh | two | report*) cp -a "$DIR/done" run ;;
    other) cp -a "$DIR/done.c" run ;;
    esac
    case $1 in
    tear) count write "" run a.yaml ;;
    fresh | other) count file "" run a.yaml --fresh ;;
    two) count file "" run b.yaml ;;
    reading) count reading "" run a.yaml ;;
    alloc) count alloc own run a.yaml ;;
    library) count alloc "" run a.yaml ;;
    report | report-eio) count file "" report run ;;
    report-alloc) count alloc own report run ;;
    stop) echo 60 ;;
    *) count file "" run a.yaml ;;
    esac
}

for word in $POINTS; do
    kind=${word%%=*}
    n=$(total "$kind") || exit 1
    # Of n places so many, evenly; all of them where there are fewer.
    awk -v kind="$kind" -v n="$n" -v want="${word#*=}" 'BEGIN {
        want = want < n ? want : n
        for (i = 0; i < want; i++) print kind, 1 + int((i + 0.5) * n / want)
    }'
done > "$DIR/points"

w=0
while [ $w -lt "$JOBS" ]; do
    (
        lay_out "$DIR/w$w"
        cd "$DIR/w$w" || exit 1
        awk -v w=$w -v jobs="$JOBS" 'NR % jobs == w' "$DIR/points" | while read -r kind at; do
            point "$kind" "$at"
        done > "$DIR/results.$w"
    ) &
    w=$((w + 1))
done
wait

cat "$DIR"/results.* > "$DIR/results"
awk -v points="$(wc -l < "$DIR/points")" '
    { if (!($1 in n)) order[++k] = $1; n[$1]++; r[$1, $3]++; all[$3]++ }
    function row(name, n, a, b, c, d, e) {
        printf "%-14s %7s %11s %8s %16s %13s %9s\n", name, n, a, b, c, d, e
    }
    END {
        row("fault", "points", "wrong bytes", "crashes", "resume refused", "bad sentence", "harmless")
        for (i = 1; i <= k; i++) {
            x = order[i]
            row(x, n[x], r[x, "wrong"] + 0, r[x, "crash"] + 0, r[x, "refused"] + 0, r[x, "sentence"] + 0, r[x, "harmless"] + 0)
        }
        bad = all["wrong"] + all["crash"] + all["refused"] + all["sentence"]
        print NR " of " points " points, " bad " failed"
        exit bad > 0 || NR != points || NR == 0
    }' "$DIR/results"
