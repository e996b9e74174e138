#!/usr/bin/env python3
"""Writes NAME.checkpoint and NAME.csv here: rows, and what treelite's own predictor gives for them in the model's type: margins and answers.

    python -m venv v && v/bin/pip install treelite==4.8.1 scikit-learn==1.9.1 lightgbm==4.7.0 xgboost==3.0.5 && v/bin/python tests/golden/treelite/make_treelite.py

Of two classes the second alone is written: that is what RIDE's model gives."""
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import treelite
import xgboost
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingClassifier, IsolationForest, RandomForestClassifier

HERE = Path(__file__).resolve().parent
ROWS = 50
warnings.filterwarnings("ignore")


def write(name, model, rows):
    model.serialize(str(HERE / f"{name}.checkpoint"))
    x = rows.astype(model.input_type)
    tables = [treelite.gtil.predict(model, x, nthread=1, pred_margin=raw).reshape(len(rows), -1).astype(float) for raw in (True, False)]
    tables = [t[:, 1:] if t.shape[1] == 2 and name.endswith("two_classes") else t for t in tables]
    head = [f"x{k}" for k in range(rows.shape[1])] + [f"{what}{k}" for what in ("margin", "answer") for k in range(tables[0].shape[1])]
    with open(HERE / f"{name}.csv", "w", encoding="ascii") as out:
        out.write(",".join(head) + "\n")
        for row in np.hstack([rows.astype(np.float64), *tables]):
            out.write(",".join("" if np.isnan(v) else f"{v:.17g}" for v in row) + "\n")


def main():
    chance = np.random.default_rng(3)
    x = np.column_stack([chance.normal(size=600), chance.gamma(2, 1, 600), chance.normal(size=600), chance.integers(0, 12, 600)]).astype(np.float32).astype(float)
    truth = x[:, 0] + (x[:, 3] % 3 == 1) + chance.random(600)
    y, y3 = (truth > 1).astype(int), np.digitize(truth, [0.4, 1.3])
    rows = x[:ROWS].copy()
    rows[chance.random(rows.shape) < 0.1] = np.nan
    rows[:8, 3] = [0.0, -0.0, 1.5, -0.5, -1.0, 1e9, 11.0, 40.0]
    of_sklearn = treelite.sklearn.import_model
    write("forest_two_classes", of_sklearn(RandomForestClassifier(5, max_depth=4, random_state=1).fit(x, y)), rows)
    write("forest3", of_sklearn(RandomForestClassifier(4, max_depth=3, random_state=1).fit(x, y3)), rows)
    write("extra2", of_sklearn(ExtraTreesRegressor(4, max_depth=3, random_state=1).fit(x, x[:, :2])), rows)
    write("boosted", of_sklearn(GradientBoostingClassifier(n_estimators=6, random_state=1).fit(x, y)), rows)
    write("isolation", of_sklearn(IsolationForest(n_estimators=4, max_samples=32, random_state=1).fit(x)), rows)
    common = {"verbose": -1, "num_threads": 1, "num_leaves": 7, "min_data_per_group": 1, "cat_smooth": 1, "max_cat_to_onehot": 2, "seed": 1}
    data = {"categorical_feature": [3]}
    of_lightgbm = treelite.frontend.from_lightgbm
    write("lightgbm", of_lightgbm(lightgbm.train(common | {"objective": "binary", "sigmoid": 0.7}, lightgbm.Dataset(x, y, **data), 5)), rows)
    write("lightgbm3", of_lightgbm(lightgbm.train(common | {"objective": "multiclassova", "num_class": 3}, lightgbm.Dataset(x, y3, **data), 2)), rows)
    write("lightgbm_counts", of_lightgbm(lightgbm.train(common | {"objective": "poisson"}, lightgbm.Dataset(x, x[:, 1], **data), 4)), rows)
    of_xgboost, plain = treelite.frontend.from_xgboost, {"max_depth": 4, "nthread": 1, "seed": 1, "base_score": 0.5}
    frame = xgboost.DMatrix(x, y, feature_types=["float"] * 3 + ["c"], enable_categorical=True)
    write("xgboost", of_xgboost(xgboost.train(plain | {"objective": "binary:logistic", "tree_method": "hist"}, frame, 5)), rows)
    write("xgboost3", of_xgboost(xgboost.train(plain | {"objective": "multi:softprob", "num_class": 3}, xgboost.DMatrix(x, y3), 2)), rows)


if __name__ == "__main__":
    main()
