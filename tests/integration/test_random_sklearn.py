#!/usr/bin/env python3
# ride-test: timeout=600
"""Random models of scikit-learn, exported and scored by `ride score`, and by scikit-learn itself. Trees: to the bit; probabilities within 2 ulp; isolation
forests within 1e-7; linear models, networks and ensembles within 1e-12. What cannot be exported is refused by name. Rows are of what decides: thresholds and their neighbours, zeros, values that
are no floats, NaN where the model takes it. RIDE_RANDOM_MODELS models, from the seed given."""
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
sys.path.insert(0, str(TOP / "python"))
import random_models  # noqa: E402

RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))


def table(r, chance, np, missing):
    rows, width = r.choice([60, 300, 1500]), r.randrange(2, 9)
    x = chance.normal(size=(rows, width))
    for k in range(width):
        kind = r.randrange(4)
        if kind == 1:
            x[:, k] = chance.integers(0, r.choice([3, 12, 60]), rows)
        elif kind == 2:
            x[chance.random(rows) < 0.4, k] = 0
        elif kind == 3:
            x[:, k] = np.round(x[:, k] * 1e3, 1)
    target = x[:, 0] + x[:, 1] * chance.random(rows)
    if missing:
        x[chance.random(x.shape) < 0.1] = np.nan
        x[0] = np.where(np.isnan(x[0]), 0, x[0])
    return x, target


def trees(r, seed):
    from sklearn import ensemble, tree
    common = {"random_state": seed, "max_depth": r.choice([1, 3, 6, None]), "min_samples_leaf": r.choice([1, 5])}
    count = {"n_estimators": r.choice([1, 7, 30])}
    boost = {"random_state": seed, "max_depth": r.choice([1, 3, 5]), "n_estimators": r.choice([1, 7, 30]), "learning_rate": r.choice([0.1, 0.37, 1.0]), "subsample": r.choice([1.0, 0.6])}
    hist = {"random_state": seed, "max_iter": r.choice([1, 7, 30]), "max_leaf_nodes": r.choice([2, 9, 31]), "min_samples_leaf": r.choice([1, 20]), "max_bins": r.choice([8, 255])}
    forest = {"criterion": r.choice(["gini", "entropy"]), "class_weight": r.choice([None, "balanced"]), "max_features": r.choice([None, "sqrt"])}
    return r.choice([
        ("classes", True, lambda: tree.DecisionTreeClassifier(**common)), ("number", True, lambda: tree.DecisionTreeRegressor(**common)),
        ("classes", True, lambda: ensemble.RandomForestClassifier(**common, **count, **forest)), ("number", True, lambda: ensemble.RandomForestRegressor(**common, **count)),
        ("pair", False, lambda: ensemble.RandomForestRegressor(**common, **count)), ("classes", False, lambda: ensemble.ExtraTreesClassifier(**common, **count)),
        ("number", False, lambda: ensemble.ExtraTreesRegressor(**common, **count)), ("classes", False, lambda: ensemble.GradientBoostingClassifier(**boost)),
        ("two", False, lambda: ensemble.GradientBoostingClassifier(**boost, loss="exponential")),
        ("number", False, lambda: ensemble.GradientBoostingRegressor(**boost, loss=r.choice(["squared_error", "absolute_error", "huber", "quantile"]), init=r.choice([None, "zero"]))),
        ("classes", True, lambda: ensemble.HistGradientBoostingClassifier(**hist)),
        ("positive", True, lambda: ensemble.HistGradientBoostingRegressor(**hist, loss=r.choice(["squared_error", "absolute_error", "gamma", "poisson"]))),
        ("none", False, lambda: ensemble.IsolationForest(random_state=seed, **count, max_samples=r.choice([2, 50, "auto"]), max_features=r.choice([1.0, 0.6]))),
    ])


