#!/bin/sh
# Explores each fuzz/fuzz_x.c with libFuzzer and the sanitizers, from fuzz/corpus/x; what is found new goes
# to build-fuzz/corpus/x, a crash to build-fuzz/, what libFuzzer says to build-fuzz/x.log. Ends with a table, and with
# exit code 1 when something was found.
#   FUZZ_SECONDS=n per target (60)  FUZZ_TARGETS="gguf json .." (all)
set -eu
cd "$(dirname "$0")/.."
scripts/apt.sh clang libclang-rt-dev libomp-dev
cmake --log-level=NOTICE -S . -B build-fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-g -O1" -DCMAKE_CXX_FLAGS_DEBUG="-g -O1" \
    -DCHORUS_FUZZ=ON -DCHORUS_SANITIZE=ON -DCHORUS_LLAMA="${LLAMA_DIR:-}"
env -u MAKEFLAGS -u MAKELEVEL cmake --build build-fuzz --parallel "${JOBS:-2}" --target fuzz
targets=${FUZZ_TARGETS:-$(ls fuzz/fuzz_*.c | sed 's|.*/fuzz_||; s|\.c$||')}
[ -n "$targets" ] || { echo "fuzz: no targets"; exit 1; }
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm # a run is written again for every input
export SRC=. ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=cmake/lsan.supp:print_suppressions=0
found=0
table=$(printf '%-12s %12s %9s' target executions findings)
for x in $targets; do
    mkdir -p "build-fuzz/corpus/$x"
    echo "fuzz: $x"
    bad=0
    "build-fuzz/fuzz/fuzz_$x" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=20 -rss_limit_mb=4096 \
        -print_final_stats=1 -artifact_prefix="build-fuzz/$x-" "build-fuzz/corpus/$x" "fuzz/corpus/$x" \
        > "build-fuzz/$x.log" 2>&1 || bad=1
    [ $bad -eq 0 ] || { tail -40 "build-fuzz/$x.log"; found=$((found + 1)); }
    n=$(sed -n 's/^stat::number_of_executed_units: *//p' "build-fuzz/$x.log")
    table=$(printf '%s\n%-12s %12s %9s' "$table" "$x" "${n:-none}" "$bad")
done
echo "$table"
echo "fuzz: $found targets with findings"
[ $found -eq 0 ]
