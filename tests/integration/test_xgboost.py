"""Margins of random XGBoost models against XGBoost's own predict: 0 ulp; probabilities: 2 ulp. Depth 1 to 12, missing values,
given and estimated base_score, DART, categories, pruning, forests, several outputs, JSON and UBJSON, CSV and libsvm in turn.
With the shared data also the mushroom model that others wrote."""
import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import xgboost as xgb
except ImportError as missing:
    print(f"SKIP {missing}: run scripts/setup")
    sys.exit(77)

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build/release"))
RIDE = os.environ.get("RIDE_BIN", str(BUILD / "bin/ride"))


def scorer(folder):
    """command(model, input, output, raw): `ride score`, or the same library call built from tests/support."""
    if subprocess.run([RIDE, "score", "--help"], capture_output=True).returncode == 0:
        return lambda m, i, o, raw: [RIDE, "score", "--model", m, "--input", i, "--output", o] + (["--raw"] if raw else [])
    driver = f"{folder}/driver"
    sanitize = ["-fsanitize=address,undefined"] if "asan" in BUILD.name else []
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", *sanitize, f"-I{TOP}", f"-I{TOP}/host", f"-I{TOP}/host/include",
                    f"{TOP}/tests/support/score_driver.c", f"{BUILD}/libride_core.a", "-o", driver, "-lyaml", "-lsimdjson",
                    "-lzstd", "-lz", "-lcrypto", "-lxxhash", "-lpthread", "-lm", "-ldl", "-lstdc++"], check=True)
    return lambda m, i, o, raw: [driver, m, i, o, "raw" if raw else "answer"]


def write_csv(path, x):
    with open(path, "w") as out:
        out.write(",".join(f"c{k}" for k in range(x.shape[1])) + "\n")
        for row in x:
            out.write(",".join("" if np.isnan(v) else repr(float(v)) for v in row) + "\n")


def write_libsvm(path, x):
    with open(path, "w") as out:
        for row in x:
            out.write("0" + "".join(f" {k}:{float(v)!r}" for k, v in enumerate(row) if not np.isnan(v)) + "\n")


def read(path):
    return np.array([[float(v) for v in line.split(",")] for line in open(path)])


def ulps(got, want):
    order = lambda v: np.where((b := v.astype("f4").view("i4").astype("i8")) < 0, -(b & 0x7FFFFFFF), b)
    return int(np.abs(order(got) - order(want)).max())


def case(i, folder, command):
    rng = np.random.default_rng(100 + i)
    n = 500
    x = rng.normal(size=(n, 6)) * 10.0 ** rng.integers(-3, 4)
    x[rng.random(x.shape) < 0.15] = np.nan
    x[:, 5] = rng.integers(0, 12, n)
    kinds = ["float"] * 5 + ["c" if i % 3 == 1 else "float"]
    objective = ["binary:logistic", "binary:logistic", "binary:logitraw", "reg:squarederror", "multi:softprob"][i % 5]
    y = rng.integers(0, 3, n) if "multi" in objective else ((np.nan_to_num(x[:, 0]) > 0) ^ (x[:, 5] > 5)).astype(float)
    p = {"objective": objective, "max_depth": 1 + i % 12, "tree_method": "hist", "max_cat_to_onehot": 1 + i % 4, "seed": i,
         "verbosity": 0, "nthread": 1}
    if "multi" in objective: p["num_class"] = 3
    if i % 2: p["base_score"] = float(rng.uniform(0.05, 0.95))
    if i % 4 == 3: p |= {"booster": "dart", "rate_drop": 0.4}
    if i % 6 == 2: p |= {"num_parallel_tree": 3, "subsample": 0.6}
    if i % 6 == 5: p |= {"tree_method": "exact", "gamma": 2.0}  # pruned afterwards: nodes are deleted
    data = xgb.DMatrix(x, label=y, feature_names=[f"c{k}" for k in range(6)], feature_types=kinds, enable_categorical=True)
    model = f"{folder}/m{i}." + ("ubj" if i % 2 else "json")
    xgb.train(p, data, 12).save_model(model)
    booster = xgb.Booster()
    booster.load_model(model)
    source, out = f"{folder}/in", f"{folder}/out"
    (write_libsvm if i % 4 >= 2 else write_csv)(source, x)
    worst = []
    for raw in (True, False):
        subprocess.run(command(model, source, out, raw), check=True)
        worst.append(ulps(read(out), booster.predict(data, output_margin=raw).reshape(n, -1)))
    assert worst[0] == 0 and worst[1] <= 2, f"model {i} {p}: margin {worst[0]} ulp, answer {worst[1]} ulp"


def mushroom(folder, command):
    shared = Path(os.environ.get("RIDE_SHARED_DIR", TOP.parent / "shared")) / "data/models/xgboost-mushroom"
    if not shared.is_dir():
        return f"mushroom skipped: no {shared.name} under RIDE_SHARED_DIR"
    for kind, raw in (("margin", True), ("prob", False)):
        subprocess.run(command(str(shared / "model.json"), str(shared / "inputs.libsvm.gz"), f"{folder}/out", raw), check=True)
        want = np.array([[float(v)] for v in gzip.open(shared / f"expected_{kind}.txt.gz", "rt")])
        got = read(f"{folder}/out").astype("f4").astype("f8")  # nine digits name a float, they are not its value
        assert got.shape == want.shape == (1583, 1) and np.abs(got - want).max() < 1e-9, kind
    assert subprocess.run(command(str(shared / "model.legacy.bin"), "-", "-", True), capture_output=True).returncode == 65
    return "mushroom equal"


with tempfile.TemporaryDirectory() as folder:
    command = scorer(folder)
    for i in range(20):
        case(i, folder, command)
    print(f"20 models of XGBoost {xgb.__version__}: margins 0 ulp, answers within 2; {mushroom(folder, command)}")
