#!/usr/bin/env python3
"""What counting into a reference profile costs beside scoring: the handbook job (15 features, XGBoost with 100 trees of depth 6 trained
here, its profile over the same rows), scored and counted in turn by bench_profile.

    scripts/python bench/profile_pass.py --events handbook-transactions.csv.zst [--rows N] [--output bench/results/profile-pass.json]

Needs a release build. The share of the JSON is that of the best instruction set of this machine."""
import argparse
import csv
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import xgboost as xgb

TOP = Path(__file__).resolve().parents[1]
RIDE, BENCH = TOP / "build/release/bin/ride", TOP / "build/release/bench/bench_profile"
SPEC = TOP / "examples/handbook/features.yaml"


def first_rows(path, rows, out):
    """Header and the first rows of a CSV, plain or .zst."""
    command = ["zstd", "-dc", path] if str(path).endswith(".zst") else ["cat", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as whole, open(out, "wb") as to:
        for number, line in enumerate(whole.stdout):
            if number > rows:
                break
            to.write(line)
        whole.kill()


def train(events, features, model):
    with open(features, newline="", encoding="utf-8") as file:
        table = csv.reader(file)
        names = next(table)[1:]
        x = np.array([[float(v) if v else np.nan for v in row[1:]] for row in table], dtype=np.float32)
    with open(events, newline="", encoding="utf-8") as file:
        y = np.array([float(row["TX_FRAUD"]) for row in csv.DictReader(file)], dtype=np.float32)
    data = xgb.DMatrix(x, label=y, feature_names=names)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 6, "tree_method": "hist", "seed": 1, "nthread": 1}, data, 100)
    booster.save_model(model)
    return len(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", required=True, type=Path)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--passes", type=int, default=15)
    parser.add_argument("--output", type=Path, default=TOP / "bench/results/profile-pass.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        events, features, model, profile = (Path(scratch, n) for n in ("events.csv", "features.csv", "model.json", "profile.ride"))
        first_rows(given.events, given.rows, events)
        subprocess.run([RIDE, "features", "run", "--spec", SPEC, "--input", events, "--output", features, "--quiet"], check=True)
        inputs = train(events, features, model)
        subprocess.run([RIDE, "profile", "build", "--spec", SPEC, "--model", model, "--input", events, "--output", profile, "--quiet"], check=True)
        results = {}
        for isa in ("avx512", "avx2", "portable"):
            done = subprocess.run([BENCH, "--spec", SPEC, "--model", model, "--profile", profile, "--csv", events, "--rows", str(given.rows),
                                   "--passes", str(given.passes), "--isa", isa], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"bench_profile --isa {isa}: exit {done.returncode}\n{done.stderr}")
            print(f"{isa}: {' '.join(done.stdout.split())}")
            results[isa] = {name: float(value) for name, value in re.findall(r"^(\w+)=([0-9.]+)$", done.stdout, re.M)}
    git = lambda *a: subprocess.run(["git", *a], cwd=TOP, capture_output=True, text=True).stdout.strip()  # noqa: E731
    model_name = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    given.output.write_text(json.dumps({
        "what": f"handbook, {given.rows} rows, {inputs} features, XGBoost 100 trees of depth 6", "command": f"scripts/python bench/profile_pass.py --events {given.events.name} --rows {given.rows} --passes {given.passes}",
        "machine": f"{model_name.group(1) if model_name else platform.machine()}, {os.cpu_count()} cores", "commit": git("rev-parse", "HEAD"),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "share": min(r["ratio"] for r in results.values()), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
