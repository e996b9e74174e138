#!/bin/sh
# Sums past what the spec's check assumes: a key with more events than `max_events` says keeps exact sums, and a window whose sum
# leaves 64 bits is null, never a wrapped number; once it fits again it is there again.
set -eu
ride=${RIDE_BIN:-build/release/bin/ride}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/spec.yaml" <<'END'
version: 1
sources: {tx: {format: csv, event_time: {field: t, unit: s}, event_id: id, fields: {id: u32, k: u32, v: i64}}}
entities: {k: {keys: [k], max_events: 2}}
features: [{entity: k, column: v, agg: [sum, mean, count], windows: [10s]}]
END
big=4611686018427387903 # (2^63 - 1) / 2: the domain that two events leave
{
    echo id,t,k,v
    echo "1,1000,1,$big"
    echo "2,1001,1,$big"
    echo "3,1002,1,5"
    echo "4,1003,1,-5"
    echo "5,1012,1,-7"
    echo "6,1013,1,$big"
} >"$folder/rows.csv"
"$ride" features run --spec "$folder/spec.yaml" --input "$folder/rows.csv" --output "$folder/out.csv" --quiet
cat >"$folder/want.csv" <<'END'
id,k_v_sum_10s,k_v_mean_10s,k_v_count_10s
1,4611686018427387904,4611686018427387904,1
2,9223372036854775808,4611686018427387904,2
3,,,3
4,9223372036854775808,2305843009213693952,4
5,-12,-6,2
6,4611686018427387904,2305843009213693952,2
END
diff "$folder/want.csv" "$folder/out.csv" # nothing: as it must be
