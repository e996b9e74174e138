#!/usr/bin/env bash
# Backends against the slow reference, failing devices, random operations, saved states that travel (a quarter as many, emulated CUDA a
# fiftieth), and the engine against the independent reference, on many more random plans and specs than every day: RIDE_CONFORMANCE_ROUNDS (20000), RIDE_RANDOM_SPECS (3000), from seed RIDE_CONFORMANCE_SEED (1).
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
build=${RIDE_BUILD_DIR:-build/release}
[ -x "$build/tests/conformance_backends_test" ] || { echo "no release build of the tests"; exit 77; }
export RIDE_CONFORMANCE_ROUNDS=${RIDE_CONFORMANCE_ROUNDS:-20000} RIDE_RANDOM_SPECS=${RIDE_RANDOM_SPECS:-3000}
failed=0
rounds=$RIDE_CONFORMANCE_ROUNDS
for test in backends device operations states; do
    [ $test = backends ] || RIDE_CONFORMANCE_ROUNDS=$((rounds / 4 + 1))
    RIDE_CONFORMANCE_BACKENDS=reference,cpu,cpu_avx2,cpu_portable,fake_cpu "$build/tests/conformance_${test}_test" || failed=1
    echo "figure: ${test}_plans $RIDE_CONFORMANCE_ROUNDS"
    RIDE_CONFORMANCE_ROUNDS=$((rounds / 50 + 1)) RIDE_CONFORMANCE_BACKENDS=cuda_emulated "$build/tests/conformance_${test}_test" || failed=1
    echo "figure: ${test}_plans_emulated $((rounds / 50 + 1))"
done
scripts/python tests/integration/test_random_specs.py "${RIDE_CONFORMANCE_SEED:-1}" || failed=1
echo "figure: specs $RIDE_RANDOM_SPECS"
exit $failed
