"""The published features of the Fraud Detection Handbook beside ours: counts, risk and flags exactly, averages within 1e-9. Rows with
another transaction of the same customer in the same second are compared without regard to their order, as the published order of some
is not that of the ids."""
import csv
import gzip
from collections import defaultdict

NAMES = {"TX_DURING_WEEKEND": "weekend", "TX_DURING_NIGHT": "night"}
for days in (1, 7, 30):
    NAMES[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = f"customer_count_{days}d"
    NAMES[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = f"customer_TX_AMOUNT_mean_{days}d"
    NAMES[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = f"terminal_count_{days}d"
    NAMES[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = f"terminal_risk_{days}d"

ROWS_PUBLISHED, ROWS, ROWS_UP_TO_PUBLISHED = 67001, 1754155, 364702  # the last published one is transaction 364,701


def near(name, published, ours):
    return abs(published - ours) <= 1e-9 if "AVG_AMOUNT" in name else published == ours


def differences(published, features):
    """(rows of ours, published rows, what differs), of the published file and of ours."""
    with gzip.open(published, "rt", newline="") as file:
        expected = {row["TRANSACTION_ID"]: row for row in csv.DictReader(file)}
    got, rows = {}, 0
    with open(features, newline="", encoding="utf-8") as file:
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
    return rows, len(expected), wrong
