#!/bin/sh
# Folders of src/ point one way: a room includes itself and the rooms before it, and no file includes itself
# on a detour. Some things have one home only: oneDNN in tensor, llama.cpp in model, the process (exit, argv)
# in cli.
#   usage: scripts/deps-check.sh [ROOT]   (of another tree, with the rooms of this one)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/..}"
files=$(find src include -name '*.[ch]' -o -name '*.inc' -o -name '*.cpp' | sort)
[ -n "$files" ] || { echo "deps-check: no sources"; exit 1; }
bad=0

# shellcheck disable=SC2086 # file names without spaces
awk -v rooms="$("$here/rooms.sh")" '
BEGIN {
    n = split(rooms, order)
    for (i = 1; i <= n; i++) rank[order[i]] = i
    home["dnnl"] = "tensor"; home["llama"] = home["ggml"] = home["gguf"] = "model"
}
function say(what) { print FILENAME ":" FNR ": " what; bad = 1 }
FNR == 1 { split(FILENAME, f, "/"); room = f[1] == "src" ? f[2] : "include" }
FNR == 1 && f[1] == "src" && !rank[room] { say("room " room " has no place in the order") }
/^[ \t]*#[ \t]*include/ {
    name = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*["<]/, "", name); sub(/[">].*/, "", name)
    parts = split(name, t, "/")
    base = t[parts]; sub(/[-_.].*/, "", base)
    if (base in home && room != home[base]) say("only src/" home[base] " may include " name)
    if ($0 !~ /"/) next
    if (name ~ /\.\./) say("no way up: " name)
    else if (room == "include") { if (parts > 1) say("a public header may not include " name) }
    else if (parts > 1 && (!rank[t[1]] || rank[t[1]] > rank[room])) say(room " may not include " name)
}
END { exit bad }' $files || bad=1

# FILE FILE include: names that start in a room count from src, others from the file's own folder.
# shellcheck disable=SC2086
awk '
FNR == 1 { folder = FILENAME; sub(/[^\/]*$/, "", folder) }
/^[ \t]*#[ \t]*include[ \t]*"/ {
    name = $0
    sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
    print FILENAME, (name ~ /\// ? "src/" : folder) name, "includes"
}' $files | awk -f "$here/circles.awk" || bad=1

# shellcheck disable=SC2046
code=$(awk -f "$here/strip.awk" $(echo "$files" | grep -v '^src/cli/') </dev/null)
echo "$code" | grep -E ':[0-9]+:(.*[^A-Za-z0-9_])?(exit[ ]*\(|argv([^A-Za-z0-9_]|$))' && {
    echo "deps-check: only src/cli may call exit or read argv"
    bad=1
}
exit $bad
