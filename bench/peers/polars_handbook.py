"""bench/peers/polars_handbook.py: the handbook job with Polars, offline: the whole table at once, CSV to CSV, on one thread.

    python3 -m venv /tmp/polars && /tmp/polars/bin/pip install polars==2.1.0      # outside of the repository
    /tmp/polars/bin/python bench/peers/polars_handbook.py tx.csv out.csv [rolling|asof]

Columns and rows as `ride features run` writes them for examples/handbook/features.yaml. Two ways to the same result:

rolling  `DataFrame.rolling` by group, what the documentation leads to
asof     running sums over the table sorted by key and time, and per window one merge (`join_asof`) with the last row before it: window
         = difference of two running sums. More to write; what a person who knows the library would try next

Prints the version, where the time went, and wall and CPU time per event without the start of Python and the import.
"""
import os
import sys
import time

os.environ["POLARS_MAX_THREADS"] = "1"  # before the import
import polars as pl  # noqa: E402

DAY = 86400
DAYS = (1, 7, 30)
DELAY = 7 * DAY
IDS = 1 << 21  # more than there are transactions: second * IDS + id puts those of one second in order


def read(path):
    """Seconds are taken as they are in the file; what is not used is not parsed."""
    used = ["TRANSACTION_ID", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_TIME_SECONDS", "TX_FRAUD"]
    table = pl.read_csv(path, columns=used, schema_overrides={"TX_TIME_SECONDS": pl.Int64})
    return table.with_columns(cents=(pl.col("TX_AMOUNT") * 100).round().cast(pl.Int64), second=pl.col("TX_TIME_SECONDS"))


def customers_rolling(table):
    """A window ends with the row itself, so rows of one second must differ: they are ordered by id."""
    at = pl.col("second") * IDS + pl.col("TRANSACTION_ID")
    rows = table.select("TRANSACTION_ID", "CUSTOMER_ID", "cents", at=at).sort("CUSTOMER_ID", "at")
    columns = {}
    for days in DAYS:
        window = rows.rolling("at", period=f"{days * DAY * IDS}i", closed="right", group_by="CUSTOMER_ID").agg(
            n=pl.len(), total=pl.col("cents").sum())
        columns[f"customer_count_{days}d"] = window["n"]
        columns[f"customer_TX_AMOUNT_mean_{days}d"] = window["total"] / (window["n"] * 100.0)
    return rows.select("TRANSACTION_ID").with_columns(**columns)


def terminals_rolling(table):
    rows = table.select("TRANSACTION_ID", "TERMINAL_ID", "second", fraud=pl.col("TX_FRAUD").cast(pl.Int64)).sort(
        "TERMINAL_ID", "second", "TRANSACTION_ID")
    columns = {}
    for days in DAYS:
        length = days * DAY
        window = rows.rolling("second", period=f"{length}i", offset=f"-{DELAY + length}i", closed="right", group_by="TERMINAL_ID").agg(
            n=pl.len(), total=pl.col("fraud").sum())
        columns[f"terminal_count_{days}d"] = window["n"]
        columns[f"terminal_risk_{days}d"] = (window["total"] / window["n"]).fill_nan(0.0)
    return rows.select("TRANSACTION_ID").with_columns(**columns)


def running(table, key, value):
    """The table by key and time, with one number `at` that grows over all of it, and the running count and sum up to each row."""
    span = 1 << 26  # seconds: longer than the data and the longest window
    rows = table.select("TRANSACTION_ID", key, value, at=pl.col(key) * span + pl.col("second")).sort("at", "TRANSACTION_ID")
    rows = rows.with_columns(n=pl.int_range(1, pl.len() + 1, dtype=pl.Int64), total=pl.col(value).cum_sum())
    first = (pl.col(key) != pl.col(key).shift(1)).fill_null(True)
    return rows.with_columns(  # count and sum of all that is before the key's first row
        n0=pl.when(first).then(pl.col("n") - 1).forward_fill(),
        total0=pl.when(first).then(pl.col("total") - pl.col(value)).forward_fill())


def until(rows, back):
    """Running count and sum at the last row that is `back` seconds old or older: not before the key's first row."""
    past = rows.select("at", "n", "total").set_sorted("at")
    found = rows.select(at=pl.col("at") - back).set_sorted("at").join_asof(past, on="at", strategy="backward")
    own = (found["n"] > rows["n0"]).fill_null(False)  # a row of this key, not of the one before it (null: none at all)
    return found["n"].zip_with(own, rows["n0"]), found["total"].zip_with(own, rows["total0"])


def customers_asof(table):
    rows = running(table, "CUSTOMER_ID", "cents")
    columns = {}
    for days in DAYS:
        n, total = until(rows, days * DAY)
        columns[f"customer_count_{days}d"] = rows["n"] - n
        columns[f"customer_TX_AMOUNT_mean_{days}d"] = (rows["total"] - total) / ((rows["n"] - n) * 100.0)
    return rows.select("TRANSACTION_ID").with_columns(**columns)


def terminals_asof(table):
    rows = running(table.with_columns(fraud=pl.col("TX_FRAUD").cast(pl.Int64)), "TERMINAL_ID", "fraud")
    upper_n, upper_total = until(rows, DELAY)
    columns = {}
    for days in DAYS:
        n, total = until(rows, DELAY + days * DAY)
        columns[f"terminal_count_{days}d"] = upper_n - n
        columns[f"terminal_risk_{days}d"] = ((upper_total - total) / (upper_n - n)).fill_nan(0.0)
    return rows.select("TRANSACTION_ID").with_columns(**columns)


def features(table, way):
    customers, terminals = {"rolling": (customers_rolling, terminals_rolling), "asof": (customers_asof, terminals_asof)}[way]
    day, hour = pl.col("second") // DAY, pl.col("second") % DAY // 3600
    flags = table.select("TRANSACTION_ID", "TX_AMOUNT", weekend=((day + 6) % 7 >= 5).cast(pl.Int8), night=(hour <= 6).cast(pl.Int8))
    # Ids are 0, 1, 2 … in time order, so a sort by id is the input's order again; cheaper than a join.
    customer, terminal = customers(table).sort("TRANSACTION_ID"), terminals(table).sort("TRANSACTION_ID")
    names = [f"customer_count_{d}d" for d in DAYS] + [f"customer_TX_AMOUNT_mean_{d}d" for d in DAYS]
    late = [f"terminal_count_{d}d" for d in DAYS] + [f"terminal_risk_{d}d" for d in DAYS]
    return pl.concat([flags, customer.select(names), terminal.select(late)], how="horizontal")


def main():
    source, target = sys.argv[1:3]
    way = sys.argv[3] if len(sys.argv) > 3 else "rolling"
    wall, times = time.perf_counter(), [time.process_time()]
    table = read(source)
    times.append(time.process_time())
    result = features(table, way)
    times.append(time.process_time())
    result.write_csv(target)
    times.append(time.process_time())
    wall = time.perf_counter() - wall
    parts = [f"{name}_s={b - a:.3f}" for name, a, b in zip(("read", "features", "write"), times, times[1:])]
    print(f"polars {pl.__version__}, {pl.thread_pool_size()} thread, {way}: CPU {' '.join(parts)}")
    each = 1e9 / table.height
    print(f"wall_ns_per_event={each * wall:.1f}\ncpu_ns_per_event={each * (times[-1] - times[0]):.1f}")  # without start and import
    print(f"process_cpu_ns_per_event={each * times[-1]:.1f}")


if __name__ == "__main__":
    main()
