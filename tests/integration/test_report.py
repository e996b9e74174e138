#!/usr/bin/env python3
# ride-test: timeout=300 release-only
"""A real run, its figures judged and its page made: `ride generate`, `ride run`, `python -m ride evaluate` and `report`. What the page and the
evaluation say is counted once more here, from the decisions; docs/run-summary.md names every member of the summary."""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import pandas as pd
except ImportError as missing:
    print(f"skipped: {missing} (scripts/setup)")
    sys.exit(77)

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")


def python(*arguments):
    done = subprocess.run([sys.executable, "-m", "ride", *map(str, arguments)], capture_output=True, text=True, check=False,
                          env=dict(os.environ, PYTHONPATH=str(TOP / "python")))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def members(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner)


def check_drift(drift, page, words):
    """The map has a cell for each feature and interval with its figures, and what is said of the end is so."""
    intervals = drift["intervals"]
    newest = {}
    for interval in intervals:
        for feature in interval["features"]:
            if feature["enough"]:
                newest[feature["feature"]] = feature
                assert f"psi {feature['psi']:.3g}, {int(feature['n_cur']):,} values" in page
    hot = sorted((f for f in newest.values() if f["alert"]), key=lambda f: -f["psi"])
    cells = len(re.findall(r'<rect class="(?:h\d|empty)"', page))
    assert cells == len(intervals) * len(intervals[0]["features"]) and len(newest) == 41, cells
    if hot:
        assert f"At the end {len(hot)} of 41 features and scores had drifted: {hot[0]['feature']} (psi {hot[0]['psi']:.2g}, since 2025-" in words
    else:
        assert "none of 41 features" in words
    shown = drift["histograms"]["features"]
    assert [f["feature"] for f in shown] == [f["feature"] for f in intervals[0]["features"]]
    for feature in shown:
        assert sum(feature["reference"]) + feature["missing"][0] == drift["profile_rows"]
        assert len(feature["reference"]) == len(feature["current"]) == len(feature["edges"]) + 1


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events, labels = folder / "events.csv", folder / "labels.csv"
        outputs = {o: folder / f"{o}.out" for o in ("decisions", "rejects", "late", "summary")}
        subprocess.run([RIDE, "generate", "--events", "60000", "--customers", "500", "--terminals", "250", "--seed", "42", "--late-rate", "0.5%",
                        "--duplicate-rate", "0.5%", "--labels", labels, "--output", events], check=True)
        with open(events, "a", encoding="utf-8") as file:
            file.write("not,a,row\n")
        subprocess.run([RIDE, "run", "--config", TOP / "examples/card-fraud/ride.yaml", "--quiet", "--set", f"inputs.tx.path={events}", "--set", "log.level=warn",
                        *(word for o, path in outputs.items() for word in ("--set", f"outputs.{o}.path={path}"))], check=True)
        summary = json.loads(outputs["summary"].read_text())
        page_of_members = (TOP / "docs/run-summary.md").read_text()
        unknown = {m for m in members(summary) if not re.search(rf"\b{re.escape(m)}\b", page_of_members)}
        assert not unknown, f"docs/run-summary.md does not name {unknown}"

        decisions = pd.read_csv(outputs["decisions"])
        once = decisions[decisions.end == "scored"].merge(pd.read_csv(events, skipfooter=1, engine="python").drop_duplicates("tx_id")[["tx_id", "is_fraud"]], on="tx_id")
        fraud = int(once.is_fraud.sum())
        assert len(once) == 60000 == summary["events"]["scored"] and summary["events"]["duplicate"] > 100 and fraud > 200
        events.write_text("".join(line for line in open(events, encoding="utf-8") if not line.startswith("not,")))
        declined, taken = once[once.decision == "decline"], once[once.decision != "approve"]

        said = python("evaluate", "--events", events, "--labels", labels, "--scores", outputs["decisions"])
        for text in (f"60,000 events judged, {fraud:,} of them fraud", f"declined: {len(declined):,}, precision {declined.is_fraud.mean():.3f}, recall "
                     f"{declined.is_fraud.sum() / fraud:.3f}", f"{len(taken):,}, precision {taken.is_fraud.mean():.3f}, recall {taken.is_fraud.sum() / fraud:.3f}", "PR-AUC"):
            assert text in said, f"{text!r} is not in\n{said}"

        python("report", "--summary", outputs["summary"], "--decisions", outputs["decisions"], "--events", events, "--labels", labels,
               "--provenance", TOP / "examples/card-fraud/model/model.provenance.json", "--output", folder / "report.html")
        page = (folder / "report.html").read_text()
        words = re.sub(r"<[^>]+>", "", page)
        for text in (f"{summary['events']['received']:,} events", f"{len(declined):,} declined", f"Of {fraud:,} frauds, {100 * declined.is_fraud.sum() / fraud:.1f} %",
                     f"{100 * taken.is_fraud.sum() / fraud:.1f} %", "1 event could not be read", "Where the fraud went", "takeover"):
            assert text in words, f"{text!r} is not on the page"
        plots = 3 + 3 + 2 * (len(summary["timeline"]) > 1)  # drift has three; a run shorter than a quarter of a second has no course to draw
        assert page.count("<svg") == plots and "src=" not in page and "href=" not in page and "http" not in page
        check_drift(summary["drift"], page, words)
        cards = {line.split(",")[2] for line in open(events, encoding="utf-8")}
        assert not any(card in page for card in cards if card.startswith("c_")), "a card number, which is sensitive, is on the page"
    print(f"{len(once)} decisions, {fraud} frauds: evaluation and page tell what is in them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
