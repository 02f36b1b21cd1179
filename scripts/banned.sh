#!/bin/sh
# Functions that read or write without a bound, hide errors or keep global state; and the end of a comment on
# a line of its own, where a sentence was broken to fit.
set -eu
cd "$(dirname "$0")/.."
banned='strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|rand|srand'
files=$(scripts/c-files.sh)
[ -n "$files" ] || { echo "banned: no sources"; exit 1; }
# shellcheck disable=SC2086 # file names without spaces
code=$(awk -f scripts/strip.awk $files)
! echo "$code" | grep -E ":[0-9]+:(.*[^A-Za-z0-9_])?($banned)[ ]*\\(" || {
    echo "banned: use snprintf, ch_str, strtol or ch_rng instead"
    exit 1
}
# shellcheck disable=SC2086
! grep -nE '^ *\*/$' $files || {
    echo "banned: the end of a comment stands behind its last word"
    exit 1
}
