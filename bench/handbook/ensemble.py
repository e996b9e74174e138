#!/usr/bin/env python3
"""Six kinds of models and their ensemble, on the handbook's transactions with features of our own (features.yaml), judged by the book's protocol.

    python bench/handbook/ensemble.py [--transactions FILE] [--resamples N] [--output bench/results/handbook-ensemble.json]

Everything is chosen on the validation folds: the settings below were, and the members' weights are (a greedy search, over the mean of
probabilities and over the mean of logits). The test folds are looked at once. Beside it the book's best model (XGBoost, 100 trees of depth 3, its own 15 features; published
average precision 0.694) on the same folds, and a paired bootstrap over the cards of each fold. The control: labels in random order
in the stream itself, from which features, training and test labels are made anew: what is above chance then would be a label that leaks into its own features.

The models of the first test fold are given to RIDE (ride.export, a manifest for the ensemble), whose scores must equal the trainers'; the
latencies are RIDE's: one row, and all rows at once, on one core. Needs bench/handbook/requirements.txt and the package `ride`."""
import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "python"), str(Path(__file__).parent)]
import protocol  # noqa: E402
from published import load  # noqa: E402

SHARED = Path(os.environ.get("RIDE_SHARED_DIR", TOP.parent / "shared")) / "data"
BOOK = {"auc_roc": 0.8708, "average_precision": 0.6940, "card_precision_100": 0.3039}
PAPER = "the paper's ensemble: accuracy 97.1 %, precision 96.5 %, recall 97.6 %, inference below a millisecond; without data or method"
EDGE = 1e-15  # of a probability in a mean of logits: docs/models.md


def kinds():
    """name → a new classifier: its settings were chosen on the validation folds."""
    from sklearn.ensemble import IsolationForest, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    def prepared(model):
        return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)
    return {
        "logistic regression": lambda: prepared(LogisticRegression(C=0.1, max_iter=500)),
        "random forest": lambda: make_pipeline(SimpleImputer(strategy="median"),
                                               RandomForestClassifier(100, min_samples_leaf=3, max_features="sqrt", random_state=0, n_jobs=1)),
        "gradient boosting": lambda: XGBClassifier(n_estimators=300, max_depth=4, learning_rate=0.04, min_child_weight=5, subsample=0.8,
                                                   colsample_bytree=0.4, n_jobs=1, random_state=0),
        "neural network": lambda: prepared(MLPClassifier((64,), alpha=0.01, early_stopping=True, max_iter=60, random_state=0)),
        "deep network": lambda: prepared(MLPClassifier((64, 64, 32, 16), alpha=0.01, early_stopping=True, max_iter=60, random_state=0)),
        "isolation forest": lambda: make_pipeline(SimpleImputer(strategy="median"), IsolationForest(n_estimators=100, random_state=0, n_jobs=1)),
    }


def scores(model, x):
    """The chance of fraud; of an isolation forest how anomalous the row is, 0 to 1."""
    return model.predict_proba(x)[:, 1] if hasattr(model, "predict_proba") else -model.score_samples(x)


def logit(p):
    p = np.clip(p.astype(np.float64), EDGE, 1 - EDGE)
    return np.log(p / (1 - p))


def train(make, x, y, folds):
    """Models, their scores of the test rows, and seconds, fold by fold."""
    models, found, seconds = [], [], []
    for fold in folds:
        model, began = make(), time.monotonic()
        model.fit(x[fold.train], y[fold.train])
        seconds.append(time.monotonic() - began)
        models.append(model)
        found.append(scores(model, x[fold.test]))
    return models, found, seconds


def judge(frame, folds, found):
    return protocol.over_folds([protocol.figures(frame, fold.test, score) for fold, score in zip(folds, found)])


def mean(way, weights, answers):
    """As RIDE combines: of {name: answers of some rows}."""
    total = sum(weights.values())
    if way == "mean":
        return sum(weight * answers[name].astype(np.float64) for name, weight in weights.items()) / total
    return 1 / (1 + np.exp(-sum(weight * logit(answers[name]) for name, weight in weights.items()) / total))


def blend(way, weights, found):
    """Fold by fold."""
    return [mean(way, weights, {name: found[name][k] for name in weights}) for k in range(protocol.FOLDS)]


def choose(frame, folds, found, steps=12):
    """Adds the member that helps the average precision of the validation folds most, again and again; the best set on the way."""
    from sklearn.metrics import average_precision_score
    best, fraud = (0.0, "", {}), frame.fraud.to_numpy()
    for way in ("mean", "logit_mean"):
        counts = {}
        for _ in range(steps):
            tried = []
            for name in found:
                blended = blend(way, counts | {name: counts.get(name, 0) + 1}, found)
                tried.append((np.mean([average_precision_score(fraud[fold.test], score) for fold, score in zip(folds, blended)]), name))
            value, name = max(tried)
            counts[name] = counts.get(name, 0) + 1
            if value > best[0]:
                best = (value, way, dict(counts))
    return best[1:]


