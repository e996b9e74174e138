#!/usr/bin/env python3
"""Trained models on the emulated CUDA backend: the decisions have the CPU's bytes, and the margins are the numbers that the trainer wrote:
the golden models of four releases of XGBoost and three of LightGBM, and the mushroom model with the shared data (its expected margins have fewer digits)."""
import csv
import gzip
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "reference"))
from check import ride, skip  # noqa: E402

BUILD = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build/release"))


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def spec_for(names):
    fields = ", ".join(f"{n}: {{type: f64, nullable: true}}" for n in names)
    return f"""version: 1
sources:
  tx: {{format: csv, event_time: {{field: at, unit: s}}, event_id: id, fields: {{id: u64, card: u64, {fields}}}}}
entities: {{card: {{keys: [card], horizon: 1d}}}}
features: [{{entity: card, agg: [count], windows: [1h]}}]
vector: [{", ".join(names)}]
"""


def decisions(folder, model, names, rows, backend):
    """Bytes of the decisions, and their margins."""
    (folder / "spec.yaml").write_text(spec_for(names))
    with open(folder / "in.csv", "w", encoding="utf-8") as out:
        out.write("id,at,card," + ",".join(names) + "\n")
        for i, row in enumerate(rows):
            out.write(f"{i},{1000 + i},{i % 7}," + ",".join(row) + "\n")
    (folder / "ride.yaml").write_text(f"""spec: spec.yaml
model: {{path: {model}}}
inputs: {{tx: {{path: in.csv}}}}
outputs: {{decisions: {{path: {backend}.csv, vector: true}}}}
backend: {{name: {backend}, path: {BUILD}/emu}}
""")
    done = subprocess.run([ride(), "run", "--config", folder / "ride.yaml", "--quiet"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = folder / f"{backend}.csv"
    with open(path, newline="", encoding="utf-8") as file:
        return path.read_bytes(), [float(row["margin"]) for row in csv.DictReader(file)]


def golden(folder):
    count = 0
    for model in sorted((TOP / "tests/golden/models").glob("*-*.*")):
        if model.suffix in (".csv", ".py") or model.stem.endswith("-multi"):  # a decision needs one output; conformance has several
            continue
        with open(model.with_suffix(".csv"), newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        names = ["amount", "age", "gap", "kind"]
        rows, want = [[row[n] for n in names] for row in table], [float(row["margin0"]) for row in table]
        if model.stem.startswith("xgboost"):
            want = [single(x) for x in want]
        cpu, cuda = (decisions(folder, model, names, rows, backend) for backend in ("cpu", "cuda"))
        assert cpu[0] == cuda[0], f"{model.name}: other bytes than the CPU's"
        assert cuda[1] == want, f"{model.name}: other margins than its trainer's"
        count += 1
    return count


def mushroom(folder):
    shared = Path(os.environ.get("RIDE_SHARED_DIR", TOP.parent / "shared")) / "data/models/xgboost-mushroom"
    if not shared.is_dir():
        return f"the mushroom model was left out: no {shared}"
    width, rows = 127, []
    with gzip.open(shared / "inputs.libsvm.gz", "rt") as file:
        for line in file:
            row = [""] * width
            for item in line.split()[1:]:
                index, value = item.split(":")
                row[int(index)] = value
            rows.append(row)
    want = [float(line) for line in gzip.open(shared / "expected_margin.txt.gz", "rt")]
    inputs = int(json.loads((shared / "model.json").read_text())["learner"]["learner_model_param"]["num_feature"])
    names, rows = [f"f{i}" for i in range(inputs)], [row[:inputs] for row in rows]
    cpu, cuda = (decisions(folder, shared / "model.json", names, rows, backend) for backend in ("cpu", "cuda"))
    assert cpu[0] == cuda[0], "mushroom: other bytes than the CPU's"
    worst = max(abs(a - b) for a, b in zip(cuda[1], want))
    assert len(cuda[1]) == len(want) and worst < 1e-6, f"mushroom: {worst} from the expected margins"
    return f"mushroom: {len(want)} rows within {worst:.1g} of the published margins"


def main():
    ride()
    if not (BUILD / "emu/libride_cuda.so").exists():
        skip(f"{BUILD}/emu/libride_cuda.so is not built")
    with tempfile.TemporaryDirectory() as scratch:
        print(f"{golden(Path(scratch))} golden models: the CPU's bytes, the trainers' margins; {mushroom(Path(scratch))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