def smooth(r, seed):
    from sklearn import decomposition, linear_model, neural_network, pipeline, preprocessing, svm
    mlp = {"random_state": seed, "max_iter": 20, "hidden_layer_sizes": r.choice([(3,), (20, 10), (8, 7, 6, 5)]), "activation": r.choice(["relu", "tanh", "logistic", "identity"])}
    kind, last = r.choice([
        ("classes", lambda: linear_model.LogisticRegression(fit_intercept=r.random() < 0.8)), ("classes", lambda: linear_model.SGDClassifier(loss="log_loss", random_state=seed)),
        ("classes", lambda: svm.LinearSVC(random_state=seed)), ("classes", linear_model.RidgeClassifier), ("number", linear_model.LinearRegression), ("pair", linear_model.Ridge),
        ("number", lambda: linear_model.Lasso(0.01)), ("positive", linear_model.PoissonRegressor), ("classes", lambda: neural_network.MLPClassifier(**mlp)),
        ("number", lambda: neural_network.MLPRegressor(**mlp))])
    before = r.choice([[preprocessing.StandardScaler()], [preprocessing.MinMaxScaler()], [preprocessing.RobustScaler(), preprocessing.Normalizer(norm=r.choice(["l1", "l2", "max"]))],
                       [preprocessing.StandardScaler(), decomposition.PCA(2)], [preprocessing.MaxAbsScaler()]])
    return kind, lambda: pipeline.make_pipeline(*before, last())


def several(r, seed):
    from sklearn import calibration, ensemble, linear_model, pipeline, preprocessing, svm, tree
    few = {"n_estimators": r.choice([1, 5]), "max_depth": r.choice([2, 5]), "random_state": seed}
    forest, line = lambda: ensemble.RandomForestClassifier(**few), lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    boost, margin = lambda: ensemble.GradientBoostingClassifier(**few), lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), svm.LinearSVC(random_state=seed))
    named = [(f"m{k}", r.choice([forest, line, boost])()) for k in range(r.randrange(1, 5))]
    last = r.choice([linear_model.LogisticRegression, lambda: tree.DecisionTreeClassifier(max_depth=3, random_state=seed)])
    return r.choice([
        ("classes", lambda: ensemble.VotingClassifier(named, voting="soft", weights=[r.choice([0.5, 1, 3]) for _ in named])),
        ("classes", lambda: ensemble.VotingClassifier([*named, ("margin", margin())], voting="hard", weights=[r.choice([0.5, 1, 3]) for _ in range(len(named) + 1)])),
        ("number", lambda: ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=4, random_state=seed))])),
        ("classes", lambda: ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=4), 7, max_features=r.choice([1.0, 0.6]), random_state=seed)),
        ("two", lambda: calibration.CalibratedClassifierCV(r.choice([forest, line, boost, margin])(), method=r.choice(["sigmoid", "isotonic"]), cv=r.choice([2, 3]), ensemble=r.random() < 0.7)),
        ("two", lambda: ensemble.StackingClassifier([*named, ("margin", margin())], last(), cv=2)),
        ("three", lambda: ensemble.StackingClassifier(named, last(), cv=2)),
        ("number", lambda: ensemble.StackingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=4, random_state=seed))], linear_model.Ridge(), cv=2)),
    ])


def refusals():
    """What is refused, and a word of the message."""
    import numpy as np
    from sklearn import ensemble, linear_model, multioutput, neighbors, pipeline, preprocessing, tree
    from ride import export
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    cases = [
        (ensemble.AdaBoostClassifier(n_estimators=2), "AdaBoostClassifier"), (neighbors.KNeighborsClassifier(), "KNeighborsClassifier"),
        (pipeline.make_pipeline(preprocessing.PolynomialFeatures(), linear_model.LinearRegression()), "PolynomialFeatures"),
        (pipeline.make_pipeline(preprocessing.MinMaxScaler(clip=True), linear_model.LinearRegression()), "clip=False"),
        (ensemble.VotingClassifier([("a", ensemble.VotingClassifier([("b", tree.DecisionTreeClassifier())], voting="soft"))], voting="soft"), "ensemble within"),
        (linear_model.SGDClassifier(loss="modified_huber"), "modified_huber"), (ensemble.GradientBoostingClassifier(init=tree.DecisionTreeClassifier(), n_estimators=2), "init"),
        (multioutput.MultiOutputRegressor(linear_model.Ridge()), "MultiOutputRegressor"), (type("Mine", (tree.DecisionTreeClassifier,), {})(), "Mine"),
    ]
    for model, word in cases:
        model.fit(x, np.column_stack([y, y]) if "MultiOutput" in word else y)
        try:
            export.to_json(model)
        except ValueError as refused:
            if word in str(refused):
                continue
            return f"{model}: refused without `{word}`: {refused}"
        return f"{model}: exported"
    return None


def labels(kind, target, r, np):
    if kind == "classes":
        kind = r.choice(["two", "three"])
    if kind == "two":
        return (target > np.median(target)).astype(int)
    if kind == "three":
        return np.digitize(target, np.quantile(target, [0.3, 0.7]))
    return {"number": target, "positive": np.abs(target) + 0.1, "pair": np.column_stack([target, -2 * target])}.get(kind)


