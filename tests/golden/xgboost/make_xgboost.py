#!/usr/bin/env python3
"""Writes NAME.json and NAME.csv here: rows, and the margins and answers that XGBoost gives for them, for the objectives and boosters that are not in
tests/golden/models.

    python -m venv v && v/bin/pip install xgboost-cpu==3.2.0 && v/bin/python tests/golden/xgboost/make_xgboost.py

multi:softmax's answers are classes; probabilities of its margins are written, which is what RIDE gives. gblinear's margins are left out: they are good to a bound."""
from pathlib import Path

import numpy as np
import xgboost

HERE = Path(__file__).resolve().parent
ROWS = 50
COMMON = {"max_depth": 3, "nthread": 1, "seed": 1, "tree_method": "hist"}


def write(name, model, rows):
    model.save_model(HERE / f"{name}.json")
    data = xgboost.DMatrix(rows)
    margins, answers = (np.asarray(model.predict(data, output_margin=raw), dtype=float).reshape(ROWS, -1) for raw in (True, False))
    if answers.shape != margins.shape:
        shifted = np.exp(margins - margins.max(axis=1, keepdims=True))
        answers = shifted / shifted.sum(axis=1, keepdims=True)
    tables = {"answer": answers} if name.startswith("linear") else {"margin": margins, "answer": answers}
    with open(HERE / f"{name}.csv", "w", encoding="ascii") as out:
        out.write(",".join([f"x{k}" for k in range(4)] + [f"{what}{k}" for what, t in tables.items() for k in range(t.shape[1])]) + "\n")
        for row in np.hstack([rows, *tables.values()]):
            out.write(",".join("" if np.isnan(v) else f"{v:.17g}" for v in row) + "\n")


def main():
    chance = np.random.default_rng(3)
    x = np.column_stack([chance.normal(size=600), chance.gamma(2, 1, 600), chance.normal(size=600), chance.integers(0, 12, 600)]).astype(np.float32).astype(float)
    truth = x[:, 0] + (x[:, 3] % 3 == 1) + chance.random(600)
    mean, classes = np.abs(truth) + 0.1, np.digitize(truth, [0.4, 1.3])
    x[chance.random(x.shape) < 0.1] = np.nan
    rows = x[:ROWS].copy()
    for name, objective, label, more in [("hinge", "binary:hinge", classes > 1, {}), ("poisson", "count:poisson", mean, {}), ("gamma", "reg:gamma", mean, {}), ("tweedie", "reg:tweedie", mean, {"base_score": 0.7}),
                                         ("cox", "survival:cox", mean, {}), ("aft", "survival:aft", mean, {}), ("rank", "rank:ndcg", classes, {}),
                                         ("absolute", "reg:absoluteerror", truth, {}), ("huber", "reg:pseudohubererror", truth, {}), ("logs", "reg:squaredlogerror", mean, {}),
                                         ("quantile2", "reg:quantileerror", truth, {"quantile_alpha": [0.2, 0.7]}), ("softmax3", "multi:softmax", classes, {"num_class": 3})]:
        data = xgboost.DMatrix(x, label, group=[30] * 20 if objective.startswith("rank") else None)
        if objective == "survival:aft":
            data.set_float_info("label_lower_bound", mean)
            data.set_float_info("label_upper_bound", mean)
        write(name, xgboost.train(COMMON | {"objective": objective} | more, data, 4), rows)
    linear = {"booster": "gblinear", "nthread": 1, "seed": 1, "updater": "coord_descent"}
    write("linear", xgboost.train(linear | {"objective": "binary:logistic"}, xgboost.DMatrix(x, classes > 1), 9), rows)
    write("linear3", xgboost.train(linear | {"objective": "multi:softprob", "num_class": 3}, xgboost.DMatrix(x, classes), 9), rows)


if __name__ == "__main__":
    main()
