#!/usr/bin/env python3
"""Windows on all 1,754,155 handbook rows, choice by choice, against two things that are not the engine:

- pandas' own `rolling` for `closed: right, both, left, neither` without a delay (rows that tie with another of their key are left out where
  the right end is open, because pandas takes tied rows by position there);
- the independent program of tests/reference for delays, `ties`, `current`, kinds, labels and sorted history, to the last bit.

RIDE_WINDOWS_ROWS limits the rows, to try it out."""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "reference"))
from check import features_run, first_difference, ride, shared_data, skip  # noqa: E402

try:
    import numpy as np
    import pandas as pd
    import features
except ImportError as missing:
    skip(f"{missing} (scripts/setup --dev)")

ROWS = 1754155
SOURCE = """version: 1
{order}sources:
  tx:
    format: csv
    event_time: {{field: TX_DATETIME, unit: iso8601}}
    event_id: TRANSACTION_ID
    label: TX_FRAUD
    fields: {{TRANSACTION_ID: u64, CUSTOMER_ID: u32, TERMINAL_ID: u32, TX_AMOUNT: {{type: decimal, scale: 2}}, TX_FRAUD: bool}}
entities:
  customer: {{keys: [CUSTOMER_ID]}}
  terminal: {{keys: [TERMINAL_ID]}}
features:
{lines}
vector: [{names}]
"""
ENTITIES = {"customer": "CUSTOMER_ID", "terminal": "TERMINAL_ID"}
AMOUNTS = ("sum", "mean", "std", "min", "max", "var_pop")


class Spec:
    def __init__(self, name, order=""):
        self.name, self.order, self.lines, self.names = name, order, [], []

    def add(self, entity, agg, window, **options):
        name = f"f{len(self.names)}"
        column = {"count": "", "risk": "", "distinct": "column: TERMINAL_ID, " if entity == "customer" else "column: CUSTOMER_ID, "}.get(agg, "column: TX_AMOUNT, ")
        more = "".join(f", {key}: {value}" for key, value in options.items())
        self.lines.append(f"  - {{name: {name}, entity: {entity}, agg: {agg}, {column}windows: {window}{more}}}")
        self.names.append(name)

    def text(self):
        return SOURCE.format(order=self.order, lines="\n".join(self.lines), names=", ".join(self.names))


def specs():
    """Each option with many windows; which aggregate goes with which choice turns round, so that all meet all."""
    turn, out = 0, []

    def agg():
        nonlocal turn
        turn += 1
        return ("count", *AMOUNTS)[turn % 7]

    for closed in ("right", "both", "left", "neither"):
        spec = Spec(f"delays, closed {closed}")
        for entity in ENTITIES:
            for delay, window in (("1s", "1s"), ("36h", "5d"), ("7d", "30d"), ("90m", "12h")):
                spec.add(entity, agg(), window, delay=delay, closed=closed)
        spec.add("terminal", "risk", "7d", delay="7d", labels="fixed", closed=closed, empty=0)
        spec.add("terminal", "risk", "11h", delay="1d", labels="fixed", closed=closed)
        out.append(spec)
    spec = Spec("ties and current")
    for entity in ENTITIES:
        for window, ties, current, closed in (("6h", "exclude", "include", "right"), ("3d", "exclude", "exclude", "both"), ("14d", "arrival", "exclude", "both"),
                                              ("1s", "exclude", "include", "both"), ("1s", "arrival", "exclude", "both"), ("60d", "arrival", "exclude", "right")):
            spec.add(entity, agg(), window, ties=ties, current=current, closed=closed)
    out.append(spec)
    spec = Spec("sorted history", order="order: event_time\n")
    for entity in ENTITIES:
        for window, ties, current in (("1d", "peers", "include"), ("2h", "peers", "exclude"), ("9d", "exclude", "include"), ("1s", "peers", "include")):
            spec.add(entity, agg(), window, ties=ties, current=current, closed="both")
    out.append(spec)
    spec = Spec("kinds")
    for entity in ENTITIES:
        spec.add(entity, agg(), "1d", kind="tumbling")
        spec.add(entity, agg(), "1w", kind="tumbling")
        spec.add(entity, agg(), "6h", kind="hopping", hop="15m")
        spec.add(entity, agg(), "1d", kind="hopping", hop="8h", empty=-1)
        spec.add(entity, "distinct", "7d")
        spec.add(entity, "mean", "7d", where='"TX_AMOUNT > 50"', min_count=3)
    out.append(spec)
    return out


