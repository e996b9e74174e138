"""python/ride: its figures against obvious definitions, the split's promises, and a report that escapes what events hold."""
import html.parser
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
        check_report(folder, scores)
    print("ok")
    return 0


SUMMARY = {"version": 1, "program": "ride", "features_count": 2, "elapsed_s": 1.0, "events_per_s": 1.0, "decisions": {"approve": 8000}, "alerts": [],
           "events": {"received": 8000}, "latency_us": {"p50": 1, "p99": 2},
           "timeline": [{"t": 0.5, "events": 10, "p50_us": 1, "p99_us": 2}, {"t": 1.0, "events": 30, "p50_us": 1, "p99_us": 2}]}


class Page(html.parser.HTMLParser):
    """Balanced tags, known tags only, and what would be loaded."""
    VOID = {"meta", "br", "line", "circle", "polyline", "polygon"}

    def __init__(self, text):
        super().__init__()
        self.open, self.count, self.words = [], {}, ""
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, name, attributes):
        self.count[name] = self.count.get(name, 0) + 1
        assert name not in ("script", "img", "link", "iframe", "object", "a", "hostile") and not any(k in ("src", "href", "onload", "onclick") for k, _ in attributes)
        if name not in self.VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.count[name] = self.count.get(name, 0) + 1

    def handle_endtag(self, name):
        assert self.open and self.open.pop() == name, f"</{name}> closes nothing"

    def handle_data(self, text):
        self.words += text


def drift_of(names, psis, rows=10000, open_rows=None):
    """A member `drift` of the summary: psis[interval][feature], None where nothing came."""
    intervals = []
    for i, row in enumerate(psis):
        count = open_rows if open_rows is not None and i + 1 == len(psis) else rows if row else 0
        intervals.append({"from": f"2025-01-{i + 1:02d}T00:00:00Z", "to": f"2025-01-{i + 2:02d}T00:00:00Z", "rows": count, "open": i + 1 == len(psis), "features": [
            {"feature": name, "n_cur": count, "bins": 10, "psi": row[k] if row else None, "js_distance": 0.1, "ks": None, "wasserstein_normed": 0.2,
             "missing_rate": 0.25, "enough": count >= 500, "alert": bool(row) and count >= 500 and row[k] >= 0.25} for k, name in enumerate(names)]})
    shapes = [{"kind": "number", "edges": [1.5, 2.5]}, {"kind": "category", "values": [0, 1, 2]}]
    return {"profile": "p", "profile_hash": "", "profile_rows": 1000, "interval": "1d", "psi_alert": 0.25, "intervals": intervals, "intervals_dropped": 0,
            "histograms": {"from": "2025-01-01T00:00:00Z", "features": [
                {"feature": name, "reference": [5, 6, 7], "current": [1, 0, 2], "missing": [0, 0], "new": k, **shapes[k % 2]} for k, name in enumerate(names)]}}


def check_drift_section(report, evil):
    page = report(SUMMARY | {"drift": drift_of(["calm", "hot"], [[0.01, 0.3], None, [0.01, 0.5], [0.02, 0.6], [9, 9]], open_rows=20)})
    assert page.count["svg"] == 5 and page.count["rect"] >= 10, "map, course, histogram, and the run's two"
    assert "1 of 2 features and scores had drifted: hot (psi 0.6, since 2025-01-01)" in page.words, "the open interval has too few values to tell; a gap breaks nothing"
    assert "hot, from 2025-01-05 00:00 to 2025-01-06 00:00: too few values (20 events)" in page.words
    page = report(SUMMARY | {"drift": drift_of(["a", "b"], [[0.3, 0.1], [0.1, 0.24]])})
    assert "none of 2 features" in page.words
    assert page.words.index("b, from") < page.words.index("a, from"), "the worst of now first, not the worst of all"
    page = report(SUMMARY | {"drift": drift_of([evil, "\u2028x"], [[0.3, 0.4]] * 12)})
    assert page.words.count("<hostile") > 12
    page = report(SUMMARY | {"drift": drift_of([f"f{i}" for i in range(60)], [[i / 100 for i in range(60)]] * 3)})
    assert "15 least drifted features are left out" in page.words and "35 of 60" in page.words
    for nothing in (drift_of(["a"], []), drift_of(["a"], [[0.5]], open_rows=3) | {"histograms": None}, drift_of(["a"], [None, None])):
        page = report(SUMMARY | {"drift": nothing})
        assert ("No interval has values enough" in page.words) == bool(nothing["intervals"])


