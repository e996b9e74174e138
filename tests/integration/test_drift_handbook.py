#!/usr/bin/env python3
"""`ride drift` on months of the handbook's transactions, some 290,000 rows each, against scipy and the definitions as test_drift.py does."""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from check import ride, shared_data, skip  # noqa: E402
import test_drift as drift  # noqa: E402

np = drift.np


def handbook(scratch):
    """April against May and September of the handbook's transactions, column by column."""
    path = shared_data("handbook-transactions.csv.zst")
    if shutil.which("zstd") is None:
        skip("zstd is missing: scripts/setup")
    months = {month: open(scratch / f"{month}.csv", "w", encoding="utf-8") for month in ("2018-04", "2018-05", "2018-09")}
    with subprocess.Popen(["zstd", "-dc", path], stdout=subprocess.PIPE, text=True) as pipe:
        header = next(pipe.stdout)
        place = header.split(",").index("TX_DATETIME")
        for file in months.values():
            file.write(header)
        for line in pipe.stdout:
            file = months.get(line.split(",")[place][:7])
            if file:
                file.write(line)
    for file in months.values():
        file.close()
    names = header.strip().split(",")
    columns = [i for i, name in enumerate(names) if name != "TX_DATETIME"]
    data = {month: np.loadtxt(scratch / f"{month}.csv", delimiter=",", skiprows=1, usecols=columns) for month in months}
    for month in ("2018-05", "2018-09"):
        document, rows = drift.report("--reference", scratch / "2018-04.csv", "--current", scratch / f"{month}.csv")
        drift.check("handbook", "left_out", int(document["left_out"] == ["TX_DATETIME"]), 1, 0)
        for at, i in enumerate(columns):
            drift.numbers(f"handbook {month} {names[i]}", rows[names[i]], data["2018-04"][:, at], data[month][:, at])
        fraud = drift.report("--reference", scratch / "2018-04.csv", "--current", scratch / f"{month}.csv", "--columns", "TX_FRAUD_SCENARIO",
                       "--categories", "TX_FRAUD_SCENARIO")[1]["TX_FRAUD_SCENARIO"]
        texts_of = [[str(int(x)) for x in data[m][:, names.index("TX_FRAUD_SCENARIO") - 1]] for m in ("2018-04", month)]
        drift.categories(f"handbook {month}", fraud, *texts_of)
    print(", ".join(f"{month}: {len(rows)} rows" for month, rows in data.items()))


def main():
    ride()
    with tempfile.TemporaryDirectory() as folder:
        handbook(Path(folder))
    return drift.told(200)


if __name__ == "__main__":
    sys.exit(main())
