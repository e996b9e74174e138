#!/usr/bin/env python3
# ride-test: timeout=600
"""Drift of a run against numpy: `ride generate` with a planted drift, `ride profile build`, `ride run`. Every number, feature by feature and
interval by interval, is computed once more from the vectors that the run wrote beside its decisions; rows are put into intervals by the
running maximum of event times. Then what is told, what is refused, and with what exit code."""
import datetime
import json
import math
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
from check import TOP, ride, skip  # noqa: E402

try:
    import numpy as np
    import pandas as pd
except ImportError as missing:
    skip(f"{missing} (scripts/setup)")

RIDE = ride()
WEEK = 7 * 86_400_000_000
SPEC = """version: 1
sources:
  tx:
    format: csv
    event_time: {field: ts, unit: ms}
    event_id: tx_id
    dedup: 3d
    watermark: {bound: 30s, allowed_lateness: 2h}
    fields: {tx_id: u64, ts: {type: timestamp, unit: ms}, card: string, terminal: u64, amount: {type: decimal, scale: 2}, mcc: u16,
             channel: {type: string, category: [pos, ecom, atm]}, lat: {type: f64, nullable: true}, chip: {type: bool, nullable: true}}
  backs:
    format: csv
    event_time: {field: reported_at, unit: ms}
    labels: {source: tx, key: tx_id, value: is_fraud}
    fields: {tx_id: u64, is_fraud: bool}
entities:
  card: {keys: [card], horizon: 2d}
  terminal: {keys: [terminal], horizon: 9d}
features:
  - {entity: card, agg: [count], windows: [1d]}
  - {entity: card, column: amount, agg: [mean], windows: [1d]}
  - {entity: terminal, agg: [risk], windows: [1d], delay: 7d, labels: fixed}
  - {name: hour, expr: "hour(ts)"}
  - {name: one, expr: "amount * 0 + 1"}
  - {name: never, expr: "amount / 0"}
vector: [amount, mcc, channel, lat, chip, "card_*", "terminal_*", hour, one, never]
"""
CATEGORIES = ("channel", "chip")


def call(*arguments, code=0):
    done = subprocess.run([str(RIDE), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def stream(folder, name, seed, *drift):
    """Events with a column `chip` more: 0, 1 or empty."""
    events, labels = folder / f"{name}.csv", folder / f"{name}-labels.csv"
    told = call("generate", "--events", 60000, "--customers", 700, "--terminals", 300, "--seed", seed, "--late-rate", "1%", "--duplicate-rate", "0.5%",
                "--labels", labels, "--output", events, *drift)
    lines = events.read_text().splitlines()
    chips = ["chip"] + ["" if (number := int(line.split(",")[0])) % 11 == 0 else str(int(number % 3 == 0)) for line in lines[1:]]
    events.write_text("".join(f"{line},{chip}\n" for line, chip in zip(lines, chips)))
    return events, labels, told


def run(folder, name, events, labels, profile, *settings, code=0):
    outputs = {"decisions": folder / f"{name}.out", "summary": folder / f"{name}.json", "drift": folder / f"{name}.ndjson"}
    sets = [f"outputs.{o}.path={path}" for o, path in outputs.items()] + [f"inputs.tx.path={events}", f"inputs.backs.path={labels}", f"drift.profile={profile}", *settings]
    told = call("run", "--config", folder / "ride.yaml", *(word for s in sets for word in ("--set", s)), code=code)
    if code != 0:
        return told, None, None, None
    drift = [json.loads(line) for line in outputs["drift"].read_text().splitlines()]
    return told, json.loads(outputs["summary"].read_text()), drift, pd.read_csv(outputs["decisions"])


def column(frame, name):
    return frame[name].to_numpy(dtype=np.float64)  # categories are their codes, bools 0 and 1


def bins_of(values, reference, is_category):
    if is_category:
        return np.array([(values == v).sum() for v in np.unique(reference)], dtype=np.float64)
    edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10)) if len(reference) else np.array([])
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1).astype(np.float64)


