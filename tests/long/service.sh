#!/usr/bin/env bash
# Many kills of engine and broker (RIDE_TEST_KILLS, default 200; a tenth of them the broker's), ten at least in each phase, and many
# rebalances (RIDE_TEST_REBALANCES, default 40); random specs over a log in memory that crashes (RIDE_RANDOM_SERVICE, default 3000).
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
kills=${RIDE_TEST_KILLS:-200}
export RIDE_RANDOM_SERVICE=${RIDE_RANDOM_SERVICE:-3000}
failed=0
part() { # one that cannot run ends all, with its reason on the last line, but never hides a failure of before
    scripts/python "$@"
    local code=$?
    [ "$code" -ne 77 ] || exit $((failed == 0 ? 77 : 1))
    [ "$code" -eq 0 ] || failed=1
}
part tests/integration/test_random_service.py 1000
part tests/fault/kills.py --kills "$kills" --broker-kills "$((kills / 10))" --per-phase 10 --partitions 4 --rate 500
part tests/fault/kills.py --engine ride:pipeline --kills "$((kills / 10))" --broker-kills 2 --per-phase 2 --partitions 1 --seed 2
part tests/fault/rebalance.py --rounds "${RIDE_TEST_REBALANCES:-40}"
for mode in inline pipeline; do
    part tests/fault/overload.py --seconds 60 --mode "$mode"
    part tests/fault/overload_http.py --seconds 60 --mode "$mode"
done
echo "figure: kills $kills"
echo "figure: broker_kills $((kills / 10))"
echo "figure: specs $RIDE_RANDOM_SERVICE"
exit "$failed"
