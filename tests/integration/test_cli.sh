#!/usr/bin/env bash
# The program as people and scripts meet it: help everywhere, exit codes, advice for what was mistyped, and the verbs that
# read models and specs, against margins that XGBoost wrote.
set -eu
[ -x "${RIDE_BIN:-}" ] || { echo "no ride program"; exit 77; }
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
spec=$top/examples/card-fraud/features.yaml
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "$*"; exit 1; }
code() { # expected, arguments of ride…
    want=$1; shift
    got=0; "$RIDE_BIN" "$@" >out 2>err || got=$?
    [ "$got" = "$want" ] || { cat err; fail "exit $got, not $want: ride $*"; }
}
told() { grep -qF -- "$1" err || { cat err; fail "stderr lacks: $1"; }; }

# Help names every verb; every verb's help has its usage and an example and goes to stdout.
code 0 --help
for verb in completion config doctor drift features generate model profile replay score state verify version; do
    grep -q "^  $verb " out || fail "--help lacks $verb"
done
for verb in completion config doctor drift features generate model profile replay score state verify version; do
    code 0 $verb --help
    grep -q "^usage: ride $verb" out && grep -q "^Example" out && [ ! -s err ] || fail "help of $verb"
done
code 0 features run --help
code 0 version
grep -qxF "ride $(sed -n 's/^project(ride VERSION \([0-9.]*\).*/\1/p' "$top/CMakeLists.txt")" out || fail "version is not CMakeLists.txt's"
code 0 doctor; grep -q '^backend cpu *can run: 1 device, .*auto takes it' out || fail "doctor does not find cpu"

# 64: wrong use, with what was meant.
code 64
code 64 verzion; told 'did you mean `version`?'
code 64 version x
code 64 features; told 'ride features run'
code 64 features rum; told 'did you mean `run`?'
code 64 features run --sepc x; told 'did you mean `--spec`?'
code 64 features run --input a --output b; told '--spec is missing'
code 64 features run --spec a --spec b; told 'given twice'
code 64 features run --spec; told '--spec needs a value'
code 64 features run --strict=yes; told 'takes no value'
code 64 features run --spec "$spec" --input a --output b --batch 0; told '--batch takes'
code 64 features run --spec "$spec" --input a --output b --batch 1048577
code 64 features run --spec "$spec" --input a --output b --format xml; told 'csv, ndjson or binary'
code 64 model inof x; told 'did you mean `info`?'
code 64 model info
code 64 score --model a --input b; told '--output is missing'
code 64 verify --spec "$spec" --input -; told 'read twice'

# 66: no input; 65: bad model; 78: bad spec, every finding with its place; 74: the output cannot be written.
"$RIDE_BIN" generate --events 3000 --customers 50 --terminals 20 --seed 3 --late-rate 1% --duplicate-rate 1% --output tx.csv
code 66 features run --spec "$spec" --input no-such.csv --output x
code 66 features run --spec no-such.yaml --input tx.csv --output x
code 66 model check no-such.json
code 66 score --model no-such.json --input tx.csv --output x
echo '{"learner": {}}' >bad.json
code 65 model check bad.json; told 'bad.json: learner.'
code 65 score --model bad.json --input tx.csv --output x
sed 's/^features:/featurez:/' "$spec" >bad.yaml
code 78 features explain --spec bad.yaml
grep -Eq '^bad.yaml:[0-9]+:[0-9]+: .*features' err || { cat err; fail "a finding lacks its place or advice"; }
code 78 verify --spec bad.yaml --input tx.csv
got=0; "$RIDE_BIN" doctor >/dev/full 2>err || got=$?
[ $got = 74 ] || fail "a full output gave $got"
code 74 features run --spec "$spec" --input tx.csv --output /dev/full

# Both forms of an option, an input with the name of its source, stdin.
code 0 features run --spec "$spec" --input tx.csv --output a.csv --quiet
[ ! -s err ] || fail "--quiet is not quiet"
code 0 features run --spec="$spec" --input=tx=tx.csv --output=b.csv --batch=7
told '3000 events'
"$RIDE_BIN" features run --spec "$spec" --input - --output - --quiet <tx.csv >c.csv
cmp a.csv b.csv && cmp a.csv c.csv || fail "the same events gave other bytes"
[ "$(wc -l <a.csv)" = 3001 ] || fail "rows"
{ cat tx.csv; echo 'not a row'; } >rejects.csv
code 0 features run --spec "$spec" --input rejects.csv --output b.csv; told '1 rejected'
code 65 features run --spec "$spec" --input rejects.csv --output b.csv --strict

