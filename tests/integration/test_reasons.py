#!/usr/bin/env python3
# ride-test: timeout=600
"""Reasons of decisions as a user gets them: against XGBoost's own contributions of the same rows (pred_contribs), in CSV, NDJSON and binary, in the summary and the
report, over HTTP by both protocols, and what `ride config check` says of a configuration that asks for what cannot be."""
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from http_ride import RIDE, TOP, HttpRide, events_of, ride  # noqa: E402
from kafka_service import until  # noqa: E402

CONFIG = TOP / "examples/card-fraud/ride.yaml"
SPEC = TOP / "examples/card-fraud/features.yaml"
MODEL = TOP / "examples/card-fraud/model/model.json"
TOP_COUNT = 5
TEXTS = {"amount": "an unusual amount", "card_*": "how the card was used"}


def run(folder, name, events, ending="csv", **settings):
    values = {"inputs.tx.path": events, "log.level": "warn", "drift.profile": "", "outputs.rejects.path": "", "outputs.late.path": "",
              "outputs.decisions.path": folder / f"{name}.{ending}", "outputs.summary.path": folder / f"{name}-summary.json",
              **{key.replace("__", "."): value for key, value in settings.items()}}
    done = subprocess.run([RIDE, "run", "--config", CONFIG, *[a for k, v in values.items() for a in ("--set", f"{k}={v}")]], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return folder / f"{name}.{ending}", json.loads((folder / f"{name}-summary.json").read_text()), done.stderr


def contributions(answers):
    """XGBoost's contributions of the rows: (names, shares without the expected margin)."""
    booster = xgb.Booster(model_file=MODEL)
    matrix = xgb.DMatrix(answers[booster.feature_names].astype(np.float32))
    found = booster.predict(matrix, pred_contribs=True).astype(np.float64)
    return booster.feature_names, found[:, :-1]


def check_against_xgboost(folder, events):
    path, _, _ = run(folder, "all", events, reasons__when="all", reasons__top=TOP_COUNT, reasons__side="both", outputs__decisions__vector="true")
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], float_precision="round_trip")
    scored = table[table.end == "scored"].reset_index(drop=True)
    names, shares = contributions(scored)
    places = {name: i for i, name in enumerate(names)}
    bound = np.maximum(1e-5 * np.abs(shares).max(axis=1), 2e-5)  # XGBoost adds them up in floats
    order = -np.sort(-np.abs(shares), axis=1)
    for k in range(TOP_COUNT):
        said, share = scored[f"reason_{k + 1}"], scored[f"reason_{k + 1}_share"].to_numpy()
        assert said.notna().all()
        theirs = shares[np.arange(len(scored)), [places[name] for name in said]]
        assert (np.abs(theirs - share) <= bound).all(), f"reason {k + 1}: {np.max(np.abs(theirs - share))}"
        assert (np.abs(order[:, k] - np.abs(share)) <= bound).all(), f"reason {k + 1} is not the {k + 1}th greatest"
    assert table[table.end == "duplicate"].reason_1.isna().all() and (table.end == "duplicate").sum() > 0
    assert scored.reason_1.nunique() > 3
    print(f"{len(scored)} decisions: their {TOP_COUNT} reasons are XGBoost's greatest contributions")
    return table


def small_model(folder, table):
    """A model of five features in another order than the vector's, and its margins of a matrix."""
    names = ["terminal_count_7d", "amount", "card_count_1d", "night", "card_amount_mean_7d"]
    assert all(name in table.columns for name in names), [c for c in table.columns]
    scored = table[table.end == "scored"]
    truth = (scored.margin > scored.margin.quantile(0.8)).astype(int)
    booster = xgb.train({"max_depth": 3, "objective": "binary:logistic", "seed": 1}, xgb.DMatrix(scored[names].astype(np.float32), truth), 20)
    path = folder / "small.json"
    booster.save_model(path)
    return path, names, lambda x: booster.predict(xgb.DMatrix(x, feature_names=names), output_margin=True).astype(np.float64)


def interventional(margins, rows, background):
    """By definition: the mean over the background of the Shapley values of a row against each."""
    count, n = rows.shape[1], len(background)
    values = {}
    for bits in range(1 << count):
        known = [bool(bits >> i & 1) for i in range(count)]
        mixed = np.where(known, rows[:, None, :], background[None, :, :]).reshape(-1, count)
        values[bits] = margins(mixed.astype(np.float32)).reshape(len(rows), n).mean(axis=1)
    phi = np.zeros(rows.shape)
    for i in range(count):
        for bits in range(1 << count):
            if not bits >> i & 1:
                size = bin(bits).count("1")
                phi[:, i] += math.factorial(size) * math.factorial(count - 1 - size) / math.factorial(count) * (values[bits | 1 << i] - values[bits])
    return phi