def bootstrap(frame, folds, ours, theirs, resamples):
    """Of the difference in average precision, mean over the folds: 95 % of resamples of each fold's cards."""
    from sklearn.metrics import average_precision_score
    chance, differences = np.random.default_rng(1), []
    card, fraud = frame.card.to_numpy(), frame.fraud.to_numpy()
    groups = []
    for fold in folds:
        names, code = np.unique(card[fold.test], return_inverse=True)
        groups.append((len(names), code))
    for _ in range(resamples):
        one = []
        for fold, (count, code), a, b in zip(folds, groups, ours, theirs):
            weight = np.bincount(chance.integers(0, count, count), minlength=count)[code]
            keep = weight > 0
            one.append(average_precision_score(fraud[fold.test][keep], a[keep], sample_weight=weight[keep]) -
                       average_precision_score(fraud[fold.test][keep], b[keep], sample_weight=weight[keep]))
        differences.append(np.mean(one))
    return [float(v) for v in np.quantile(differences, (0.025, 0.975))]


def at_threshold(frame, folds, found, threshold):
    """Accuracy, precision, recall and F1 of all folds together."""
    truth = np.concatenate([frame.fraud.to_numpy()[fold.test] for fold in folds])
    said = np.concatenate(found) >= threshold
    hits = int((said & (truth == 1)).sum())
    precision, recall = hits / max(said.sum(), 1), hits / truth.sum()
    return {"accuracy": float((said == (truth == 1)).mean()), "precision": float(precision), "recall": float(recall),
            "f1": float(2 * hits / (said.sum() + truth.sum()))}


def best_threshold(frame, folds, found):
    """Of the greatest F1 on the validation folds."""
    truth, score = np.concatenate([frame.fraud.to_numpy()[fold.test] for fold in folds]), np.concatenate(found)
    order = np.argsort(-score)
    hits = truth[order].cumsum()
    return float(score[order][np.argmax(2 * hits / (np.arange(1, len(hits) + 1) + truth.sum()))])


def control(transactions, way, weights):
    """The ensemble on a stream whose labels are in random order."""
    import pandas as pd
    with tempfile.TemporaryDirectory() as folder:
        path, raw = Path(folder, "shuffled.csv"), pd.read_csv(transactions, dtype=str)
        raw["TX_FRAUD"] = np.random.default_rng(7).permutation(raw.TX_FRAUD.to_numpy())
        raw.to_csv(path, index=False)
        frame, wide, _ = load(Path(__file__).parent / "features.yaml", path)
    x, y, folds, found = wide.astype(np.float32), frame.fraud.to_numpy(), protocol.folds(frame, "test"), {}
    for name in weights:
        _, found[name], _ = train(kinds()[name], x, y, folds)
    return judge(frame, folds, blend(way, weights, found)) | {"chance": float(np.mean([y[fold.test].mean() for fold in folds]))}


def served(models, way, weights, x, folder):
    """The models in RIDE: file, greatest difference from the trainer, microseconds of one row and of a row among all."""
    import ride
    from ride import export
    told, paths = {}, {}
    for name, model in models.items():
        path = Path(folder, name.replace(" ", "_") + ".json")
        if hasattr(model, "get_booster"):
            model.get_booster().save_model(path)
        else:
            path.write_text(export.to_json(model))
        paths[name] = path
        told[name] = measure(ride.Model(str(path)), x) | {"difference": float(np.abs(np.ravel(answers(ride.Model(str(path)), x)) - scores(model, x)).max())}
    manifest = Path(folder, "ensemble.yaml")
    manifest.write_text(f"ensemble: 1\ncombine: {way}\nmembers:\n" + "".join(
        f"  - {{name: {name.replace(' ', '_')}, model: {paths[name].name}, weight: {weight}}}\n" for name, weight in weights.items()))
    model = ride.Model(str(manifest))
    blended = mean(way, weights, {name: scores(models[name], x) for name in weights})
    told["ensemble"] = measure(model, x) | {"difference": float(np.abs(np.ravel(answers(model, x)) - blended).max())}
    return told


def answers(model, x):
    found = np.asarray(model.predict(x))
    return found[:, -1] if found.ndim == 2 else found


