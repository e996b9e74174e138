#!/usr/bin/env python3
"""Makes this folder's files anew: six kinds of scikit-learn models on a small made-up set, as RIDE's JSON, manifests that combine them, and what the
combinations must give. The sums are numpy's and scikit-learn's own (VotingClassifier, StackingClassifier, CalibratedClassifierCV), from the members'
own predictions. Run: PYTHON tests/golden/ensembles/make.py with scikit-learn 1.7.2 and numpy."""
import csv
import sys
from pathlib import Path

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "python"))
from ride.export import to_json  # noqa: E402

NAMES = ["amount", "age", "gap", "kind"]
ROWS = 40
INPUTS = f"inputs: [{', '.join(NAMES)}]"


def data(rng, count):
    x = np.column_stack([rng.gamma(2.0, 30.0, count), rng.integers(0, 90, count), rng.exponential(4.0, count), rng.integers(0, 5, count)])
    x = x.astype(np.float32).astype(np.float64)  # trees see floats: so do all here
    y = (x[:, 0] * 0.02 + x[:, 2] * 0.2 - x[:, 1] * 0.01 + rng.normal(0, 0.7, count) > 1.4).astype(int)
    return x, y


def members():
    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(7, max_depth=4, random_state=1),
        "boost": GradientBoostingClassifier(n_estimators=8, max_depth=3, random_state=2),
        "net": make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=300, random_state=3)),
        "deep": make_pipeline(StandardScaler(), MLPClassifier((7, 6, 5, 4), activation="tanh", max_iter=300, random_state=4)),
        "isolation": IsolationForest(n_estimators=9, max_samples=32, random_state=5),
    }


def answer(model, x):
    return -model.score_samples(x) if isinstance(model, IsolationForest) else model.predict_proba(x)[:, 1]


def logit(p):
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return np.log(p / (1 - p))


def numbers(values):
    return "[" + ", ".join(repr(float(v)) for v in values) + "]"


def main():
    rng = np.random.default_rng(11)
    x, y = data(rng, 400)
    rows, _ = data(rng, ROWS)
    models = {name: model.fit(x, y) for name, model in members().items()}
    given = {name: answer(model, rows) for name, model in models.items()}
    trained = {name: answer(model, x) for name, model in models.items()}
    files, expected = {}, {}
    for name, model in models.items():
        files[f"{name}.json"] = to_json(model) + "\n"

    def manifest(name, result, combine, body, kept=tuple(models), extra=None, more=""):
        lines = ["ensemble: 1", f"combine: {combine}", INPUTS, "members:"]
        lines += [f"  - {{model: {m}.json{', ' + extra[m] if extra and m in extra else ''}}}" for m in kept]
        files[f"{name}.yaml"] = "\n".join(lines + ([body] if body else []) + ([more] if more else [])) + "\n"
        expected[name] = result

    weights = dict(zip(models, [2.0, 1.0, 3.0, 0.5, 1.5, 0.25]))
    all_of = np.array([given[m] for m in models])
    weighted = {m: f"weight: {w}" for m, w in weights.items()}
    manifest("mean", np.average(all_of, axis=0, weights=list(weights.values())), "mean", None, extra=weighted)
    manifest("logit-mean", 1 / (1 + np.exp(-np.average(logit(all_of), axis=0, weights=list(weights.values())))), "logit_mean", None, extra=weighted)
    tables = {m: np.quantile(trained[m], np.linspace(0, 1, 21)) for m in models}
    ranks = np.array([np.interp(given[m], tables[m], np.linspace(0, 1, 21)) for m in models])
    manifest("rank-mean", ranks.mean(axis=0), "rank_mean", None, extra={m: f"quantiles: {numbers(t)}" for m, t in tables.items()})
    manifest("vote", (all_of >= np.array([[0.5], [0.5], [0.4], [0.5], [0.5], [0.55]])).mean(axis=0), "vote", None,
             extra={"boost": "threshold: 0.4", "isolation": "threshold: 0.55"})
    cheap, rest = given["linear"], np.average([given["boost"], given["forest"]], axis=0, weights=[3, 1])
    manifest("cascade", np.where((cheap < 0.2) | (cheap > 0.7), cheap, rest), "cascade", "band: [0.2, 0.7]", kept=("linear", "boost", "forest"),
             extra={"boost": "weight: 3"})
    kind = rows[:, 3]
    manifest("segment", np.where(kind == 1, given["boost"], np.where(kind == 3, given["net"], given["deep"])), "segment",
             "segment: {input: kind, values: {1: boost, 3: net}, otherwise: deep}", kept=("boost", "net", "deep"))
    three = ["linear", "forest", "boost"]
    pairs = [(m, models[m]) for m in three]
    voting = VotingClassifier([(m, FrozenEstimator(e)) for m, e in pairs], voting="soft", weights=[1, 2, 4]).fit(x, y)
    manifest("voting", voting.predict_proba(rows)[:, 1], "mean", None, kept=three, extra={"forest": "weight: 2", "boost": "weight: 4"})
    stacking = StackingClassifier([(m, FrozenEstimator(e)) for m, e in pairs], LogisticRegression(), cv="prefit", stack_method="predict_proba").fit(x, y)
    files["stacker.json"] = to_json(stacking.final_estimator_) + "\n"
    manifest("stacking", stacking.predict_proba(rows)[:, 1], "stack", "stacker: {model: stacker.json}", kept=three)
    platt = CalibratedClassifierCV(FrozenEstimator(models["linear"]), method="sigmoid", ensemble=False).fit(x, y)
    sigmoid = platt.calibrated_classifiers_[0].calibrators[0]
    isotonic = CalibratedClassifierCV(FrozenEstimator(models["boost"]), method="isotonic", ensemble=False).fit(x, y)
    curve = isotonic.calibrated_classifiers_[0].calibrators[0]
    manifest("calibrated", (platt.predict_proba(rows)[:, 1] + isotonic.predict_proba(rows)[:, 1]) / 2, "mean", None, kept=("linear", "boost"), extra={
        "linear": f"calibration: {{platt: {{a: {float(sigmoid.a_)!r}, b: {float(sigmoid.b_)!r}}}, of: margin}}",
        "boost": f"calibration: {{isotonic: {{x: {numbers(curve.X_thresholds_)}, y: {numbers(curve.y_thresholds_)}}}, of: margin}}"})
    result = np.interp(np.average(all_of, axis=0), [0.1, 0.4, 0.4, 0.8], [0.0, 0.3, 0.5, 1.0])
    manifest("recalibrated", result, "mean", None, more="calibration: {isotonic: {x: [0.1, 0.4, 0.4, 0.8], y: [0.0, 0.3, 0.5, 1.0]}}")
    for name, text in files.items():
        (HERE / name).write_text(text)
    with (HERE / "expected.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*NAMES, *expected])
        for r in range(ROWS):
            writer.writerow([repr(float(v)) for v in rows[r]] + [repr(float(e[r])) for e in expected.values()])


if __name__ == "__main__":
    main()
