#!/usr/bin/env bash
# `ride config` as people meet it: exit codes, every finding with its place, layers, and texts that load again.
set -eu
[ -x "${RIDE_BIN:-}" ] || { echo "no ride program"; exit 77; }
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "$*"; exit 1; }
code() { # expected, arguments of ride config…
    want=$1; shift
    got=0; "$RIDE_BIN" config "$@" >out 2>err || got=$?
    [ "$got" = "$want" ] || { cat out err; fail "exit $got, not $want: ride config $*"; }
}
told() { grep -qF -- "$1" err || { cat err; fail "stderr lacks: $1"; }; }

mkdir conf elsewhere
cp "$top/examples/card-fraud/features.yaml" conf/features.yaml
cp "$top/examples/card-fraud/model/model.json" conf/model.json
"$RIDE_BIN" generate --events 10 --output conf/tx.csv
cat >conf/run.yaml <<'END'
spec: features.yaml
model: model.json
rules:
  - {id: high, when: "probability >= 0.9", decision: decline}
  - {id: abroad, when: "abroad == 1 and amount > 500", decision: review}
inputs: {tx: tx.csv}
outputs: {decisions: decisions.csv}
backend: cpu
END

# check: good, from anywhere, with the memory that is bounded.
code 0 check --config conf/run.yaml
grep -qx 'the configuration is good' out || fail "not good: $(cat out)"
grep -Eq 'window state of card .* 20000 keys of 100 events' out || fail "no window state: $(cat out)"
grep -Eq '^  in all +[0-9.]+ MiB' out || fail "no sum: $(cat out)"
grep -Eq '^  batches in hand +1280 +[0-9.]+ MiB  scheduler.max_batch$' out || fail "no bound of batches: $(cat out)"
code 0 check --config conf/run.yaml --set backend.memory=1MiB; grep -q 'less than the keys' out || fail "a bound too small is not told"
(cd elsewhere && "$RIDE_BIN" config check --config ../conf/run.yaml >/dev/null) || fail "paths are not the file's"

# Everything wrong at once, each with its place.
sed 's/tx: tx.csv/txs: no.csv/; s/>= 0.9/>= nine/; s/decisions.csv/no\/d.csv/; s/backend: cpu/backend: cqu/; s/: model.json/: no.json/' \
    conf/run.yaml >conf/bad.yaml
code 66 check --config conf/bad.yaml
told 'conf/bad.yaml:6:15: `inputs.txs.path`: conf/no.csv cannot be read'
told 'conf/bad.yaml:7:22: `outputs.decisions.path`: conf/no/d.csv cannot be made'
told 'conf/bad.yaml:8:10: `backend.name`: backend cqu cannot run'
told 'conf/no.json: cannot open the model'
told 'conf/bad.yaml:6:15: the spec has no source `txs` (did you mean `tx`?)'
told 'conf/bad.yaml: `inputs` lacks `tx`'
told 'conf/bad.yaml:4:38: unknown name `nine`'
[ ! -s out ] || fail "a bad configuration says something good: $(cat out)"

# One wrong thing, its exit code: 78 config, spec, rule; 65 model; 66 no such file; 64 use.
code 78 check --config conf/run.yaml --set scheduler.max_batch=0; told '--set: `scheduler.max_batch` must lie in 1 … 1048576'
code 78 check --config conf/run.yaml --set scheduler.slo=2ms; told 'not supported yet'
RIDE__LOG__LEVEL=loud code 78 check --config conf/run.yaml; told 'environment: `log.level` must be debug | info'
code 78 check --config conf/run.yaml --set model=; told 'conf/run.yaml:4:23: rule `high` reads a score, and there is no model (model: FILE)'
sed 's/^features:/featurez:/' conf/features.yaml >bad-spec.yaml
code 78 check --config conf/run.yaml --set spec=bad-spec.yaml; told 'did you mean `features`?'
echo '{}' >bad.json
code 65 check --config conf/run.yaml --set model.path=bad.json; told 'bad.json: '
sed 's/  - "terminal_\*"//' conf/features.yaml >narrow.yaml # the vector lacks inputs of the model
code 65 check --config conf/run.yaml --set spec=narrow.yaml; told 'terminal_'
code 66 check --config no.yaml
code 66 check --config conf/run.yaml --set inputs.tx=no.csv; told '--set: `inputs.tx.path`: no.csv cannot be read'
code 74 check --config conf/run.yaml --set outputs.late=/no/such/folder/x
code 74 check --config conf/run.yaml --set outputs.late=elsewhere; told '--set: `outputs.late.path`: elsewhere cannot be made'
code 64 check --config conf/run.yaml --set scheduler.max_batch; told 'is no key=value'
code 64 check
code 64 chek; told 'did you mean `check`?'
code 64 explain scheduler.max_bach; told 'did you mean `scheduler.max_batch`?'
code 64 schema x

