#!/usr/bin/env python3
"""Makes this folder's files anew from the golden set of tests/golden/card-fraud, for tests and measurements that have neither engine nor
YAML: NAME.bundle by `ride compile`, NAME.rows by the recording plugin (tests/support/record_backend.c), NAME.expected from the tables
that the independent reference and XGBoost wrote. Run: scripts/python tests/golden/bundles/make.py [FOLDER] after a release build."""
import csv
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
GOLDEN = HERE.parent / "card-fraud"
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
RIDE = os.environ.get("RIDE_BIN") or str(BUILD / "bin/ride")
EVENTS = 512  # of the golden set's 3,000: two tiles are enough here, test_golden.py takes all
SETS = {"card-fraud": (TOP / "examples/card-fraud/features.yaml", GOLDEN / "features.csv", GOLDEN / "model.json"),
        "windows": (GOLDEN / "windows.yaml", GOLDEN / "windows.csv", None)}


def ride(*arguments, **environment):
    subprocess.run([RIDE, *arguments], check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, **environment))


def expected(path, table, events, scored):
    """Per event the vector, then margin and probability (NaN without a model), as doubles; empty cells are NaN."""
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    scores = {}
    if scored:
        with open(GOLDEN / "margins.csv", newline="", encoding="utf-8") as file:
            scores = {row["tx_id"]: [float(row["margin"]), float(row["probability"])] for row in csv.DictReader(file)}
    nan = float("nan")
    with open(path, "wb") as file:
        file.write(b"RIDEGOLD" + struct.pack("<II", events, len(rows[0]) - 1 + 2))
        for row in rows[:events]:
            values = [float(cell) if cell else nan for cell in row[1:]] + scores.get(row[0], [nan, nan])
            file.write(struct.pack(f"<{len(values)}d", *values))


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    with tempfile.TemporaryDirectory() as scratch:
        some = Path(scratch) / "events.csv"
        some.write_text("".join((GOLDEN / "events.csv").open().readlines()[:EVENTS + 1]))
        for name, (spec, table, model) in SETS.items():
            ride("compile", "--spec", spec, *(["--model", model] if model else []), "--output", folder / f"{name}.bundle")
            features = Path(scratch) / f"{name}.csv"
            ride("features", "run", "--quiet", "--spec", spec, "--input", some, "--output", features, "--backend", "cuda",
                 "--backend-path", BUILD / "record", RIDE_RECORD=str(folder / f"{name}.rows"))
            with open(features, newline="", encoding="utf-8") as file:
                ids = [row[0] for row in csv.reader(file)][1:]
            with open(table, newline="", encoding="utf-8") as file:
                wanted = [row[0] for row in csv.reader(file)][1:len(ids) + 1]
            if ids != wanted:
                sys.exit(f"{name}: the first events are not those of {table.name}")
            expected(folder / f"{name}.expected", table, len(ids), model)


if __name__ == "__main__":
    main()
