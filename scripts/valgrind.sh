#!/bin/sh
# The C tests under valgrind, with a libllama that keeps to instructions valgrind knows.
#   TESTS=regex picks tests
set -eu
cd "$(dirname "$0")/.."
scripts/apt.sh valgrind
llama=${LLAMA_DIR:-}
if [ -z "$llama" ]; then
    LLAMA_NATIVE=OFF scripts/deps.sh
    llama=$PWD/third_party/llama-portable
fi
cmake -S . -B build-valgrind -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-g -O1' -DCHORUS_LLAMA="$llama"
env -u MAKEFLAGS -u MAKELEVEL cmake --build build-valgrind --parallel "${JOBS:-2}"
export SRC="$PWD" CHORUS="$PWD/build-valgrind/chorus"
ran=0 bad=0
for t in tests/test_*.c; do
    name=$(basename "$t" .c)
    echo "$name" | grep -Eq "${TESTS:-.}" || continue
    echo "== $name"
    ran=$((ran + 1))
    valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite \
        --errors-for-leak-kinds=definite --suppressions=cmake/valgrind.supp \
        "build-valgrind/tests/$name" || { echo "FAILED: $name"; bad=$((bad + 1)); }
done
echo "valgrind: $ran tests, $bad failed"
[ $ran -gt 0 ] && [ $bad = 0 ]
