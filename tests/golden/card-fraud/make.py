#!/usr/bin/env python3
"""Makes this folder's files anew: events by `ride generate` with times cut to ten minutes (so that many tie), features by the
independent reference in tests/reference, margins by XGBoost. Run: scripts/python tests/golden/card-fraud/make.py (RIDE_BIN set or a release build)."""
import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
sys.path.insert(0, str(TOP / "python"))
from ride.data import program  # noqa: E402

GENERATE = ["--events", "3000", "--customers", "60", "--terminals", "60", "--seed", "11", "--late-rate", "2%", "--duplicate-rate", "1%"]
SPECS = {"features": TOP / "examples/card-fraud/features.yaml", "windows": HERE / "windows.yaml"}


def events():
    """The stream's text, ts cut to ten minutes."""
    raw = subprocess.run([program(), "generate", *GENERATE, "--output", "-"], check=True, capture_output=True, text=True).stdout
    rows = list(csv.reader(io.StringIO(raw)))
    for row in rows[1:]:
        row[1] = str(int(row[1]) // 600000 * 600000)
    return "".join(",".join(row) + "\n" for row in rows)


def reference(spec, output):
    subprocess.run([sys.executable, TOP / "tests/reference/features.py", "--spec", spec, "--input", HERE / "events.csv", "--output", output],
                   check=True)


def margins():
    """A model of every shape of split, missing values included; its target need not mean anything."""
    frame = pd.read_csv(HERE / "features.csv")
    matrix = frame.drop(columns="tx_id").astype(np.float32)
    target = ((frame.amount > 60) ^ (frame.card_count_1d > 4) | frame.card_since_last.isna()).astype(int)
    data = xgb.DMatrix(matrix, target)
    model = xgb.train({"objective": "binary:logistic", "tree_method": "hist", "max_depth": 5, "eta": 0.3, "seed": 1, "nthread": 1}, data, 20)
    model.save_model(HERE / "model.json")
    margin, probability = model.predict(data, output_margin=True), model.predict(data)
    with open(HERE / "margins.csv", "w", encoding="utf-8") as file:
        file.write("tx_id,margin,probability\n")
        file.writelines(f"{i},{m:.9g},{p:.9g}\n" for i, m, p in zip(frame.tx_id, margin, probability))


def main():
    (HERE / "events.csv").write_text(events())
    for name, spec in SPECS.items():
        reference(spec, HERE / f"{name}.csv")
    margins()


if __name__ == "__main__":
    main()
