#!/usr/bin/env bash
# `ride topology` and the machine's part of `ride doctor`: this machine, others by file and by words, and what a configuration gets.
set -eu
[ -x "${RIDE_BIN:-}" ] || { echo "no ride program"; exit 77; }
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "FAILED: $*"; exit 1; }
code() { # expected, arguments of ride topology…
    want=$1; shift
    got=0; "$RIDE_BIN" topology "$@" >out 2>err || got=$?
    [ "$got" = "$want" ] || { cat out err; fail "exit $got, not $want: ride topology $*"; }
}
has() { grep -qE -- "$1" out || { cat out; fail "the output lacks: $1"; }; }

# This machine, also as a process that is bound to one CPU sees it.
code 0
has '^machine +this machine: '; has '^node '; has '^placement +[0-9]+ shards? on '; has '^  pool +node '
one=$(python3 -c 'import os; print(max(os.sched_getaffinity(0)))')
taskset -c "$one" "$RIDE_BIN" topology >out || fail "bound to CPU $one"
has "^placement +1 shard on cpu"; has "^  shard 0 +CPU $one, memory of node"
"$RIDE_BIN" doctor >out || fail "doctor"
has '^backend cpu +can run'; has '^machine +this machine'; has '^placement '

# A record loads again, and says of itself that it is not this machine.
code 0 --record here.xml --json
cp out here.json
code 0 --from here.xml --json
python3 - out here.json <<'END'
import json, sys
there, here = (json.load(open(p)) for p in sys.argv[1:])
assert here["machine"]["is_this"] and not there["machine"]["is_this"]
for name in ("packages", "cores_all", "cpus_all", "l3_bytes"):
    assert there["machine"][name] == here["machine"][name], name
assert [d["bus"] for d in there["machine"]["devices"]] == [d["bus"] for d in here["machine"]["devices"]]
END

# Eight GPUs on two nodes: each shard on the node of its device.
code 0 --from "$top/tests/golden/topology/two-packages-eight-gpus.xml" --json
python3 - out <<'END'
import json, sys
t = json.load(open(sys.argv[1]))
node_of_cpu = {cpu: n["node"] for n in t["machine"]["nodes"] for cpu in n["cpus"]}
gpus = [d for d in t["machine"]["devices"] if d["kind"] == "gpu"]
shards = [x for x in t["placement"]["threads"] if x["role"] == "shard"]
assert len(gpus) == len(shards) == 8 and t["placement"]["binds"]
for s in shards:
    assert s["alone"] and s["node"] == gpus[s["device"]]["node"] == node_of_cpu[s["cpus"][0]], s
taken = [cpu for x in t["placement"]["threads"] for cpu in x["cpus"]]
assert len(taken) == len(set(taken)) and not set(taken) & set(t["placement"]["others"])
assert [p["node"] for p in t["placement"]["pools"]] == [0, 1]
END
code 0 --from "synthetic:package:2 numa:1 core:8 pu:2" --shards 20
has '^placement +20 shards on the CPU, threads not bound'; has '^  note +more threads than cores'

# What a configuration gets: its shards, the memory of its batches.
cp "$top/examples/card-fraud/features.yaml" features.yaml
cat >run.yaml <<'END'
spec: features.yaml
inputs: {tx: {topic: tx}}
outputs: {decisions: {topic: decisions}}
kafka: "127.0.0.1:9092"
state: state
runtime: {shards: 4}
END
code 0 --config run.yaml --from "synthetic:package:1 numa:1 core:8 pu:1"
has '^placement +4 shards on'; has '^  pool +node 0, of 4 shards, 6[0-9]\.[0-9] MiB'
code 0 --config run.yaml --set runtime.shards=2 --from "synthetic:package:1 numa:1 core:8 pu:1"
has '^placement +2 shards on'
code 0 --config run.yaml --set runtime.shards=0 --from "synthetic:package:1 numa:1 core:8 pu:1"
has '^placement +5 shards on' # two cores are of who reads and who sends, one of the others
[ ! -e state ] || fail "showing a placement made a folder"

# What is wrong.
code 66 --from no.xml
code 65 --from run.yaml
code 65 --from synthetic:nonsense
code 64 --shards 65
code 64 --set runtime.shards=2
code 64 --from here.xml --record there.xml
code 78 --config run.yaml --set runtime.shards=65
code 66 --config run.yaml --set spec=no.yaml
code 74 --record /no/such/folder/x.xml
echo ok
