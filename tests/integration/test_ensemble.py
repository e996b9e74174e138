#!/usr/bin/env python3
"""Six kinds of models as one ensemble (tests/golden/ensembles: logistic regression, random forest, gradient boosting, network, deep network, isolation
forest) from a stream to decisions: `ride config check` takes its manifest, `ride run` gives each event the answer of `ride score` to the bit with every
batch size, which is numpy's within what the isolation forest's whole numbers change; and what the reference backend gives. A manifest that does
not fit is refused with its line."""
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
GOLDEN = TOP / "tests/golden/ensembles"
NAMES = ["amount", "age", "gap", "kind"]
SPEC = """version: 1
sources:
  tx:
    format: csv
    event_time: {field: ts, unit: s}
    event_id: id
    fields: {id: u64, ts: {type: timestamp, unit: s}, card: string, kind: f64, gap: f64, age: f64, amount: f64}
entities:
  card: {keys: [card]}
features:
  - {entity: card, agg: [count], windows: [1h]}
vector: [kind, gap, card_count_1h, age, amount]
"""
CONFIG = """spec: spec.yaml
model: {path: %s}
rules: [{id: high, when: "probability >= 0.5", decision: decline}]
inputs: {tx: {path: tx.csv}}
outputs: {decisions: {path: decisions.csv}}
"""


def ride(*arguments, code=0):
    done = subprocess.run([RIDE, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def main():
    with (GOLDEN / "expected.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    manifests = sorted(path.stem for path in GOLDEN.glob("*.yaml"))
    assert {"mean", "cascade", "segment", "stacking"} <= set(manifests)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "spec.yaml").write_text(SPEC)
        with (folder / "tx.csv").open("w") as file:
            file.write("id,ts,card,kind,gap,age,amount\n")
            file.writelines(f"{k},{1700000000 + k},c{k % 3},{r['kind']},{r['gap']},{r['age']},{r['amount']}\n" for k, r in enumerate(rows))
        for name in manifests:
            manifest = GOLDEN / f"{name}.yaml"
            (folder / "ride.yaml").write_text(CONFIG % manifest)
            scored = [float(x) for x in ride("score", "--model", manifest, "--input", GOLDEN / "expected.csv", "--output", "-").split()]
            apart = [line.split(",") for line in ride("score", "--members", "--model", manifest, "--input", GOLDEN / "expected.csv", "--output", "-").split()]
            assert [float(a[0]) for a in apart] == scored and {len(a) for a in apart} == {manifest.read_text().count("model:") - (name == "stacking") + 1}, name
            assert any("" in a for a in apart) == (name in ("cascade", "segment")), name
            assert "the configuration is good" in ride("config", "check", "--config", folder / "ride.yaml"), name
            for setting in ("scheduler.max_batch=1", "scheduler.max_batch=7", "scheduler.max_batch=512", "backend.name=reference"):
                ride("run", "--quiet", "--config", folder / "ride.yaml", "--set", setting)
                with (folder / "decisions.csv").open(newline="") as file:
                    got = list(csv.DictReader(file))
                assert [float(d["probability"]) for d in got] == scored, (name, setting)
                assert [d["decision"] for d in got] == ["decline" if x >= 0.5 else "approve" for x in scored], (name, setting)
            worst = max(abs(x - float(r[name])) / max(abs(float(r[name])), 1e-300) for x, r in zip(scored, rows))
            assert worst <= 1e-7, (name, worst)
        (folder / "bad.yaml").write_text("ensemble: 1\ncombine: mean\ninputs: [amount, age, gap, sort]\nmembers:\n"
                                         f"  - {{model: {GOLDEN}/linear.json}}\n  - {{model: {GOLDEN}/net.json}}\n")
        (folder / "ride.yaml").write_text(CONFIG % (folder / "bad.yaml"))
        for told in (ride("config", "check", "--config", folder / "ride.yaml", code=65), ride("run", "--quiet", "--config", folder / "ride.yaml", code=65)):
            assert "bad.yaml:5:5" in told and "member `linear`" in told and "first `sort`" in told and "bad.yaml:6:5" in told, told
    print(f"{len(manifests)} ensembles of six kinds of models: the same answers by `ride score`, `ride run` in batches of 1, 7 and 512, and the reference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
