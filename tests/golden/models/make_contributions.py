#!/usr/bin/env python3
"""Writes NAME.shap.csv here for the newest models of each trainer: what the trainer says each input adds to the margin, for the rows of NAME.csv.
Columns: of each output the inputs, then the expected margin.

    python -m venv v && v/bin/pip install lightgbm==4.6.0 xgboost-cpu==3.2.0 && v/bin/python tests/golden/models/make_contributions.py

XGBoost computes in floats, LightGBM in doubles."""
import csv
from pathlib import Path

import lightgbm
import numpy
import xgboost

HERE = Path(__file__).resolve().parent
INPUTS = 4


def main():
    for path in sorted(HERE.glob("*.csv")):
        name = path.stem
        if not name.startswith((f"xgboost-{xgboost.__version__}-", f"lightgbm-{lightgbm.__version__}-")) or name.endswith(".shap"):
            continue
        with open(path, encoding="ascii") as file:
            rows = numpy.array([[float(cell) if cell else numpy.nan for cell in line[:INPUTS]] for line in list(csv.reader(file))[1:]])
        if name.startswith("lightgbm"):
            said = lightgbm.Booster(model_file=f"{HERE / name}.txt").predict(rows, pred_contrib=True)
        else:
            model = xgboost.Booster(model_file=f"{HERE / name}.json", params={"nthread": 1})
            said = model.predict(xgboost.DMatrix(rows, feature_names=model.feature_names, feature_types=model.feature_types, enable_categorical=True),
                                 pred_contribs=True)
        said = numpy.asarray(said).reshape(len(rows), -1)
        digits = 9 if said.dtype == numpy.float32 else 17
        numpy.savetxt(HERE / f"{name}.shap.csv", said, fmt=f"%.{digits}g", delimiter=",")
        print(name, said.shape, said.dtype)


if __name__ == "__main__":
    main()
