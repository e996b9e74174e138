#!/usr/bin/env python3
"""`ride score` and `ride model check` over treelite checkpoints that are written here: each comparison, NaN, lists of categories, leaf vectors; and what is
wrong is refused by name."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/support"))
from treelite_file import checkpoint  # noqa: E402

RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
CATEGORIES = {"node_type": [2, 0, 0], "cmp": [0, 0, 0], "category_list": [7, 2, 2], "category_list_end": [3, 0, 0], "default_left": [0, 0, 0]}
VECTORS = {"leaf_vector": [0.25, 0.75, 0.5, 0.5], "leaf_vector_begin": [0, 0, 2], "leaf_vector_end": [0, 2, 4]}
TWO = {"num_class": [2], "base_scores": [0.0, 0.0], "class_id": [-1], "leaf_vector_shape": [1, 2]}


def scored(folder, content, rows, *options):
    (folder / "m").write_bytes(content)
    (folder / "rows.csv").write_text("a,b\n" + "".join(f"{row},0\n" for row in rows))
    done = subprocess.run([RIDE, "score", "--model", folder / "m", "--input", folder / "rows.csv", "--output", "-", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [float(line) for line in done.stdout.split()]


def scores(folder):
    below, at, above, missing = "0.49999997", "0.5", "0.50000006", ""
    for op, want in {1: (-2.5, 1, -2.5, 1), 2: (1, -2.5, -2.5, 1), 3: (1, 1, -2.5, 1), 4: (-2.5, -2.5, 1, 1), 5: (-2.5, 1, 1, 1)}.items():
        for left in (1, 0):
            tree = {"cmp": [op, 0, 0], "default_left": [left, 0, 0]}
            expected = list(want[:3]) + [1 if left else -2.5]
            for types in ((2, 2), (3, 3)):
                assert scored(folder, checkpoint(tree, types=types), [below, at, above, missing]) == expected, f"operator {op}"
    rows = ["2", "7", "3", "-0.5", "2.9", "1e9", "-2", ""]
    assert scored(folder, checkpoint(CATEGORIES), rows) == [1, 1, -2.5, -2.5, 1, -2.5, -2.5, -2.5]
    assert scored(folder, checkpoint(CATEGORIES | {"category_list_right_child": [1, 0, 0]}), rows) == [-2.5, -2.5, 1, 1, -2.5, 1, 1, -2.5]
    assert scored(folder, checkpoint(VECTORS, **TWO), ["0", "1"]) == [0.75, 0.5]
    assert scored(folder, checkpoint({}, {}, num_tree=2, target_id=[0, 0], class_id=[0, 0], average_tree_output=1), ["0", "1"]) == [1, -2.5]
    assert scored(folder, checkpoint(base_scores=[0.25]), ["0", "1"], "--raw") == [1.25, -2.25]
    assert scored(folder, checkpoint(types=(3, 3), postprocessor="exponential_standard_ratio", ratio_c=2.5), ["1"]) == [2.0]


def refusals(folder):
    cases = [
        (checkpoint(version=(3, 9, 0)), "a checkpoint of treelite 3.9.0"), (checkpoint(version=(5, 0, 0)), "a checkpoint of treelite 5.0.0"),
        (checkpoint(types=(2, 3)), "other types"), (checkpoint(types=(1, 1)), "other types"),
        (checkpoint(num_tree=2), "num_tree: 2"), (checkpoint(num_tree=10**12), "num_tree"), (checkpoint(num_feature=0), "num_feature: 0"),
        (checkpoint(num_feature=2**31 - 1), "num_feature"), (checkpoint(num_target=2), "num_target: 2"), (checkpoint(num_class=[0]), "num_class: 0"),
        (checkpoint(num_class=[3]), "base_scores: 1 for 3"), (checkpoint(postprocessor="kink"), "`kink` is not supported"),
        (checkpoint(postprocessor="signed_square"), "not supported for floats"), (checkpoint(postprocessor="sigmoid", sigmoid_alpha=2.0), "with its factor"),
        (checkpoint(types=(3, 3), postprocessor="sigmoid", sigmoid_alpha=-1.0), "sigmoid_alpha or ratio_c: -1"),
        (checkpoint(base_scores=[float("nan")]), "base_scores: nan"), (checkpoint(optional=1), "later treelite"), (checkpoint(target_id=[1]), "target_id or class_id"),
        (checkpoint(class_id=[-2]), "target_id or class_id"), (checkpoint(average_tree_output=1, base_scores=[1.0]), "average with base scores"),
        (checkpoint({"num_nodes": 4}), "num_nodes is 4"), (checkpoint({"num_nodes": -1}), "num_nodes is -1"), (checkpoint({"cleft": [0, -1, -1]}), "reached twice"),
        (checkpoint({"cleft": [2, -1, -1]}), "reached twice"), (checkpoint({"cleft": [3, -1, -1]}), "a child that is not there"),
        (checkpoint({"cright": [-1, -1, -1]}), "a child that is not there"), (checkpoint({"split_index": [2, 0, 0]}), "names no feature"),
        (checkpoint({"split_index": [-1, 0, 0]}), "names no feature"), (checkpoint({"threshold": [float("nan"), 0.0, 0.0]}), "threshold that is no number"),
        (checkpoint({"leaf_value": [0.0, float("inf"), 0.0]}), "finite"), (checkpoint({"cmp": [6, 0, 0]}), "not known"), (checkpoint({"cmp": [0, 0, 0]}), "not known"),
        (checkpoint({"node_type": [3, 0, 0]}), "not known"), (checkpoint(CATEGORIES | {"category_list_end": [4, 0, 0]}), "list of categories that is not there"),
        (checkpoint(CATEGORIES | {"category_list": [7, 2, 2**24]}), "beyond 2^24"), (checkpoint(VECTORS), "another length"),
        (checkpoint(VECTORS | {"leaf_vector_end": [0, 2, 5]}, **TWO), "leaf vector that is not there"),
        (checkpoint({"sum_hess": [-1.0] * 3, "sum_hess_present": [1] * 3}), "count of rows"), (checkpoint() + b"x", "behind the last tree"),
        (checkpoint()[:-1], "cut short"), (checkpoint()[:60], "cut short"),
    ]
    for content, what in cases:
        (folder / "bad").write_bytes(content)
        done = subprocess.run([RIDE, "model", "check", folder / "bad"], capture_output=True, text=True, check=False)
        assert done.returncode == 65 and what in done.stderr, f"{what}: exit {done.returncode}, {done.stderr}"
    return len(cases)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        scores(Path(scratch))
        print(f"{refusals(Path(scratch))} checkpoints refused by name")
    return 0


if __name__ == "__main__":
    sys.exit(main())
