#!/usr/bin/env python3
# ride-test: timeout=600
"""Random models of CatBoost, as cbm and as JSON, scored by `ride score` and by CatBoost itself: raw values to the bit, answers within 1e-14. Losses with a
link, every growth policy and nan_mode, categories as one-hot, several classes; rows of borders and their neighbours, zeros, NaN, categories that nobody saw.
RIDE_RANDOM_MODELS models, from the seed given."""
import os
import random
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
import random_models  # noqa: E402

RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
BOUND = 1e-14  # relative: its exponential is a fast one


def parameters(r, seed):
    loss = r.choice(["Logloss", "CrossEntropy", "RMSE", "MAE", "Poisson", "MultiClass", "MultiClassOneVsAll"])
    policy = r.choice(["SymmetricTree", "SymmetricTree", "Depthwise", "Lossguide"])
    if policy == "Lossguide" and loss == "MAE":
        policy = "Depthwise"
    p = {"loss_function": loss, "grow_policy": policy, "iterations": r.choice([1, 7, 30]), "depth": r.choice([1, 3, 6, 9]), "learning_rate": r.choice([0.1, 0.5]),
         "border_count": r.choice([1, 32, 254]), "nan_mode": r.choice(["Min", "Max"]), "one_hot_max_size": 60, "thread_count": 1, "random_seed": seed, "verbose": 0, "allow_writing_files": False}
    return p | ({"max_leaves": 12} if policy == "Lossguide" else {})


def pool(catboost, np, x, categories, names, y=None):
    rows = [[str(int(v)) if k in categories else float(v) for k, v in enumerate(row)] for row in x]
    return catboost.Pool(rows, y, cat_features=sorted(categories) or None, feature_names=names)


def scored(folder, name, raw, np):
    done = subprocess.run([RIDE, "score", "--model", folder / name, "--input", folder / "rows.csv", "--output", "-"] + ["--raw"] * raw, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return np.array([[float(cell) for cell in line.split(",")] for line in done.stdout.split()])


def one(seed, folder, catboost, np):
    r, chance, p = random.Random(seed), np.random.default_rng(seed), None
    p = parameters(r, seed)
    x = chance.normal(size=(r.choice([60, 400, 1500]), r.randrange(2, 7)))
    categories = {k for k in range(x.shape[1]) if r.random() < 0.3}
    for k in range(x.shape[1]):
        if k in categories:
            x[:, k] = chance.integers(0, r.choice([2, 5, 40]), len(x))
        elif r.random() < 0.3:
            x[chance.random(len(x)) < 0.2, k] = np.nan
    truth = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) * chance.random(len(x))
    y = {"Logloss": (truth > 0.4).astype(int), "CrossEntropy": 1 / (1 + np.exp(-truth)), "Poisson": np.abs(truth)}.get(p["loss_function"], truth)
    if p["loss_function"].startswith("Multi"):
        y = np.digitize(truth, [-0.3, 0.6])
    names = [f"c{k}" for k in range(x.shape[1])]
    model = catboost.CatBoost(p)
    try:
        model.fit(pool(catboost, np, x, categories, names, y))
    except catboost.CatBoostError:
        return False, None  # it does not train on this
    model.save_model(str(folder / "m.cbm"))
    model.save_model(str(folder / "m.json"), format="json", pool=pool(catboost, np, x, categories, names) if r.random() < 0.5 else None)
    borders = [b for values in model.get_borders().values() for b in values if abs(b) < 1e30] or [0.5]
    rows = x[chance.integers(0, len(x), 150)].copy()
    for i in range(len(rows)):
        for k in range(len(names)):
            if chance.random() < 0.3:
                edge = np.float32(r.choice(borders))
                odd = [0.0, -0.0, 1e-42, 1e30, -1e30, float(edge), float(np.nextafter(edge, np.float32(9))), float(np.nextafter(edge, np.float32(-9))), float(edge) + 1e-12, float("nan")]
                rows[i, k] = r.choice([0, 1, 77, 5000]) if k in categories else r.choice(odd)
    (folder / "rows.csv").write_text("\n".join([",".join(names), *(",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in rows)]) + "\n")
    answer = {"Logloss": "Probability", "CrossEntropy": "Probability", "Poisson": "Exponent", "MultiClass": "Probability", "MultiClassOneVsAll": "Probability"}.get(p["loss_function"], "RawFormulaVal")
    asked = pool(catboost, np, rows, categories, names)
    for name in ("m.cbm", "m.json"):
        for raw in (True, False):
            want = model.predict(asked, prediction_type="RawFormulaVal" if raw else answer)
            want = want[:, 1:] if not raw and p["loss_function"] in ("Logloss", "CrossEntropy") else want.reshape(len(rows), -1)
            try:
                got = scored(folder, name, raw, np)
            except RuntimeError as refused:
                return True, f"seed {seed} {p}: {name}: {refused}"
            bad = ~((got == want) if raw else np.abs(got - want) <= BOUND * np.abs(want))
            if bad.any():
                at = tuple(np.argwhere(bad)[0])
                return True, f"seed {seed} {p}: {name} {'raw ' * raw}row {at}: {got[at]!r}, CatBoost {want[at]!r}; {list(map(float, rows[at[0]]))}"
    return True, None


def main():
    try:
        import catboost
        import numpy
    except ImportError as missing:
        print(f"{missing} (a comparison with CatBoost of its own: pip install catboost==1.2.10)")
        return 77
    return random_models.run(lambda seed, folder: one(seed, folder, catboost, numpy), f"CatBoost {catboost.__version__}: raw values equal to the bit, answers within {BOUND}")


if __name__ == "__main__":
    sys.exit(main())