def check_background(folder, events, table):
    model, names, margins = small_model(folder, table)
    features = folder / "features.csv"
    ride("features", "run", "--spec", SPEC, "--input", events, "--output", features, "--quiet")
    lines = features.read_text().splitlines(keepends=True)
    few, whole, thin = folder / "few.csv", folder / "whole.csv", folder / "thin.csv"
    few.write_text("".join(lines[:1] + lines[100:140]))
    whole.write_text("".join(lines[:3001]))
    thin.write_text("".join(lines[:1] + [lines[1 + k * 3000 // 1024] for k in range(1024)]))
    settings = {"model.path": model, "reasons.when": "all", "reasons.top": 5, "reasons.side": "both", "outputs.decisions.vector": "true"}
    path, _, _ = run(folder, "by-few", events, **settings, **{"reasons.background": few})
    scored = pd.read_csv(path, keep_default_na=False, na_values=[""], float_precision="round_trip")
    scored = scored[scored.end == "scored"].head(300)
    background = pd.read_csv(few, float_precision="round_trip")[names].to_numpy(np.float64)
    expected = interventional(margins, scored[names].to_numpy(np.float64), background)
    found = np.zeros(expected.shape)
    for k in range(5):
        for row, (name, share) in enumerate(zip(scored[f"reason_{k + 1}"], scored[f"reason_{k + 1}_share"])):
            if isinstance(name, str):
                found[row, names.index(name)] = share
    assert np.abs(found - expected).max() < 2e-5, np.abs(found - expected).max()
    assert np.abs(expected).max() > 0.1
    both = [run(folder, f"by-{name}", events, **settings, **{"reasons.background": file})[0].read_bytes() for name, file in (("whole", whole), ("thin", thin))]
    assert both[0] == both[1], "of 3,000 rows 1,024 are taken, evenly"
    print(f"{len(scored)} decisions: with background rows their reasons are the definition's (XGBoost's margins), inputs in another order than the vector's")


def text_of(name):
    return TEXTS.get(name, TEXTS["card_*"] if name.startswith("card_") else name)


def check_texts(found, shares):
    """A row's reasons against XGBoost's contributions of it by name: one for each text, with all its shares, by the input that has most of them."""
    sums = {}
    for name, share in shares.items():
        sums[text_of(name)] = sums.get(text_of(name), 0.0) + share
    bound = 2e-5 * len(shares)
    for place, reason in enumerate(found):
        own = [share for name, share in shares.items() if text_of(name) == text_of(reason["input"])]
        assert reason["text"] == text_of(reason["input"]), reason
        assert abs(reason["share"] - sums[reason["text"]]) <= bound and shares[reason["input"]] >= max(own) - bound, (reason, own)
        assert sum(share > reason["share"] + bound for share in sums.values()) <= place, (found, sums)
    assert len({reason["text"] for reason in found}) == len(found) == min(3, sum(share > bound for share in sums.values())), (found, sums)


def check_sides_and_alerts(folder, events, table):
    path, summary, said = run(folder, "alerts", events, "ndjson", outputs__decisions__format="ndjson", reasons="alerts", **{
        f"reasons__texts__{pattern}": text for pattern, text in TEXTS.items()})
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == len(table)
    alerts, words = 0, set()
    names, contributed = contributions(table)
    for row, shares in zip(rows, contributed):
        wanted = row["end"] == "scored" and row["decision"] != "approve"
        alerts += wanted
        found = row["reasons"]
        if not wanted:
            assert found == []
            continue
        assert 1 <= len(found) <= 3 and all(set(reason) == {"input", "share", "text"} for reason in found)
        assert all(reason["share"] > 0 for reason in found) and [r["share"] for r in found] == sorted((r["share"] for r in found), reverse=True)
        check_texts(found, dict(zip(names, shares)))
        words.update(reason["text"] for reason in found)
    assert alerts > 20 and set(TEXTS.values()) & words, (alerts, words)
    assert summary["explained"] == alerts
    by_id = {row["tx_id"]: row for row in rows if row["end"] == "scored"}
    for alert in summary["alerts"]:
        assert alert["reasons"] == by_id[alert["event_id"]]["reasons"], alert
    assert "how the card was used +" in said and "what stands out" not in said, said
    page = folder / "report.html"
    subprocess.run([sys.executable, "-m", "ride", "report", "--summary", folder / "alerts-summary.json", "--decisions", path, "--output", page], check=True,
                   cwd=TOP / "python", env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    html = page.read_text()
    assert "<th>why</th>" in html and "how the card was used" in html
    print(f"{alerts} alerts have reasons in the operator's words; summary, report and page show them")


def check_binary(folder, events, table):
    path, _, _ = run(folder, "rows", events, "bin", outputs__decisions__format="binary", reasons__when="all", reasons__top=TOP_COUNT, reasons__side="both",
                     outputs__decisions__vector="true")
    data = path.read_bytes()
    header, = struct.unpack_from("<I", data, 12)
    count, row_bytes = struct.unpack_from("<II", data, 24)
    columns, at = {}, 40
    for _ in range(count):
        kind, _, _, place, name_bytes, texts_count = struct.unpack_from("<BBHIHH", data, at)
        name, texts, at = data[at + 12:at + 12 + name_bytes].decode(), [], at + 12 + name_bytes
        for _ in range(texts_count):
            size, = struct.unpack_from("<H", data, at)
            texts.append(data[at + 2:at + 2 + size].decode())
            at += 2 + size
        columns[name] = (kind, place, texts)
    fixed, at, strings = [], header, [place for kind, place, _ in columns.values() if kind == 13]
    while at < len(data):
        fixed.append(data[at:at + row_bytes])
        at += row_bytes + sum(struct.unpack_from("<I", data, at + place)[0] for place in strings)
    rows = np.frombuffer(b"".join(fixed), np.uint8).reshape(-1, row_bytes)
    assert len(rows) == len(table)
    for k in range(1, TOP_COUNT + 1):
        kind, place, texts = columns[f"reason_{k}"]
        said = np.ascontiguousarray(rows[:, place:place + 4]).view("<u4").ravel()
        there = table[f"reason_{k}"].notna().to_numpy()
        assert kind == 15 and [texts[i] for i in said[there]] == table[f"reason_{k}"][there].tolist()
        kind, place, _ = columns[f"reason_{k}_share"]
        shares = np.ascontiguousarray(rows[:, place:place + 8]).view("<f8").ravel()
        assert kind == 10 and np.array_equal(shares, table[f"reason_{k}_share"].to_numpy(), equal_nan=True)


def check_http(folder, events):
    config = (f"spec: {SPEC}\nmodel: {MODEL}\nrules: [{{id: some, when: 'probability >= 0.02', decision: review}}]\n"
              "reasons: {when: alerts, top: 2, texts: {amount: 'how much \"it\" was'}}\n")
    service = HttpRide(folder, "service", config).start()
    try:
        lines = [json.loads(line) for line in events[:600]]
        status, records, _ = service.post("/v1/score", lines)
        assert status == 200 and len(records) == len(lines)
        alerts = [r for r in records if r["decision"] != "approve"]
        assert len(alerts) > 3 and all(len(r["reasons"]) in (1, 2) for r in alerts), alerts[:2]
        assert all(r["reasons"] == [] for r in records if r["decision"] == "approve")
        until(lambda: f"ride_reasons_rows_total {len(alerts)}\n" in service.get("/metrics")[1], 20, "the explained events are counted")
        check_inference(service, [json.loads(line) for line in events[600:1200]])
    finally:
        service.close()
    return len(alerts)


def check_inference(service, lines):
    kinds = {"tx_id": "UINT64", "ts": "INT64"}
    names = list(lines[0])
    inputs = [{"name": name, "shape": [len(lines)], "datatype": kinds.get(name) or (
        "BOOL" if isinstance(lines[0][name], bool) else "BYTES" if isinstance(lines[0][name], str) else "FP64"), "data": [row.get(name) for row in lines]}
        for name in names]
    status, body, _ = service.post("/v2/models/ride/infer", {"inputs": inputs, "outputs": [{"name": "decision"}, {"name": "reasons"}]})
    assert status == 200, body
    outputs = {output["name"]: output for output in body["outputs"]}
    assert outputs["reasons"]["datatype"] == "BYTES" and outputs["reasons"]["shape"] == [len(lines)]
    found = [json.loads(text) for text in outputs["reasons"]["data"]]
    assert any(found) and all(bool(r) == (d != "approve") for r, d in zip(found, outputs["decision"]["data"]))
    said = {reason["text"] for row in found for reason in row}
    assert all(set(r) == {"input", "share", "text"} for row in found for r in row), said
    metadata = json.loads(service.get("/v2/models/ride", service.address)[1])
    assert "reasons" in [output["name"] for output in metadata["outputs"]]


def check_findings(folder):
    base = f"spec: {SPEC}\nmodel: {MODEL}\ninputs: {{tx: {folder}/all.csv}}\noutputs: {{decisions: {folder}/d.csv}}\n"
    base += "rules: [{id: some, when: 'probability >= 0.5', decision: review}]\n"
    bad = folder / "bad.yaml"

    def finding(text, *words, code=78):
        bad.write_text(text)
        said = ride("config", "check", "--config", bad, code=code)
        assert all(word in said for word in words), said
        return said

    finding(base + "reasons: {when: all, texts: {amuont: x}}\n", "reasons.texts.amuont", "did you mean `amount`")
    finding(base + "reasons: {when: some}\n", "reasons.when", "none | alerts | all")
    finding(base + "reasons: {when: all, top: 17}\n", "reasons.top", "1 … 16")
    finding(base.replace(f"model: {MODEL}\n", "") + "reasons: all\n", "`reasons.when` needs `model`", "model: FILE")
    model = json.loads(MODEL.read_text())
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        del tree["sum_hessian"]
    (folder / "bare.json").write_text(json.dumps(model))
    bare = base.replace(str(MODEL), str(folder / "bare.json"))
    finding(bare + "reasons: alerts\n", "reasons.when", "rows", "reasons.background")
    finding(base + f"reasons: {{when: alerts, background: {folder}/none.csv}}\n", "reasons.background", "cannot be read", code=66)
    finding(base + f"reasons: {{when: alerts, background: {bad}}}\n", "reasons.background", "the header lacks features")
    lines = (folder / "features.csv").read_text().splitlines()
    (folder / "faulty.csv").write_text("\n".join(lines[:3] + [lines[3] + "x"]) + "\n")
    finding(base + f"reasons: {{when: alerts, background: {folder}/faulty.csv}}\n", "`reasons.background`", " at ", "faulty.csv:4")
    os.mkfifo(folder / "pipe.csv")
    finding(base + f"reasons: {{when: alerts, background: {folder}/pipe.csv}}\n", "reasons.background", "is read twice", "write the rows to a file")
    vote = folder / "vote.yaml"
    vote.write_text(f"ensemble: 1\ncombine: vote\nmembers:\n  - {{model: {MODEL}, name: one}}\n  - {{model: {MODEL}, name: two}}\n")
    voted = base.replace(str(MODEL), str(vote)) + "reasons: alerts\n"
    assert "background" not in finding(voted, "reasons.when", "a vote has no shares of inputs", "reasons: none")  # which would not help
    bad.write_text(bare + f"reasons: {{when: alerts, background: {folder}/features.csv}}\n")
    told = ride("config", "check", "--config", bad)
    assert "tables that explain the model" in told and re.search(r"^explaining a row takes [\d.]+ µs here$", told, re.M), told
    bad.write_text(base + "reasons: {when: alerts, texts: {'*': x, card_*: y}}\n")
    assert "the configuration is good" in ride("config", "check", "--config", bad)
    shown = ride("config", "show", "--config", bad)
    assert "when: alerts" in shown and '"card_*": "y"' in shown.replace("card_*:", '"card_*":').replace(" y", ' "y"'), shown
    again = folder / "again.yaml"
    again.write_text(shown)
    assert ride("config", "show", "--config", again) == shown


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "events.ndjson"
        events = events_of(folder, 12000)
        path.write_text("\n".join(events) + "\n")
        csv = folder / "tx.csv"
        ride("generate", "--events", 12000, "--customers", 600, "--terminals", 120, "--seed", 7, "--duplicate-rate", "0.5%", "--output", csv)
        table = check_against_xgboost(folder, csv)
        check_sides_and_alerts(folder, csv, table)
        check_binary(folder, csv, table)
        check_background(folder, csv, table)
        print(f"{check_http(folder, events)} alerts have reasons over HTTP, by both protocols")
        check_findings(folder)
    print("ok")


if __name__ == "__main__":
    main()
