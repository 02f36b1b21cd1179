#!/bin/sh
# Calls follow the rooms as includes do: no object of a build uses what a later room defines, and no files use
# each other in a circle. Read from the objects' symbols, so that a prototype written down by hand is seen too.
#   usage: scripts/calls-check.sh BUILD [ROOT]   (objects of ROOT's src/; others are left over from before)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${2:-$here/..}
objects=$(find "$1" -path '*.dir/src/*' -name '*.o' | sort | while read -r o; do
    source=${o##*.dir/}
    [ ! -e "$root/${source%.o}" ] || echo "$o"
done)
[ -n "$objects" ] || { echo "calls-check: no objects in $1"; exit 1; }
bad=0
# shellcheck disable=SC2086 # file names without spaces
nm -A -P $objects | awk '
{ file = $1; sub(/.*\.dir\//, "", file); sub(/\.o:$/, "", file) }
$3 ~ /^[TDRBC]$/ { home[$2] = file }
$3 == "U" { n++; user[n] = file; used[n] = $2 }
END { for (i = 1; i <= n; i++) if (used[i] in home) print user[i], home[used[i]], used[i] }' >"$1/calls"
[ -s "$1/calls" ] || { echo "calls-check: no file calls another"; exit 1; }
awk -v rooms="$("$here/rooms.sh")" '
BEGIN { n = split(rooms, order); for (i = 1; i <= n; i++) rank[order[i]] = i }
{
    split($1, a, "/"); split($2, b, "/")
    if (rank[b[2]] > rank[a[2]]) { print $1 ": " a[2] " may not use " $3 " of " $2; bad = 1 }
}
END { exit bad }' "$1/calls" || bad=1
awk -f "$here/circles.awk" "$1/calls" || bad=1
exit $bad
