#!/bin/sh
# Every operation of the device's table (src/tensor/ops.h) is called by a test that holds it against its plain twin.
# SRC: the source tree.
set -u
cd "${SRC:-.}" || exit 1
operations=$(sed -n 's/^ *[a-z_]* (\*\([a-z_0-9]*\))(.*/\1/p' src/tensor/ops.h)
n=0
missing=0
for op in $operations; do
    n=$((n + 1))
    grep -qE "op->$op\(" tests/test_kernels*.c && continue
    missing=$((missing + 1))
    echo "FAILED: no test_kernels*.c calls op->$op"
done
entries=$(sed -n '/^typedef struct ch_ops {/,/^} ch_ops;/p' src/tensor/ops.h | grep -c '(\*')
[ "$n" -eq "$entries" ] || echo "FAILED: $entries operations in the table, $n of them read here"
echo "$n operations, $missing without a test"
[ "$n" -ge 10 ] && [ "$n" -eq "$entries" ] && [ "$missing" -eq 0 ]
