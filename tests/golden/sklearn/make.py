#!/usr/bin/env python3
"""Writes VERSION-TAG.json and .csv here, with the scikit-learn that runs it: models as `python -m ride export` writes them, rows of four
features, and what scikit-learn itself says of them: margins where it gives them, and answers.

    python -m venv v && v/bin/pip install scikit-learn==1.9.1 && PYTHONPATH=python v/bin/python tests/golden/sklearn/make.py

Committed: 1.4.2, 1.7.2 and 1.9.1 (one thread, fixed seeds)."""
import re
import warnings
from pathlib import Path

import numpy
import sklearn
from ride import export
from sklearn import calibration, compose, decomposition, discriminant_analysis, ensemble, feature_selection, impute, linear_model, neural_network, pipeline, preprocessing, svm, tree

HERE = Path(__file__).resolve().parent
NAMES = ["amount", "age", "gap", "kind"]
KINDS = [-1.0, -0.5, 99.0, 1e9, 40.0, -0.0]  # what no model saw, and what it did
ODD = [0.0, -0.0, 1e-36, -1e-36, 1e30, -1e30, 2.5, -0.5, 0.1, 1 / 3, 16777217.0]
SEED = {"random_state": 7}


def models():
    """tag: (model, target, what the rows may hold besides numbers)"""
    forest, linear = ensemble.RandomForestClassifier, linear_model
    few = {"n_estimators": 5, "max_depth": 4, **SEED}
    columns = compose.ColumnTransformer([("a", pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), preprocessing.RobustScaler()), [2, 1]),
                                         ("b", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.MinMaxScaler()), [0]),
                                         ("c", "passthrough", [3])])
    return {
        "tree": (tree.DecisionTreeClassifier(max_depth=5, **SEED), "two", "nan"),
        "forest": (forest(**few), "two", "nan"),
        "forest-three": (forest(n_estimators=3, max_depth=3, class_weight="balanced", **SEED), "three", "nan"),
        "extra": (ensemble.ExtraTreesClassifier(**few), "two", "finite"),
        "regress": (ensemble.RandomForestRegressor(n_estimators=3, max_depth=3, **SEED), "pair", "finite"),
        "boost": (ensemble.GradientBoostingClassifier(n_estimators=7, max_depth=3, learning_rate=0.3, **SEED), "two", "finite"),
        "boost-exp": (ensemble.GradientBoostingClassifier(loss="exponential", n_estimators=3, max_depth=2, **SEED), "two", "finite"),
        "boost-three": (ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=2, **SEED), "three", "finite"),
        "boost-huber": (ensemble.GradientBoostingRegressor(loss="huber", n_estimators=5, max_depth=2, **SEED), "number", "finite"),
        "hist": (ensemble.HistGradientBoostingClassifier(max_iter=6, max_leaf_nodes=8, categorical_features=[3], **SEED), "two", "nan"),
        "hist-plain": (ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=6, max_leaf_nodes=6, **SEED), "positive", "nan"),
        "hist-three": (ensemble.HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=5, **SEED), "three", "nan"),
        "isolation": (ensemble.IsolationForest(n_estimators=5, max_samples=32, **SEED), "two", "finite"),
        "isolation-columns": (ensemble.IsolationForest(n_estimators=5, max_samples=20, max_features=2, **SEED), "two", "finite"),
        "logistic": (pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler(), linear.LogisticRegression()), "two", "nan"),
        "logistic-three": (pipeline.make_pipeline(preprocessing.MinMaxScaler(), linear.LogisticRegression()), "three", "finite"),
        "one-against-rest": (pipeline.make_pipeline(preprocessing.StandardScaler(), linear.SGDClassifier(loss="log_loss", **SEED)), "three", "tame"),
        "columns": (pipeline.make_pipeline(columns, linear.RidgeClassifier()), "two", "nan"),
        "svm": (pipeline.make_pipeline(preprocessing.MaxAbsScaler(), svm.LinearSVC(**SEED)), "two", "finite"),
        "linear": (pipeline.make_pipeline(feature_selection.VarianceThreshold(), preprocessing.Normalizer(norm="l1"), linear.LinearRegression()), "number", "finite"),
        "poisson": (pipeline.make_pipeline(preprocessing.StandardScaler(), linear.PoissonRegressor()), "positive", "tame"),
        "discriminant": (discriminant_analysis.LinearDiscriminantAnalysis(), "three", "tame"),
        "mlp": (pipeline.make_pipeline(preprocessing.StandardScaler(), neural_network.MLPClassifier(hidden_layer_sizes=(6, 5), max_iter=40, **SEED)), "two", "tame"),
        "mlp-three": (pipeline.make_pipeline(preprocessing.StandardScaler(), neural_network.MLPClassifier(hidden_layer_sizes=(5,), activation="tanh", max_iter=40, **SEED)), "three", "tame"),
        "mlp-deep": (pipeline.make_pipeline(preprocessing.StandardScaler(), neural_network.MLPRegressor(hidden_layer_sizes=(5, 4, 4, 3), activation="logistic", max_iter=60, **SEED)), "number", "tame"),
        "voting": (ensemble.VotingClassifier([("lr", pipeline.make_pipeline(preprocessing.StandardScaler(), linear.LogisticRegression())), ("rf", forest(**few))], voting="soft",
                                             weights=[2, 1]), "three", "tame"),
        "bagging": (ensemble.BaggingRegressor(tree.DecisionTreeRegressor(max_depth=3, **SEED), 3, max_features=2, **SEED), "number", "finite"),
        "platt": (calibration.CalibratedClassifierCV(svm.LinearSVC(**SEED), cv=2), "two", "tame"),
        "isotonic": (pipeline.make_pipeline(preprocessing.MinMaxScaler(), calibration.CalibratedClassifierCV(forest(**few), method="isotonic", cv=2)), "two", "finite"),
        "stack": (ensemble.StackingClassifier([("rf", forest(**few)), ("svm", svm.LinearSVC(**SEED)), ("gb", ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=2, **SEED))],
                                              linear.LogisticRegression(), cv=2), "two", "tame"),
        "scaled-forest": (pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler(), decomposition.PCA(3), forest(**few)), "two", "nan"),
    }


