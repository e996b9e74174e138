#!/usr/bin/env bash
# Damaged model files under ASan and UBSan: RIDE_MUTANTS (100,000) of each of ten formats. None may crash, leak, take a second or hold more memory than its size
# allows. The one at which a format's run ends is kept in out/mutants and belongs into tests/fuzz/corpus/model once it is fixed.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
export RIDE_SOURCE_DIR=$top RIDE_MUTANTS=${RIDE_MUTANTS:-100000} RIDE_MUTANTS_KEEP=$top/out/mutants
export RIDE_MUTANTS_SEED=${RIDE_MUTANTS_SEED:-$(date +%s)}
rm -rf out/mutants && mkdir -p out/mutants
cmake --preset asan >out/mutants/build.log 2>&1 && cmake --build build/asan --target unit_mutants_test >>out/mutants/build.log 2>&1 ||
    { tail -30 out/mutants/build.log; echo "the build failed"; exit 1; }
ASAN_OPTIONS=log_path=out/mutants/asan build/asan/tests/unit_mutants_test --timeout 0 >out/mutants/log 2>&1
code=$?
grep '^mutants of' out/mutants/log
sed -nE 's/^mutants of ([a-z]+)-?([a-z]*) +([0-9]+) of .*/figure: \1\2_mutants \3/p' out/mutants/log
if [ "$code" -ne 0 ]; then
    grep -E 'FAIL|SUMMARY|runtime error|CRASH' out/mutants/log | head -10
    echo "seed $RIDE_MUTANTS_SEED: see out/mutants/log and the files beside it"
    exit 1
fi
[ -z "$(ls out/mutants/asan* 2>/dev/null)" ] || { head -20 out/mutants/asan*; echo "a leak"; exit 1; }
[ "$(grep -c '^mutants of' out/mutants/log)" -eq 10 ] || { echo "fewer than ten formats"; exit 1; }
