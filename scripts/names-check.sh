#!/bin/sh
# What names say is true: no two sources have one name, a header stands beside the .c file it is named after (or
# tells of types alone), and what comments and documents name is there: files, functions, keys of recipes.
#   usage: scripts/names-check.sh [ROOT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/..}"
files=$("$here/c-files.sh" "$PWD")
[ -n "$files" ] || { echo "names-check: no sources"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# A header and its source share a name in one folder; a public header's source is in src/api.
echo "$files" | awk '
{
    file = $0; folder = file; sub(/\/[^\/]*$/, "", folder)
    name = file; sub(/.*\//, "", name); kind = name; sub(/.*\./, "", kind); sub(/\.[^.]*$/, "", name)
    if (folder == "include") folder = "src/api"
    kind = kind == "h" ? "h" : "c"
    if (name in home && home[name] != folder || (name, kind) in taken) {
        print file ": " first[name] " has that name already"
        bad = 1
    }
    home[name] = folder; taken[name, kind] = 1
    if (!(name in first)) first[name] = file
}
END { exit bad }' || bad=1

# Prototypes end in ");" outside of all braces; a header without a source may not have any.
for h in $(echo "$files" | grep '\.h$'); do
    [ -e "${h%.h}.c" ] || [ -e "${h%.h}.cpp" ] || [ -e "src/api/$(basename "$h" .h).c" ] ||
        awk -f "$here/strip.awk" "$h" | awk '
            { code = $0; sub(/^[^:]*:[0-9]*:/, "", code) }
            code ~ /^[ \t]*#/ || more { more = code ~ /\\$/; next }
            !depth && code ~ /^(typedef|static)/ { skip = 1 }
            !depth && !skip && code ~ /[A-Za-z0-9_]\(.*|\);/ && code !~ /__attribute__/ { print FILENAME $0; bad = 1 }
            { depth += gsub(/\{/, "{", code); depth -= gsub(/\}/, "}", code) }
            !depth && code ~ /[;}][ \t]*$/ { skip = 0 }
            END { exit bad }' || { echo "names-check: $h declares functions and there is no ${h%.h}.c"; bad=1; }
done

# What is written: comments of sources and scripts, whole documents. Lines are FILE:LINE:TEXT.
text=$(
    # shellcheck disable=SC2086 # file names without spaces
    awk -v comments=1 -f "$here/strip.awk" $files
    written=$(find . -type d \( -name third_party -o -name models -o -name runs -o -name '.?*' -o -name 'build*' \) -prune -o \
        -type f \( -name '*.md' -o -name '*.sh' -o -name '*.cmake' -o -name Makefile -o -name CMakeLists.txt \
        -o -path './docs/*.yaml' \) -print | sed 's|^\./||' | sort)
    # shellcheck disable=SC2086
    [ -z "$written" ] || awk '{ t = FILENAME ~ /\.md$/ ? $0 : match($0, /(^|[ \t])#.*/) ? substr($0, RSTART) : "" }
        { print FILENAME ":" FNR ":" t }' $written
)
# A path is taken from the root, from src or tests, or from the file that names it; a bare name from anywhere.
# "x" stands for anything in names like cmd_x.c. Not files of ours: llama.cpp, and headers of libraries.
find . -type d \( -name third_party -o -name .git -o -name 'build*' \) -prune -o -type f -print >"$work/tree"
echo "$text" | awk -v tree="$work/tree" '
BEGIN {
    while ((getline path <tree) > 0) {
        sub(/^\.\//, "", path)
        there[path] = 1
        sub(/.*\//, "", path); names = names "\n" path; named[path] = 1
    }
    names = names "\n"
    split("llama.cpp llama.h ggml.h gguf.h dnnl.h jansson.h cmocka.h string.h stdint.h cyaml.h evp.h", o, " ")
    for (i in o) other[o[i]] = 1
}
{
    file = $0; sub(/:.*/, "", file)
    where = $0; sub(/^[^:]*:/, "", where); sub(/:.*/, "", where)
    rest = $0; sub(/^[^:]*:[0-9]*:/, "", rest)
    folder = file; if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
    while (match(rest, /[A-Za-z0-9_][A-Za-z0-9_\/.-]*\.(c|h|inc|cpp|sh|awk|cmake|py|supp)([^A-Za-z0-9_.\/*-]|\.[^A-Za-z0-9]|\.?$)/)) {
        before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
        name = substr(rest, RSTART, RLENGTH); sub(/[^A-Za-z0-9_]*$/, "", name)
        rest = substr(rest, RSTART + RLENGTH - 1)
        base = name; sub(/.*\//, "", base)
        if (base in other || before ~ /[*}$>]/) continue
        if (name in there || ("src/" name) in there || ("tests/" name) in there || ("include/" name) in there || (folder "/" name) in there) continue
        if (name !~ /\// && base in named) continue
        if (base ~ /_x\./) {
            pattern = base; sub(/\./, "[.]", pattern); sub(/_x\[/, "_[a-z0-9_]+[", pattern)
            if (names ~ "\n" pattern "\n") continue
        }
        print file ":" where ": there is no " name
        bad = 1
    }
}
END { exit bad }' || bad=1

# Functions and types: what the prose calls ch_x or CH_X stands in some code.
code=$(
    # shellcheck disable=SC2086
    awk -f "$here/strip.awk" $files
)
words() { sed 's/[A-Za-z0-9_]*[*]//g' | tr -c 'A-Za-z0-9_' '\n' | grep -E '^(ch|CH)_[A-Za-z0-9_]*[A-Za-z0-9]$' | sort -u; }
echo "$code" | words >"$work/code"
echo "$text" | grep -E '^[^:]*\.(c|h|inc|cpp|md):' | words | comm -23 - "$work/code" >"$work/lost"
while read -r name; do
    case $name in *_x | *_x_* | *_X | *_X_*) continue ;; esac
    echo "$text" | grep -E "(^|[^A-Za-z0-9_])$name([^A-Za-z0-9_*]|\$)" | sed "s/^\([^:]*:[0-9]*\):.*/\1: there is no $name/"
    bad=1
done <"$work/lost"

# Keys of recipes: rows of src/recipe/fields.c and CH_CONSTANTS.
if [ -e src/recipe/fields.c ]; then
    {
        sed -n 's/^ *[A-Z]*("\([a-z]*\)", "\([a-z0-9_]*\)".*/\1.\2/p' src/recipe/fields.c
        sed -n 's/^ *X(\([a-z]*\),.*/train.\1/p' src/train/objective.h
    } | sort -u >"$work/keys"
    sections=$(sed -n 's/^\([a-z][a-z]*\)\..*/\1/p' "$work/keys" | sort -u | paste -sd '|')
    echo "$text" | grep -E '^[^:]*\.(c|h|inc|cpp|md):' | grep -oE "(^|[^A-Za-z0-9_./-])($sections)\.[a-z][a-z0-9_]*[a-z0-9]([^A-Za-z0-9_(/.-]|\.?$|\. )" |
        grep -oE "($sections)\.[a-z0-9_]+" | sort -u | comm -23 - "$work/keys" >"$work/lost"
    while read -r key; do
        ! ls src/*/"$key" tests/"$key" >/dev/null 2>&1 || continue # a file, such as split.c
        case $key in *.c | *.h | *.json | *.jsonl | *.yaml | *.html | *.inc | *.gguf) continue ;; esac
        echo "$text" | grep -F "$key" | sed "s/^\([^:]*:[0-9]*\):.*/\1: there is no key $key/"
        bad=1
    done <"$work/lost"
fi
exit $bad
