#!/usr/bin/env bash
# Backends against the slow reference, failing devices, and the engine against the independent reference, on many more random
# plans and specs than every day: RIDE_CONFORMANCE_ROUNDS (20000), RIDE_RANDOM_SPECS (3000), from seed RIDE_CONFORMANCE_SEED (1).
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
build=${RIDE_BUILD_DIR:-build/release}
[ -x "$build/tests/conformance_backends_test" ] || { echo "no release build of the tests"; exit 77; }
export RIDE_CONFORMANCE_ROUNDS=${RIDE_CONFORMANCE_ROUNDS:-20000} RIDE_RANDOM_SPECS=${RIDE_RANDOM_SPECS:-3000}
failed=0
for test in backends device; do
    "$build/tests/conformance_${test}_test" || failed=1
    echo "figure: ${test}_plans $RIDE_CONFORMANCE_ROUNDS"
done
scripts/python tests/integration/test_random_specs.py "${RIDE_CONFORMANCE_SEED:-1}" || failed=1
echo "figure: specs $RIDE_RANDOM_SPECS"
exit $failed
