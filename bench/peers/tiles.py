"""The same model and rows as the engine has them: tiles of doubles that features were computed into (bench/bench_profile.c), for bench/peers/score.py. Margins are compared
there with those of a matrix before anything is measured."""
import os
import subprocess
from pathlib import Path

import numpy as np

TOP = Path(__file__).resolve().parents[2]
NAME, BATCHES = "XGBoost 500 × depth 6, from tiles of doubles", (1024, 4096)


def rows_and_spec(folder, columns):
    """The rows as CSV, and a spec whose features are its columns."""
    spec, rows = folder / "tiles.yaml", folder / "tiles.csv"
    names = range(columns)
    spec.write_text("version: 1\nzone: UTC\nsources:\n  tx:\n    format: csv\n    event_time: {field: ts, unit: ms}\n    fields:\n      ts: {type: timestamp, unit: ms}\n"
                    + "".join(f"      x{i}: f64\n" for i in names) + "features:\n" + "".join(f"  - {{name: f{i}, expr: x{i}}}\n" for i in names)
                    + f"vector: [{', '.join(f'f{i}' for i in names)}]\n")
    x = np.load(folder / "rows.npy")
    with rows.open("w") as file:
        file.write("ts," + ",".join(f"x{i}" for i in names) + "\n")
        for number, row in enumerate(x[:, :columns]):
            file.write(f"{1_700_000_000_000 + number}," + ",".join(f"{value:.9g}" for value in row) + "\n")
    return spec, rows, len(x)


def work(folder, model, columns, rounds, core):
    """An entry of the record's works."""
    program = TOP / "build/release/bench/bench_profile"
    entry = {"name": NAME, "model": model, "columns": columns, "engines": ["ride, tiles"], "left_out": {}, "clock": "thread CPU", "samples": {}, "summary": {}}
    if not program.exists():
        return {**entry, "engines": [], "left_out": {"ride, tiles": f"{program.name} is not built"}}
    spec, rows, count = rows_and_spec(folder, columns)
    for batch in BATCHES:
        samples = []
        for _ in range(rounds):
            done = subprocess.run([program, "--spec", spec, "--model", folder / model, "--csv", rows, "--rows", str(count), "--batch", str(batch), "--passes", "5"],
                                  capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
            samples.append(float(dict(line.split("=") for line in done.stdout.split() if "=" in line)["score_ns_per_row"]))
        entry["samples"][str(batch)] = {"ride, tiles": samples}
        entry["summary"][str(batch)] = {"ride, tiles": {"least_ns": min(samples), "median_ns": float(np.median(samples)), "ratio": 1.0}}
    return entry