def against_reference(plain, scratch):
    checked = 0
    for spec in specs():
        path, expected, got = scratch / "spec.yaml", scratch / "expected.csv", scratch / "got.csv"
        path.write_text(spec.text())
        started = time.monotonic()
        features_run(path, [plain], got, "--quiet")
        with open(expected, "w", newline="", encoding="utf-8") as file:
            features.run(path, [str(plain)], file)
        difference = first_difference(expected, got)
        print(f"{spec.name}: {difference or f'{len(spec.names)} features equal'} ({time.monotonic() - started:.0f} s)", flush=True)
        if difference:
            print(spec.text())
            sys.exit(1)
        checked += len(spec.names)
    return checked


def against_pandas(plain, scratch, frame):
    cents = (frame.TX_AMOUNT.map(lambda text: int(np.floor(float(text) * 100 + 0.5)))).to_numpy().astype(np.float64)
    frame = frame.assign(cents=cents)
    by_key = {key: frame.set_index("at").groupby(key, sort=True).cents for key in ENTITIES.values()}
    orders = {key: np.argsort(frame[key].to_numpy(), kind="stable") for key in ENTITIES.values()}  # of what rolling gives
    checked = 0
    for closed in ("right", "both", "left", "neither"):
        spec, wanted = Spec(f"pandas, closed {closed}"), []
        for entity, key in ENTITIES.items():
            for window in ("1h", "1d", "3d", "30d"):
                for agg in ("count", "sum", "max"):
                    wanted.append((spec, key, window, agg))
                    spec.add(entity, agg, window, closed=closed)
        (scratch / "spec.yaml").write_text(spec.text())
        started = time.monotonic()
        features_run(scratch / "spec.yaml", [plain], scratch / "got.csv", "--quiet")
        got = pd.read_csv(scratch / "got.csv")
        for name, (_, key, window, agg) in zip(spec.names, wanted):
            rolled = by_key[key].rolling(window, closed=closed, min_periods=0)
            values = np.empty(len(frame))
            values[orders[key]] = getattr(rolled, agg)().to_numpy()
            ours = got[name].to_numpy()
            tied = frame.duplicated([key, "at"], keep=False).to_numpy() if closed in ("left", "neither") else np.zeros(len(frame), bool)
            theirs = values if agg == "count" else np.where(np.isnan(values), 0.0 if agg == "sum" else np.nan, values / 100)
            differ = ~tied & ~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
            if tied.mean() > 0.01 or differ.any():
                i = int(np.argmax(differ))
                print(f"{spec.name}, {key} {agg} {window}: row {i}: expected {theirs[i]}, got {ours[i]}; {differ.sum()} differ, {tied.sum()} tied")
                sys.exit(1)
            checked += 1
        print(f"{spec.name}: {len(spec.names)} features equal ({time.monotonic() - started:.0f} s)", flush=True)
    return checked


def main():
    ride()
    data = shared_data("handbook-transactions.csv.zst")
    limit = int(os.environ.get("RIDE_WINDOWS_ROWS", ROWS))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        plain = scratch / "rows.csv"
        with subprocess.Popen(["zstd", "-dc", str(data)], stdout=subprocess.PIPE) as unpack, open(plain, "wb") as file:
            for number, line in enumerate(unpack.stdout):
                if number > limit:
                    unpack.kill()
                    break
                file.write(line)
        frame = pd.read_csv(plain, usecols=["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT"], dtype={"TX_AMOUNT": str})
        frame["at"] = pd.to_datetime(frame.TX_DATETIME)
        assert len(frame) == limit and frame["at"].is_monotonic_increasing, len(frame)
        by_pandas = against_pandas(plain, scratch, frame)
        by_reference = against_reference(plain, scratch)
    print(f"figure: rows {limit}")
    print(f"figure: features_equal_to_pandas {by_pandas}")
    print(f"figure: features_equal_to_reference {by_reference}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
