#!/usr/bin/env python3
# ride-test: timeout=600
"""`ride run` as a user starts it: the example's configuration, margins against XGBoost's own, decisions against the rules, the summary's
sums, and a run that is stopped (SIGTERM) and killed (SIGKILL) again and again: its outputs are the bytes of one that was not."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
CONFIG = TOP / "examples/card-fraud/ride.yaml"


def arguments(folder, name, events, **settings):
    """`ride run` of the example with inputs and outputs in `folder`; settings: option=value with __ for dots."""
    values = {"inputs.tx.path": events, "log.level": "warn", "outputs.vector": None}
    for output, ending in (("decisions", "csv"), ("rejects", "ndjson"), ("late", "csv"), ("summary", "json")):
        values[f"outputs.{output}.path"] = folder / f"{name}-{output}.{ending}"
    values.update({key.replace("__", "."): value for key, value in settings.items()})
    return [RIDE, "run", "--config", str(CONFIG), "--quiet",
            *[a for key, value in values.items() if value is not None for a in ("--set", f"{key}={value}")]]


def run(*args, **kwargs):
    subprocess.run(arguments(*args, **kwargs), check=True)


def outputs(folder, name):
    return [(folder / f"{name}-{o}").read_bytes() for o in ("decisions.csv", "rejects.ndjson", "late.csv")]


def check_scores(folder, events):
    """Features by `ride features run`, margins by XGBoost on them, decisions by the rules said once more in pandas."""
    run(folder, "whole", events, outputs__decisions__vector="true")
    features = folder / "features.csv"
    subprocess.run([RIDE, "features", "run", "--spec", TOP / "examples/card-fraud/features.yaml", "--input", events, "--output", features, "--quiet"],
                   check=True)
    answered = pd.read_csv(folder / "whole-decisions.csv", dtype={"rule": str}, keep_default_na=False, na_values=[""], float_precision="round_trip")
    scored = answered[answered.end == "scored"].reset_index(drop=True)
    table = pd.read_csv(features, float_precision="round_trip")
    names = [c for c in table.columns if c != "tx_id"]
    assert (scored.tx_id == table.tx_id).all() and len(scored) == len(table)
    assert scored[names].equals(table[names].astype(scored[names].dtypes.to_dict())), "the vector is that of `features run`"
    booster = xgb.Booster(model_file=TOP / "examples/card-fraud/model/model.json")
    matrix = xgb.DMatrix(table[booster.feature_names].astype(np.float32))
    margins = booster.predict(matrix, output_margin=True)
    assert (scored.margin.astype(np.float32).to_numpy() == margins).all(), "margins are XGBoost's, bit for bit"
    probabilities = booster.predict(matrix)
    apart = np.abs(scored.probability.astype(np.float32).to_numpy().view(np.int32).astype(np.int64) - probabilities.view(np.int32).astype(np.int64))
    assert apart.max() <= 2, f"probabilities are {apart.max()} ulp apart"
    p = scored.probability
    rules = [("sure", "decline", p >= 0.5), ("likely-resold", "decline", (p >= 0.3) & (scored.resold == 1) & (scored.amount > 100)),
             ("likely", "review", p >= 0.1), ("bad-terminal", "review", (scored.terminal_risk_7d >= 0.5) & (scored.terminal_count_7d >= 5)),
             ("card-testing", "review", scored.card_small_count_1h >= 4)]
    rule = np.select([r[2] for r in rules], [r[0] for r in rules], default="")
    decision = np.select([r[2] for r in rules], [r[1] for r in rules], default="approve")
    assert (scored.rule.fillna("") == rule).all() and (scored.decision == decision).all()
    hits = {r[0]: int((rule == r[0]).sum()) for r in rules}
    assert hits["sure"] > 0 and hits["likely"] > 0 and hits["bad-terminal"] > 0, hits
    first = answered[answered.end == "scored"].set_index("tx_id")
    repeats = answered[answered.end == "duplicate"].set_index("tx_id")
    assert len(repeats) > 50
    for column in ("margin", "probability", "decision", "rule", "approx", "late", "model_hash"):
        assert repeats[column].fillna("").equals(first.loc[repeats.index, column].fillna("")), f"duplicates repeat {column}"
    print(f"{len(scored)} decisions: margins are XGBoost's, decisions the rules' ({hits}), {len(repeats)} duplicates repeat theirs")
    return answered, hits


def check_summary(folder, answered, hits):
    summary = json.loads((folder / "whole-summary.json").read_text())
    ends = summary["events"]
    assert ends["received"] == sum(ends[e] for e in ("scored", "degraded", "duplicate", "rejected", "shed")), ends
    assert ends["scored"] == (answered.end == "scored").sum() and ends["duplicate"] == (answered.end == "duplicate").sum()
    scored = answered[answered.end == "scored"]
    assert summary["decisions"] == {d: int((scored.decision == d).sum()) for d in ("approve", "review", "decline")}
    assert {r["id"]: r["count"] for r in summary["rules"]} == hits
    top = scored[scored.decision != "approve"].sort_values("probability", ascending=False, kind="stable").head(10)
    assert [a["event_id"] for a in summary["alerts"]] == top.tx_id.tolist()
    assert all(3 <= len(a["features"]) <= 5 for a in summary["alerts"])
    values = scored.set_index("tx_id")
    for alert in summary["alerts"]:
        for feature in alert["features"]:
            assert values.loc[alert["event_id"], feature["name"]] == feature["value"], (alert, feature)
        assert str(values.loc[alert["event_id"], "key"]) not in json.dumps(alert), "a sensitive key is not told in full"
    assert summary["timeline"][-1]["events"] == ends["received"] and len(summary["spec_hash"]) == 64
    print("the summary's counts, rules and alerts are those of the decisions")


def waits(seconds, chance):
    """How long to let each run go: parts of what a whole one takes here, longer as time goes by, so that slow machines end too."""
    return lambda attempt: seconds * chance.uniform(0.1, 0.5) * (1 + attempt / 10)


def stop_and_go(folder, events, name, chance, wait):
    """One run in pieces, until it ends by itself: stopped and killed in turn, with other batch sizes each time."""
    stops = kills = 0
    for attempt in range(300):
        started = subprocess.Popen(arguments(folder, name, events, state__dir=folder / f"state-{name}",
                                             scheduler__max_batch=chance.choice([64, 300, 4096])), stderr=subprocess.PIPE, text=True)
        try:
            started.wait(wait(attempt))
        except subprocess.TimeoutExpired:
            started.send_signal(signal.SIGKILL if attempt % 2 == 1 else signal.SIGTERM)
        told = started.communicate()[1]
        kills += started.returncode == -signal.SIGKILL
        assert started.returncode in (0, -signal.SIGKILL, -signal.SIGTERM), told  # before it listens, a signal ends it as any program
        if started.returncode != 0:
            continue
        if not json.loads((folder / f"{name}-summary.json").read_text())["interrupted"]:
            return stops, kills
        stops += 1
    raise AssertionError(f"it never ended: {stops} stops, {kills} kills")


def check_stops(folder, events, seconds):
    """Stopped and killed at random places. RIDE_TEST_KILLS: at least that many kills, in as many runs as that takes."""
    whole, wanted = outputs(folder, "plain"), int(os.environ.get("RIDE_TEST_KILLS", "1"))
    chance, stops, kills, runs = random.Random(3), 0, 0, 0
    while kills < wanted or stops < 2:
        assert runs < 30 + wanted, (runs, stops, kills)
        name = f"cut{runs}"
        more = stop_and_go(folder, events, name, chance, waits(seconds, chance))
        stops, kills, runs = stops + more[0], kills + more[1], runs + 1
        if min(more) == 0:  # the first run was slowed by other work: what one takes is less
            seconds *= 0.7
        for what, a, b in zip(("decisions", "rejects", "late"), whole, outputs(folder, name)):
            assert a == b, f"{what} of the run that was stopped differ ({name})"
        counts = [json.loads((folder / f"{n}-summary.json").read_text()) for n in ("plain", name)]
        for member in ("decisions", "rules"):
            assert counts[0][member] == counts[1][member], member
        for end in ("received", "scored", "duplicate", "rejected", "late"):
            assert counts[0]["events"][end] == counts[1]["events"][end], end
        for path in folder.glob(f"{name}-*"):
            path.unlink()
        shutil.rmtree(folder / f"state-{name}")
    print(f"stopped {stops} times and killed {kills} times in {runs} runs: the same bytes as at one go")
    if wanted > 1:
        print(f"figure: stops {stops}\nfigure: kills {kills}")


def check_labels(folder, events, labels, seconds):
    """The same with labels from a source of their own."""
    spec = (TOP / "examples/card-fraud/features.yaml").read_text()
    spec = spec.replace("    label: is_fraud                              # read by `risk` only, `delay` after its event\n", "")
    spec = spec.replace("entities:", "  chargebacks:\n    format: csv\n    event_time: {field: reported_at, unit: ms}\n"
                        "    labels: {source: tx, key: tx_id, value: is_fraud}\nentities:", 1)
    spec = spec.replace("      is_fraud: bool\n", "")
    (folder / "labels.yaml").write_text(spec)
    more = {"spec.path": folder / "labels.yaml", "inputs.chargebacks.path": labels, "drift.profile": ""}
    whole = subprocess.run(arguments(folder, "labelled", events, **more), check=False, stderr=subprocess.PIPE, text=True)
    assert whole.returncode == 0, whole.stderr
    for tries in range(20):
        more["state.dir"], stops = folder / f"state-labels{tries}", 0
        wait = waits(seconds * 0.7**tries, random.Random(4))  # what a run takes may have been told too long
        for attempt in range(300):
            started = subprocess.Popen(arguments(folder, "pieces", events, scheduler__max_batch=500, **more))
            try:
                started.wait(wait(attempt))
            except subprocess.TimeoutExpired:
                started.send_signal(signal.SIGTERM)
            if started.wait() == 0:
                if not json.loads((folder / "pieces-summary.json").read_text())["interrupted"]:
                    break
                stops += 1
        if stops > 0:
            break
    assert stops > 0, "it was never stopped"
    for a, b in zip(outputs(folder, "labelled"), outputs(folder, "pieces")):
        assert a == b
    print(f"with a source of labels, stopped {stops} times: the same bytes")


def check_waiting_labels(folder, events, labels):
    """A label waits for its event over the end of a run, and the next run, which is given no labels, meets the event."""
    lines = events.read_text().splitlines(keepends=True)
    waiting, day2 = folder / "waiting.csv", folder / "day2.csv"
    last = lines[-1].split(",")
    known = labels.read_text().splitlines(keepends=True)
    rows = sorted([*known[1:], f"99999999,{last[1]},1,stolen\n"], key=lambda row: int(row.split(",")[1]))
    waiting.write_text(known[0] + "".join(rows))
    day2.write_text(lines[0] + "".join(",".join([str(i), *last[1:]]) for i in (99999998, 99999999, 99999997)))
    options = {"spec.path": folder / "labels.yaml", "state.dir": folder / "state-waiting", "drift.profile": ""}
    run(folder, "day1", events, **options, **{"inputs.chargebacks.path": waiting})
    run(folder, "day2", day2, **options)
    rows = (folder / "day2-decisions.csv").read_text().splitlines()
    assert [r.split(",")[0] for r in rows[1:]] == ["99999998", "99999999", "99999997"], rows
    counts = json.loads((folder / "day2-summary.json").read_text())["labels"]
    assert counts["unknown"] == 0 and counts["found"] > 0, counts
    print("a label that waits is found by the next run's event")


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        events, labels = folder / "events.csv", folder / "labels.csv"
        subprocess.run([RIDE, "generate", "--events", "120000", "--customers", "900", "--terminals", "450", "--seed", "5", "--late-rate", "1%",
                        "--duplicate-rate", "0.5%", "--labels", labels, "--output", events], check=True)
        lines = events.read_text().splitlines(keepends=True)
        for at in (100, 5000, 77777):  # rows that cannot be read
            lines[at] = lines[at].replace(",", ";", 3)
        events.write_text("".join(lines))
        answered, hits = check_scores(folder, events)
        check_summary(folder, answered, hits)
        started = time.monotonic()
        run(folder, "plain", events)
        seconds = time.monotonic() - started
        print(f"one run takes {seconds:.2f} s")
        check_stops(folder, events, seconds)
        check_labels(folder, events, labels, seconds)
        check_waiting_labels(folder, events, labels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
