#!/usr/bin/env python3
"""Other windows, delays, `closed`, `ties` and kinds on all 1,754,155 handbook rows: `ride features run` against the independent
program of tests/reference (numpy), every number to the last bit."""
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "reference"))
from check import features_run, first_difference, ride, shared_data, skip  # noqa: E402

try:
    import features
except ImportError as missing:
    skip(f"{missing} (scripts/setup --dev)")

SPEC = """version: 1
sources:
  tx:
    format: csv
    event_time: {field: TX_DATETIME, unit: iso8601}
    event_id: TRANSACTION_ID
    label: TX_FRAUD
    fields: {TRANSACTION_ID: u64, CUSTOMER_ID: u32, TERMINAL_ID: u32, TX_AMOUNT: {type: decimal, scale: 2}, TX_FRAUD: bool}
entities:
  customer: {keys: [CUSTOMER_ID]}
  terminal: {keys: [TERMINAL_ID]}
  pair: {keys: [CUSTOMER_ID, TERMINAL_ID]}
features:
  - {name: c_both_1h, entity: customer, agg: count, windows: 1h, closed: both}
  - {name: c_left_3d, entity: customer, column: TX_AMOUNT, agg: sum, windows: 3d, closed: left}
  - {name: c_neither_12h, entity: customer, agg: count, windows: 12h, closed: neither}
  - {name: c_excl_2d, entity: customer, column: TX_AMOUNT, agg: mean, windows: 2d, current: exclude}
  - {name: t_ties_6h, entity: terminal, column: TX_AMOUNT, agg: std, windows: 6h, ties: exclude}
  - {name: t_delay_5d, entity: terminal, agg: risk, windows: 5d, delay: 36h, labels: fixed, closed: both}
  - {name: t_day, entity: terminal, agg: count, windows: 1d, kind: tumbling}
  - {name: t_hop, entity: terminal, column: TX_AMOUNT, agg: mean, windows: 1d, kind: hopping, hop: 1h, empty: -1}
  - {name: c_where, entity: customer, column: TX_AMOUNT, agg: var, windows: 1w, where: "TX_AMOUNT > 50", min_count: 3}
  - {name: p_month, entity: pair, agg: count, windows: 30d}
vector: [c_both_1h, c_left_3d, c_neither_12h, c_excl_2d, t_ties_6h, t_delay_5d, t_day, t_hop, c_where, p_month]
"""


def main():
    ride()
    data = shared_data("handbook-transactions.csv.zst")
    with tempfile.TemporaryDirectory() as scratch:
        spec, plain = Path(scratch, "spec.yaml"), Path(scratch, "rows.csv")
        spec.write_text(SPEC)
        with open(plain, "wb") as file:
            if subprocess.run(["zstd", "-dc", str(data)], stdout=file).returncode != 0:
                skip("no zstd program")
        expected, got = Path(scratch, "expected.csv"), Path(scratch, "got.csv")
        features_run(spec, [data], got)
        started = time.monotonic()
        with open(expected, "w", newline="", encoding="utf-8") as file:
            features.run(spec, [str(plain)], file)
        difference = first_difference(expected, got)
        rows = sum(1 for _ in open(expected)) - 1
    print(difference or f"{rows} rows, 10 features: no difference (reference: {time.monotonic() - started:.0f} s)")
    return 1 if difference or rows != 1754155 else 0


if __name__ == "__main__":
    sys.exit(main())
