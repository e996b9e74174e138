#!/usr/bin/env python3
# ride-test: timeout=300
"""Random models of LightGBM, scored by `ride score` and by LightGBM itself: raw scores to the bit, answers within 2 ulp. All objectives with a link,
every meaning of a missing value, categories, dart, averages of trees, several classes; rows of what decides: zeros, what is nearly zero, NaN,
fractions and negatives as categories. RIDE_RANDOM_MODELS models, from the seed given."""
import os
import random
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
import random_models  # noqa: E402

RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
OBJECTIVES = ["binary", "regression", "regression", "sqrt", "regression_l1", "quantile", "huber", "fair", "mape", "poisson", "gamma", "tweedie", "cross_entropy", "cross_entropy_lambda",
              "multiclass", "multiclassova", "lambdarank"]
ODD = [0.0, -0.0, 1e-36, -1e-36, 1e-35, 1.0000000180025095e-35, 1.1e-35, float("nan"), 1e308, -1e308, -0.5, -0.99, -1.0, -1.5, 1e9, 0.5, 2.7]


def table(r, chance, np):
    rows, width = r.choice([200, 1000, 2000]), r.randrange(2, 7)
    x = chance.normal(size=(rows, width))
    for k in range(width):
        kind = r.randrange(4)
        if kind == 1:
            x[:, k] = chance.integers(0, r.choice([3, 12, 60]), rows)
        elif kind == 2:
            x[chance.random(rows) < 0.4, k] = 0
        elif kind == 3:
            x[chance.random(rows) < 0.3, k] = np.nan
    categories = [k for k in range(width) if r.random() < 0.4]
    for k in categories:
        x[:, k] = chance.integers(0, r.choice([3, 12, 60, 200]), rows)
    return x, categories


def parameters(r, seed, objective):
    p = {"objective": "regression" if objective == "sqrt" else objective, "verbose": -1, "num_threads": 1, "seed": seed, "deterministic": True,
         "num_leaves": r.choice([2, 4, 31, 80]), "min_data_in_leaf": r.choice([1, 5, 20]), "zero_as_missing": r.random() < 0.3, "use_missing": r.random() < 0.85,
         "boosting": r.choice(["gbdt", "gbdt", "dart", "rf"]), "max_cat_to_onehot": r.choice([1, 4, 16]), "min_data_per_group": r.choice([1, 10]), "cat_smooth": 1}
    if p["boosting"] == "rf":
        p.update(bagging_freq=1, bagging_fraction=0.7)
    if objective == "sqrt" or (objective in ("regression_l1", "quantile", "huber", "fair", "mape") and r.random() < 0.5):
        p["reg_sqrt"] = True
    if objective.startswith("multiclass"):
        p["num_class"] = 3
    if r.random() < 0.2:
        p["sigmoid"] = r.choice([0.5, 2.0])
    if p["boosting"] != "rf" and objective not in ("regression_l1", "quantile", "mape", "huber", "fair") and r.random() < 0.3:
        p.update(linear_tree=True, zero_as_missing=False, linear_lambda=r.choice([0.0, 0.1]))
    return p


def labels(objective, truth, np):
    if objective == "binary":
        return (truth > 0.3).astype(int)
    if objective.startswith("cross_entropy"):
        return 1 / (1 + np.exp(-truth))
    if objective in ("poisson", "gamma", "tweedie"):
        return np.abs(truth) + 0.1
    return np.digitize(truth, [-0.5, 0.7]) if objective.startswith("multiclass") or objective == "lambdarank" else truth


def scored(folder, raw, np):
    done = subprocess.run([RIDE, "score", "--model", folder / "model.txt", "--input", folder / "rows.csv", "--output", "-"] + ["--raw"] * raw, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return np.array([[float(cell) for cell in line.split(",")] for line in done.stdout.split()])


def one(seed, folder, lightgbm, np):
    r, chance = random.Random(seed), np.random.default_rng(seed)
    objective = r.choice(OBJECTIVES)
    (x, categories), p = table(r, chance, np), parameters(r, seed, objective)
    y = labels(objective, np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) * chance.random(len(x)), np)
    names = [f"c{k}" for k in range(x.shape[1])]
    data = lightgbm.Dataset(x, label=y, group=[10] * (len(x) // 10) if objective == "lambdarank" else None, categorical_feature=categories, feature_name=names, params=p)
    try:
        model = lightgbm.train(p, data, r.choice([1, 7, 30]))
    except lightgbm.basic.LightGBMError:
        return False, None  # it does not train on this
    model.save_model(folder / "model.txt")
    rows = x[chance.integers(0, len(x), 200)].copy()
    for i in range(len(rows)):
        for k in range(len(names)):
            if chance.random() < 0.25:
                rows[i, k] = r.choice(ODD)
    text = [",".join(names)] + [",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in rows]
    (folder / "rows.csv").write_text("\n".join(text) + "\n")
    for raw in (True, False):
        want = model.predict(rows, raw_score=raw).reshape(len(rows), -1)
        try:
            got = scored(folder, raw, np)
        except RuntimeError as refused:
            return True, f"seed {seed} {p}: {refused}"
        bad = got != want if raw else ~(np.abs(got - want) <= 2 * np.spacing(np.abs(want))) & (got != want)
        bad &= ~(np.isnan(got) & np.isnan(want))  # infinities of a linear leaf that cancel
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            return True, f"seed {seed} {p}: {'raw ' * raw}row {at}: {got[at]!r}, LightGBM {want[at]!r}; {rows[at[0]]}"
    return True, None


def main():
    try:
        import lightgbm
        import numpy
    except ImportError as missing:
        print(f"{missing} (scripts/setup --dev)")
        return 77
    return random_models.run(lambda seed, folder: one(seed, folder, lightgbm, numpy), f"LightGBM {lightgbm.__version__}: raw scores equal to the bit, answers within 2 ulp")


if __name__ == "__main__":
    sys.exit(main())
