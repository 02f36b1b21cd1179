#!/bin/sh
# Lengths: a function has at most 100 lines (aim at 60), a .c or .inc file 500, a header 150.
# Relies on clang-format's layout: a function's braces stand alone in the first column.
set -eu
cd "$(dirname "$0")/.."
files=$(scripts/c-files.sh)
[ -n "$files" ] || { echo "budgets: no sources"; exit 1; }
# shellcheck disable=SC2086 # file names without spaces
awk '
function say(line, what) { print file ":" line ": " what; bad = 1 }
function end_of_file() {
    max = file ~ /\.h$/ ? 150 : 500
    if (file != "" && lines > max) say(1, lines " lines, at most " max)
    if (start) say(start, "a function without an end")
}
FNR == 1 { end_of_file(); file = FILENAME; start = 0 }
{ lines = FNR }
/^[A-Za-z_].*\(/ && !start { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^\{/ || /^[A-Za-z_].*\) *\{$/ { start = FNR }
/^\}/ && start {
    n = FNR - start + 1
    if (n > 100) say(start, name " has " n " lines, at most 100")
    else if (n > 60) over++
    start = 0
}
END {
    end_of_file()
    if (over) print "budgets: " over " functions have more than 60 lines"
    exit bad
}' $files
