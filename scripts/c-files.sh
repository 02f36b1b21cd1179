#!/bin/sh
# Lists chorus' own C and C++ sources and headers, one a line: what the checks look at.
#   usage: scripts/c-files.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"
for dir in src include tests bench examples fuzz cmake; do
    [ ! -d "$dir" ] || find "$dir" -name '*.[ch]' -o -name '*.inc' -o -name '*.cpp'
done | sort
