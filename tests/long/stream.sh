#!/usr/bin/env bash
# RIDE_STREAM_EVENTS (100 million) generated events through a pipe into the card-fraud features: ends, accounts for every event, and
# its memory stays that of its windows.
set -u -o pipefail
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
ride=${RIDE_BIN:-$top/build/release/bin/ride}
events=${RIDE_STREAM_EVENTS:-100000000}
[ -x /usr/bin/time ] || { echo "GNU time is missing: apt-get install time"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/spec.yaml" <<'SPEC'
version: 1
sources:
  tx:
    format: binary
    event_time: {field: ts, unit: ms}
    event_id: tx_id
    watermark: {bound: 30s, allowed_lateness: 2h}
    label: is_fraud
    fields: {tx_id: u64, ts: {type: timestamp, unit: ms}, card: string, terminal: u64, amount: {type: decimal, scale: 2}, is_fraud: bool}
entities:
  card: {keys: [card], horizon: 7d, expected_keys: 1000000}
  terminal: {keys: [terminal], horizon: 14d, expected_keys: 100000}
features:
  - {entity: card, agg: [count], windows: [1h, 1d, 7d]}
  - {entity: card, column: amount, agg: [mean], windows: [1d, 7d]}
  - {entity: terminal, agg: [count, risk], windows: [1d, 7d], delay: 7d, labels: fixed}
SPEC
"$ride" generate --events "$events" --customers 1000000 --terminals 100000 --seed 3 --late-rate 0.2% --format binary --output - |
    /usr/bin/time -o "$work/time" -f '%e %M' "$ride" features run --spec "$work/spec.yaml" --input - --output /dev/null --format binary 2>"$work/told" ||
    { cat "$work/told"; exit 1; }
cat "$work/told"
read -r seconds kilobytes <"$work/time"
echo "figure: events $events"
echo "figure: seconds $seconds s"
echo "figure: memory_peak $((kilobytes / 1024)) MiB"
grep -q "^$events events (.*), 0 rejected, 0 duplicates" "$work/told" || { echo "not every event was accounted for"; exit 1; }
