#!/usr/bin/env python3
"""Writes VERSION-TAG.json, .cbm and .csv here, with the CatBoost that runs it: rows of four features, the raw values that CatBoost gives them, and its answers.

    python -m venv v && v/bin/pip install catboost==1.2.10 && v/bin/python tests/golden/catboost/make.py

Committed: 1.2 and 1.2.10 (one thread, fixed seeds). What a file holds besides the model (times, parameters of no use here) is cut from the JSON. In `texts` kind n is the text "kn"."""
import json
from pathlib import Path

import catboost
import numpy

HERE = Path(__file__).resolve().parent
NAMES = ["amount", "age", "gap", "kind"]
ODD = [0.0, -0.0, 1e-36, 1e30, -1e30, 2.5, 0.1, 1 / 3, 16777217.0, float("nan")]
COMMON = {"thread_count": 1, "random_seed": 7, "verbose": 0, "allow_writing_files": False, "iterations": 7, "depth": 3, "border_count": 16}
TAGS = {  # nan_mode, losses with a link, categories as one-hot, several outputs, trees of other growth, leaves with bias
    "plain": ({"loss_function": "Logloss"}, "two", False),
    "deep": ({"loss_function": "RMSE", "depth": 7, "iterations": 2}, "number", False),
    "max": ({"loss_function": "Logloss", "nan_mode": "Max"}, "two", False),
    "kinds": ({"loss_function": "Logloss", "one_hot_max_size": 20}, "two", True),
    "three": ({"loss_function": "MultiClass", "iterations": 3, "one_hot_max_size": 20}, "three", True),
    "texts": ({"loss_function": "Logloss", "one_hot_max_size": 20, "iterations": 4}, "two", True),
    "poisson": ({"loss_function": "Poisson"}, "number", False),
    "depthwise": ({"loss_function": "Logloss", "grow_policy": "Depthwise", "nan_mode": "Max"}, "two", False),
    "lossguide": ({"loss_function": "MultiClass", "iterations": 3, "grow_policy": "Lossguide", "max_leaves": 6}, "three", False),
}


def main():
    chance = numpy.random.default_rng(11)
    rows = numpy.column_stack([chance.gamma(2, 30, 800).round(2), chance.integers(18, 90, 800), chance.exponential(100, 800), chance.integers(0, 6, 800)]).astype(float)
    truth = rows[:, 0] / 60 + (rows[:, 3] % 3 == 1) + chance.random(800)
    rows[chance.random(800) < 0.15, 1] = numpy.nan
    targets = {"two": (truth > 2).astype(int), "three": numpy.digitize(truth, [1.5, 2.5]), "number": truth}
    asked = rows[:40].copy()
    for i in range(40):
        for k in range(3):
            if chance.random() < 0.25:
                asked[i, k] = ODD[chance.integers(0, len(ODD))]
    asked[3, 3] = 77
    for tag, (params, target, has_kinds) in TAGS.items():
        def pool(x, y=None, tag=tag, has_kinds=has_kinds):
            table = [[*map(float, row[:3]), ("k" if tag == "texts" else "") + str(int(row[3])) if has_kinds else float(row[3])] for row in x]
            return catboost.Pool(table, y, cat_features=[3] if has_kinds else None, feature_names=NAMES)
        model = catboost.CatBoost({**COMMON, **params})
        model.fit(pool(rows, targets[target]))
        base = HERE / f"{catboost.__version__}-{tag}"
        model.save_model(f"{base}.cbm")
        model.save_model(f"{base}.json", format="json", pool=pool(rows) if tag in ("three", "texts") else None)
        document = json.loads(Path(f"{base}.json").read_text(encoding="utf-8"))
        document["model_info"] = {"params": {"loss_function": document["model_info"]["params"]["loss_function"]}}
        Path(f"{base}.json").write_text(json.dumps(document, separators=(",", ":")).replace('{"leaf_values"', '\n{"leaf_values"') + "\n", encoding="ascii")
        raw = model.predict(pool(asked), prediction_type="RawFormulaVal").reshape(40, -1)
        how = {"two": "Probability", "three": "Probability", "number": "Exponent" if tag == "poisson" else "RawFormulaVal"}[target]
        answers = model.predict(pool(asked), prediction_type=how)
        answers = answers[:, 1:] if target == "two" else answers.reshape(40, -1)
        with open(f"{base}.csv", "w", encoding="ascii") as out:
            out.write(",".join([*NAMES, *(f"margin{k}" for k in range(raw.shape[1])), *(f"answer{k}" for k in range(raw.shape[1]))]) + "\n")
            for row in numpy.column_stack([asked, raw, answers]):
                out.write(",".join("" if numpy.isnan(x) else f"{x:.17g}" for x in row) + "\n")


if __name__ == "__main__":
    main()
