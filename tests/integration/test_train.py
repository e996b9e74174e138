#!/usr/bin/env python3
# ride-test: timeout=900 release-only
"""The demo's training, small: a generated stream, features by `ride features run`, `python -m ride train`.

- The model finds fraud on later events well above chance; trained on shuffled labels it is at chance.
- The same command twice gives the same bytes.
- Nothing from after the split reaches the model: with every label that became known later taken away, with the truth of training
  events denied, and with everything after the split changed, the bytes of the model are the same. A label known before the split counts.
- The committed model is what its provenance says: hash, features, spec."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import pandas as pd
    import xgboost as xgb
except ImportError as missing:
    print(f"skipped: {missing} (scripts/setup --dev)")
    sys.exit(77)

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
SPEC = TOP / "examples/card-fraud/features.yaml"
SPLIT, WARMUP, MATURITY, DAY = 0.6, 3, 5, 86_400_000


def train(folder, name, events, labels, features, seed=1):
    model = folder / f"{name}.json"
    done = subprocess.run([sys.executable, "-m", "ride", "train", "--events", events, "--labels", labels, "--spec", SPEC, "--features", features,
                           "--model", model, "--rounds", "40", "--split", str(SPLIT), "--warmup", str(WARMUP), "--maturity", str(MATURITY),
                           "--seed", str(seed)],
                          env=dict(os.environ, RIDE_BIN=RIDE, PYTHONPATH=str(TOP / "python")), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return model.read_bytes(), json.loads(model.with_suffix(".provenance.json").read_text())


def check_figures(p, model, features, events):
    """What the provenance says about the test is what XGBoost and an obvious sum give."""
    rate, control = p["test"]["fraud_rate"], p["shuffled_labels"]
    assert 0.002 < rate < 0.03, rate
    assert control["chance"] == rate and control["pr_auc"] < 2 * rate and abs(control["roc_auc"] - 0.5) < 0.08 and control["at_chance"], control
    assert p["test"]["pr_auc"] > 12 * rate and p["test"]["pr_auc"] > 10 * control["pr_auc"], p["test"]
    frame = pd.read_csv(features).merge(pd.read_csv(events, usecols=["tx_id", "ts", "is_fraud"]).drop_duplicates("tx_id"), on="tx_id")
    at = pd.Timestamp(p["split"]["at"]).value // 1_000_000
    test = frame[frame.ts >= at]
    assert len(test) == p["test"]["events"] and test.is_fraud.sum() == p["test"]["fraud"]
    booster = xgb.Booster()
    booster.load_model(bytearray(model))
    score = booster.predict(xgb.DMatrix(test[p["features"]], feature_names=p["features"]))
    order = np.argsort(-score, kind="stable")
    truth = test.is_fraud.to_numpy()[order]
    precision = np.cumsum(truth) / np.arange(1, len(truth) + 1)
    area = precision[truth == 1].mean()  # ties apart, the area under the curve
    assert abs(area - p["test"]["pr_auc"]) < 0.01, (area, p["test"]["pr_auc"])
    return at


def check_nothing_later(folder, model, at, events, labels, features):
    e, l, f = pd.read_csv(events, dtype={"lat": str, "lon": str}), pd.read_csv(labels), pd.read_csv(features, dtype=str)
    ids = e[(e.ts < at)].tx_id
    late = l[(l.reported_at > at) & l.tx_id.isin(ids)]
    mature = e[(e.ts < at - MATURITY * DAY) & (e.is_fraud == 1)].tx_id
    assert late.tx_id.isin(mature).sum() >= 10, "some fraud old enough to train on is reported after the split"
    l[l.reported_at <= at].to_csv(folder / "known.csv", index=False)
    denied = e.assign(is_fraud=np.where(e.ts < at, 0, e.is_fraud))  # the truth itself must not be a target
    denied.to_csv(folder / "denied.csv", index=False)
    young = f.tx_id.astype(int).isin(e[e.ts >= at - MATURITY * DAY].tx_id)
    changed = f.copy()
    for name in changed.columns[1:]:
        changed.loc[young, name] = "7"
    changed.to_csv(folder / "changed.csv", index=False)
    for what, e2, l2, f2 in (("labels known later", events, folder / "known.csv", features), ("the truth", folder / "denied.csv", labels, features)):
        assert train(folder, "again", e2, l2, f2)[0] == model, f"{what} reached the model"
    # Features all alike after the split: the test is spoiled (exit 0 all the same), the model is not.
    assert train(folder, "again", events, labels, folder / "changed.csv")[0] == model, "events after the split reached the model"
    # And the control of this check: a label that was known does count.
    used = l[(l.reported_at <= at) & l.tx_id.isin(mature)].tx_id
    l[~l.tx_id.isin(used[: len(used) // 4])].to_csv(folder / "fewer.csv", index=False)
    assert train(folder, "again", events, folder / "fewer.csv", features)[0] != model, "labels known at the split do not count"


def check_committed():
    folder = TOP / "examples/card-fraud/model"
    p = json.loads((folder / "model.provenance.json").read_text())
    assert hashlib.sha256((folder / p["model"]).read_bytes()).hexdigest() == p["model_sha256"], "the model is not the one of its provenance"
    assert (folder / p["model"]).stat().st_size <= 1_000_000
    assert p["inputs"]["features.yaml"] == hashlib.sha256(SPEC.read_bytes()).hexdigest(), "the spec changed since the model was trained"
    assert json.loads((folder / p["model"]).read_text())["learner"]["feature_names"] == p["features"]
    assert p["shuffled_labels"]["at_chance"] and p["shuffled_labels"]["pr_auc"] < 2 * p["test"]["fraud_rate"] and p["test"]["pr_auc"] > 0.4


def main():
    check_committed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events, labels, features = (folder / f"{n}.csv" for n in ("events", "labels", "features"))
        subprocess.run([RIDE, "generate", "--events", "150000", "--customers", "1500", "--terminals", "600", "--seed", "3", "--late-rate", "0.5%",
                        "--duplicate-rate", "0.2%", "--labels", labels, "--output", events], check=True)
        subprocess.run([RIDE, "features", "run", "--spec", SPEC, "--input", events, "--output", features, "--quiet"], check=True)
        model, p = train(folder, "one", events, labels, features)
        again, q = train(folder, "two", events, labels, features)
        assert again == model and q["test"] == p["test"] and q["shuffled_labels"] == p["shuffled_labels"], "the same command gave another model"
        assert p["model_sha256"] == hashlib.sha256(model).hexdigest() and p["seed"] == 1
        at = check_figures(p, model, features, events)
        check_nothing_later(folder, model, at, events, labels, features)
    print(f"PR-AUC {p['test']['pr_auc']:.3f} on {p['test']['events']} later events, {p['shuffled_labels']['pr_auc']:.4f} with shuffled labels, "
          f"chance {p['test']['fraud_rate']:.4f}; nothing from after the split reaches the model; the same bytes twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
