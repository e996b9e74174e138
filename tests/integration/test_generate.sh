#!/usr/bin/env bash
# `ride generate` as scripts call it: the same bytes for the same seed, labels, formats, exit codes.
set -eu
[ -x "${RIDE_BIN:-}" ] || { echo "no ride program"; exit 77; }
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
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

# Binary: the spec with `format: binary` gives the features that the CSV gives, and the labels' file reads as well.
"$RIDE_BIN" generate "${common[@]}" --seed 7 --format binary --labels labels.bin --output a.bin
"$RIDE_BIN" generate "${common[@]}" --seed 7 --format binary --output - >b.bin
cmp a.bin b.bin || fail "two binary runs differ"
[ "$(head -c 8 a.bin)" = RIDEROWS ] && [ "$(head -c 8 labels.bin)" = RIDEROWS ] || fail "not the binary record"
cp "$top/examples/card-fraud/features.yaml" csv.yaml
sed 's/^    format: csv/    format: binary/' csv.yaml >binary.yaml
! cmp -s csv.yaml binary.yaml || fail "the spec has no format to replace"
for format in csv binary; do
    input=a.csv; [ $format = csv ] || input=a.bin
    "$RIDE_BIN" features run --spec $format.yaml --input $input --output $format.features 2>$format.err
done
[ "$(wc -l <csv.features)" = 30001 ] || fail "features of the CSV"
cmp csv.features binary.features || fail "binary gives other features than CSV"
for format in csv binary; do
    cat >$format.labels.yaml <<END
version: 1
sources:
  tx:
    format: $format
    event_time: {field: ts, unit: ms}
    event_id: tx_id
    dedup: 3d
    watermark: {bound: 30s, allowed_lateness: 2h}
    fields: {tx_id: u64, terminal: u64, channel: string, lat: {type: f64, nullable: true}, mcc: u16}
  chargebacks:
    format: $format
    labels: {source: tx, key: tx_id, value: is_fraud}
    event_time: {field: reported_at, unit: ms}
    fields: {tx_id: u64, is_fraud: bool}
entities:
  terminal: {keys: [terminal], horizon: 37d}
features:
  - {entity: terminal, agg: [count], windows: [1d]}
  - {entity: terminal, agg: [risk], windows: [7d], delay: 1d, empty: 0}
  - {name: online, expr: "channel == 'ecom'"}
  - {name: north, expr: "lat * 1.0"}
END
    input=a.csv labels=labels.csv; [ $format = csv ] || input=a.bin labels=labels.bin
    code 0 "$RIDE_BIN" features run --spec $format.labels.yaml --input $input --input chargebacks=$labels --output $format.features
    cp err $format.err
done
cmp csv.features binary.features || fail "binary labels give other features than CSV"
[ "$(cut -d, -f3 csv.features | sort -u | wc -l)" -gt 10 ] || fail "labels changed nothing"
[ "$(grep -o '[0-9]* labels' csv.err)" = "$(grep -o '[0-9]* labels' binary.err)" ] || fail "labels: $(cat csv.err binary.err)"

# Numbers may have underscores; bounds.
code 0 "$RIDE_BIN" generate --events 1_000 --customers 10 --output u.csv
[ "$(wc -l <u.csv)" = 1001 ] || fail "underscores"
code 64 "$RIDE_BIN" generate --events 200000000000 --output x
code 64 "$RIDE_BIN" generate --format xml --output x
code 64 "$RIDE_BIN" generate --start yesterday --output x
code 64 "$RIDE_BIN" generate --seed 18446744073709551616 --output x
code 0 "$RIDE_BIN" generate --events 2 --seed 18446744073709551615 --start 2025-06-01T00:00:00+02:00 --late-rate 0.5% --output x
code 74 "$RIDE_BIN" generate --format binary --events 100000 --output /dev/full
code 64 "$RIDE_BIN" generate --events 5
code 64 "$RIDE_BIN" generate --events five --output x
code 64 "$RIDE_BIN" generate --evnts 5 --output x
grep -qF 'did you mean `--events`?' err || fail "no hint"
code 64 "$RIDE_BIN" generate --customers 0 --output x
code 64 "$RIDE_BIN" generate --late-rate 1.5 --output x
code 74 "$RIDE_BIN" generate --events 5 --output no/such/folder/x
code 74 "$RIDE_BIN" generate --events 100000 --output /dev/full
code 64 "$RIDE_BIN" nonsense
echo "ok"