# explain, verify.
code 0 features explain --spec "$spec"; grep -q 'bytes per key: [0-9]' out || fail "explain"
code 0 verify --spec "$spec" --input tx.csv; grep -qx '3000 rows are equal, byte for byte' out || { cat out; fail "verify"; }
code 70 verify --spec "$spec" --input tx.csv --backend fake # computes nothing right: the difference is found and placed
grep -Eq '^first difference: line 2, column [0-9]+ \([a-z_]+\): `' out || { cat out; fail "verify finds no difference"; }

# Ctrl-C in the middle of a stream without end: the run stops, says so, exits 0, and what it wrote is whole rows.
mkfifo pipe
timeout -k 1 60 "$RIDE_BIN" generate --events 100000000 --customers 5000 --terminals 20 --seed 3 --output pipe 2>/dev/null & maker=$!
"$RIDE_BIN" features run --spec "$spec" --input pipe --output cut.csv 2>err & runner=$!
for _ in $(seq 200); do [ -s cut.csv ] && break; sleep 0.05; done
[ -s cut.csv ] || { kill -KILL $runner $maker; fail "nothing was written in 10 s"; }
kill -INT $runner
got=0; wait $runner || got=$?
kill $maker 2>/dev/null || true; wait $maker || true
[ $got = 0 ] || { cat err; fail "Ctrl-C gave $got"; }
told 'interrupted: '
[ "$(tail -c 1 cut.csv | od -An -tx1 | tr -d ' ')" = 0a ] || fail "Ctrl-C cut a row"
[ "$(awk -F, '{print NF}' cut.csv | sort -u | wc -l)" = 1 ] || fail "Ctrl-C left rows of other widths"
told "interrupted: $(($(wc -l <cut.csv) - 1)) events"

# Models: the trainers' own margins, to the bit (the golden files hold %.9g of floats, %.17g of doubles).
for model in "$top"/tests/golden/models/*.json "$top"/tests/golden/models/*.txt; do
    golden=${model%.*}.csv
    code 0 score --model "$model" --input "$golden" --output margins.txt --raw
    first=$(head -1 "$golden" | tr ',' '\n' | grep -n '^margin' | head -1 | cut -d: -f1)
    tail -n +2 "$golden" | cut -d, -f"$first"- >expected.txt
    [ -s expected.txt ] && cmp expected.txt margins.txt || fail "margins of $model"
    code 0 model check "$model"
    code 0 model info "$model"; grep -q '^booster ' out || fail "info of $model"
    code 0 model info --json "$model"; grep -q '"booster"' out || fail "JSON info of $model"
done
golden=$top/tests/golden/card-fraud
code 0 score --model "$golden/model.json" --input "$golden/features.csv" --output p.txt
tail -n +2 "$golden/margins.csv" | cut -d, -f3 | cmp - p.txt || fail "probabilities"

# Bundles: the same bytes each time, from a spec alone or from a run's configuration with its rules and model; what is bad is told at once.
code 0 compile --spec "$top/examples/handbook/features.yaml" --output a.bundle
code 0 compile --spec "$top/examples/handbook/features.yaml" --output b.bundle
cmp a.bundle b.bundle && [ "$(head -c 8 a.bundle)" = RIDEBNDL ] || fail "compile gave other bytes"
code 0 compile --config "$top/examples/card-fraud/ride.yaml" --output c.bundle
[ "$(wc -c <c.bundle)" -gt 100000 ] || fail "the bundle lacks the model"
code 64 compile --output d.bundle; told '--config or --spec'
code 78 compile --config "$top/examples/card-fraud/ride.yaml" --set rules= --set scheduler.slo=2ms --output d.bundle; told 'not supported yet'
[ ! -e d.bundle ] || fail "a bad configuration left a bundle"
echo "ok"