# show: layers and origins; what it prints loads again and prints the same.
RIDE__LOG__LEVEL=warn code 0 show --config conf/run.yaml --set scheduler.max_batch=8 --set scheduler.max_batch=9 --origin
for line in '  max_batch: 9  # --set' '  level: warn  # environment' '  name: cpu  # conf/run.yaml:8:10' \
    '  format: auto  # default' '    path: conf/tx.csv  # conf/run.yaml:6:14'; do
    grep -qxF -- "$line" out || { cat out; fail "show lacks: $line"; }
done
cp out again.yaml
code 0 show --config again.yaml; cp out once.yaml
code 0 show --config once.yaml; cmp out once.yaml || fail "show does not load again"
code 0 check --config once.yaml

# A service: topics and HTTP; what is missing or has no file is told.
cat >conf/service.yaml <<'END'
spec: features.yaml
model: model.json
inputs: {tx: {topic: tx}}
outputs: {decisions: {topic: decisions}, alerts: {topic: alerts}}
kafka: {brokers: "127.0.0.1:9092", raw: {fetch.wait.max.ms: 5}}
http: "127.0.0.1:0"
backend: cpu
state: state
END
code 0 check --config conf/service.yaml
grep -qx 'the configuration is good' out || fail "a good service: $(cat out)"
grep -Eq '^  HTTP bodies and answers +16384 +64.0 MiB  http.memory$' out || fail "no bound of requests: $(cat out)"
grep -Eq '^  messages fetched +128.0 MiB$' out || fail "no bound of messages: $(cat out)"
code 0 check --config conf/service.yaml --set backend.memory=900TiB
grep -Eq '^more than this machine has: 92[0-9.]+ GiB needed, [0-9.]+ [GM]iB there: window state 921600.0 GiB \+ ' out || fail "memory: $(cat out)"
code 78 check --config conf/service.yaml --set kafka.brokers=; told 'conf/service.yaml:3:22: `inputs.tx.topic` needs `kafka.brokers`'
code 78 check --config conf/service.yaml --set kafka.raw.group.id=x; told '--set: `kafka.raw.group.id` is not for `kafka.raw` (kafka.group)'
code 78 check --config conf/service.yaml --set inputs.labels.path=l; told 'a run reads files, or serves topics and HTTP'
code 66 check --config conf/service.yaml --set http.token_file=no; told '--set: `http.token_file`: no cannot be read'
code 78 check --config conf/service.yaml --set inputs.txs.topic=x; told 'the spec has no source `txs`'
RIDE__KAFKA__RAW__SOCKET__TIMEOUT__MS=9000 code 0 show --config conf/service.yaml --origin
for line in '    fetch.wait.max.ms: "5"  # conf/service.yaml:5:61' '    socket.timeout.ms: "9000"  # environment' \
    '  path: conf/state/journal.ride  # default'; do
    grep -qxF -- "$line" out || { cat out; fail "show lacks: $line"; }
done
code 0 show --config conf/service.yaml; cp out again.yaml
code 0 show --config again.yaml; cp out service.yaml
code 0 show --config service.yaml; cmp out service.yaml || fail "show of a service does not load again"

# explain, reference, schema.
code 0 explain outputs; grep -q 'outputs.decisions.vector' out || fail "explain of a group"
code 0 explain inputs.tx.path
code 0 reference; grep -q '^| `scheduler.max_batch` | count of rows, 1 … 1048576 | `1024` |' out || fail "reference"
awk '/^```yaml/ {file="example" ++n ".yaml"; next} /^```/ {file=""} file != "" {print >file}' out
[ -f example2.yaml ] || fail "the page lacks its examples"
for example in example*.yaml; do code 0 show --config $example; done # the page's examples are configurations
python=$top/scripts/python
"$python" -c 'import jsonschema, yaml' 2>/dev/null || python=python3 # the system's may have them
"$python" - "$RIDE_BIN" <<'END'
import json, subprocess, sys
schema = json.loads(subprocess.run([sys.argv[1], "config", "schema"], capture_output=True, check=True).stdout)
assert schema["properties"]["scheduler"]["properties"]["max_batch"]["maximum"] == 1048576
try:
    import jsonschema, yaml
except ImportError:
    print("skipped the schema's own check: jsonschema or yaml is not installed")
    sys.exit()
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in ("conf/run.yaml", "conf/service.yaml", "once.yaml", "service.yaml", "example1.yaml", "example2.yaml"):
    validator.validate(yaml.safe_load(open(path)))
good = yaml.safe_load(open("conf/run.yaml"))
for change in ({"scheduler": {"max_batch": 0}}, {"scheduler": {"slo": "2ms"}}, {"modle": "x"}, {"backend": {"memory": 8}},
               {"rules": [{"id": "a", "when": "x"}]}, {"outputs": {"decisions": {"format": "xml"}}},
               {"http": {"listen": "8080"}}, {"scheduler": {"policy": "slo"}}, {"kafka": {"raw": {"a": [1]}}},
               {"inputs": {"tx": {"topic": "a b"}}}):
    assert list(validator.iter_errors({**good, **change})), change
END
echo "ok"
