#!/usr/bin/env python3
"""`ride score` over LightGBM models that others wrote (the shared data), one of them with 255 leaves, 5,057 features and sets of two thousand categories:
the raw scores are the expected ones to the bit."""
import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
SHARED = Path(os.environ.get("RIDE_SHARED_DIR", TOP.parent / "shared")) / "data/models"
MODELS = {"lightgbm-toy-categorical": ("model.txt", "expected.txt"), "lightgbm-sparse-categorical": ("model.txt.gz", "expected_margin.txt")}


def main():
    if not SHARED.is_dir():
        print(f"the shared models are not here: no {SHARED}")
        return 77
    rows = 0
    for name, (model, expected) in MODELS.items():
        with tempfile.TemporaryDirectory() as scratch:
            path = SHARED / name / model
            if path.suffix == ".gz":
                (Path(scratch) / "model.txt").write_bytes(gzip.decompress(path.read_bytes()))
                path = Path(scratch) / "model.txt"
            out = subprocess.run([RIDE, "score", "--model", path, "--input", SHARED / name / "inputs.libsvm", "--output", "-", "--raw"], check=True,
                                 capture_output=True, text=True).stdout.split()
        want = (SHARED / name / expected).read_text().split()
        if [float(x) for x in out] != [float(x) for x in want]:
            print(f"{name}: other raw scores than expected")
            return 1
        rows += len(out)
    print(f"{rows} rows of two models: the expected raw scores, to the bit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
