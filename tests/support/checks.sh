# What the shell tests share; sourced, with CHORUS and DIR set. Each check is a sentence; one that fails is printed.
# A script ends with checks_done.
# shellcheck shell=sh
failed=0
checks=0
code=

check() # check SENTENCE COMMAND...
{
    sentence=$1
    shift
    checks=$((checks + 1))
    "$@" && return
    failed=$((failed + 1))
    echo "FAILED: $sentence${code:+ (exit code $code)}"
    [ -s "$DIR/err" ] && sed 's/^/    stderr: /' "$DIR/err" | tail -5
}

run() # run ARGS...: stdout to $DIR/out, stderr to $DIR/err, exit code to $code
{
    "$CHORUS" "$@" > "$DIR/out" 2> "$DIR/err" < /dev/null
    code=$?
}

lines() { [ "$(wc -l < "$1")" -eq "$2" ]; }
says() { grep -qF -e "$1" "$DIR/err"; }
prints() { grep -qF -e "$1" "$DIR/out"; }
is() { [ "$1" = "$2" ]; }
absent() { [ ! -e "$1" ]; }
same_file() { [ -s "$1" ] && cmp -s "$1" "$2"; }

checks_done()
{
    echo "$checks checks, $failed failed"
    [ "$failed" -eq 0 ]
}
