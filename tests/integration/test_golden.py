"""The golden set of our own (tests/golden/card-fraud): the generator still gives its events, the engine its features, the scorer
its margins. A verb that this program does not have is told and skipped; what can run, runs."""
import csv
import importlib.util
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
GOLDEN = TOP / "tests/golden/card-fraud"
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")


def has(*verb):
    return subprocess.run([RIDE, *verb, "--help"], capture_output=True, check=False).returncode == 0


def same(got, want):
    if got == want:
        return True
    try:
        return float(got) == float(want)
    except ValueError:
        return False


def differences(got_path, want_path):
    with open(got_path, newline="", encoding="utf-8") as a, open(want_path, newline="", encoding="utf-8") as b:
        got, want = list(csv.reader(a)), list(csv.reader(b))
    if got[0] != want[0] or len(got) != len(want):
        return [f"header or rows differ: {len(got)} rows, {len(want)} wanted"]
    found = []
    for row, wanted in zip(got[1:], want[1:]):
        found += [f"event {wanted[0]}, {name}: {x}, not {y}" for name, x, y in zip(want[0], row, wanted) if not same(x, y)]
    return found


def events():
    spec = importlib.util.spec_from_file_location("make", GOLDEN / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return [] if make.events() == (GOLDEN / "events.csv").read_text() else ["the generator gives other events"]


def features(name, spec, folder):
    output = Path(folder) / f"{name}.csv"
    done = subprocess.run([RIDE, "features", "run", "--spec", spec, "--input", GOLDEN / "events.csv", "--output", output],
                          capture_output=True, text=True, check=False)
    return [f"exit {done.returncode}: {done.stderr}"] if done.returncode else differences(output, GOLDEN / f"{name}.csv")


def margins(folder):
    import numpy as np
    output = Path(folder) / "margins"
    model_input = Path(folder) / "input.csv"
    with open(GOLDEN / "features.csv", encoding="utf-8") as file, open(model_input, "w", encoding="utf-8") as out:
        out.writelines(line.split(",", 1)[1] for line in file)
    done = subprocess.run([RIDE, "score", "--model", GOLDEN / "model.json", "--input", model_input, "--output", output, "--raw"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return [f"exit {done.returncode}: {done.stderr}"]
    with open(GOLDEN / "margins.csv", encoding="utf-8") as file:
        want = [np.float32(row["margin"]) for row in csv.DictReader(file)]
    got = [np.float32(line) for line in output.read_text().split()]
    return [f"row {i}: {a}, not {b}" for i, (a, b) in enumerate(zip(got, want)) if a != b or math.isnan(a)] + \
           ([] if len(got) == len(want) else [f"{len(got)} margins, not {len(want)}"])


def main():
    if not Path(RIDE).exists():
        print("no ride program")
        return 77
    os.environ["RIDE_BIN"] = RIDE
    missing, failed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        checks = [("events", ("generate",), events),
                  ("features", ("features", "run"), lambda: features("features", TOP / "examples/card-fraud/features.yaml", folder)),
                  ("windows", ("features", "run"), lambda: features("windows", GOLDEN / "windows.yaml", folder)),
                  ("margins", ("score",), lambda: margins(folder))]
        for name, verb, check in checks:
            if not has(*verb):
                missing.append(f"{name} (no `ride {' '.join(verb)}` yet)")
                continue
            if name == "margins" and importlib.util.find_spec("numpy") is None:
                missing.append("margins (numpy is not installed: scripts/setup --dev)")
                continue
            found = check()
            failed += bool(found)
            print(f"{name}: {'ok' if not found else f'{len(found)} differences'}")
            print("\n".join(found[:10]), end="\n" if found else "")
    if missing:
        print("not checked: " + ", ".join(missing))
    return 1 if failed else 77 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
