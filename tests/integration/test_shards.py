#!/usr/bin/env python3
# ride-test: timeout=600
"""`runtime.shards`: whole runs of the example and of a spec with labels, late and repeated events: every output and every count of the
summary for one, two, four and seven shards and any batch; a run that goes on with another number; a pipe that waits is answered; a
backend that has no shards says so."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
from check import TOP, ride  # noqa: E402

RIDE = ride()
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or RIDE.parents[1])
OUTPUTS = ("decisions.csv", "late.csv", "rejects.ndjson", "drift.ndjson")
SPEC = """version: 1
sources:
  tx:
    format: csv
    event_time: {field: ts, unit: ms}
    event_id: tx_id
    dedup: 3d
    watermark: {bound: 30s, allowed_lateness: 2h, late: side_output}
    fields: {tx_id: u64, ts: {type: timestamp, unit: ms}, card: string, terminal: u64, amount: {type: decimal, scale: 2},
             channel: {type: string, category: [pos, ecom, atm]}}
  backs:
    format: csv
    event_time: {field: reported_at, unit: ms}
    labels: {source: tx, key: tx_id, value: is_fraud}
    fields: {tx_id: u64, is_fraud: bool}
entities:
  card: {keys: [card], horizon: 7d}
  terminal: {keys: [terminal], horizon: 9d}
  pair: {keys: [card, terminal], horizon: 3d}
features:
  - {entity: card, column: amount, agg: [count, mean, max], windows: [1h, 7d]}
  - {entity: card, agg: [since_last, since_first]}
  - {name: online, entity: card, agg: [count], windows: [1d], where: "channel == 'ecom'"}
  - {entity: terminal, agg: [risk], windows: [1d, 7d], delay: 2d, labels: fixed}
  - {name: arrived, entity: terminal, agg: [risk], windows: [7d], labels: arrival}
  - {entity: pair, agg: [count], windows: [3d]}
  - {name: ratio, expr: "amount / coalesce(card_amount_mean_7d, 1)"}
vector: [amount, "card_*", online, "terminal_*", arrived, "pair_*", ratio]
"""
CONFIG = """spec: spec.yaml
rules:
  - {id: much, when: "ratio > 3 and amount > 100", decision: decline}
  - {id: bad-terminal, when: "terminal_risk_7d > 0.2", decision: review}
inputs:
  tx: {path: tx.csv}
  backs: {path: backs.csv}
outputs:
  decisions: {path: d.csv, vector: true}
"""


def call(*arguments, code=0, **more):
    done = subprocess.run([str(RIDE), *map(str, arguments)], capture_output=True, text=True, check=False, **more)
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def run(config, folder, shards, batch, *settings, events=None, drift=False):
    folder.mkdir(exist_ok=True)
    paths = {"decisions": "decisions.csv", "late": "late.csv", "rejects": "rejects.ndjson", "summary": "summary.json"}
    if drift:
        paths["drift"] = "drift.ndjson"
    sets = [f"outputs.{o}.path={folder / name}" for o, name in paths.items()]
    sets += [f"runtime.shards={shards}", f"scheduler.max_batch={batch}", "backend=cpu", *settings]
    if events is not None:
        sets.append(f"inputs.tx.path={events}")
    call("run", "--config", config, "--quiet", *[a for s in sets for a in ("--set", s)])
    return folder


MACHINE = {"elapsed_s", "setup_s", "events_per_s", "latency_us", "timeline", "started", "machine", "config", "inputs", "outputs", "bytes"}


def differences(one, many, place=""):
    """Of two summaries, without what depends on time and place."""
    if isinstance(one, dict) and isinstance(many, dict):
        keys = [k for k in {**one, **many} if k not in MACHINE]
        return [d for k in keys for d in differences(one.get(k), many.get(k), f"{place}.{k}")]
    if isinstance(one, list) and isinstance(many, list) and len(one) == len(many):
        return [d for i, (a, b) in enumerate(zip(one, many)) for d in differences(a, b, f"{place}[{i}]")]
    return [] if one == many else [f"{place}: {str(one)[:60]}, {str(many)[:60]}"]


def same(one, many, what):
    for name in OUTPUTS:
        if (one / name).exists():
            assert (one / name).read_bytes() == (many / name).read_bytes(), f"{what}: {name} differs"
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (one, many)]
    found = differences(*summaries)
    assert not found, f"{what}: the summaries differ: {found[:5]}"


def the_example(folder):
    events = folder / "example.csv"
    call("generate", "--events", 40000, "--customers", 900, "--terminals", 400, "--seed", 11, "--late-rate", "1%", "--duplicate-rate", "0.5%", "--drift",
         "amount=2", "--drift-at", "50%", "--output", events)
    config = TOP / "examples/card-fraud/ride.yaml"
    one = run(config, folder / "example-1", 1, 1024, "drift.interval=1d", events=events, drift=True)
    assert len((one / "drift.ndjson").read_text().splitlines()) > 41 * 5, "no intervals ended"
    for shards, batch in ((2, 1024), (2, 7), (4, 4096), (7, 300)):
        many = run(config, folder / "example-n", shards, batch, "drift.interval=1d", events=events, drift=True)
        same(one, many, f"example, {shards} shards, batches of {batch}")
    print("the example: the same outputs and counts for 1, 2, 4 and 7 shards")


def labels(folder):
    (folder / "spec.yaml").write_text(SPEC)
    (folder / "config.yaml").write_text(CONFIG)
    call("generate", "--events", 20000, "--customers", 300, "--terminals", 60, "--seed", 5, "--late-rate", "2%", "--duplicate-rate", "1%", "--labels",
         folder / "backs.csv", "--output", folder / "tx.csv")
    lines = (folder / "tx.csv").read_text().splitlines()
    lines[777] = lines[777].replace(",", ",x", 1)  # a time that is none
    old = lines[19000].split(",")
    lines[19001] = ",".join(["99999999", str(int(old[1]) - 5 * 3600 * 1000), *old[2:]])  # too late for the windows
    (folder / "tx.csv").write_text("\n".join(lines) + "\n")
    config = folder / "config.yaml"
    one = run(config, folder / "one", 1, 1024)
    assert len((one / "late.csv").read_text().splitlines()) > 1 and (one / "rejects.ndjson").stat().st_size > 0, "nothing was late or bad"
    for shards, batch in ((2, 1), (2, 7), (2, 1024), (4, 1024), (3, 100)):
        same(one, run(config, folder / "many", shards, batch), f"labels, {shards} shards, batches of {batch}")
    print("labels, late and repeated events: the same outputs and counts for any batch")
    # cut after a part of the input, gone on with another number of shards: beside one shard that is cut in the same places
    whole = (folder / "tx.csv").read_bytes()
    ends = [whole.index(b"\n", len(whole) * k // 4) + 1 for k in range(1, 4)] + [len(whole)]
    for order in ((1, 1, 1, 1), (2, 1, 4, 3), (3, 3, 1, 2)):
        cut, state = folder / f"cut-{order[0]}", folder / f"state-{order[0]}"
        for end, shards in zip(ends, order):
            (folder / "tx.csv").write_bytes(whole[:end])
            run(config, cut, shards, 500, f"state.dir={state}")
        same(folder / "cut-1", cut, f"resumed with {order} shards")
    print("a run goes on with another number of shards")


def a_pipe_is_answered(folder):
    """Rows that came are decided and written while the input waits for more."""
    lines = (folder / "example.csv").read_text().splitlines()
    command = [str(RIDE), "run", "--config", str(TOP / "examples/card-fraud/ride.yaml"), "--quiet"]
    for setting in ("inputs.tx.path=-", "outputs.decisions.path=-", "runtime.shards=3", "backend=cpu",
                    *(f"outputs.{o}.path={folder / ('pipe.' + o)}" for o in ("late", "rejects", "summary"))):
        command += ["--set", setting]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1) as process:
        process.stdin.write("\n".join(lines[:501]) + "\n")
        process.stdin.flush()
        got = [process.stdout.readline() for _ in range(501)]
        assert got[0].startswith("tx_id") and all(got), "the rows that came were not answered"
        process.stdin.write("\n".join(lines[501:601]) + "\n")
        process.stdin.flush()
        assert all(process.stdout.readline() for _ in range(100)), "nor those after them"
        process.stdin.close()
        assert process.stdout.read() == "" and process.wait() == 0
    print("a pipe that waits has its answers")


PEERS = """version: 1
sources:
  tx:
    format: csv
    event_time: {field: ts, unit: ms}
    event_id: tx_id
    order: event_time
    fields: {tx_id: u64, ts: {type: timestamp, unit: ms}, card: u64}
