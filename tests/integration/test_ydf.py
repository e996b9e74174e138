#!/usr/bin/env python3
"""Models of a trainer whose files RIDE does not read (Yggdrasil Decision Forests, dumps among the shared data), written as treelite checkpoints: tests of `>=` and of
categories, missing values, an isolation forest. The expected scores are printed ones, or another library's, so they agree to a tolerance: a check from outside."""
import csv
import gzip
import io
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/support"))
from treelite_file import checkpoint  # noqa: E402

RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
SHARED = Path(os.environ.get("RIDE_SHARED_DIR", TOP.parent / "shared")) / "data/models"
EULER = 0.5772156649015329
NUMERICAL, CATEGORICAL, GREATER_EQUAL = 1, 2, 5


def path_length(rows):
    """Mean depth of an unsuccessful search among so many rows, as scikit-learn has it."""
    return 0.0 if rows < 2 else 1.0 if rows == 2 else 2.0 * (math.log(rows - 1.0) + EULER) - 2.0 * (rows - 1.0) / rows


def tree_of(nodes, is_isolation):
    depth = [0] * len(nodes)
    for i, node in enumerate(nodes):
        for child in (node.get("neg"), node.get("pos")):
            if child is not None:
                depth[child] = depth[i] + 1
    inner = ["f" in node for node in nodes]
    pick = lambda make, other: [make(node) if is_inner else other for node, is_inner in zip(nodes, inner)]  # noqa: E731
    tree = {"num_nodes": len(nodes), "node_type": pick(lambda n: CATEGORICAL if "in" in n else NUMERICAL, 0), "cleft": pick(lambda n: n["pos"], -1),
            "cright": pick(lambda n: n["neg"], -1), "split_index": pick(lambda n: n["f"], -1), "default_left": pick(lambda n: n["na"], 0),
            "threshold": pick(lambda n: n.get("ge", 0.0), 0.0), "cmp": pick(lambda n: 0 if "in" in n else GREATER_EQUAL, 0), "category_list_right_child": [0] * len(nodes),
            "leaf_vector_begin": [0] * len(nodes), "leaf_vector_end": [0] * len(nodes)}
    tree["leaf_value"] = [0.0 if is_inner else d + path_length(n["n"]) if is_isolation else n["leaf"] for n, d, is_inner in zip(nodes, depth, inner)]
    categories, begin, end = [], [], []
    for node in nodes:
        begin.append(len(categories))
        categories += node.get("in", [])
        end.append(len(categories))
    return tree | {"category_list": categories, "category_list_begin": begin, "category_list_end": end, "has_categorical_split": int(bool(categories))}


def checkpoint_of(model):
    is_isolation = "isolation" in model["kind"]
    trees = [tree_of(nodes, is_isolation) for nodes in model["trees"]]
    head = {"types": (3, 3), "num_tree": len(trees), "num_feature": len(model["columns"]), "target_id": [0] * len(trees), "class_id": [0] * len(trees)}
    if is_isolation:
        head |= {"average_tree_output": 1, "postprocessor": "exponential_standard_ratio", "ratio_c": path_length(model["num_examples_per_tree"])}
    else:
        head |= {"base_scores": [model["initial_prediction"]], "postprocessor": "sigmoid" if "binary" in model["kind"] else "identity"}
    return checkpoint(*trees, **head)


def rows_of(model, text):
    """Columns in the model's order, categories as codes; empty is missing, what is not in the vocabulary 0."""
    out = [",".join(f"x{k}" for k in range(len(model["columns"])))]
    for row in csv.DictReader(io.StringIO(text)):
        cells = []
        for column in model["columns"]:
            cell = row.get(column["name"], "")
            if cell != "" and column["type"] == "NUMERICAL":
                cell = repr(struct.unpack("f", struct.pack("f", float(cell)))[0])  # they are floats there
            elif cell != "":
                cell = str(column["vocab"].get(cell, 0))
            cells.append(cell)
        out.append(",".join(cells))
    return "\n".join(out) + "\n"


def check(name, tolerance, scratch):
    read = lambda file: gzip.decompress((SHARED / name / file).read_bytes()).decode()  # noqa: E731
    model = json.loads(read("model.json.gz"))
    (scratch / "model").write_bytes(checkpoint_of(model))
    (scratch / "rows.csv").write_text(rows_of(model, read("inputs.csv.gz")))
    done = subprocess.run([RIDE, "score", "--model", scratch / "model", "--input", scratch / "rows.csv", "--output", "-"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = [float(line.split(",")[-1]) for line in read("expected.csv.gz").split() if line[0].isdigit()]
    got = [float(line) for line in done.stdout.split()]
    assert len(got) == len(expected)
    worst = max(abs(a - b) for a, b in zip(got, expected))
    assert worst <= tolerance, f"{name}: {worst}"
    print(f"{name}: {len(got)} rows within {worst:.2g}")


def main():
    if not SHARED.is_dir():
        print(f"the shared models are not here: no {SHARED}")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        check("ydf-adult-gbdt", 1e-6, Path(scratch))
        check("ydf-abalone-gbdt", 6e-5, Path(scratch))
        check("ydf-gaussians-isolation-forest", 1e-7, Path(scratch))
    return 0


if __name__ == "__main__":
    sys.exit(main())
