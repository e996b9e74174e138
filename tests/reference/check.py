"""What the integration tests share: the program, shared data, and the comparison of two tables of features."""
import csv
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def ride():
    """The built program; the test skips when there is none."""
    path = Path(os.environ.get("RIDE_BIN") or TOP / "build" / "release" / "bin" / "ride")
    if not path.exists():
        skip(f"{path} is not built")
    return path


def shared_data(name):
    path = Path(os.environ.get("RIDE_SHARED_DIR") or TOP.parent / "shared") / "data" / name
    if not path.exists():
        skip(f"{path} is absent (docs/data.md says where it comes from)")
    return path


def features_run(spec, inputs, output, *more):
    command = [ride(), "features", "run", "--spec", spec, "--output", output, *more]
    for item in inputs:
        command += ["--input", item]
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(f"exit {done.returncode}: {' '.join(map(str, command))}\n{done.stderr}")
        sys.exit(1)
    return done.stderr


def same_cell(a, b):
    if a == b:
        return True
    try:
        return a != "" and b != "" and float(a) == float(b)
    except ValueError:
        return False


def first_difference(expected_path, got_path):
    """None when both tables hold the same header and the same numbers, bit for bit; else a line that says where not."""
    with open(expected_path, newline="", encoding="utf-8") as a, open(got_path, newline="", encoding="utf-8") as b:
        expected, got = csv.reader(a), csv.reader(b)
        header, header_got = next(expected, None), next(got, None)
        if header != header_got:
            return f"header: expected {header}, got {header_got}"
        number = 1
        for row in expected:
            number += 1
            other = next(got, None)
            if other is None:
                return f"line {number}: expected {row}, got nothing"
            if row != other:
                for name, x, y in zip(header, row, other):
                    if not same_cell(x, y):
                        return f"line {number} (id {row[0]}), {name}: expected {x!r}, got {y!r}"
                if len(row) != len(other):
                    return f"line {number}: {len(row)} fields expected, {len(other)} got"
        extra = next(got, None)
        return None if extra is None else f"line {number + 1}: expected nothing, got {extra}"
