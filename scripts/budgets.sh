#!/bin/sh
# Lengths: a function has at most 60 lines, a .c, .cpp or .inc file 500, a header 150, a room of src/ a fifth of
# all rooms' lines. Relies on clang-format's layout: a function's braces stand alone in the first column.
#   usage: scripts/budgets.sh [ROOT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/..}"
files=$("$here/c-files.sh" "$PWD")
[ -n "$files" ] || { echo "budgets: no sources"; exit 1; }
# shellcheck disable=SC2086 # file names without spaces
awk '
function say(line, what) { print file ":" line ": " what; bad = 1 }
function end_of_file() {
    max = file ~ /\.h$/ ? 150 : 500
    if (file != "" && lines > max) say(1, lines " lines, at most " max)
    if (start) say(start, "a function without an end")
    if (file ~ /^src\//) { split(file, part, "/"); room[part[2]] += lines; all += lines }
}
FNR == 1 { end_of_file(); file = FILENAME; start = 0 }
{ lines = FNR }
/^[A-Za-z_].*\(/ && !start { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^\{/ || /^[A-Za-z_].*\) *\{$/ { start = FNR }
/^\}/ && start {
    n = FNR - start + 1
    if (n > 60) say(start, name " has " n " lines, at most 60")
    start = 0
}
END {
    end_of_file()
    for (r in room)
        if (5 * room[r] > all) {
            printf "src/%s: %d of %d lines, %.1f %%; at most a fifth\n", r, room[r], all, 100 * room[r] / all
            bad = 1
        }
    exit bad
}' $files
