#!/usr/bin/env bash
# Damaged model files under ASan and UBSan: RIDE_MUTANTS (25000) of each file of the fuzz corpus, so 10^5 or more of each format. None may crash, leak, or take a second.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
mkdir -p out/test
export RIDE_MUTANTS=${RIDE_MUTANTS:-25000} RIDE_SOURCE_DIR=$top
cmake --preset asan >out/test/mutants.log 2>&1 && cmake --build build/asan --target unit_mutants_test >>out/test/mutants.log 2>&1 ||
    { tail -30 out/test/mutants.log; echo "the build failed"; exit 1; }
rm -f out/test/mutants.asan*
ASAN_OPTIONS=log_path=out/test/mutants.asan build/asan/tests/unit_mutants_test --timeout 0 || exit 1
[ -z "$(ls out/test/mutants.asan* 2>/dev/null)" ] || { head -20 out/test/mutants.asan*; echo "a leak"; exit 1; }
for format in xgboost lightgbm onnx treelite sklearn catboost; do
    files=$(find tests/fuzz/corpus/model -name "$format*" | wc -l)
    echo "figure: ${format}_mutants $((files * RIDE_MUTANTS))"
    [ $((files * RIDE_MUTANTS)) -ge 100000 ] || { echo "$format: fewer than 100,000"; exit 1; }
done
