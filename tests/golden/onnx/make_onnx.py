#!/usr/bin/env python3
"""Writes NAME.onnx and NAME.csv here: rows, and what ONNX Runtime gives for them with one thread: margins (the model without its post_transform) and answers.

    python -m venv v && v/bin/pip install onnxruntime==1.32.0 onnx==1.23.2 skl2onnx==1.20.0 onnxmltools==1.16.0 scikit-learn==1.9.1 lightgbm==4.7.0 xgboost==3.0.5
    v/bin/python tests/golden/onnx/make_onnx.py

Of two classes the second alone is written: that is what RIDE's model gives. Where no margin is written the answers are of a network, good to a bound."""
import random
import sys
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import onnxruntime
import xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, ExtraTreesRegressor, GradientBoostingClassifier, GradientBoostingRegressor, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "support"), str(HERE.parents[1] / "integration")]
from onnx_file import DOUBLE, FLOAT, UINT8, Tensor, model, node  # noqa: E402
from test_onnx import MODES, random_trees  # noqa: E402

warnings.filterwarnings("ignore")
ROWS = 50
FLOATS = [("X", FloatTensorType([None, 4]))]
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = OPTIONS.inter_op_num_threads = 1
OPTIONS.log_severity_level = 3


def run(content, rows):
    session = onnxruntime.InferenceSession(content, OPTIONS, providers=["CPUExecutionProvider"])
    one = session.get_inputs()[0]
    x = rows.astype(np.float64 if one.type == "tensor(double)" else np.float32)
    out = session.run(None, {one.name: x})[-1]
    if isinstance(out, list):  # ZipMap
        out = [list(classes.values()) for classes in out]
    out = np.asarray(out).reshape(len(rows), -1).astype(float)
    return out[:, 1:] if len(session.get_outputs()) == 2 and out.shape[1] == 2 else out


def without_transform(content):
    proto = onnx.load_from_string(content)
    for n in proto.graph.node:
        for a in n.attribute:
            if a.name == "post_transform" and n.op_type.startswith("Tree"):
                a.s = b"NONE"
    return proto.SerializeToString()


def write(name, content, rows, margins=True):
    content = content if isinstance(content, bytes) else content.SerializeToString()
    (HERE / f"{name}.onnx").write_bytes(content)
    answers = run(content, rows)
    raw = run(without_transform(content), rows) if margins else np.zeros((len(rows), 0))
    head = [f"x{k}" for k in range(rows.shape[1])] + [f"margin{k}" for k in range(raw.shape[1])] + [f"answer{k}" for k in range(answers.shape[1])]
    with open(HERE / f"{name}.csv", "w", encoding="ascii") as out:
        out.write(",".join(head) + "\n")
        for row in np.hstack([rows.astype(np.float64), raw, answers]):
            out.write(",".join("" if np.isnan(v) else f"{v:.17g}" for v in row) + "\n")


def trained(x, y, y3, rows):
    """By scikit-learn, LightGBM and XGBoost, through their exporters."""
    plain = {"options": {"zipmap": False}}
    write("forest", to_onnx(RandomForestClassifier(9, max_depth=5, random_state=1).fit(x, y), x[:1], **plain), rows)
    write("forest3", to_onnx(RandomForestClassifier(5, max_depth=4, random_state=1).fit(x, y3), x[:1], **plain), rows)
    write("extra2", to_onnx(ExtraTreesRegressor(5, max_depth=4, random_state=1).fit(x, x[:, :2]), x[:1]), rows)
    write("boosted", to_onnx(GradientBoostingClassifier(n_estimators=15, random_state=1).fit(x, y), x[:1], **plain), rows)
    write("boosted3", to_onnx(GradientBoostingClassifier(n_estimators=4, random_state=1).fit(x, y3), x[:1], **plain), rows)
    write("boosted_number", to_onnx(GradientBoostingRegressor(n_estimators=15, random_state=1).fit(x, x[:, 0] * x[:, 1]), x[:1]), rows)
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 9, "min_data_per_group": 1, "cat_smooth": 1, "max_cat_to_onehot": 2, "seed": 1}
    data = lightgbm.Dataset(x.astype(float), y, categorical_feature=[3])
    write("lightgbm", convert_lightgbm(lightgbm.train(parameters, data, 8), initial_types=FLOATS, zipmap=False), rows)
    write("xgboost", convert_xgboost(xgboost.XGBClassifier(n_estimators=8, max_depth=4, random_state=1, n_jobs=1).fit(x, y), initial_types=FLOATS), rows)
    full = np.nan_to_num(rows)
    write("logistic", to_onnx(LogisticRegression().fit(x, y), x[:1]), full, margins=False)
    write("logistic3", to_onnx(LogisticRegression().fit(x, y3), x[:1], **plain), full, margins=False)
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), Normalizer(), LogisticRegression())
    write("pipeline", to_onnx(pipeline.fit(x, y), x[:1], **plain), rows, margins=False)
    write("ridge", to_onnx(make_pipeline(MinMaxScaler(), Ridge()).fit(x, x[:, 0] + x[:, 3]), x[:1]), full, margins=False)
    scaled = make_pipeline(SimpleImputer(), StandardScaler(), RandomForestClassifier(5, max_depth=4, random_state=1))
    write("scaled_forest", to_onnx(scaled.fit(x, y), x[:1], **plain), rows)
    columns = ColumnTransformer([("a", StandardScaler(), [2, 0]), ("b", make_pipeline(SimpleImputer(), MinMaxScaler()), [1])], remainder="passthrough")
    write("columns_forest", to_onnx(make_pipeline(columns, RandomForestClassifier(5, max_depth=4, random_state=1)).fit(x, y), x[:1], **plain), rows)
    write("columns", to_onnx(make_pipeline(columns, LogisticRegression()).fit(x, y), x[:1], **plain), full, margins=False)
    votes = VotingClassifier([("a", LogisticRegression()), ("b", RandomForestClassifier(5, max_depth=3, random_state=1))], voting="soft", weights=np.array([1, 3]), flatten_transform=False)
    write("voting", to_onnx(votes.fit(x, y), x[:1], **plain), full, margins=False)
    write("bag", to_onnx(BaggingClassifier(LogisticRegression(), 3, random_state=1).fit(x, y), x[:1], **plain), full, margins=False)
    write("mlp", to_onnx(make_pipeline(StandardScaler(), MLPClassifier((9, 5), max_iter=60, random_state=1)).fit(x, y), x[:1], **plain), full, margins=False)
    write("mlp3", to_onnx(MLPClassifier((6,), activation="logistic", max_iter=60, random_state=1).fit(x, y3), x[:1], **plain), full, margins=False)
    write("mlp_number", to_onnx(MLPRegressor(hidden_layer_sizes=(7, 6, 5, 4), activation="tanh", max_iter=60, random_state=1).fit(x, x[:, 0]), x[:1]), full, margins=False)


