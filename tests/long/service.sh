#!/usr/bin/env bash
# Many kills of engine and broker (RIDE_TEST_KILLS, default 200; a tenth of them the broker's), ten at least in each phase, and many
# rebalances (RIDE_TEST_REBALANCES, default 40); random specs over a log in memory that crashes (RIDE_RANDOM_SERVICE, default 3000).
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
kills=${RIDE_TEST_KILLS:-200}
export RIDE_RANDOM_SERVICE=${RIDE_RANDOM_SERVICE:-3000}
failed=0
scripts/python tests/integration/test_random_service.py 1000 || failed=$?
scripts/python tests/fault/kills.py --kills "$kills" --broker-kills "$((kills / 10))" --per-phase 10 --partitions 4 --rate 500 || failed=$?
[ "$failed" -eq 77 ] && exit 77
scripts/python tests/fault/kills.py --engine ride:pipeline --kills "$((kills / 10))" --broker-kills 2 --per-phase 2 --partitions 1 --seed 2 || failed=$?
scripts/python tests/fault/rebalance.py --rounds "${RIDE_TEST_REBALANCES:-40}" || failed=$?
for mode in inline pipeline; do
    scripts/python tests/fault/overload.py --seconds 60 --mode "$mode" || failed=$?
    scripts/python tests/fault/overload_http.py --seconds 60 --mode "$mode" || failed=$?
done
echo "figure: kills $kills"
echo "figure: specs $RIDE_RANDOM_SERVICE"
exit "$failed"
