#!/usr/bin/env python3
"""Writes lightgbm-VERSION-TAG.txt and .csv here, with the LightGBM that runs it: rows of four features and the raw scores that it gives them.

    python -m venv v && v/bin/pip install lightgbm==4.6.0 && v/bin/python tests/golden/models/make_lightgbm.py

Committed: 3.3.5, 4.1.0 and 4.6.0 (one thread, fixed seeds)."""
from pathlib import Path

import lightgbm
import numpy

HERE = Path(__file__).resolve().parent
NAMES = ["amount", "age", "gap", "kind"]
COMMON = {"num_threads": 1, "seed": 7, "deterministic": True, "verbose": -1, "num_leaves": 9, "min_data_in_leaf": 5, "min_data_per_group": 5, "cat_smooth": 1,
          "max_cat_to_onehot": 2}
TAGS = {  # missing NaN, categories of many values; missing zero, dart; an average of trees; several outputs; nothing is missing; linear leaves
    "binary": ({"objective": "binary", "sigmoid": 0.7}, 12),
    "zero": ({"objective": "poisson", "zero_as_missing": True, "boosting": "dart"}, 12),
    "forest": ({"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7}, 8),
    "multi": ({"objective": "multiclass", "num_class": 3}, 4),
    "plain": ({"objective": "regression", "use_missing": False, "reg_sqrt": True}, 6),
    "linear": ({"objective": "regression", "linear_tree": True, "linear_lambda": 0.01}, 8),
}
ODD = [0.0, -0.0, 1e-36, -1e-35, 1.1e-35, 1e300, -0.5, -0.99, -1.5, 2.5, float("nan"), 1e9]


def main():
    chance = numpy.random.default_rng(11)
    rows = numpy.column_stack([chance.gamma(2, 30, 800).round(2), chance.integers(18, 90, 800), chance.exponential(100, 800), chance.integers(0, 40, 800)]).astype(float)
    rows[chance.random(800) < 0.15, 1] = numpy.nan
    rows[chance.random(800) < 0.25, 2] = 0
    truth = numpy.nan_to_num(rows[:, 0]) / 60 + (rows[:, 3] % 3 == 1) + chance.random(800)
    asked = rows[:60].copy()
    for i in range(60):
        for k in range(4):
            if chance.random() < 0.25:
                asked[i, k] = ODD[chance.integers(0, len(ODD))]
    for tag, (params, rounds) in TAGS.items():
        label = {"binary": truth > 2, "multi": numpy.digitize(truth, [1.5, 2.5])}.get(tag, truth)
        data = lightgbm.Dataset(rows, label=label.astype(float), feature_name=NAMES, categorical_feature=["kind"], params=dict(COMMON, **params))
        model = lightgbm.train(dict(COMMON, **params), data, rounds)
        base = HERE / f"lightgbm-{lightgbm.__version__}-{tag}"
        model.save_model(f"{base}.txt")
        raw = model.predict(asked, raw_score=True).reshape(60, -1)
        with open(f"{base}.csv", "w", encoding="ascii") as out:
            out.write(",".join(NAMES + [f"margin{k}" for k in range(raw.shape[1])]) + "\n")
            for row, scores in zip(asked, raw):
                out.write(",".join(["" if numpy.isnan(x) else f"{x:.17g}" for x in row] + [f"{x:.17g}" for x in scores]) + "\n")


if __name__ == "__main__":
    main()
