"""Train a fraud model on features that the engine computed.

The split is by time, as life is: everything before the split trains, everything after it tests, and only labels that
were reported before the split are used. Events so young at the split that most of their labels were still to come
(--maturity) train nothing. A control with shuffled labels must score at chance; it is printed and kept in the provenance.
"""
import json
import platform
import sys
from pathlib import Path

import numpy as np
import pandas as pd

try:
    import xgboost as xgb
except ImportError:  # evaluation and the report do without; run() tells
    xgb = None

from . import data, metrics

# Slower learning with sampled rows and columns was tried: better on the last quarter of the training time, not on later events.
PARAMETERS = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 6, "eta": 0.1, "min_child_weight": 5.0,
              "subsample": 1.0, "max_bin": 128, "eval_metric": "aucpr"}


def add_arguments(parser):
    parser.add_argument("--events", required=True, help="the stream with truth, CSV of `ride generate`")
    parser.add_argument("--labels", required=True, help="what became known when, CSV of `ride generate --labels`")
    parser.add_argument("--spec", required=True, help="feature spec")
    parser.add_argument("--features", help="output of `ride features run`; without it, it is computed here")
    parser.add_argument("--model", required=True, help="where the model goes (XGBoost JSON)")
    parser.add_argument("--provenance", help="where its provenance goes (default: MODEL with .provenance.json)")
    parser.add_argument("--scores", help="also write id and probability of every test event, CSV")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=120, help="trees")
    parser.add_argument("--split", type=float, default=0.6, help="share of the time that trains (default 0.6)")
    parser.add_argument("--warmup", type=float, default=7.0, help="days at the beginning whose windows are not full yet")
    parser.add_argument("--maturity", type=float, default=7.0, help="days before the split that wait for their labels")
    parser.add_argument("--how", default="", help="the commands that made the inputs, for the provenance")


def split(frame, labels, share, warmup, maturity):
    """Training rows with the labels known at the split, and test rows with the truth."""
    first, last = int(frame.ts.min()), int(frame.ts.max())
    at = first + int((last - first) * share)
    known = set(labels.tx_id[labels.reported_at <= at])
    train = frame[(frame.ts >= first + warmup * data.DAY_MS) & (frame.ts < at - maturity * data.DAY_MS)]
    test = frame[frame.ts >= at]
    target = train.tx_id.isin(known).to_numpy().astype(np.int8)
    if target.sum() < 20 or test.is_fraud.sum() < 20:
        raise ValueError(f"too little: {target.sum()} known frauds to train on, {test.is_fraud.sum()} to test on")
    return at, train, target, test


def fit(matrix, target, names, seed, rounds):
    parameters = PARAMETERS | {"seed": seed, "nthread": 1}  # one: with more, sums are added in another order
    return xgb.train(parameters, xgb.DMatrix(matrix, target, feature_names=names), rounds)


def shuffled_control(train, target, test, names, seed, rounds, times=3):
    """The same training on labels in random order: what is left is what the procedure itself gives away (nothing)."""
    found = []
    for i in range(times):
        order = np.random.default_rng(seed + 1000 + i).permutation(len(target))
        model = fit(train[names].to_numpy(), target[order], names, seed, rounds)
        score = model.predict(xgb.DMatrix(test[names].to_numpy(), feature_names=names))
        truth = test.is_fraud.to_numpy()
        found.append((metrics.average_precision(truth, score), metrics.roc_auc(truth, score)))
    pr_auc, roc_auc = np.mean(found, axis=0)
    return {"pr_auc": float(pr_auc), "roc_auc": float(roc_auc), "chance": float(test.is_fraud.mean()), "times": times}


def run(arguments):
    if xgb is None:
        print("ride train: XGBoost is missing: scripts/setup --train", file=sys.stderr)
        return 69
    model_path = Path(arguments.model)
    features_path = arguments.features or str(model_path.with_suffix(".features.csv"))
    if not arguments.features:
        model_path.parent.mkdir(parents=True, exist_ok=True)
        data.run_features(arguments.spec, arguments.events, features_path)
    features = data.read_features(features_path)
    names = [name for name in features.columns if name != "tx_id"]
    frame = data.join(data.read_events(arguments.events), features)
    at, train, target, test = split(frame, data.read_labels(arguments.labels), arguments.split, arguments.warmup, arguments.maturity)
    when = pd.to_datetime(at, unit="ms", utc=True).isoformat()
    print(f"split at {when}: {len(train):,} events train ({int(target.sum()):,} known frauds of "
          f"{int(train.is_fraud.sum()):,}), {len(test):,} test; {len(names)} features, {arguments.rounds} trees")
    model = fit(train[names].to_numpy(), target, names, arguments.seed, arguments.rounds)
    score = model.predict(xgb.DMatrix(test[names].to_numpy(), feature_names=names))
    figures = metrics.all_figures(test, score)
    print(metrics.text(figures, "test"))
    control = shuffled_control(train, target, test, names, arguments.seed, min(arguments.rounds, 60))
    at_chance = control["pr_auc"] < 2 * control["chance"] and abs(control["roc_auc"] - 0.5) < 0.1
    print(f"label-shuffle control: PR-AUC {control['pr_auc']:.4f}, ROC-AUC {control['roc_auc']:.3f} "
          f"(chance {control['chance']:.4f} and 0.5): {'at chance' if at_chance else 'NOT at chance'}")
    model_path.parent.mkdir(parents=True, exist_ok=True)
    model.save_model(model_path)
    gain = model.get_score(importance_type="total_gain")
    provenance = {
        "model": model_path.name, "model_sha256": data.sha256(model_path), "seed": arguments.seed, "parameters": PARAMETERS,
        "trees": arguments.rounds, "features": names, "how": arguments.how, "command": " ".join(["python -m ride", *sys.argv[1:]]),
        "inputs": {Path(path).name: data.sha256(path) for path in (arguments.events, arguments.labels, arguments.spec, features_path)},
        "split": {"at": when, "share": arguments.split, "warmup_days": arguments.warmup, "maturity_days": arguments.maturity},
        "train": {"events": int(len(train)), "known_fraud": int(target.sum()), "true_fraud": int(train.is_fraud.sum())},
        "test": figures, "shuffled_labels": control | {"at_chance": bool(at_chance)},
        "gain": {name: round(float(gain.get(name, 0.0)), 3) for name in sorted(names, key=lambda n: -gain.get(n, 0.0))},
        "versions": {"python": platform.python_version(), "xgboost": xgb.__version__, "numpy": np.__version__, "pandas": pd.__version__},
    }
    path = Path(arguments.provenance or model_path.with_suffix(".provenance.json"))
    path.write_text(json.dumps(provenance, indent=1) + "\n")
    if arguments.scores:
        pd.DataFrame({"tx_id": test.tx_id, "probability": score}).to_csv(arguments.scores, index=False)
    print(f"model {model_path}, provenance {path}")
    return 0 if at_chance else 65