def thresholds(model, np):
    found = []
    for tree in getattr(model, "estimators_", [model]):
        for one in np.ravel(tree):
            if hasattr(one, "tree_"):
                found += list(one.tree_.threshold[one.tree_.children_left >= 0][:20])
    for stage in getattr(model, "_predictors", []):
        for one in stage:
            found += list(one.nodes["num_threshold"][one.nodes["is_leaf"] == 0][:20])
    return [t for t in found if abs(t) < 1e30] or [0.0]  # infinity where only missing values go right


def questions(model, x, r, chance, np, odd, missing):
    rows, edges = x[chance.integers(0, len(x), 150)].copy(), thresholds(model, np)
    for i in range(len(rows)):
        for k in range(rows.shape[1]):
            if odd and chance.random() < 0.3:
                edge = float(r.choice(edges))
                rows[i, k] = r.choice([0.0, -0.0, 1e-40, 1 / 3, edge, np.nextafter(edge, 9e9), np.nextafter(edge, -9e9), float(np.nextafter(np.float32(edge), np.float32(9e9))), 1e30]
                                      + [float("nan")] * missing)
    return rows


def told(model, rows):
    """(what it is, scikit-learn's own numbers)"""
    if hasattr(model, "score_samples"):
        return -model.score_samples(rows)
    if hasattr(model, "predict_proba"):
        every = model.predict_proba(rows)
        return every[:, 1] if every.shape[1] == 2 else every
    return model.decision_function(rows) if hasattr(model, "decision_function") else model.predict(rows)


def scored(folder, np):
    done = subprocess.run([RIDE, "score", "--model", folder / "model.json", "--input", folder / "rows.csv", "--output", "-"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return np.array([[float(cell) for cell in line.split(",")] for line in done.stdout.split()])


def one(seed, folder, np):
    from ride import export
    r, chance = random.Random(seed), np.random.default_rng(seed)
    which = r.choice(["trees"] * 5 + ["smooth"] * 2 + ["several"] * 2)
    is_tree, takes_missing = which == "trees", False
    if is_tree:
        kind, takes_missing, make = trees(r, seed)
    else:
        kind, make = (smooth if which == "smooth" else several)(r, seed)
    missing = takes_missing and r.random() < 0.6
    x, target = table(r, chance, np, missing)
    model = make()
    try:
        model.fit(x, labels(kind, target, r, np))
    except ValueError:
        return False, None  # it does not train on this
    (folder / "model.json").write_text(export.to_json(model))
    rows = questions(model, x, r, chance, np, is_tree, missing)
    text = [",".join(f"c{k}" for k in range(rows.shape[1]))] + [",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in rows]
    (folder / "rows.csv").write_text("\n".join(text) + "\n")
    want = told(model, rows).reshape(len(rows), -1)
    try:
        got = scored(folder, np)
    except RuntimeError as refused:
        return True, f"seed {seed} {model}: {refused}"
    if getattr(model, "voting", None) == "hard":  # shares of votes, and what it predicts by them
        got = (got > 0.5).astype(float) if got.shape[1] == 1 else np.argmax(got, axis=1).reshape(-1, 1)
    if not is_tree:
        allowed = 1e-12 + 1e-12 * np.abs(want)
    elif kind == "none":
        allowed = 1e-7 * np.abs(want)
    else:  # two ulps of an exponential, four of a softmax; without one none
        exact = not any(word in type(model).__name__ for word in ("GradientBoostingClassifier",)) and getattr(model, "loss", None) not in ("gamma", "poisson")
        allowed = 0 * want if exact else (4 if want.shape[1] > 1 else 2) * np.spacing(np.abs(want))
    bad = ~(np.abs(got - want) <= allowed)
    if bad.any():
        at = tuple(np.argwhere(bad)[0])
        return True, f"seed {seed} {model}: row {at}: {got[at]!r}, scikit-learn {want[at]!r}; {list(map(float, rows[at[0]]))}"
    return True, None


def main():
    try:
        import numpy
        import sklearn
    except ImportError as missing:
        print(f"{missing} (a comparison with scikit-learn of its own: pip install scikit-learn==1.9.1)")
        return 77
    warnings.simplefilter("ignore")
    wrong = refusals()
    if wrong:
        print(wrong)
        return 1
    return random_models.run(lambda seed, folder: one(seed, folder, numpy), f"scikit-learn {sklearn.__version__}: trees equal to the bit, the others within their bounds")


if __name__ == "__main__":
    sys.exit(main())
