#!/usr/bin/env python3
"""Writes xgboost-VERSION-vector-multi.json, .ubj and .csv here, with the XGBoost that runs it: trees whose leaves have a value for each output
(multi_strategy=multi_output_tree), three classes, and the margins that it gives rows of four features.

    python -m venv v && v/bin/pip install xgboost-cpu==3.2.0 && v/bin/python tests/golden/models/make_xgboost_vector.py

Committed: 3.0.5 and 3.2.0 (one thread, fixed seeds), which keep the leaves in different places."""
from pathlib import Path

import numpy
import xgboost

HERE = Path(__file__).resolve().parent
NAMES = ["amount", "age", "gap", "kind"]


def main():
    chance = numpy.random.default_rng(11)
    rows = numpy.column_stack([chance.gamma(2, 30, 800).round(2), chance.integers(18, 90, 800), chance.exponential(100, 800), chance.integers(0, 40, 800)]).astype(numpy.float32)
    truth = numpy.digitize(rows[:, 0] / 60 + (rows[:, 3] % 3 == 1) + chance.random(800), [1.5, 2.5])
    rows[chance.random(800) < 0.15, 1] = numpy.nan
    parameters = {"objective": "multi:softprob", "num_class": 3, "multi_strategy": "multi_output_tree", "tree_method": "hist", "max_depth": 3, "nthread": 1, "seed": 7}
    model = xgboost.train(parameters, xgboost.DMatrix(rows, truth, feature_names=NAMES), 4)
    base = HERE / f"xgboost-{xgboost.__version__}-vector-multi"
    for ending in ("json", "ubj"):
        model.save_model(f"{base}.{ending}")
    asked = rows[:60]
    margins = model.predict(xgboost.DMatrix(asked, feature_names=NAMES), output_margin=True)
    with open(f"{base}.csv", "w", encoding="ascii") as out:
        out.write(",".join([*NAMES, "margin0", "margin1", "margin2"]) + "\n")
        for row, told in zip(asked, margins):
            out.write(",".join(["" if numpy.isnan(x) else f"{x:.9g}" for x in row] + [f"{x:.9g}" for x in told]) + "\n")


if __name__ == "__main__":
    main()