def made(rows):
    """What no trainer writes, by hand: comparisons, tracks, aggregates, members, links."""
    for name, change, trees in [("rules", {}, 8), ("least", {"aggregate_function": "MIN", "base_values": [0.25]}, 6), ("greatest", {"aggregate_function": "MAX"}, 6),
                                ("average", {"aggregate_function": "AVERAGE"}, 7), ("probit", {"post_transform": "PROBIT", "base_values": [0.5]}, 1)]:
        r = random.Random(len(name))
        d = random_trees(r, trees, 4, 1, MODES, True, shares=True)
        if name == "probit":
            d["target_weights"] = [r.random() - 0.5 for _ in d["target_weights"]]
        write(name, model([node("TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", n_targets=1, **(d | change))], [("X", FLOAT, 4)], [("Y", FLOAT, 0)]), rows)
    r = random.Random(5)
    d = random_trees(r, 6, 4, 3, MODES, True)
    for name, transform in (("zero3", "SOFTMAX_ZERO"), ("logistic_trees3", "LOGISTIC")):
        write(name, model([node("TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", n_targets=3, post_transform=transform, **d)], [("X", FLOAT, 4)], [("Y", FLOAT, 0)]), rows)
    d["nodes_values_as_tensor"], d["target_weights_as_tensor"] = Tensor(d.pop("nodes_values"), DOUBLE), Tensor([w / 3 for w in d.pop("target_weights")], DOUBLE)
    write("doubles3", model([node("TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", n_targets=3, **d)], [("X", DOUBLE, 4)], [("Y", FLOAT, 0)]), rows)
    five = {"n_targets": 3, "tree_roots": [0, 3], "nodes_featureids": [3, 3, 0, 3], "nodes_truenodeids": [1, 0, 2, 5], "nodes_trueleafs": [0, 1, 1, 1],
            "nodes_falsenodeids": [2, 1, 3, 6], "nodes_falseleafs": [0, 1, 1, 1], "nodes_modes": Tensor([6, 6, 5, 6], UINT8), "nodes_splits": Tensor([0.0, 0.0, 1.5, 0.0], DOUBLE),
            "nodes_missing_value_tracks_true": [0, 1, 0, 1], "leaf_targetids": [0, 1, 2, 0, 1, 2, 1], "leaf_weights": Tensor([0.1, 0.2, 0.3, 0.7, -1.0, 1 / 3, 5.0], DOUBLE),
            "membership_values": Tensor([v for m in ([1, 2, 3, 7, 9.5], [2, 3, 40], list(range(0, 60, 7))) for v in [float(i) for i in m] + [float("nan")]], DOUBLE)}
    write("members3", model([node("TreeEnsemble", ["X"], ["Y"], domain="ai.onnx.ml", aggregate_function=1, **five)], [("X", DOUBLE, 4)], [("Y", DOUBLE, 0)], opset_ml=5), rows)


def main():
    chance = np.random.default_rng(3)
    x = np.column_stack([chance.normal(size=600), chance.gamma(2, 1, 600), chance.normal(size=600), chance.integers(0, 12, 600)]).astype(np.float32)
    truth = x[:, 0] + (x[:, 3] % 3 == 1) + chance.random(600)
    rows = x[:ROWS].copy()
    rows[chance.random(rows.shape) < 0.08] = np.nan
    rows[chance.random(rows.shape) < 0.05] = 2.0
    rows[:5, 3] = [0.0, -0.0, 1.5, 7.0, 40.0]
    trained(x, (truth > 1).astype(int), np.digitize(truth, [0.4, 1.3]), rows)
    made(rows)


if __name__ == "__main__":
    main()
