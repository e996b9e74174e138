#!/usr/bin/env python3
# ride-test: timeout=300
"""`order: event_time` with `ties: peers`: a group of one timestamp is held until it is whole. The golden events, sorted, against the
independent program of tests/reference, and the same bytes for every batch size, with the label in the event or from a source."""
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
    order: event_time
    LABEL
    fields: {tx_id: u64, card: string, terminal: u64, amount: {type: decimal, scale: 2}}
LABELS
entities:
  card: {keys: [card], horizon: 30d}
  terminal: {keys: [terminal], horizon: 37d}
features:
  - {name: peers_count, entity: card, agg: [count], windows: [1d], ties: peers}
  - {name: peers_others, entity: card, agg: [count], windows: [1d], ties: peers, current: exclude}
  - {name: peers_mean, entity: terminal, column: amount, agg: [mean], windows: [7d], ties: peers}
  - {name: peers_max, entity: terminal, column: amount, agg: [max], windows: [1d], ties: peers}
  - {name: peers_cards, entity: terminal, column: card, agg: [distinct], windows: [7d], ties: peers}
  - {name: arrival_count, entity: card, agg: [count], windows: [1d]}
  - {name: alone_count, entity: card, agg: [count], windows: [1d], ties: exclude}
  - {name: risk, entity: terminal, agg: [risk], windows: [7d], delay: 2d, labels: fixed}
vector: [amount, peers_count, peers_others, peers_mean, peers_max, peers_cards, arrival_count, alone_count, risk]
"""
IN_EVENT = SPEC.replace("LABELS\n", "").replace("LABEL", "label: is_fraud").replace("scale: 2}}", "scale: 2}, is_fraud: bool}")
FROM_SOURCE = SPEC.replace("LABELS\n", """  chargebacks:
    format: csv
    event_time: {field: at, unit: ms}
    labels: {source: tx, key: tx_id, value: is_fraud}
""").replace("    LABEL\n", "")


def engine(folder, spec, inputs, batch):
    output = folder / f"{spec}-{batch}.csv"
    subprocess.run([RIDE, "features", "run", "--spec", folder / f"{spec}.yaml", *[a for i in inputs for a in ("--input", i)], "--output", output,
                    "--batch", str(batch), "--quiet"], check=True)
    return output


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def same(a, b):
    return a == b or (a != "" and b != "" and float(a) == float(b))


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "in_event.yaml").write_text(IN_EVENT)
        (folder / "from_source.yaml").write_text(FROM_SOURCE)
        rows = rows_of(TOP / "tests/golden/card-fraud/events.csv")
        header, rows = rows[0], sorted(rows[1:], key=lambda r: int(r[1]))
        hour = 3_600_000  # coarser, so that groups are large
        for row in rows:
            row[1] = str(int(row[1]) // hour * hour)
        seen, distinct = set(), []
        for row in rows:
            if row[0] not in seen:
                seen.add(row[0])
                distinct.append(row)
        events, labels = folder / "events.csv", folder / "labels.csv"
        events.write_text("".join(",".join(r) + "\n" for r in [header, *distinct]))
        fraud = header.index("is_fraud")
        labels.write_text("tx_id,at,is_fraud\n" + "".join(f"{r[0]},{r[1]},{r[fraud]}\n" for r in distinct if r[fraud] == "1"))
        reference = folder / "reference.csv"
        subprocess.run([sys.executable, TOP / "tests/reference/features.py", "--spec", folder / "in_event.yaml", "--input", events,
                        "--output", reference], check=True)
        want = rows_of(reference)
        for spec, inputs in (("in_event", [events]), ("from_source", [f"tx={events}", f"chargebacks={labels}"])):
            outputs = [engine(folder, spec, inputs, batch) for batch in (256, 1, 7, 65536)]
            got = rows_of(outputs[0])
            assert len(got) == len(want) and len(want) > 2900, (len(got), len(want))
            for line, (a, b) in enumerate(zip(got, want)):
                different = [(header, x, y) for header, x, y in zip(want[0], a, b) if line > 0 and not same(x, y)]
                assert not different, f"{spec}, row {line}: {different[0]}"
            for output in outputs[1:]:
                assert output.read_bytes() == outputs[0].read_bytes(), f"{output.name} differs from {outputs[0].name}"
            groups = len({r[1] for r in distinct})
            print(f"{spec}: {len(got) - 1} rows in {groups} groups equal the reference, for batches of 1, 7, 256 and 65536 rows")
        # more strings than a batch has room for, in the middle of groups
        long = folder / "long.csv"
        long.write_text("".join(",".join([r[0], r[1], r[2] + "x" * 9000, *r[3:]]) + "\n" for r in [header, *distinct]).replace(
            header[2] + "x" * 9000, header[2], 1))
        outputs = [engine(folder, "in_event", [long], batch) for batch in (64, 65536)]
        assert outputs[0].read_bytes() == outputs[1].read_bytes(), "long strings: the batch size shows"
        assert [r[1:] for r in rows_of(outputs[0])] == [r[1:] for r in rows_of(engine(folder, "in_event", [events], 256))], "long keys count as short ones"
        print(f"{long.stat().st_size >> 20} MiB of strings: the same for batches of 64 and 65536 rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
