#!/usr/bin/env bash
# Line coverage of the tests, per folder; the total is kept as a figure. Only a failing test fails it: a share is not a proof.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
mkdir -p out/test
unset RIDE_RANDOM_SPECS RIDE_RANDOM_SERVICE RIDE_TEST_KILLS # what a long run asks of its other scripts
export RIDE_CONFORMANCE_ROUNDS=15       # more rounds take minutes without optimisation, and reach no other line
find build/coverage -name '*.gcda' -delete 2>/dev/null
cmake --preset coverage >out/test/coverage.log 2>&1 && cmake --build build/coverage >>out/test/coverage.log 2>&1 ||
    { tail -30 out/test/coverage.log; echo "the coverage build failed"; exit 1; }
cmake --build build/coverage --target coverage >out/test/coverage.log 2>&1 || { tail -40 out/test/coverage.log; exit 1; }
grep -E '^ *[0-9.]+ % .* (all|[a-z/]+)$' out/test/coverage.log | grep -v '\.[ch]c*$'
echo "figure: lines_covered $(sed -nE 's/^ *([0-9.]+) %.*  all$/\1/p' out/test/coverage.log) %"
