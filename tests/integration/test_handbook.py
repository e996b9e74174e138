#!/usr/bin/env python3
"""examples/handbook/features.yaml over the handbook's transactions gives the published features of all public rows
(tests/reference/handbook.py says how near)."""
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "reference"))
import handbook  # noqa: E402
from check import features_run, ride, shared_data, skip  # noqa: E402


def main():
    ride()
    data, published = shared_data("handbook-transactions.csv.zst"), shared_data("handbook-features-public.csv.gz")
    spec = TOP / "examples" / "handbook" / "features.yaml"
    if not spec.exists():
        skip(f"{spec} is absent")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "features.csv")
        features_run(spec, [data], out)
        rows, published_rows, wrong = handbook.differences(published, out)
    for line in wrong[:20]:
        print(line)
    print(f"{rows} rows, {published_rows} published rows compared in {len(handbook.NAMES)} columns, {len(wrong)} differences")
    return 1 if wrong or (published_rows, rows) != (handbook.ROWS_PUBLISHED, handbook.ROWS) else 0


if __name__ == "__main__":
    sys.exit(main())
