#!/bin/sh
# Each header compiles alone and a second time, as C; the public ones as C++ too.
set -eu
cd "$(dirname "$0")/.."
llama="-isystem third_party/llama/include"
if [ -n "${LLAMA_DIR:-}" ]; then
    llama="-isystem $LLAMA_DIR/include -isystem $LLAMA_DIR/ggml/include"
elif pkg-config --exists llama; then
    llama=$(pkg-config --cflags llama)
fi
cc="${CC:-cc} -std=gnu11 -fopenmp -fsyntax-only -Wall -Wextra -Werror -Iinclude -Isrc -Itests $llama"
bad=0
headers=$(find include src tests -name '*.h' | sort)
[ -n "$headers" ] || { echo "hdr-check: no headers"; exit 1; }
for h in $headers; do
    name=${h#*/}
    printf '#include "%s"\n#include "%s"\n' "$name" "$name" | $cc -x c - || { echo "hdr-check: $h"; bad=1; }
done
for h in include/*.h; do
    echo "#include \"${h#*/}\"" | ${CXX:-c++} -std=c++11 -fsyntax-only -Wall -Wextra -Werror -Iinclude -x c++ - ||
        { echo "hdr-check: $h, as C++"; bad=1; }
done
exit $bad
