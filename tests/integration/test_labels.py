#!/usr/bin/env python3
# ride-test: timeout=300
"""A source of labels, merged with late and repeated events, against the independent program of tests/reference; and labels that
are known before their event: the same bytes for every batch size, and the same as if they had come with it."""
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
SPEC = """version: 1
sources:
  tx:
    format: csv
    event_time: {field: ts, unit: ms}
    event_id: tx_id
    dedup: 3d
    watermark: {bound: 30s, allowed_lateness: 2h}
    fields: {tx_id: u64, card: string, terminal: u64, amount: {type: decimal, scale: 2}}
  chargebacks:
    format: csv
    event_time: {field: reported_at, unit: ms}
    fields: {tx_id: u64, is_fraud: bool}
    labels: {source: tx, key: tx_id, value: is_fraud}
entities:
  card: {keys: [card], horizon: 30d}
  terminal: {keys: [terminal], horizon: 37d}
features:
  - {entity: card, column: amount, agg: [count, mean], windows: [1d, 30d]}
  - {entity: terminal, agg: [count, risk], windows: [1d, 7d, 30d], delay: 2d, labels: fixed}
  - {name: arrived, entity: terminal, agg: [risk], windows: [30d], labels: arrival}
vector: [amount, "card_*", "terminal_*", arrived]
"""


def ride(*arguments):
    subprocess.run([RIDE, *map(str, arguments)], check=True, stderr=subprocess.PIPE)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        out.writeheader()
        out.writerows(sorted(rows, key=lambda r: int(r["reported_at"])))


def engine(folder, events, labels, batch):
    output = folder / f"engine-{labels.stem}-{batch}.csv"
    ride("features", "run", "--spec", folder / "spec.yaml", "--input", events, "--input", f"chargebacks={labels}", "--output", output,
         "--batch", batch, "--quiet")
    return output


def compare(folder, events, labels, reference_labels):
    """Every batch size gives the same bytes, and these are the reference's values."""
    outputs = [engine(folder, events, labels, batch) for batch in (1, 7, 256, 4096)]
    if len({path.read_bytes() for path in outputs}) != 1:
        return [f"{labels.stem}: the output depends on the batch size"]
    wanted = folder / "wanted.csv"
    subprocess.run([sys.executable, TOP / "tests/reference/features.py", "--spec", folder / "spec.yaml", "--input", events, "--input",
                    f"chargebacks={reference_labels}", "--output", wanted], check=True)
    got, want = rows_of(outputs[0]), rows_of(wanted)
    if len(got) != len(want):
        return [f"{labels.stem}: {len(got)} rows, {len(want)} wanted"]
    same = lambda x, y: x == y or (x and y and float(x) == float(y))
    return [f"{labels.stem}: event {a['tx_id']}, {name}: {a[name]}, not {b[name]}"
            for a, b in zip(got, want) for name in b if not same(a[name], b[name])]


def make(folder, name, *options):
    events, labels = folder / f"{name}.csv", folder / f"{name}-all.csv"
    ride("generate", "--events", 4000, "--customers", 60, "--terminals", 25, "--seed", 5, "--duplicate-rate", "1%", *options,
         "--labels", labels, "--output", events)
    return events, rows_of(labels), {r["tx_id"]: int(r["ts"]) for r in rows_of(events)}


def main():
    try:
        import numpy  # noqa: F401  (the reference needs it)
        import yaml  # noqa: F401
    except ImportError as missing:
        print(f"SKIP {missing.name} is not installed: scripts/setup --dev")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "spec.yaml").write_text(SPEC)
        events, labels, when = make(folder, "late", "--late-rate", "2%")
        for i, row in enumerate(labels):  # a third an hour after the event, which `labels: arrival` sees within its window
            if i % 3 == 0:
                row["reported_at"] = str(when[row["tx_id"]] + 3_600_000)
        write(folder / "after.csv", labels)
        found = compare(folder, events, folder / "after.csv", folder / "after.csv")

        end = max(when.values()) + 1
        more = [dict(labels[0], tx_id=i, is_fraud="0", reported_at=str(end)) for i in when]  # many at once, when the events are over
        write(folder / "flood.csv", labels + more)
        found += compare(folder, events, folder / "flood.csv", folder / "flood.csv")

        events, labels, when = make(folder, "ordered")
        early = [dict(row) for row in labels]
        for i, row in enumerate(labels):
            if i % 2 == 0:  # known before: waits; what it must equal is known with the event, which goes first
                early[i]["reported_at"] = str(when[row["tx_id"]] - 5000)
                row["reported_at"] = str(when[row["tx_id"]])
        nobody = dict(labels[0], tx_id="99999999")
        write(folder / "before.csv", early + [nobody])
        write(folder / "with.csv", labels + [nobody])
        found += compare(folder, events, folder / "before.csv", folder / "with.csv")
        frauds = sum(r["is_fraud"] == "1" for r in labels)
    if frauds == 0:
        found.append("no fraud among the labels: nothing was tested")
    print("\n".join(found[:10]) or f"labels after and before their events: no difference ({frauds} frauds)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
