"""python/ride: its figures against obvious definitions, the split's promises, and a report that escapes what events hold."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import pandas as pd
    import xgboost  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing} (scripts/setup)")
    sys.exit(77)
from ride import metrics, train

DAY = 86_400_000


def obvious_average_precision(truth, score):
    """Over thresholds from the highest score down: the gain in recall times the precision there."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        taken = [t for t, s in zip(truth, score) if s >= threshold]
        recall = sum(taken) / sum(truth)
        total += (recall - before) * sum(taken) / len(taken)
        before = recall
    return total


def obvious_auc(truth, score):
    bad = [s for t, s in zip(truth, score) if t]
    good = [s for t, s in zip(truth, score) if not t]
    return sum((b > g) + 0.5 * (b == g) for b in bad for g in good) / (len(bad) * len(good))


def check_metrics():
    r = np.random.default_rng(1)
    for levels in (3, 10, 1000):  # few levels: many ties
        truth = (r.random(300) < 0.2).astype(int)
        score = np.round(r.random(300) + 0.3 * truth, 4) if levels == 1000 else r.integers(0, levels, 300) / levels
        assert abs(metrics.average_precision(truth, score) - obvious_average_precision(truth, score)) < 1e-12
        assert abs(metrics.roc_auc(truth, score) - obvious_auc(truth, score)) < 1e-12
    row = metrics.at_threshold(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.2, 0.1]), 0.5)
    assert (row["flagged"], row["precision"], row["recall"], row["f1"]) == (2, 0.5, 0.5, 0.5), row
    frame = pd.DataFrame({"ts": [0, 0, 0, DAY, DAY], "card": list("abcab"), "is_fraud": [1, 0, 0, 0, 1]})
    assert metrics.card_precision(frame, np.array([0.9, 0.5, 0.1, 0.8, 0.2]), 1) == 0.5


def stream(folder):
    """Amounts give half of the fraud away; labels come 1 to 10 days later."""
    r = np.random.default_rng(2)
    n = 20000
    ts = np.sort(r.integers(0, 40 * DAY, n))
    fraud = (r.random(n) < 0.03).astype(int)
    amount = np.round(np.exp(r.normal(3, 1, n)) * np.where((fraud == 1) & (r.random(n) < 0.5), 20, 1), 2)
    events = pd.DataFrame({"tx_id": np.arange(1, n + 1), "ts": ts, "card": [f"c{i}" for i in r.integers(0, 300, n)],
                           "terminal": r.integers(0, 50, n), "amount": amount, "is_fraud": fraud})
    features = pd.DataFrame({"tx_id": events.tx_id, "amount": amount, "noise": np.where(r.random(n) < 0.2, np.nan, r.random(n))})
    bad = events[events.is_fraud == 1]
    labels = pd.DataFrame({"tx_id": bad.tx_id, "reported_at": bad.ts + r.integers(DAY, 10 * DAY, len(bad)), "is_fraud": 1, "reason": "test"})
    for name, frame in (("events", events), ("features", features), ("labels", labels)):
        frame.to_csv(folder / f"{name}.csv", index=False)
    return events, features, labels


def check_split(events, features, labels):
    at, known, target, test = train.split(train.data.join(events, features), labels, 0.6, 7.0, 7.0)
    assert known.ts.max() < at - 7 * DAY and known.ts.min() >= 7 * DAY + events.ts.min() and test.ts.min() >= at
    reported = dict(zip(labels.tx_id, labels.reported_at))
    for tx_id, label in zip(known.tx_id, target):
        assert label == (reported.get(tx_id, at + 1) <= at), tx_id
    assert 0 < target.sum() < known.is_fraud.sum(), "some fraud was not known yet at the split"


def python(*arguments):
    done = subprocess.run([sys.executable, "-m", "ride", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def main():
    check_metrics()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_split(*stream(folder))
        inputs = ("--events", folder / "events.csv", "--labels", folder / "labels.csv", "--spec", folder / "events.csv",
                  "--features", folder / "features.csv", "--rounds", 20)
        said = python("train", *inputs, "--model", folder / "a.json", "--scores", folder / "scores.csv")
        assert "control" in said and "NOT at chance" not in said, said
        python("train", *inputs, "--model", folder / "b.json")
        assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes(), "two trainings differ"
        p = json.loads((folder / "a.provenance.json").read_text())
        assert p["test"]["pr_auc"] > 5 * p["shuffled_labels"]["pr_auc"] and p["shuffled_labels"]["at_chance"]
        python("evaluate", "--events", folder / "events.csv", "--scores", folder / "scores.csv", "--json", folder / "e.json")
        assert json.loads((folder / "e.json").read_text())["pr_auc"] == p["test"]["pr_auc"], "evaluate and train disagree"

        scores = pd.read_csv(folder / "scores.csv").assign(decision="approve")
        scores.to_csv(folder / "decisions.csv", index=False)
        alert = {"event_id": int(scores.tx_id[0]), "key": "<script>alert(1)</script>", "time_ms": 0, "probability": 0.9,
                 "decision": "decline", "rule": "<b>", "features": [{"name": "<i>", "value": None}]}
        (folder / "summary.json").write_text(json.dumps({
            "version": 1, "program": "ride", "features_count": 2, "elapsed_s": 1.0, "events_per_s": 1.0, "decisions": {}, "alerts": [alert],
            "events": {"received": 1}, "latency_us": {"p50": 1, "p99": 2},
            "timeline": [{"t": 0.5, "events": 10, "p50_us": 1, "p99_us": 2}, {"t": 1.0, "events": 30, "p50_us": 1, "p99_us": 2}]}))
        python("report", "--summary", folder / "summary.json", "--decisions", folder / "decisions.csv", "--events", folder / "events.csv",
               "--provenance", folder / "a.provenance.json", "--output", folder / "r.html")
        page = (folder / "r.html").read_text()
        assert "<script" not in page and "<b>&lt;" not in page and "&lt;script&gt;" in page and "&lt;b&gt;" in page, "an event's text is not escaped"
        assert page.count("<svg") == 4 and "src=" not in page and "href=" not in page, "four plots and no other file"
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
