#!/usr/bin/env bash
# `ride generate` as scripts call it: the same bytes for the same seed, labels, formats, exit codes.
set -eu
[ -x "${RIDE_BIN:-}" ] || { echo "no ride program"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "$*"; exit 1; }
code() { # expected, command…
    want=$1; shift
    got=0; "$@" >out 2>err || got=$?
    [ "$got" = "$want" ] || { cat err; fail "exit $got, not $want: $*"; }
}
common=(--events 30000 --customers 2000 --terminals 500 --late-rate 1% --duplicate-rate 0.005)
"$RIDE_BIN" generate "${common[@]}" --seed 7 --labels labels.csv --output a.csv
"$RIDE_BIN" generate "${common[@]}" --seed 7 --output - >b.csv
cmp a.csv b.csv || fail "two runs differ"
"$RIDE_BIN" generate "${common[@]}" --seed 8 --output c.csv
! cmp -s a.csv c.csv || fail "another seed gave the same stream"
[ "$(head -1 a.csv)" = "tx_id,ts,card,terminal,amount,currency,mcc,channel,country,lat,lon,is_fraud" ] || fail "header"
[ "$(tail -n +2 a.csv | cut -d, -f1 | sort -u | wc -l)" = 30000 ] || fail "distinct ids"
[ "$(sort a.csv | uniq -d | wc -l)" -gt 50 ] || fail "no exact repeats"
[ "$(tail -n +2 labels.csv | wc -l)" -gt 100 ] || fail "labels"
tail -n +2 labels.csv | cut -d, -f2 | sort -nc || fail "labels are not in order"
"$RIDE_BIN" generate "${common[@]}" --seed 7 --format ndjson --output n.json
[ "$(wc -l <n.json)" = "$(($(wc -l <a.csv) - 1))" ] || fail "ndjson has other rows"
code 0 "$RIDE_BIN" generate --help
code 64 "$RIDE_BIN" generate --events 5
code 64 "$RIDE_BIN" generate --events five --output x
code 64 "$RIDE_BIN" generate --evnts 5 --output x
grep -q 'did you mean --events' err || fail "no hint"
code 64 "$RIDE_BIN" generate --customers 0 --output x
code 64 "$RIDE_BIN" generate --late-rate 1.5 --output x
code 74 "$RIDE_BIN" generate --events 5 --output no/such/folder/x
code 74 "$RIDE_BIN" generate --events 100000 --output /dev/full
code 64 "$RIDE_BIN" nonsense
echo "ok"
