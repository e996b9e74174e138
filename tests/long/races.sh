#!/usr/bin/env bash
# ThreadSanitizer over a service for RIDE_RACES_SECONDS (60): over a log in memory, with two shards, reloads, scripted rebalances, questions and /metrics;
# then as long against a real broker, where a planted race is reported too.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
seconds=${RIDE_RACES_SECONDS:-60}
mkdir -p out/test
cmake --preset tsan >out/test/races-build.log 2>&1 &&
    cmake --build build/tsan --target ride support_programs stress_service_stress >>out/test/races-build.log 2>&1 ||
    { tail -40 out/test/races-build.log; echo "the tsan build failed"; exit 1; }
start=() # some kernels randomise more bits of an address than TSan can take
build/tsan/bin/ride --version >/dev/null 2>&1 || start=(setarch "$(uname -m)" -R)
failed=0
TSAN_OPTIONS=second_deadlock_stack=1 RIDE_SERVICE_STRESS_SECONDS=$seconds ${start[@]+"${start[@]}"} build/tsan/tests/stress_service_stress || failed=1
export RIDE_BIN=$top/build/tsan/bin/ride
${start[@]+"${start[@]}"} scripts/python tests/fault/races.py --seconds "$seconds"
code=$?
[ "$code" -ne 77 ] || exit $((failed == 0 ? 77 : 1)) # what cannot run hides no failure of before
[ "$code" -eq 0 ] || failed=1
${start[@]+"${start[@]}"} scripts/python tests/fault/races.py --seconds 10 --planted || failed=1
echo "figure: seconds $seconds s"
exit "$failed"