def measure(model, x):
    rows = [np.ascontiguousarray(x[i:i + 1]) for i in range(512)]
    best_one, best_all = 1e9, 1e9
    for _ in range(5):
        began = time.perf_counter()
        for row in rows:
            model.predict(row)
        best_one = min(best_one, (time.perf_counter() - began) / len(rows))
        began = time.perf_counter()
        model.predict(x)
        best_all = min(best_all, (time.perf_counter() - began) / len(x))
    return {"one_row_us": best_one * 1e6, "row_of_many_us": best_all * 1e6}


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--transactions", type=Path, default=SHARED / "handbook-transactions.csv.zst")
    words.add_argument("--resamples", type=int, default=1000)
    words.add_argument("--control", action="store_true", help="the control alone, of the ensemble that --output has")
    words.add_argument("--output", type=Path)
    options = words.parse_args()
    if not options.transactions.exists():
        print(f"skipped: {options.transactions} is absent")
        sys.exit(77)
    if options.control:
        told = json.loads(options.output.read_text())
        ensemble = told["models"]["ensemble"]
        told["shuffled_labels"] = control(options.transactions, ensemble["combine"], ensemble["weights"])
        print(told["shuffled_labels"])
        options.output.write_text(json.dumps(told, indent=1) + "\n")
        sys.exit(0)
    warnings.filterwarnings("ignore", category=UserWarning)
    from xgboost import XGBClassifier
    import sklearn
    import xgboost
    frame, wide, names = load(Path(__file__).parent / "features.yaml", options.transactions)
    _, narrow, _ = load(TOP / "examples/handbook/features.yaml", options.transactions)
    x, y = wide.astype(np.float32), frame.fraud.to_numpy()
    valid, test = protocol.folds(frame, "valid"), protocol.folds(frame, "test")
    told = {"command": "python " + " ".join(sys.argv), "features": names, "paper": PAPER, "versions": {
        "python": platform.python_version(), "scikit-learn": sklearn.__version__, "xgboost": xgboost.__version__}, "models": {}}
    found = {"valid": {}, "test": {}}
    last = {}
    for name, make in kinds().items():
        _, found["valid"][name], _ = train(make, x, y, valid)
        models, found["test"][name], seconds = train(make, x, y, test)
        last[name] = models[0]
        told["models"][name] = {"training_s": float(np.median(seconds))}
        print(f"{name:<20} trained {np.median(seconds):.1f} s; validation {judge(frame, valid, found['valid'][name])['average_precision'][0]:.4f}", flush=True)
    way, weights = choose(frame, valid, found["valid"])
    for kind in found:
        found[kind]["ensemble"] = blend(way, weights, found[kind])
    told["models"]["ensemble"] = {"combine": way, "weights": weights, "training_s": sum(told["models"][name]["training_s"] for name in weights)}

    def book():
        return XGBClassifier(n_estimators=100, max_depth=3, learning_rate=0.1, tree_method="exact", base_score=0.5, n_jobs=1, random_state=0)
    _, theirs, _ = train(book, narrow, y, test)
    told["book"] = {"published": BOOK, "again": judge(frame, test, theirs)}
    for name in found["test"]:
        line = told["models"][name]
        line |= {"validation": judge(frame, valid, found["valid"][name]), "test": judge(frame, test, found["test"][name])}
        line["threshold"] = best_threshold(frame, valid, found["valid"][name])
        line |= at_threshold(frame, test, found["test"][name], line["threshold"])
    low, high = bootstrap(frame, test, found["test"]["ensemble"], theirs, options.resamples)
    told["gain"] = {"average_precision": told["models"]["ensemble"]["test"]["average_precision"][0] - told["book"]["again"]["average_precision"][0],
                    "interval_95": [low, high], "resamples": options.resamples}
    told["shuffled_labels"] = control(options.transactions, way, weights)
    with tempfile.TemporaryDirectory() as folder:
        for name, figures in served(last, way, weights, np.ascontiguousarray(x[test[0].test]), folder).items():
            told["models"][name] |= figures
    print(f"\n{'model':<20} {'train s':>8} {'1 row µs':>9} {'row µs':>8} {'accuracy':>9} {'precision':>9} {'recall':>7} {'F1':>6} {'AP':>6} {'AUC':>6} {'CP@100':>7}  ± AP   equal to the trainer within")
    for name, line in told["models"].items():
        test_figures = line["test"]
        print(f"{name:<20} {line['training_s']:8.1f} {line['one_row_us']:9.1f} {line['row_of_many_us']:8.3f} {line['accuracy']:9.4f} {line['precision']:9.3f} "
              f"{line['recall']:7.3f} {line['f1']:6.3f} {test_figures['average_precision'][0]:6.3f} {test_figures['auc_roc'][0]:6.3f} "
              f"{test_figures['card_precision_100'][0]:7.3f}  {test_figures['average_precision'][1]:.3f}  {line['difference']:.1e}")
    print(PAPER)
    print(f"ensemble: {way} of {weights}")
    print(f"average precision {told['models']['ensemble']['test']['average_precision'][0]:.4f}, the book's best again {told['book']['again']['average_precision'][0]:.4f} "
          f"(published 0.694): gain {told['gain']['average_precision']:.4f}, 95 % interval {low:.4f} to {high:.4f}; labels in random order "
          f"{told['shuffled_labels']['average_precision'][0]:.4f} (chance {told['shuffled_labels']['chance']:.4f})")
    if options.output:
        options.output.write_text(json.dumps(told, indent=1) + "\n")
    sys.exit(0 if low > 0 and told["models"]["ensemble"]["test"]["average_precision"][0] > BOOK["average_precision"] else 1)


if __name__ == "__main__":
    main()
