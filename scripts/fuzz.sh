#!/bin/sh
# Explores each fuzz/fuzz_x.c with libFuzzer and the sanitizers, from fuzz/corpus/x; what is found new goes
# to build-fuzz/corpus/x, a crash to build-fuzz/.
#   FUZZ_SECONDS=n per target (60)
set -eu
cd "$(dirname "$0")/.."
scripts/apt.sh clang libclang-rt-dev libomp-dev
cmake -S . -B build-fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
    -DCMAKE_BUILD_TYPE=Debug -DCHORUS_FUZZ=ON -DCHORUS_SANITIZE=ON -DCHORUS_LLAMA="${LLAMA_DIR:-}"
env -u MAKEFLAGS -u MAKELEVEL cmake --build build-fuzz --parallel "${JOBS:-2}" --target fuzz
ran=0
for t in fuzz/fuzz_*.c; do
    [ -e "$t" ] || continue
    x=$(basename "$t" .c)
    x=${x#fuzz_}
    mkdir -p "build-fuzz/corpus/$x"
    ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=cmake/lsan.supp:print_suppressions=0 \
        "build-fuzz/fuzz/fuzz_$x" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=20 -rss_limit_mb=4096 \
        -print_final_stats=1 -artifact_prefix="build-fuzz/$x-" "build-fuzz/corpus/$x" "fuzz/corpus/$x"
    ran=$((ran + 1))
done
echo "fuzz: $ran targets"
[ $ran -gt 0 ]