def margins(model, rows):
    """What scikit-learn gives before the link, or None."""
    last = model[-1] if hasattr(model, "steps") else model
    if isinstance(last, (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)):
        return last._raw_predict(rows)
    if isinstance(last, (ensemble.IsolationForest, ensemble.StackingClassifier)) or not hasattr(last, "decision_function"):
        return None
    return model.decision_function(rows)


def answers(model, rows):
    if hasattr(model, "score_samples"):
        return -model.score_samples(rows)
    if hasattr(model, "predict_proba"):
        every = model.predict_proba(rows)
        return every[:, 1] if every.shape[1] == 2 else every
    if hasattr(model, "decision_function"):
        return model.decision_function(rows)
    return model.predict(rows)


def main():
    warnings.simplefilter("ignore")
    chance = numpy.random.default_rng(11)
    rows = numpy.column_stack([chance.gamma(2, 30, 800).round(2), chance.integers(18, 90, 800), chance.exponential(100, 800), chance.integers(0, 40, 800)]).astype(float)
    rows[:, 2] += 1e-9 * chance.random(800)  # not floats
    truth = rows[:, 0] / 60 + (rows[:, 3] % 3 == 1) + chance.random(800)
    targets = {"two": truth > 2, "three": numpy.digitize(truth, [1.5, 2.5]), "number": truth, "positive": truth + 0.1, "pair": numpy.column_stack([truth, -rows[:, 2]])}
    gaps = rows.copy()
    gaps[chance.random(800) < 0.15, 1] = numpy.nan
    asked = {kind: (gaps if kind == "nan" else rows)[:40].copy() for kind in ("nan", "finite", "tame")}
    for kind in ("nan", "finite"):
        for i in range(40):
            for k in range(4):
                if chance.random() < 0.25:
                    asked[kind][i, k] = numpy.nan if kind == "nan" and k == 1 and chance.random() < 0.3 else chance.choice(KINDS if k == 3 else ODD)
    asked["nan"][5, 0] = numpy.nan
    for tag, (model, target, kind) in models().items():
        if hasattr(model, "n_jobs"):
            model.n_jobs = 1
        model.fit(gaps if kind == "nan" else rows, targets[target])
        base = HERE / f"{sklearn.__version__}-{tag}"
        base.with_name(base.name + ".json").write_text(re.sub(r'(\{"output"|\{"left"|\{"kind")', r"\n\1", export.to_json(model)) + "\n", encoding="ascii")
        columns, head = [asked[kind]], list(NAMES)
        for name, values in (("margin", margins(model, asked[kind])), ("answer", answers(model, asked[kind]))):
            if values is not None:
                columns.append(values.reshape(40, -1))
                head += [f"{name}{k}" for k in range(columns[-1].shape[1])]
        lines = [",".join("" if numpy.isnan(x) else f"{x:.17g}" for x in row) for row in numpy.column_stack(columns)]
        base.with_name(base.name + ".csv").write_text("\n".join([",".join(head), *lines]) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