entities:
  card: {keys: [card], horizon: 7d}
features:
  - {entity: card, agg: [count], windows: [1h], ties: peers}
vector: ["card_*"]
"""


def a_pipe_pauses_within_a_group(folder):
    """A batch that waits for the rest of one timestamp, while the one before is not written yet."""
    (folder / "peers.yaml").write_text(PEERS)
    rows = [f"{i},{1735689600000 + i // 5 * 1000},{i % 7}\n" for i in range(1000)]
    (folder / "peers.csv").write_text("tx_id,ts,card\n" + "".join(rows))
    for name, path in (("file", folder / "peers.csv"), ("pipe", "-")):
        (folder / f"peers-{name}.run").write_text(f"spec: peers.yaml\ninputs: {{tx: {{path: \"{path}\"}}}}\noutputs: {{decisions: {{path: peers-{name}.out, vector: true}}}}\n"
                                                  f"runtime: {{shards: {1 if name == 'file' else 2}}}\nscheduler: {{max_batch: 300}}\nbackend: cpu\n")
    call("run", "--config", folder / "peers-file.run", "--quiet")
    with subprocess.Popen([str(RIDE), "run", "--config", str(folder / "peers-pipe.run"), "--quiet"], stdin=subprocess.PIPE, text=True) as process:
        process.stdin.write("tx_id,ts,card\n" + "".join(rows[:452]))
        process.stdin.flush()
        time.sleep(0.5)  # the pause; what comes of it does not depend on its length
        process.stdin.write("".join(rows[452:]))
        process.stdin.close()
        assert process.wait() == 0, process.returncode
    assert (folder / "peers-pipe.out").read_bytes() == (folder / "peers-file.out").read_bytes(), "a pause within a group shows"
    print("a pipe that pauses within a group of one timestamp")


def refusals(folder):
    if not (BUILD / "emu/libride_cuda.so").exists():
        print(f"not tried: {BUILD}/emu/libride_cuda.so is not built")
        return
    (folder / "cuda.yaml").write_text(CONFIG + f"backend: {{name: cuda, path: {BUILD}/emu}}\nruntime: {{shards: 2}}\n")
    told = call("run", "--config", folder / "cuda.yaml", "--quiet", code=78)
    assert "has one shard, not 2" in told and "runtime.shards: 1" in told, told
    print("a backend without shards says so")


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        the_example(folder)
        labels(folder)
        a_pipe_is_answered(folder)
        a_pipe_pauses_within_a_group(folder)
        refusals(folder)


if __name__ == "__main__":
    main()
