#!/usr/bin/env python3
"""`ride score` and `ride model check` over ONNX files that are written here: ensembles by the rules of the standard against an obvious walk of the same
lists in floats, every comparison, NaN both ways, members, several targets, chains of steps; and what is wrong is refused by name. Where the shared data
are, the onnx project's own cases too."""
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

np.seterr(over="ignore")
TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/support"))
from onnx_file import DOUBLE, FLOAT, INT64, STRING, UINT8, Tensor, model, node  # noqa: E402

RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
CASES = Path(os.environ.get("RIDE_SHARED_DIR", TOP.parent / "shared")) / "data/models/onnx-tree-ensemble/cases.json"
ML = "ai.onnx.ml"
TESTS = {"BRANCH_LEQ": lambda x, t: x <= t, "BRANCH_LT": lambda x, t: x < t, "BRANCH_GTE": lambda x, t: x >= t, "BRANCH_GT": lambda x, t: x > t,
         "BRANCH_EQ": lambda x, t: x == t, "BRANCH_NEQ": lambda x, t: x != t}
MODES = list(TESTS)


def scored(folder, content, rows, raw=True, names=None):
    (folder / "m.onnx").write_bytes(content)
    text = [",".join(names or [f"c{k}" for k in range(len(rows[0]))])] + [",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in rows]
    (folder / "rows.csv").write_text("\n".join(text) + "\n")
    done = subprocess.run([RIDE, "score", "--model", folder / "m.onnx", "--input", folder / "rows.csv", "--output", "-"] + ["--raw"] * raw, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return np.array([[float(cell) for cell in line.split(",")] for line in done.stdout.split()])


def refused(folder, content, what):
    (folder / "bad.onnx").write_bytes(content)
    done = subprocess.run([RIDE, "model", "check", folder / "bad.onnx"], capture_output=True, text=True, check=False)
    assert done.returncode == 65 and what in done.stderr, f"{what}: exit {done.returncode}, {done.stderr}"


# ---- ensembles ----

def random_trees(r, count, width, targets, modes, tracks, shares=False):
    """Lists as TreeEnsembleRegressor has them."""
    d = {f"nodes_{k}": [] for k in ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids", "values", "modes")}
    d["nodes_missing_value_tracks_true"] = []
    d |= {f"target_{k}": [] for k in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(count):
        ids = list(range(31))[::-1]

        def grow(depth):
            here = ids.pop()
            leaf = depth == 0 or r.random() < 0.15
            at = len(d["nodes_treeids"])
            for key, v in (("treeids", tree), ("nodeids", here), ("featureids", 0 if leaf else r.randrange(width)), ("truenodeids", 0), ("falsenodeids", 0),
                           ("values", 0.0 if leaf else float(np.float32(r.choice([r.gauss(0, 1), r.randrange(4), 0.0, -0.0, 1e-42])))),
                           ("modes", "LEAF" if leaf else r.choice(modes))):
                d[f"nodes_{key}"].append(v)
            d["nodes_missing_value_tracks_true"].append(r.randrange(2) if tracks else 0)
            if leaf:
                for target in sorted(r.sample(range(targets), r.randrange(1, targets + 1))):
                    for key, v in (("treeids", tree), ("nodeids", here), ("ids", target), ("weights", float(np.float32(r.gauss(0, 1))))):
                        d[f"target_{key}"].append(v)
            else:
                yes, no = grow(depth - 1), grow(depth - 1)
                shared = shares and r.random() < 0.2  # a node below the other child: two parents, as exporters of category tests write it
                d["nodes_truenodeids"][at], d["nodes_falsenodeids"][at] = r.choice(no) if shared else yes[0], no[0]
                return [here] + yes + no
            return [here]
        nodes = grow(r.randrange(0, 5))
        names = dict(zip(nodes, r.sample(nodes, len(nodes))))  # numbers of nodes are names, not places
        for key in ("nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids", "target_nodeids"):
            trees = d["target_treeids" if key.startswith("target") else "nodes_treeids"]
            d[key] = [names.get(n, n) if t == tree else n for t, n in zip(trees, d[key])]
    return d


def walked(d, x, targets, number=np.float32):
    """Margins of one row: the lists taken literally."""
    index = {(t, n): i for i, (t, n) in enumerate(zip(d["nodes_treeids"], d["nodes_nodeids"]))}
    sums = [number(0)] * targets
    for tree in dict.fromkeys(d["nodes_treeids"]):
        i = d["nodes_treeids"].index(tree)
        while d["nodes_modes"][i] != "LEAF":
            v = number(x[d["nodes_featureids"][i]])
            yes = TESTS[d["nodes_modes"][i]](v, number(d["nodes_values"][i])) or (np.isnan(v) and d["nodes_missing_value_tracks_true"][i] == 1)
            i = index[tree, d["nodes_truenodeids" if yes else "nodes_falsenodeids"][i]]
        for t, n, k, w in zip(*(d[f"target_{key}"] for key in ("treeids", "nodeids", "ids", "weights"))):
            if t == tree and n == d["nodes_nodeids"][i]:
                sums[k] = number(sums[k] + number(w))
    return sums


def random_rows(r, d, width, count, number):
    near = [number(v) for v in d["nodes_values"]]
    near += [np.nextafter(v, number(9)) for v in near] + [np.nextafter(v, number(-9)) for v in near]
    odd = [np.nan, 1e39, -1e39, 0.0, -0.0, 1e-45, 3.4e38]  # 1e39 is infinite as a float
    return [[float(r.choice([r.gauss(0, 1), r.randrange(-1, 5), r.choice(odd), r.choice(near)])) for _ in range(width)] for _ in range(count)]


def ensembles(folder):
    for seed in range(60):
        r = random.Random(seed)
        number = r.choice([np.float32, np.float64])
        width, targets = r.randrange(1, 5), r.choice([1, 1, 1, 3])
        modes = r.choice([["BRANCH_LEQ"], ["BRANCH_LT"], ["BRANCH_GTE"], ["BRANCH_GT"], ["BRANCH_EQ", "BRANCH_NEQ"], MODES])
        d = random_trees(r, r.choice([1, 3, 20]), width, targets, modes, r.random() < 0.5, shares=r.random() < 0.3)
        lists = dict(d)
        if number is np.float64:
            lists["nodes_values_as_tensor"], lists["target_weights_as_tensor"] = (Tensor(lists.pop(k), DOUBLE) for k in ("nodes_values", "target_weights"))
        content = model([node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, n_targets=targets, **lists)],
                        [("X", DOUBLE if number is np.float64 else FLOAT, width)], [("Y", FLOAT, targets)])
        rows = random_rows(r, d, width, 80, number)
        got = scored(folder, content, rows)
        want = np.array([walked(d, row, targets, number) for row in rows])
        assert (got.astype(number) == want).all(), f"seed {seed}: row {np.argwhere(got.astype(number) != want)[0]}"
    return 60


# ---- chains ----

def chains(folder):
    """Names from inputs of one column, and steps that are exact."""
    joined = model([node("Concat", ["b", "a"], ["X"], axis=1), node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, **STUMP)], [("a", FLOAT, 1), ("b", FLOAT, 1)], Y)
    rows = [[0.0, 1.0], [1.0, 0.0]]
    assert (scored(folder, joined, rows, names=["a", "b"]) == [[-2.5], [1.0]]).all()
    assert (scored(folder, joined, rows, names=["b", "a"]) == [[1.0], [-2.5]]).all()
    x = [("X", FLOAT, 2)]
    steps = model([node("Imputer", ["X"], ["1"], domain=ML, imputed_value_floats=[0.5, -1.0], replaced_value_float=float("nan")),
                   node("Scaler", ["1"], ["2"], domain=ML, offset=[1.0, 2.0], scale=[2.0, 0.5]), node("Sub", ["two", "2"], ["3"]), node("Div", ["3", "two"], ["4"]),
                   node("Gather", ["4", "last"], ["5"], axis=1), node("Gemm", ["5", "W", "B"], ["6"], transB=1, alpha=2.0), node("Relu", ["6"], ["7"]),
                   node("MatMul", ["7", "V"], ["8"]), node("Add", ["8", "C"], ["9"]), node("Reshape", ["9", "form"], ["Y"])], x, Y,
                  constants={"two": Tensor([2.0]), "last": Tensor([1, 0], INT64), "W": Tensor([1.0, 0.5, -1.0, 2.0, 0.25, 0.0], shape=[3, 2]), "B": Tensor([1.0, 0.0, -4.0]),
                             "V": Tensor([1.0, -0.5, 3.0], shape=[3, 1]), "C": Tensor([0.125]), "form": Tensor([-1, 1], INT64)})

    def literally(a, b):
        a, b = (0.5 if np.isnan(a) else a, -1.0 if np.isnan(b) else b)
        a, b = ((2.0 - (a - 1.0) * 2.0) / 2.0, (2.0 - (b - 2.0) * 0.5) / 2.0)
        hidden = [max(0.0, 2.0 * (w[0] * b + w[1] * a) + c) for w, c in (((1.0, 0.5), 1.0), ((-1.0, 2.0), 0.0), ((0.25, 0.0), -4.0))]
        return hidden[0] - 0.5 * hidden[1] + 3.0 * hidden[2] + 0.125

    rows = [[1.0, 2.0], [-3.0, 0.5], [float("nan"), 8.0], [0.25, float("nan")], [-8.0, -16.0]]  # all of it is exact in floats
    assert (scored(folder, steps, rows)[:, 0] == [literally(*row) for row in rows]).all()
    nan, inf, three = float("nan"), float("inf"), [("X", FLOAT, 3)]
    greatest = model([node("Normalizer", ["X"], ["Y"], domain=ML, norm="MAX")], three, Y)
    found = scored(folder, greatest, [[1.0, -4.0, 2.0], [-1.0, -4.0, -2.0], [-1.0, 0.0, -2.0], [nan, 1.0, 2.0], [-1e39, -1.0, -2.0]])  # 1e39 is infinite as a float
    assert np.array_equal(found, [[0.5, -2.0, 1.0], [1.0, 4.0, 2.0], [-1.0, 0.0, -2.0], [nan, 0.5, 1.0], [inf, 1.0, 2.0]], equal_nan=True), found  # as ONNX Runtime
    other = model([node("Imputer", ["X"], ["Y"], domain=ML, imputed_value_floats=[0.5, 7.0, -3.0], replaced_value_float=-1.0)], three, Y)
    assert (scored(folder, other, [[-1.0, 1.0, -1.0], [2.0, -1.0, 0.0]]) == [[0.5, 1.0, -3.0], [2.0, 7.0, 0.0]]).all()
    names = model([node("LinearClassifier", ["X"], ["L", "P"], domain=ML, coefficients=[-1.0, 2.0, 1.0, -2.0], intercepts=[-0.5, 0.5], classlabels_ints=[0, 1], post_transform="LOGISTIC"),
                   node("Normalizer", ["P"], ["N"], domain=ML, norm="L1"), node("ZipMap", ["N"], ["Y"], domain=ML, classlabels_int64s=[0, 1])], x, [("L", INT64, 0), ("Y", FLOAT, "map")])
    assert (scored(folder, names, [[1.0, 0.25]]) == [[1.0]]).all()
    assert abs(scored(folder, names, [[1.0, 0.25]], raw=False)[0, 0] - 1 / (1 + np.exp(-1.0))) < 1e-7
    numbers = {k: [float(v) for v in values] for k, values in {"s": [2, 1, -1], "b": [0, 1, 2], "m": [1, 2, 3], "v": [3, 0, 8]}.items()}
    normed = model([node("MatMul", ["X", "W"], ["1"]), node("BatchNormalization", ["1", "s", "b", "m", "v"], ["2"], epsilon=1.0), node("Relu", ["2"], ["3"]),
                    node("MatMul", ["3", "V"], ["4"]), node("Squeeze", ["4", "ax"], ["Y"])], x, Y,
                   constants={k: Tensor(v) for k, v in numbers.items()} | {"W": Tensor([1.0, 0.5, -1.0, 2.0, 0.25, 4.0], shape=[2, 3]), "V": Tensor([1.0, -0.5, 3.0], shape=[3, 1]),
                                                                           "ax": Tensor([1], INT64)})

    def batch_normed(a, b):
        row = [1.0 * a + 2.0 * b, 0.5 * a + 0.25 * b, -1.0 * a + 4.0 * b]
        row = [max(0.0, (v - m) / np.sqrt(var + 1.0) * s + bias) for v, s, bias, m, var in zip(row, *(numbers[k] for k in "sbmv"))]
        return row[0] - 0.5 * row[1] + 3.0 * row[2]

    got = scored(folder, normed, rows[:2] + [[3.0, 7.5]])[:, 0]
    assert np.allclose(got, [batch_normed(*row) for row in rows[:2] + [[3.0, 7.5]]], rtol=1e-6), got
    times = model([node("Mul", ["X", "c"], ["Y"])], x, Y, constants={"c": Tensor([0.5, -2.0])})
    got = scored(folder, times, [[-0.0, 0.0], [0.0, -0.0], [-3.0, 0.25]])
    assert (got == [[0.0, 0.0], [0.0, 0.0], [-1.5, -0.5]]).all() and np.signbit(got).tolist() == [[True, True], [False, False], [True, True]], got  # -0 stays, as in ONNX Runtime
    return 6


class Parts:
    """Parts of a row as a ColumnTransformer has them: columns chosen, worked on by themselves and joined, parts of parts too; and the same in float32 by NumPy."""

    def __init__(self, seed):
        self.r, self.nodes, self.constants = random.Random(seed), [], {}
        self.width, self.named = self.r.randrange(2, 7), seed % 3 == 0
        self.rows = np.random.default_rng(seed).normal(size=(60, self.width)).astype(np.float32)
        self.rows[np.random.default_rng(seed + 1).random(self.rows.shape) < 0.15] = np.nan
        self.rows[::7] = np.round(self.rows[::7])
        self.used = []

    def name(self):
        return f"v{len(self.nodes)}"

    def add(self, op, inputs, domain="", **attributes):
        out = self.name()
        self.nodes.append(node(op, inputs, [out], domain=domain, **attributes))
        return out

    def constant(self, values, kind=FLOAT):
        name = f"c{len(self.constants)}"
        self.constants[name] = Tensor(list(values), kind)
        return name

    def work(self, name, x):
        for _ in range(self.r.randrange(4)):
            a, b = (np.array([self.r.choice([self.r.gauss(0, 1), 1.0, 0.5, -3.0]) for _ in range(x.shape[1])], np.float32) for _ in range(2))
            op = self.r.choice(["Scaler", "Imputer", "Mul", "Add", "Sub", "Div", "Identity"])
            floats = {"Scaler": {"offset": a.tolist(), "scale": b.tolist()}, "Imputer": {"imputed_value_floats": a.tolist(), "replaced_value_float": float("nan")}}
            if op in floats:
                name = self.add(op, [name], ML, **floats[op])
            else:
                name = self.add(op, [name] + [self.constant(b)] * (op != "Identity"))
            x = {"Scaler": (x - a) * b, "Imputer": np.where(np.isnan(x), a, x), "Mul": x * b, "Add": x + b, "Sub": x - b, "Div": x / b, "Identity": x}[op]
        return name, x

    def part(self, depth):
        if depth < 3 and self.r.random() < 0.3:
            parts = [self.part(depth + 1) for _ in range(self.r.randrange(1, 4))]
            return self.work(self.add("Concat", [name for name, _ in parts], axis=self.r.choice([1, -1])), np.hstack([x for _, x in parts]))
        columns = [self.r.randrange(self.width) for _ in range(self.r.randrange(1, 4))]
        if not self.named:
            op, index = self.r.choice([("Gather", "axis"), ("ArrayFeatureExtractor", None)]), self.constant(columns, INT64)
            return self.work(self.add(op[0], ["X", index], "" if op[1] else ML, **({"axis": 1} if op[1] else {})), self.rows[:, columns])
        columns = sorted(set(columns))
        self.used += columns
        name = f"a{columns[0]}" if len(columns) == 1 else self.add("Concat", [f"a{k}" for k in columns], axis=1)
        return self.work(name, self.rows[:, columns])


def parts(folder):
    for seed in range(90):
        p = Parts(seed)
        pieces = [p.part(1) for _ in range(p.r.randrange(2, 5))]
        name, x = p.work(p.add("Concat", [name for name, _ in pieces], axis=1), np.hstack([x for _, x in pieces]))
        d = random_trees(p.r, 5, x.shape[1], 1, ["BRANCH_LEQ", "BRANCH_LT"], True)
        for i, feature in enumerate(d["nodes_featureids"]):
            near = float(x[p.r.randrange(len(x)), feature])  # decided by the last bit
            d["nodes_values"][i] = near if np.isfinite(near) and d["nodes_modes"][i] != "LEAF" else d["nodes_values"][i]
        p.nodes.append(node("TreeEnsembleRegressor", [name], ["Y"], domain=ML, n_targets=1, **d))
        inputs = [(f"a{k}", FLOAT, 1) for k in range(p.width)] if p.named else [("X", FLOAT, p.width)]
        content = model(p.nodes, inputs, [("Y", FLOAT, 0)], constants=p.constants)
        got = scored(folder, content, p.rows.tolist(), names=[f"a{k}" for k in range(p.width)] if p.named else None).astype(np.float32)
        want = np.array([walked(d, row, 1) for row in x])
        assert (got == want).all(), (seed, np.argwhere(got != want)[:3])
    print("90 rows of parts that are scaled, imputed and joined, to the bit")
    part = [node("ArrayFeatureExtractor", ["X", "i"], ["a"], domain=ML), node("Scaler", ["a"], ["b"], domain=ML, offset=[0.5], scale=[2.0])]
    trees = node("TreeEnsembleRegressor", ["Z"], ["Y"], domain=ML, n_targets=1, **random_trees(random.Random(1), 1, 1, 1, ["BRANCH_LT"], True))
    constants, join, x = {"i": Tensor([0], INT64)}, node("Concat", ["b", "X"], ["Z"], axis=1), [("X", FLOAT, 2)]
    chain = [node("Concat", ["b", "X"], ["d0"], axis=1)] + [node("Concat", [f"d{k}", f"d{k}"], [f"d{k + 1}"], axis=1) for k in range(7)]
    steps = [node("Scaler", [f"s{k - 1}" if k else "b"], [f"s{k}"], domain=ML, offset=[0.5], scale=[2.0]) for k in range(1025)]
    for what, nodes, inputs in (
            ("axis: only columns are joined", [*part, node("Concat", ["b", "X"], ["Z"], axis=0)], x),
            ("only choices of columns, scalers and imputers", [*part[:1], node("Normalizer", ["a"], ["b"], domain=ML, norm="L1"), join], x),
            ("only choices of columns, scalers and imputers", [*part[:1], node("MatMul", ["a", "w"], ["b"]), join], x),
            ("imputer of another value than NaN", [*part[:1], node("Imputer", ["a"], ["b"], domain=ML, imputed_value_floats=[0.5], replaced_value_float=2.0), join], x),
            ("not supported", [*part[:1], node("OneHotEncoder", ["a"], ["b"], domain=ML), join], x),
            ("floats and doubles", [*part, node("Cast", ["b"], ["e"], to=11), node("Concat", ["e", "X"], ["Z"], axis=1)], x),
            ("nothing says how many columns", [*part, join], [("X", FLOAT, 0)]), ("no tensor of numbers", [*part, join], [("X", STRING, 2)]),
            ("columns of floats and of doubles", [node("Identity", ["p"], ["b"]), node("Concat", ["b", "q"], ["Z"], axis=1)], [("p", FLOAT, 1), ("q", DOUBLE, 1)]),
            ("one has not one column", [node("Identity", ["p"], ["b"]), node("Concat", ["b", "q"], ["Z"], axis=1)], [("p", FLOAT, 1), ("q", FLOAT, 2)]),
            ("parts of parts, 8 deep", [*part, *chain, node("Concat", ["d7", "X"], ["Z"], axis=1)], x),
            ("at most 65536", [*part, node("Concat", ["b"] + ["X"] * 40000, ["Z"], axis=1)], x),
            ("have 1026 steps together", [*part, *steps, node("Concat", ["s1024", "X"], ["Z"], axis=1)], x),
            ("nodes together", [*part, node("Concat", ["b"] * 9000, ["Z"], axis=1)], x)):
        refused(folder, model([*nodes, trees], inputs, [("Y", FLOAT, 0)], constants=constants | {"w": Tensor([1.0], FLOAT, [1, 1])}), what)
    print("14 kinds of parts refused by name")


def votes(folder):
    """Several models in one graph: a Sum of answers times weights, a ReduceMean over answers one behind the other."""
    for seed in range(24):
        r = random.Random(seed)
        targets, count, is_bag = r.choice([1, 3]), r.randrange(2, 6), seed % 3 == 0
        weights = [r.random() + 0.1 for _ in range(count)]
        weights = [float(np.float32(w / sum(weights))) for w in weights]
        lists = [random_trees(r, 3, 4, targets, ["BRANCH_LEQ"], True) for _ in range(count)]
        nodes, terms, constants = [], [], {"form": Tensor([1, -1, targets], INT64), "axis": Tensor([0], INT64)}
        for k, d in enumerate(lists):
            nodes.append(node("TreeEnsembleRegressor", ["X"], [f"y{k}"], domain=ML, n_targets=targets, **d))
            constants[f"w{k}"] = Tensor([weights[k]])
            nodes.append(node("Reshape", [f"y{k}", "form"], [f"t{k}"]) if is_bag else node("Mul", r.sample([f"y{k}", f"w{k}"], 2), [f"t{k}"]))
            if not is_bag and r.random() < 0.5:
                nodes.append(node("Flatten", [f"t{k}"], [f"f{k}"]))
                terms.append(f"f{k}")
            else:
                terms.append(f"t{k}")
        nodes += [node("Concat", terms, ["all"], axis=0), node("ReduceMean", ["all", "axis"], ["Y"], keepdims=0)] if is_bag else [node("Sum", terms, ["s"]), node("Identity", ["s"], ["Y"])]
        content = model(nodes, [("X", FLOAT, 4)], [("Y", FLOAT, 0)], constants=constants)
        rows = [[r.gauss(0, 1) for _ in range(4)] for _ in range(30)]
        shares = [1.0] * count if is_bag else weights
        want = [sum(w * np.array(walked(d, row, targets), float) for w, d in zip(shares, lists)) / sum(shares) for row in rows]
        assert np.allclose(scored(folder, content, rows), want, rtol=1e-12, atol=1e-12), seed
    pair = [node("TreeEnsembleRegressor", ["X"], [f"y{k}"], domain=ML, n_targets=1, **random_trees(random.Random(k), 2, 2, 1, ["BRANCH_LT"], True)) for k in range(2)]
    times, x = [node("Mul", [f"y{k}", "w"], [f"t{k}"]) for k in range(2)], [("X", FLOAT, 2)]
    for what, more, half in (("add up to 2", [node("Sum", ["y0", "y1"], ["Y"])], 0.5), ("add up to 1.4", [*times, node("Sum", ["t0", "t1"], ["Y"])], 0.7),
                             ("one number above 0", [*times, node("Sum", ["t0", "t1"], ["Y"])], -0.5),
                             ("only a chain is read", [*times, node("Sum", ["t0", "t1"], ["s"]), node("Mul", ["s", "w"], ["u"]), node("Mul", ["y0", "w"], ["v"]),
                                                       node("Sum", ["u", "v"], ["Y"])], 0.5),
                             ("that a Concat put", [node("ReduceMean", ["y0"], ["Y"])], 0.5),
                             ("models are averaged, not columns", [node("Concat", ["y0", "y1"], ["c"], axis=1), node("ReduceMean", ["c"], ["Y"])], 0.5),
                             ("only answers of models", [node("Concat", ["y0", "y1"], ["c"], axis=0), node("ReduceMean", ["c", "zero"], ["Y"], keepdims=0)], 0.5),
                             ("an answer times a constant", [node("Mul", ["y0", "y1"], ["p"]), node("Sum", ["p", "y1"], ["Y"])], 0.5),
                             ("an answer times a constant", [node("Mul", ["w", "w"], ["p"]), node("Sum", ["p", "y1"], ["Y"])], 0.5),
                             ("(Cast): only to float", [*times, node("Cast", ["t1"], ["i"], to=7), node("Cast", ["i"], ["f"], to=1), node("Sum", ["t0", "f"], ["Y"])], 0.5),
                             ("(Cast): only to float", [*times, node("Sum", ["t0", "t1"], ["s"]), node("Cast", ["s"], ["i"], to=7), node("Cast", ["i"], ["Y"], to=1)], 0.5),
                             ("(Reshape): shape: a row", [*times, node("Sum", ["t0", "t1"], ["s"]), node("Reshape", ["s", "flip"], ["Y"])], 0.5),
                             ("(Flatten): axis: a row", [*times, node("Flatten", ["t0"], ["f"], axis=0), node("Sum", ["f", "t1"], ["Y"])], 0.5),
                             ("of [rows] and of [rows, 1]", [*times, node("Squeeze", ["y0", "one"], ["q"]), node("Mul", ["q", "w"], ["u"]), node("Sum", ["u", "t1"], ["Y"])], 0.5)):
        refused(folder, model([*pair, *more], x, [("Y", FLOAT, 0)], constants={"w": Tensor([half]), "zero": Tensor([0], INT64), "one": Tensor([1], INT64),
                                                                               "flip": Tensor([1, -1], INT64)}), what)
    blocks = [node("Reshape", [f"y{k}", "form"], [f"b{k}"]) for k in range(2)] + [node("Concat", ["b0", "b1"], ["c"], axis=0)]
    for what, form, axis, more, mean in (("axes: [0] was expected", [1, -1, 1], [2], ["axis"], {}), ("axes: [0] was expected", [1, -1, 1], [0, 1], ["axis"], {}),
                                         ("axes: [0] was expected", [1, -1, 1], [0], [], {}), ("axes: [0] was expected", [1, -1, 1], [0], [], {"axes": [1]}),
                                         ("keepdims: 0", [1, -1, 1], [0], ["axis"], {"keepdims": 1}), ("keepdims: 0", [1, -1, 1], [0], [], {"axes": [0], "keepdims": None}),
                                         ("shape: [1, -1, 1]", [-1, 1, 1], [0], ["axis"], {}), ("shape: [1, -1, 1]", [1, 1, -1], [0], ["axis"], {}),
                                         ("shape: [1, -1, 1]", [1, -1], [0], ["axis"], {}), ("shape: [1, -1, 1]", [1, -1, 2], [0], ["axis"], {})):
        refused(folder, model([*pair, *blocks, node("ReduceMean", ["c", *more], ["Y"], **({"keepdims": 0} | mean))], x, [("Y", FLOAT, 0)],
                              constants={"form": Tensor(form, INT64), "axis": Tensor(axis, INT64)}), what)
    bag = model([*pair, *blocks, node("ReduceMean", ["c"], ["Y"], axes=[0], keepdims=0)], x, [("Y", FLOAT, 0)], constants={"form": Tensor([1, -1, 1], INT64)})
    sums = model([*pair, *times, node("Sum", ["t0", "t1"], ["Y"])], x, [("Y", FLOAT, 0)], constants={"w": Tensor([0.5])})
    assert (scored(folder, bag, [[0.5, -1.0], [-0.5, 2.0]]) == scored(folder, sums, [[0.5, -1.0], [-0.5, 2.0]])).all()
    good = model([*pair, *times, node("Sum", ["t0", "t1"], ["Y"])], x, [("Y", FLOAT, 0)], constants={"w": Tensor([0.5])})
    (folder / "votes.onnx").write_bytes(good)
    refused(folder, b"ensemble: 1\nmembers: [{model: votes.onnx}]\n", "one was expected")
    for name in ("voting", "bag"):
        done = subprocess.run([RIDE, "model", "check", TOP / f"tests/golden/onnx/{name}.onnx", "--golden", TOP / f"tests/golden/onnx/{name}.csv", "--bound", "2e-6"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return 24 + 8 + 2 + 8 + 11


def scores_of_two(folder):
    """[1 - p, p], joined by hand: the model has p, and what follows takes two columns."""
    start = [node("Gemm", ["X", "W"], ["1"]), node("Sigmoid", ["1"], ["p"]), node("Sub", ["one", "p"], ["q"])]

    def pair(*behind, nodes=None, axis=1):
        return model((nodes or start) + [node("Concat", ["q", "p"], ["2"], axis=axis), *behind], X, Y,
                     constants={"W": Tensor([1.0], shape=[1, 1]), "one": Tensor([1.0]), "first": Tensor([0], INT64), "second": Tensor([1], INT64),
                                "wide": Tensor([-1, 2], INT64), "narrow": Tensor([-1, 1], INT64)})
    second, l1 = node("Gather", ["3", "second"], ["Y"], axis=1), node("Normalizer", ["2"], ["3"], domain=ML, norm="L1")
    p = 1 / (1 + np.exp(-0.75))
    for content in (pair(node("Gather", ["2", "second"], ["Y"], axis=1)), pair(l1, second), pair(node("Reshape", ["2", "wide"], ["3"]), second, axis=-1)):
        assert abs(scored(folder, content, [[0.75]], raw=False)[0, 0] - p) < 1e-7
    no_score = [node("Gemm", ["X", "W"], ["p"]), node("Sub", ["one", "p"], ["q"])]
    cases = [(pair(node("Gather", ["2", "first"], ["Y"], axis=1)), "only the second can be chosen"),
             (pair(node("Reshape", ["2", "narrow"], ["Y"])), "would not stay a row"),
             (pair(node("Identity", ["2"], ["Y"]), axis=0), "axis: only columns are joined"),
             (pair(node("Normalizer", ["2"], ["Y"], domain=ML, norm="L1"), nodes=no_score), "not normalised here")]
    for content, what in cases:
        refused(folder, content, what)
    return len(cases) + 3


def far_members(folder):
    """Sets that ONNX Runtime truncates to whole numbers, where a float has none between two of them. Expected: its rule, taken literally."""
    members = [float(-(2**25)), -(2.0**24) - 2, -(2.0**24), -3.0, 0.0, 2.0**25]
    content = five(nodes_modes=Tensor([6], UINT8), membership_values=Tensor(members + [float("nan")]))
    near = [np.float32(m) for m in members] + [np.float32(-2.5), np.float32(0.5)]
    rows = [[float(v)] for m in near for v in (m, np.nextafter(m, np.float32(np.inf)), np.nextafter(m, np.float32(-np.inf)))]
    assert (scored(folder, content, rows)[:, 0] == [1.0 if np.trunc(row[0]) in members else -2.5 for row in rows]).all()
    return 1


# ---- bounds ----

def forest(tests, leaf):
    """Lists of one tree: tests (mode, input, value, yes, no), then one leaf of that number."""
    column = list(zip(*tests))
    return {"n_targets": 1, "nodes_treeids": [0] * (len(tests) + 1), "nodes_nodeids": list(range(len(tests) + 1)), "nodes_modes": [*column[0], "LEAF"],
            "nodes_featureids": [*column[1], 0], "nodes_values": [*column[2], 0.0], "nodes_truenodeids": [*column[3], 0], "nodes_falsenodeids": [*column[4], 0],
            "target_treeids": [0], "target_nodeids": [leaf], "target_ids": [0], "target_weights": [1.0]}


def bounds(folder):
    """Work grows with the file and no faster."""
    levels, decided = 11, 300  # 2^11 paths, each through 300 tests that it has decided: 10 million steps, in a file of 20 KB
    tests = [("BRANCH_LEQ", k, 0.0, k + 1, k + 1) for k in range(levels)]
    tests += [("BRANCH_LEQ", 0, 0.0, k + 1, k + 1) for k in range(levels, levels + decided)]
    tests += [("BRANCH_EQ", levels, 1.0, len(tests) + 1, len(tests) + 1)]  # a test of one cut by itself is not looked at so
    content = model([node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, **forest(tests, len(tests)))], [("X", FLOAT, levels + 1)], Y)
    refused(folder, content, "steps until every test is one threshold")
    many = 1000  # a chain of == on one input is as long as before
    chain = five(nodes_featureids=[0] * many, nodes_modes=Tensor([4] * many, UINT8), nodes_splits=Tensor([float(k) for k in range(many)]), nodes_truenodeids=[0] * many,
                 nodes_trueleafs=[1] * many, nodes_falsenodeids=[*range(1, many), 1], nodes_falseleafs=[0] * (many - 1) + [1])
    assert (scored(folder, chain, [[0.0], [999.0], [998.5], [-1.0]])[:, 0] == [1.0, 1.0, -2.5, -2.5]).all()
    names = [f"c{k}" for k in range(3000)]
    wide = [node("Concat", names[::-1], ["X"], axis=1), node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, **STUMP)]
    row = [1.0] * 2999 + [0.0]
    assert (scored(folder, model(wide, [(name, FLOAT, 1) for name in names], Y), [row, row[::-1]], names=names) == [[1.0], [-2.5]]).all()
    given = [node("Other", [], [f"d{k * 64 + i:06}" for i in range(64)]) for k in range(900)] + [node("Identity", [f"c{k:06}"], [f"c{k + 1:06}"]) for k in range(1000)]
    line = node("LinearRegressor", ["X"], ["c000000"], domain=ML, coefficients=[1.0])
    begun = sum(os.times()[2:4])
    refused(folder, model([*given, line, node("Sum", ["c001000"] * 64, ["Y"])], X, Y), "more than 8192 nodes together")  # names are looked up, not compared with all
    joins = [node("Concat", [f"c{k}" for k in range(60000)], ["J"], axis=1), *(node("LinearRegressor", ["J"], [f"y{k}"], domain=ML, coefficients=[1.0] * 60000) for k in range(20))]
    halves = [node("Mul", [f"y{k}", "w"], [f"t{k}"]) for k in range(20)] + [node("Sum", [f"t{k}" for k in range(20)], ["Y"])]
    refused(folder, model([*joins, *halves], [(f"c{k}", FLOAT, 1) for k in range(60000)], Y, constants={"w": Tensor([0.05])}), "more than 1048576 inputs together")
    again = [node("Identity", ["c0"], ["i"]), node("Concat", ["i", *(f"c{k}" for k in range(60000))], ["J"], axis=1), node("Concat", ["J"] * 8000, ["K"], axis=1)]
    refused(folder, model([*again, node("LinearRegressor", ["K"], ["Y"], domain=ML, coefficients=[1.0])], [(f"c{k}", FLOAT, 1) for k in range(60000)], Y), "it joins 120002 columns or more")
    assert sum(os.times()[2:4]) - begun < 20  # CPU of the programs
    refused(folder, model([node("Concat", ["a"] * 65537, ["X"], axis=1), wide[1]], [("a", FLOAT, 1)], Y), "node 0 (Concat): more than 65536 inputs")
    refused(folder, model([node("Identity", ["X"], ["Y"] * 65)], X, Y), "node 0 (Identity): more than 64 outputs")
    return 8


# ---- refusals ----

STUMP = {"n_targets": 1, "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
         "nodes_values": [0.5, 0.0, 0.0], "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0], "target_treeids": [0, 0], "target_nodeids": [1, 2],
         "target_ids": [0, 0], "target_weights": [1.0, -2.5]}
CLASSES = {k.replace("target_", "class_"): v for k, v in STUMP.items() if k != "n_targets"} | {"classlabels_int64s": [0, 1]}
FIVE = {"n_targets": 1, "tree_roots": [0], "nodes_featureids": [0], "nodes_truenodeids": [0], "nodes_trueleafs": [1], "nodes_falsenodeids": [1], "nodes_falseleafs": [1],
        "nodes_modes": Tensor([0], UINT8), "nodes_splits": Tensor([0.5]), "leaf_targetids": [0, 0], "leaf_weights": Tensor([1.0, -2.5])}
X, Y = [("X", FLOAT, 1)], [("Y", FLOAT, 1)]


def stump(inputs=None, outputs=None, **change):
    return model([node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, name="trees", **(STUMP | change))], inputs or X, outputs or Y)


def five(**change):
    return model([node("TreeEnsemble", ["X"], ["Y"], domain=ML, **(FIVE | change))], X, Y, opset_ml=5)


def classes(**change):
    return model([node("TreeEnsembleClassifier", ["X"], ["L", "Y"], domain=ML, **(CLASSES | change))], X, [("L", INT64, 0), ("Y", FLOAT, 2)])


def refusals(folder):
    good = stump()
    assert (scored(folder, good, [[0.5], [0.6]]) == [[1.0], [-2.5]]).all()
    assert (scored(folder, five(), [[0.5], [0.6]]) == [[1.0], [-2.5]]).all()
    cases = [
        (stump(nodes_treeids=[0, 0]), "nodes_nodeids: 3 entries for 2 nodes"),
        (stump(nodes_nodeids=[0, 1, 1]), "two nodes 1"),
        (stump(nodes_nodeids=[0, 1, 7]), "a child that is not there"),
        (stump(nodes_treeids=[0, 1, 0], nodes_nodeids=[0, 0, 1]), "do not stand together"),
        (stump(nodes_truenodeids=[0, 0, 0]), "reached twice"),
        (stump(nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"], nodes_falsenodeids=[2, 2, 0]), "reached twice"),
        (stump(nodes_featureids=[1, 0, 0]), "input that the model has not"),
        (stump(nodes_featureids=[-1, 0, 0]), "nodes_featureids: -1"),
        (stump(nodes_modes=["BRANCH_MAYBE", "LEAF", "LEAF"]), "`BRANCH_MAYBE` is not known"),
        (stump(nodes_values=[float("nan"), 0.0, 0.0]), "threshold that is no number"),
        (stump(target_weights=[1.0, float("inf")]), "finite"),
        (stump(target_weights=[1.0]), "lists of weights differ"),
        (stump(target_nodeids=[1, 1]), "leaf without a weight"),
        (stump(target_ids=[0, 1]), "target or class 1 of 1"),
        (stump(target_nodeids=[1, 9]), "which is not there"),
        (stump(target_treeids=[0, 0, 0], target_nodeids=[1, 2, 2], target_ids=[0, 0, 0], target_weights=[1.0, 2.0, 3.0]), "two weights for one output"),
        (stump(n_targets=0), "n_targets"),
        (stump(n_targets=10**9), "n_targets"),
        (stump(base_values=[1.0, 2.0]), "base_values: 2 for 1"),
        (stump(base_values=[float("inf")]), "base_values: inf"),
        (stump(aggregate_function="MOST"), "aggregate_function: not known"),
        (stump(post_transform="SIGMOID"), "post_transform: not known"),
        (stump(nodes_missing_value_tracks_true=[1]), "nodes_missing_value_tracks_true: 1 entries"),
        (stump(nodes_values=None, nodes_values_as_tensor=Tensor([0.5, 0.0, 0.0], DOUBLE)), "where the input is a tensor of floats"),
        (stump(nodes_values=None, nodes_values_as_tensor=Tensor([0.5, 0.0, 0.0], shape=[4])), "its shape says 4 numbers"),
        (stump(inputs=[("X", STRING, 1)]), "no tensor of numbers"),
        (stump(inputs=[("Z", FLOAT, 1)]), "nothing gives `X`"),
        (stump(outputs=[("Y", INT64, 1)]), "no output of scores"),
        (stump(outputs=[("Y", FLOAT, 1), ("Z", FLOAT, 1)]), "two outputs of scores, `Y` and `Z`"),
        (five(tree_roots=[1]), "tree_roots: 1"),
        (five(tree_roots=[0, 0]), "tree_roots: 0"),
        (five(nodes_trueleafs=[0]), "reached twice"),
        (five(nodes_falsenodeids=[2]), "a child that is not there"),
        (five(nodes_modes=Tensor([7], UINT8)), "nodes_modes: 7"),
        (five(nodes_modes=Tensor([6], UINT8)), "without membership_values"),
        (five(membership_values=Tensor([1.0])), "more sets than tests"),
        (five(leaf_targetids=[0, 1]), "no target 1"),
        (five(leaf_targetids=[0]), "leaf_targetids: 1 entries"),
        (five(post_transform=1), "the other way round"),
        (five(nodes_modes=Tensor([6], UINT8), membership_values=Tensor([0.5, 40.0])), "0.5 among many members"),
        (stump(n_targets=2, base_values=[1.0, 2.0]), "a base value for target 1"),
        (stump(n_targets=2, aggregate_function="MAX"), "a leaf without a weight for each output"),
        (stump(aggregate_function="AVERAGE", base_values=[1.0]), "behind an average"),
        (five(nodes_splits=Tensor([float("nan")])), "threshold that is no number"),
        (classes(base_values=[1.0, 2.0]), "two base_values for two classes"),
        (classes(class_ids=[0, 1]), "without a weight for the second class"),
        (classes(classlabels_int64s=None), "0 class labels"),
        (model([node("Scan", ["X"], ["Y"], name="loop")], X, Y), "node 0 `loop` (Scan): this operator is not supported"),
        (model([node("Add", ["X", "Z"], ["Y"])], X + [("Z", FLOAT, 1)], Y), "it joins `X` and `Z`"),
        (model([node("Identity", ["Y"], ["Y"])], X, Y), "a cycle"),
        (model([node("Identity", ["X"], ["Y"])], X, Y), "there is no model in it"),
        (model([node("Relu", ["X"], ["Y"])], X, Y), "does not follow a layer"),
        (model([node("BatchNormalization", ["X", "s", "s", "s", "v"], ["Y"])], X, Y, constants={"s": Tensor([1.0]), "v": Tensor([-2.0])}), "a variance that is not above 0"),
        (model([node("BatchNormalization", ["X", "s", "s", "s", "s"], ["Y"])], X, Y, constants={"s": Tensor([1.0, 2.0])}), "another length than the row"),
        (model([node("Squeeze", ["X"], ["Y"])], [("X", FLOAT, 2)], Y), "would not stay a row"),
        (model([node("Reshape", ["X", "f"], ["Y"])], [("X", FLOAT, 2)], Y, constants={"f": Tensor([-1], INT64)}), "would not stay a row"),
        (model([node("Gemm", ["X", "W"], ["Y"])], [("X", FLOAT, 2)], Y, constants={"W": Tensor([1.0], shape=[1, 1])}), "weights of another shape"),
        (model([node("Gemm", ["X", "W"], ["Y"])], [("X", FLOAT, 0)], Y, constants={"W": Tensor([float("nan")] * 2, shape=[2, 1])}), "not finite"),
        (model([node("Normalizer", ["X"], ["Y"], domain=ML, norm="L3")], X, Y), "norm: not known"),
        (model([node("Imputer", ["X"], ["Y"], domain=ML, imputed_value_floats=[0.5], replaced_value_float=float("inf"))], X, Y), "replaced_value_float"),
        (model([node("Scaler", ["X"], ["Y"], domain=ML, offset=[1.0, 2.0], scale=[1.0, 2.0])], X, Y), "2 numbers for 1 columns"),
        (model([node("LinearRegressor", ["X"], ["Y"], domain=ML, coefficients=[1.0, 2.0])], X, Y), "coefficients: 2 for 1 rows"),
        (b"\x08\x09", "without a graph"),
        (good[:-3], "seems cut short" if len(good) else ""),
        (good[:40], "cut short"),
    ]
    for content, what in cases:
        refused(folder, content, what)
    return len(cases)


# ---- the onnx project's own cases ----

def numbers(x):
    return [[float("nan") if v is None else v for v in row] for row in x]


def case_model(cases, case):
    d = cases["regressor"]
    leaf = d["leaf"]
    lists = {k: d[k] for k in d if k.startswith(("nodes_", "target_")) and k != "target_weights_unique"}
    lists["nodes_modes"] = ["LEAF" if is_leaf else case["rule"] for is_leaf in leaf]
    if case["weights"] == "unique":
        lists["target_weights"] = d["target_weights_unique"]
    return model([node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, n_targets=1, aggregate_function=case["aggregate"], **lists)], [("X", FLOAT, 3)], [("Y", FLOAT, 1)])


def v5_model(case):
    modes = ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER"]
    lists = {k: case[k] for k in case if k.startswith("nodes_") and k not in ("nodes_modes", "nodes_splits")}
    lists |= {"tree_roots": case["tree_roots"], "leaf_targetids": case["leaf_targetids"], "n_targets": case["n_targets"],
              "nodes_modes": Tensor([modes.index(m) for m in case["nodes_modes"]], UINT8), "leaf_weights": Tensor(case["leaf_weights"], DOUBLE),
              "nodes_splits": Tensor([float("nan") if v is None else v for v in case["nodes_splits"]], DOUBLE)}
    if "membership" in case:
        lists["membership_values"] = Tensor([v for m in case["membership"] for v in m + [float("nan")]], DOUBLE)
    width = len(case["x"][0])
    return model([node("TreeEnsemble", ["X"], ["Y"], domain=ML, aggregate_function=1, **lists)], [("X", DOUBLE, width)], [("Y", DOUBLE, 0)], opset_ml=5)


def shared(folder):
    cases = json.loads(CASES.read_text())
    for case in cases["regressor_cases"]:
        got = scored(folder, case_model(cases, case), numbers(case["x"]), raw=case["aggregate"] != "AVERAGE")
        assert [f"{v:.6f}" for v in got[:, 0]] == [f"{v:.6f}" for v in case["expected"]], f"{case}: {got}"
    for case in cases["tree_ensemble_v5"]:
        got = scored(folder, v5_model(case), numbers(case["x"]))
        assert (got == np.array(case["expected"])).all(), f"{case['source']}: {got}"
    return len(cases["regressor_cases"]) + len(cases["tree_ensemble_v5"])


def large_members(folder):
    """So many members that a bit for each number would be no waste, and some beyond the codes that a set may have. What ONNX Runtime 1.32 says is the same."""
    members = [float(v) for v in range(262300)] + [2.0**24 - 1, 2.0**24, 2.0**24 + 1, 2.0**24 + 64]
    five = {"n_targets": 1, "tree_roots": [0], "nodes_featureids": [0], "nodes_truenodeids": [0], "nodes_trueleafs": [1], "nodes_falsenodeids": [1],
            "nodes_falseleafs": [1], "nodes_modes": Tensor([6], UINT8), "nodes_splits": Tensor([0.0], DOUBLE), "leaf_targetids": [0, 0],
            "leaf_weights": Tensor([1.0, 2.0], DOUBLE), "membership_values": Tensor(members + [float("nan")], DOUBLE)}
    rows = [[float(v)] for v in (-1, 0, 1, 262299, 262300, 2**24 - 2, 2**24 - 1, 2**24, 2**24 + 1, 2**24 + 2, 2**24 + 63, 2**24 + 64, 2**24 + 65, 2**25)]
    got = scored(folder, model([node("TreeEnsemble", ["X"], ["Y"], domain=ML, aggregate_function=1, **five)], [("X", DOUBLE, 1)], [("Y", DOUBLE, 0)], opset_ml=5), rows)
    known = set(members)
    assert [v for v, in got] == [1.0 if x in known else 2.0 for x, in rows], got
    return len(rows)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(f"{ensembles(folder)} random ensembles: the margins of the lists taken literally, to the bit")
        print(f"{chains(folder)} chains of steps")
        parts(folder)
        print(f"{votes(folder)} graphs of several models, good and refused")
        print(f"{scores_of_two(folder) + far_members(folder)} files of two joined classes, and of members far below 0")
        print(f"{bounds(folder)} bounds of the work that a file can ask for")
        print(f"{refusals(folder)} files refused by name")
        print(f"{large_members(folder)} numbers looked for among members beyond 2^24")
        print(f"{shared(folder)} cases of the onnx project" if CASES.exists() else f"the onnx project's cases are not here: no {CASES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