def expected(reference, current, is_category):
    out = {"n_ref": (~np.isnan(reference)).sum(), "n_cur": (~np.isnan(current)).sum(), "missing_rate": np.isnan(current).mean() if len(current) else None}
    reference, current = reference[~np.isnan(reference)], current[~np.isnan(current)]
    if not len(reference) or not len(current):
        return out | {"psi": None, "js_distance": None, "l_infinity": None, "ks": None}
    p, q = (bins_of(v, reference, is_category) / len(v) for v in (reference, current))
    floor_p, floor_q, m = np.where(p == 0, 1e-4, p), np.where(q == 0, 1e-4, q), (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        js = 0.5 * np.nansum(np.where(p > 0, p * np.log(p / m), 0)) + 0.5 * np.nansum(np.where(q > 0, q * np.log(q / m), 0))
    both = np.sort(np.concatenate([reference, current]))
    ks = np.abs(np.searchsorted(np.sort(reference), both, side="right") / len(reference) - np.searchsorted(np.sort(current), both, side="right") / len(current)).max()
    return out | {"bins": len(p), "psi": ((floor_q - floor_p) * np.log(floor_q / floor_p)).sum(), "js_distance": math.sqrt(max(js, 0)), "l_infinity": np.abs(p - q).max(),
                  "ks": None if is_category else ks}


def check_numbers(names, reference, decisions, drift, summary):
    scored = decisions[decisions.end == "scored"].reset_index(drop=True)
    interval = np.maximum.accumulate(scored.event_time.to_numpy(dtype=np.int64)) // WEEK
    intervals = summary["drift"]["intervals"]
    assert sum(i["rows"] for i in intervals) == len(scored) == summary["events"]["scored"]
    assert [i["rows"] for i in intervals] == [int((interval == v).sum()) for v in np.unique(interval)]
    assert len(drift) == len(intervals) * len(names)
    compared = 0
    for k, number in enumerate(np.unique(interval)):
        start = datetime.datetime.fromtimestamp(int(number) * WEEK // 1_000_000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = scored[interval == number]
        for i, name in enumerate(names):
            line, member = drift[k * len(names) + i], intervals[k]["features"][i]
            assert line["feature"] == name == member["feature"] and line["from"] == start == intervals[k]["from"], line
            assert {v: line[v] for v in member} == member
            want = expected(reference[name], column(rows, name), name in CATEGORIES)
            for value, figure in want.items():
                if figure is None:
                    assert line[value] is None, f"{name} {start} {value}: {line[value]}, nothing expected"
                elif value == "ks":  # from histograms
                    assert line["ks"] - 1e-12 <= figure <= line["ks"] + line["ks_error"] + 1e-12, (name, start, figure, line)
                elif value == "js_distance":  # its square is a difference of nearly equal numbers
                    assert math.isclose(line[value] ** 2, figure**2, rel_tol=1e-9, abs_tol=1e-15), f"{name} {start} {value}: {line[value]}, {figure} expected"
                else:
                    assert math.isclose(line[value], figure, rel_tol=1e-9, abs_tol=1e-12), f"{name} {start} {value}: {line[value]}, {figure} expected"
                compared += 1
    return compared


def check_told(told, summary, planted):
    """One line for each column that passes the alert, and none before the drift but for windows that fill; the values are those of the summary."""
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    drifted = [line for line in lines if line["message"] == "drift"]
    warned = {(w["ride.feature"], w["ride.from"]): w["ride.psi"] for w in drifted}
    assert len(warned) == len(drifted)
    over, intervals = {}, summary["drift"]["intervals"]
    for before, now in zip([None, *intervals], intervals):
        for i, feature in enumerate(now["features"]):
            assert feature["alert"] == (feature["enough"] and feature["psi"] >= 0.25)
            if feature["alert"] and not (before and before["features"][i]["alert"]):
                over[(feature["feature"], now["from"])] = feature["psi"]
    assert over.keys() == warned.keys() and all(math.isclose(over[k], warned[k], rel_tol=1e-6) for k in over), (over, warned)
    first = {}
    for feature, since in sorted(warned, key=lambda k: k[1]):
        first.setdefault(feature, since)
    found = [f for f in ("amount", "channel") if first.get(f, "") and first[f] > (planted - datetime.timedelta(days=7)).strftime("%Y-%m-%d")]
    assert found == ["amount", "channel"], f"planted at {planted}, told: {warned}"
    assert re.search(r"drift +\d+ intervals of 7d .* psi >= 0.25 at the end: \d+ of \d+ columns", told) and re.search(r"  amount +psi +\d", told), told


def check_refusals(folder, events, labels, profile):
    other = folder / "other"
    other.mkdir()
    (other / "spec.yaml").write_text(SPEC.replace("vector: [amount, mcc, ", "vector: [mcc, amount, ").replace(", never]", "]"))
    (other / "ride.yaml").write_text("spec: spec.yaml\noutputs: {decisions: /dev/null}\n")
    told, *_ = run(other, "order", events, labels, profile, code=78)
    for words in ("entry 0 is amount in the profile and mcc in the spec", "missing from the profile: none", "in the profile only: never",
                  "the spec's vector (10): mcc, amount, ", "the profile's vector (11): amount, mcc, ", "ride profile build"):
        assert words in told, f"{words!r} is not in\n{told}"
    (other / "spec.yaml").write_text(SPEC.replace("windows: [1d]}", "windows: [1d], closed: both}", 1))
    assert "their definitions have changed" in run(other, "changed", events, labels, profile, code=78)[0]
    assert "their definitions have changed" in call("config", "check", "--config", other / "ride.yaml", "--set", f"inputs.tx.path={events}", "--set",
                                                    f"drift.profile={profile}", code=78)
    run(folder, "missing", events, labels, folder / "nowhere.profile", code=66)
    cut = folder / "cut.profile"
    cut.write_bytes(profile.read_bytes()[:-7])
    assert "cut.profile" in run(folder, "cut", events, labels, cut, code=65)[0]
    assert "cut.profile" in call("profile", "show", cut, code=65)
    call("profile", "show", folder / "nowhere.profile", code=66)
    build = ("profile", "build", "--spec", folder / "spec.yaml", "--output", folder / "x.profile")
    assert "--input is missing" in call(*build, code=64)
    assert "--config or --spec" in call("profile", "build", "--output", "x", code=64)
    assert "before --to" in call(*build, "--input", events, "--from", "2025-02-01", "--to", "2025-01-01", code=64)
    assert "not a value of --from" in call(*build, "--input", events, "--from", "yesterday", code=64)
    assert "no rows" in call(*build, "--input", events, "--from", "2199-01-01", code=65)
    call(*build, "--input", folder / "nowhere.csv", code=66)
    assert not (folder / "x.profile").exists()
    assert "drift.profile" in call("run", "--config", folder / "ride.yaml", "--set", f"inputs.tx.path={events}", "--set", "outputs.drift.path=x", code=78)
    assert "0.25" in call("run", "--config", folder / "ride.yaml", "--set", f"inputs.tx.path={events}", "--set", "drift.psi_alert=a quarter", code=78)


def check_compiled(folder, profile):
    """`ride compile` puts the profile into the bundle: its counts are in the file as they are."""
    call("compile", "--config", folder / "ride.yaml", "--set", f"inputs.tx.path={folder / 'plain.csv'}", "--set", f"drift.profile={profile}", "--output", folder / "with.bundle")
    call("compile", "--config", folder / "ride.yaml", "--set", f"inputs.tx.path={folder / 'plain.csv'}", "--output", folder / "without.bundle")
    bundle, counts = (folder / "with.bundle").read_bytes(), profile.read_bytes()[-512:]
    assert counts in bundle and counts not in (folder / "without.bundle").read_bytes()


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spec.yaml").write_text(SPEC)
        (folder / "ride.yaml").write_text("spec: spec.yaml\noutputs: {decisions: {path: /dev/null, vector: true}}\ndrift: {interval: 7d}\n")
        plain, plain_labels, told = stream(folder, "plain", 5)
        assert told == ""
        events, labels, told = stream(folder, "drifted", 6, "--drift", "amount=2.5,online=50%", "--drift-at", "60%")
        planted = datetime.datetime.fromisoformat(re.fullmatch(r"drift from (\S+)Z on\n", told).group(1))
        profile = folder / "plain.profile"
        built = call("profile", "build", "--spec", folder / "spec.yaml", "--input", plain, "--input", f"backs={plain_labels}", "--from", "2025-01-10", "--output", profile)
        call("features", "run", "--spec", folder / "spec.yaml", "--input", plain, "--input", f"backs={plain_labels}", "--output", folder / "plain.features", "--quiet")
        features = pd.read_csv(folder / "plain.features")
        names = [c for c in features.columns if c != "tx_id"]
        times = pd.read_csv(plain, usecols=["tx_id", "ts"]).drop_duplicates("tx_id").set_index("tx_id").ts
        kept = features[features.tx_id.map(times) >= 1736467200000]  # 2025-01-10
        assert f"profile of {len(kept)} of " in built and f"{len(names)} columns" in built, built
        reference = {n: column(kept, n) for n in names}
        assert np.isnan(reference["never"]).all() and (reference["one"] == 1).all() and np.isnan(reference["chip"]).any()

        told, summary, drift, decisions = run(folder, "whole", events, labels, profile)
        compared = check_numbers(names, reference, decisions, drift, summary)
        check_told(told, summary, planted)
        for size in (1, 333, 20000):
            _, again, _, _ = run(folder, f"batch{size}", events, labels, profile, f"scheduler.max_batch={size}", "outputs.decisions.vector=false")
            assert again["drift"] == summary["drift"] and (folder / f"batch{size}.ndjson").read_bytes() == (folder / "whole.ndjson").read_bytes(), f"batches of {size}"
        shown = call("profile", "show", profile)
        assert re.search(r"^channel +feature +category +0\.00% +3  0: \d", shown, re.M) and re.search(r"^never +feature +number +100\.00%", shown, re.M), shown
        check_refusals(folder, events, labels, profile)
        check_compiled(folder, profile)
    print(f"{compared} figures of {len(names)} features are numpy's; the planted drift is told, other profiles are refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