def check_report(folder, scores):
    made = []

    def report(summary, *more):
        path = folder / f"report-{len(made)}.html"
        (folder / "summary.json").write_text(json.dumps(summary))
        python("report", "--summary", folder / "summary.json", "--output", path, *more)
        made.append(path)
        text = path.read_text()
        assert "url(" not in text and "@import" not in text and "nan" not in text.lower().replace("finance", "")
        return Page(text)

    files = ("--decisions", folder / "decisions.csv", "--events", folder / "events.csv")
    page = report(SUMMARY, *files, "--provenance", folder / "a.provenance.json", "--labels", folder / "labels.csv")
    assert page.count["svg"] == 4, "precision and recall, scores, speed, latency"
    assert "Nothing was declined" in page.words and "PR-AUC" in page.words and "stopped before" not in page.words
    # Names that an event or a configuration chose.
    evil = '"><hostile onload=1><script>alert(1)</script>'
    alert = {"event_id": int(scores.tx_id[0]), "key": evil, "time_ms": 10**17, "probability": 0.9, "decision": evil, "rule": evil,
             "features": [{"name": evil, "value": None}, {"name": evil, "value": evil}]}
    hostile = SUMMARY | {name: evil for name in ("program", "started", "config", "backend", "spec_hash", "model_hash")} | {
        "alerts": [alert, {"event_id": evil}], "rules": [{"id": evil, "decision": evil, "count": 1}], "decisions": {evil: 1, "decline": 1}, "machine": {"cpu": evil}}
    page = report(hostile, *files, "--title", evil)
    assert page.words.count("<hostile") >= 12, "told as text, not as markup"
    check_drift_section(report, evil)
    # Without a truth, without decisions, nothing at all, stopped.
    page = report(SUMMARY, *files[:2])
    assert page.count["svg"] == 3 and "PR-AUC" not in page.words and "honest" not in page.words
    assert report(SUMMARY).count["svg"] == 2
    assert report(SUMMARY | {"timeline": SUMMARY["timeline"][:1]}).count.get("svg", 0) == 0
    page = report(SUMMARY | {"interrupted": True, "events": {"received": 10, "rejected": 3}})
    assert "stopped before the end" in page.words and "3 events could not be read" in page.words
    (folder / "none.csv").write_text("tx_id,key,event_time,margin,probability,decision,rule,end\n")
    page = report(SUMMARY | {"events": {"received": 0}, "decisions": {"approve": 0, "review": 0, "decline": 0}, "timeline": [], "latency_us": {}},
                  "--decisions", folder / "none.csv", *files[2:])
    assert "No event was read" in page.words and page.count.get("svg", 0) == 0
    # Decisions with times, repeated events, a decision each: what is told is theirs.
    n = len(scores)
    frame = scores.assign(key="k", event_time=pd.read_csv(folder / "events.csv").set_index("tx_id").ts.loc[scores.tx_id].to_numpy() * 1000,
                          decision=np.where(np.arange(n) % 4 == 0, "decline", np.where(np.arange(n) % 4 == 1, "review", "approve")))
    pd.concat([frame, frame.head(100).assign(decision="decline", probability=1.0)]).to_csv(folder / "decisions.csv", index=False)
    counts = {name: int(count) for name, count in frame.decision.value_counts().items()}
    page = report(SUMMARY | {"decisions": counts}, *files, "--labels", folder / "labels.csv")
    truth = pd.read_csv(folder / "events.csv").set_index("tx_id").is_fraud.loc[frame.tx_id].to_numpy()
    caught = truth[np.arange(n) % 4 < 2].sum() / truth.sum()
    assert page.count["svg"] == 5 and f"{100 * caught:.1f} %" in page.words, "fraud found = declined or reviewed, each event once"
    said = python("evaluate", "--events", folder / "events.csv", "--scores", folder / "decisions.csv", "--labels", folder / "labels.csv")
    assert f"recall {caught:.3f}" in said and f"{n:,} events judged" in said and len(said.splitlines()) <= 8, said
    # Rules alone, without a model: no probability, no curve.
    frame.assign(probability=np.nan).to_csv(folder / "decisions.csv", index=False)
    page = report(SUMMARY | {"decisions": counts, "events": {"received": 8000, "resumed": 3000}}, *files)
    assert "5,000 events" in page.words and "3,000 events were done before" in page.words
    assert page.count["svg"] == 3 and "PR-AUC" not in page.words and f"{100 * caught:.1f} %" in page.words


if __name__ == "__main__":
    sys.exit(main())
