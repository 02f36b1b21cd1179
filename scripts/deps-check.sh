#!/bin/sh
# Folders of src/ point one way: a room includes itself and the rooms before it. Some things have one
# home only: oneDNN in tensor, llama.cpp in model, the process (exit, argv) in cli.
set -eu
cd "$(dirname "$0")/.."
files=$(find src include -name '*.[ch]' -o -name '*.inc' -o -name '*.cpp' | sort)
[ -n "$files" ] || { echo "deps-check: no sources"; exit 1; }
bad=0

# shellcheck disable=SC2086 # file names without spaces
awk '
BEGIN {
    n = split("base tensor data model train generate align measure survey recipe run report api cli", order)
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

# shellcheck disable=SC2046
code=$(awk -f scripts/strip.awk $(echo "$files" | grep -v '^src/cli/') </dev/null)
echo "$code" | grep -E ':[0-9]+:(.*[^A-Za-z0-9_])?(exit[ ]*\(|argv([^A-Za-z0-9_]|$))' && {
    echo "deps-check: only src/cli may call exit or read argv"
    bad=1
}
exit $bad
