#!/usr/bin/env python3
"""Random models of one format, trained, exported or made up here, scored by `ride score` and by who the format is of: margins to the bit, answers within 2 ulp,
networks within a bound. See formats.sh.

    formats.py onnx|treelite|xgboost [COUNT [FIRST_SEED]]"""
import os
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/support"), str(TOP / "tests/integration")]
from onnx_file import DOUBLE, FLOAT, UINT8, Tensor, model, node  # noqa: E402
from test_onnx import MODES, random_trees  # noqa: E402

RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
ML, INPUTS, ROWS = "ai.onnx.ml", 4, 150
NETWORK_BOUND = 5e-6
ODD = [0.0, -0.0, np.nan, 1e38, -1e38, 1e-45, 1.5, -0.5, 2.0, 7.0, 1e9]


class Case:
    """What RIDE must give. margins: None where they are not compared; bound: of answers, in ulp of `number`, or absolute for a network."""

    def __init__(self, content, rows, answers, margins=None, number=np.float32, ulps=2, network=False):
        self.content, self.rows, self.number, self.ulps, self.network = content, rows, number, ulps, network
        self.absolute = 0.0
        self.answers, self.margins = (None if t is None else np.asarray(t, dtype=float).reshape(len(rows), -1) for t in (answers, margins))


# ---- data ----

def table(r, chance, missing=True):
    x = chance.normal(size=(r.choice([200, 600]), INPUTS))
    x[:, 1] = chance.gamma(2, 1, len(x))
    x[:, 3] = chance.integers(0, r.choice([3, 12, 40]), len(x))
    truth = x[:, 0] + (x[:, 3] % 3 == 1) + x[:, 1] * chance.random(len(x))
    if missing:
        x[chance.random(x.shape) < 0.1] = np.nan
        x[:, 3] = np.nan_to_num(x[:, 3])
    x = x.astype(np.float32).astype(float)
    rows = x[chance.integers(0, len(x), ROWS)].copy()
    for _ in range(ROWS // 2):
        rows[r.randrange(ROWS), r.randrange(INPUTS)] = r.choice(ODD)
    if not missing:
        rows = np.nan_to_num(rows)
    return x, truth, rows.astype(np.float32).astype(float)


# ---- ONNX ----

def onnx_run(content, rows):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    one = session.get_inputs()[0]
    out = session.run(None, {one.name: rows.astype(np.float64 if one.type == "tensor(double)" else np.float32)})[-1]
    out = np.asarray(out, dtype=float).reshape(len(rows), -1)
    return out[:, 1:] if len(session.get_outputs()) == 2 and out.shape[1] == 2 else out


def without_transform(content):
    import onnx
    proto = onnx.load_from_string(content)
    for n in proto.graph.node:
        for a in n.attribute:
            if a.name == "post_transform" and n.op_type.startswith("Tree"):
                a.s = b"NONE"
    return proto.SerializeToString()


def of_onnx(content, rows, **how):
    content = content if isinstance(content, bytes) else content.SerializeToString()
    absolute = 2.0**-23 if b"LOGISTIC" in content else 0.0  # 1 - p, in floats
    margins = None if how.get("network") or how.pop("mean", False) else onnx_run(without_transform(content), rows)
    case = Case(content, rows, onnx_run(content, rows), margins, **how)
    case.absolute = absolute
    return case


def onnx_sklearn(r, chance, seed):
    from skl2onnx import to_onnx
    from sklearn import ensemble, tree
    x, truth, rows = table(r, chance, missing=False)
    depth, count = r.choice([1, 3, 6, None]), r.choice([1, 5, 30])
    kind = r.choice(["DecisionTree", "RandomForest", "ExtraTrees", "GradientBoosting"])
    where = tree if kind == "DecisionTree" else ensemble
    arguments = {"random_state": seed, "max_depth": depth} | ({} if kind == "DecisionTree" else {"n_estimators": count})
    if r.random() < 0.4:
        y = truth if kind == "GradientBoosting" or r.random() < 0.5 else np.column_stack([truth, x[:, 0], -truth])
        return of_onnx(to_onnx(getattr(where, kind + "Regressor")(**arguments).fit(x, y), x[:1].astype(np.float32)), rows)
    y = np.digitize(truth, [1.0] if r.random() < 0.6 else [0.4, 1.3])
    fitted = getattr(where, kind + "Classifier")(**arguments).fit(x, y)
    return of_onnx(to_onnx(fitted, x[:1].astype(np.float32), options={"zipmap": False}), rows)


def onnx_boosted(r, chance, seed):
    import lightgbm
    import xgboost
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    x, truth, rows = table(r, chance)
    y, types = r.choice([truth, (truth > 1).astype(int), np.digitize(truth, [0.4, 1.3])]), [("X", FloatTensorType([None, INPUTS]))]
    classes = 0 if y.dtype == float else len(set(y))
    if r.random() < 0.5:
        kind = xgboost.XGBClassifier if classes else xgboost.XGBRegressor
        fitted = kind(n_estimators=r.choice([1, 10, 40]), max_depth=r.choice([1, 4, 7]), random_state=seed, n_jobs=1, base_score=r.choice([None, 0.3])).fit(x, y)
        return of_onnx(convert_xgboost(fitted, initial_types=types), rows)
    p = {"verbose": -1, "num_threads": 1, "seed": seed, "num_leaves": r.choice([2, 7, 31]), "min_data_in_leaf": 3, "min_data_per_group": 1, "cat_smooth": 1, "max_cat_to_onehot": 2}
    p |= {"objective": {0: "regression", 2: "binary", 3: "multiclass"}[classes]} | ({"num_class": 3} if classes == 3 else {})
    data = lightgbm.Dataset(x, y, categorical_feature=r.choice([[], [3]]))
    rows[:, 3] = np.abs(np.nan_to_num(np.trunc(rows[:, 3] % 50)))  # the exporter's tests of categories are of whole numbers
    return of_onnx(convert_lightgbm(lightgbm.train(p, data, r.choice([1, 6, 15])), initial_types=types, zipmap=False), rows)


def onnx_rows(r, d, chance):
    rows = table(r, chance)[2]
    for value in r.sample(d["nodes_values"], min(20, len(d["nodes_values"]))):
        at = r.randrange(ROWS), r.randrange(INPUTS)
        rows[at] = r.choice([value, np.nextafter(np.float32(value), np.float32(9)), np.nextafter(np.float32(value), np.float32(-9))])
    return rows


def onnx_lists(r, chance, _seed):
    """TreeEnsembleRegressor as no trainer writes it."""
    targets, doubles = r.choice([1, 1, 3]), r.random() < 0.3
    d = random_trees(r, r.choice([1, 4, 30]), INPUTS, targets, r.choice([[m] for m in MODES] + [MODES]), r.random() < 0.5, shares=r.random() < 0.3)
    rows, more = onnx_rows(r, d, chance), {"aggregate_function": r.choice(["SUM", "SUM", "AVERAGE", "MIN", "MAX"] if targets == 1 else ["SUM", "AVERAGE"])}
    if targets > 1:  # a tree that gives to each target, so that base values are never left out
        d["nodes_treeids"].append(99)
        for key, value in (("nodeids", 0), ("featureids", 0), ("truenodeids", 0), ("falsenodeids", 0), ("values", 0.0), ("modes", "LEAF"), ("missing_value_tracks_true", 0)):
            d[f"nodes_{key}"].append(value)
        for key, values in (("treeids", [99] * 3), ("nodeids", [0] * 3), ("ids", [0, 1, 2]), ("weights", [0.5, -0.25, 0.125])):
            d[f"target_{key}"] += values
    if r.random() < 0.5 and more["aggregate_function"] != "AVERAGE":
        more["base_values"] = [float(np.float32(r.gauss(0, 1))) for _ in range(targets)]
    if targets > 1:
        more["post_transform"] = r.choice(["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
    if doubles:
        d["nodes_values_as_tensor"], d["target_weights_as_tensor"] = Tensor(d.pop("nodes_values"), DOUBLE), Tensor([w / 3 for w in d.pop("target_weights")], DOUBLE)
        if "base_values" in more:
            more["base_values_as_tensor"] = Tensor(more.pop("base_values"), DOUBLE)
    content = model([node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, n_targets=targets, **d, **more)], [("X", DOUBLE if doubles else FLOAT, INPUTS)], [("Y", FLOAT, 0)])
    return of_onnx(content, rows, mean=more["aggregate_function"] == "AVERAGE")


def onnx_classes(r, chance, _seed):
    classes, doubles = r.choice([2, 2, 2, 3, 5]), r.random() < 0.2
    used = r.choice([1, 2]) if classes == 2 else classes
    d = random_trees(r, r.choice([1, 4, 20]), INPUTS, used, ["BRANCH_LEQ"], r.random() < 0.5)
    rows, only = onnx_rows(r, d, chance), r.randrange(2)
    lists = {k.replace("target_", "class_"): v for k, v in d.items()}
    if classes == 2 and used == 1:
        lists["class_ids"] = [only] * len(lists["class_ids"])
    if classes == 2 and used == 2:  # one tree that is certain to have the second class
        for key, values in (("treeids", [99, 99, 99]), ("nodeids", [0, 1, 2]), ("featureids", [0, 0, 0]), ("truenodeids", [1, 0, 0]), ("falsenodeids", [2, 0, 0]),
                            ("values", [0.5, 0.0, 0.0]), ("modes", ["BRANCH_LEQ", "LEAF", "LEAF"]), ("missing_value_tracks_true", [0, 0, 0])):
            lists[f"nodes_{key}"] = lists[f"nodes_{key}"] + values
        for key, values in (("treeids", [99] * 4), ("nodeids", [1, 1, 2, 2]), ("ids", [0, 1, 0, 1]), ("weights", [0.25, -0.5, 1.0, 2.0])):
            lists[f"class_{key}"] = lists[f"class_{key}"] + values
    if r.random() < 0.3:
        lists["class_weights"] = [abs(w) for w in lists["class_weights"]]
    if r.random() < 0.4:
        lists["base_values"] = [float(np.float32(r.gauss(0, 1))) for _ in range(1 if classes == 2 else classes)]
    transform = r.choice(["NONE", "LOGISTIC", "SOFTMAX"])
    if doubles:
        lists["nodes_values_as_tensor"], lists["class_weights_as_tensor"] = Tensor(lists.pop("nodes_values"), DOUBLE), Tensor([w / 3 for w in lists.pop("class_weights")], DOUBLE)
        if "base_values" in lists:
            lists["base_values_as_tensor"] = Tensor(lists.pop("base_values"), DOUBLE)
    content = model([node("TreeEnsembleClassifier", ["X"], ["L", "P"], domain=ML, post_transform=transform, classlabels_int64s=list(range(classes)), **lists)],
                    [("X", DOUBLE if doubles else FLOAT, INPUTS)], [("L", 7, 0), ("P", FLOAT, classes)])
    if classes == 2 and transform == "SOFTMAX" and (used == 2 or only == 1):  # both outputs, of which onnx_run would keep one
        return Case(content, rows, two(content, rows), two(without_transform(content), rows))
    return of_onnx(content, rows)


def two(content, rows):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"X": rows.astype(np.float64 if session.get_inputs()[0].type == "tensor(double)" else np.float32)})[-1]


def onnx_columns(r, chance, seed):
    """Parts of the row by themselves, as a ColumnTransformer is exported."""
    from skl2onnx import to_onnx
    from sklearn import compose, ensemble, impute, linear_model, pipeline, preprocessing
    x, truth, rows = table(r, chance, missing=False)
    rows = np.clip(np.nan_to_num(rows), -1e3, 1e3)
    columns, parts = r.sample(range(INPUTS), INPUTS), []
    while columns and len(parts) < 3:
        taken, columns = columns[:r.randrange(1, 3)], columns[len(parts) + 1:]
        steps = r.sample([preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.RobustScaler(), impute.SimpleImputer()], r.randrange(1, 3))
        parts.append((f"p{len(parts)}", pipeline.make_pipeline(*steps) if len(steps) > 1 or r.random() < 0.5 else steps[0], taken))
    columns = compose.ColumnTransformer(parts, remainder=r.choice(["drop", "passthrough"]))
    last = r.choice([ensemble.RandomForestClassifier(5, max_depth=4, random_state=seed), ensemble.GradientBoostingClassifier(n_estimators=5, random_state=seed),
                     linear_model.LogisticRegression()])
    trained = pipeline.make_pipeline(columns, last).fit(x, (truth > 1).astype(int))
    return of_onnx(to_onnx(trained, x[:1].astype(np.float32), options={"zipmap": False}), rows, network=isinstance(last, linear_model.LogisticRegression))


def onnx_votes(r, chance, seed):
    """Several models in one graph."""
    from skl2onnx import to_onnx
    from sklearn import ensemble, linear_model, tree
    x, truth, rows = table(r, chance, missing=False)
    rows = np.clip(np.nan_to_num(rows), -50, 50)
    classes = [linear_model.LogisticRegression(), ensemble.RandomForestClassifier(4, max_depth=4, random_state=seed), tree.DecisionTreeClassifier(max_depth=3, random_state=seed)]
    numbers = [linear_model.Ridge(), ensemble.RandomForestRegressor(4, max_depth=4, random_state=seed), tree.DecisionTreeRegressor(max_depth=3, random_state=seed)]
    is_number, y = r.random() < 0.3, np.digitize(truth, [1.0] if r.random() < 0.6 else [0.4, 1.3])
    named = [(f"m{k}", one) for k, one in enumerate(r.sample(numbers if is_number else classes, r.randrange(2, 4)))]
    weights = np.array([r.choice([0.5, 1, 3]) for _ in named])
    model = r.choice([ensemble.VotingRegressor(named, weights=weights)] if is_number else
                     [ensemble.VotingClassifier(named, voting="soft", weights=weights, flatten_transform=False), ensemble.BaggingClassifier(named[0][1], 3, random_state=seed)])
    return of_onnx(to_onnx(model.fit(x, truth if is_number else y), x[:1].astype(np.float32), options=None if is_number else {"zipmap": False}), rows, network=True)


def onnx_five(r, chance, _seed):
    """TreeEnsemble of ai.onnx.ml 5 from random trees, some of whose tests become tests of members."""
    doubles, targets = r.random() < 0.5, r.choice([1, 3])
    kind = DOUBLE if doubles else FLOAT
    d = random_trees(r, r.choice([1, 4, 12]), INPUTS, targets, MODES, r.random() < 0.5)
    tests, leaves, roots = [i for i, m in enumerate(d["nodes_modes"]) if m != "LEAF"], [], []
    if not tests:
        return None
    place, index = {i: k for k, i in enumerate(tests)}, {(t, n): i for i, (t, n) in enumerate(zip(d["nodes_treeids"], d["nodes_nodeids"]))}
    five = {f"nodes_{k}": [] for k in ("truenodeids", "trueleafs", "falsenodeids", "falseleafs", "featureids", "missing_value_tracks_true")}
    modes, splits, members = [], [], []
    for tree in dict.fromkeys(d["nodes_treeids"]):
        if d["nodes_treeids"].index(tree) in place:
            roots.append(place[d["nodes_treeids"].index(tree)])
    for i in tests:
        for side in ("true", "false"):
            child = index[d["nodes_treeids"][i], d[f"nodes_{side}nodeids"][i]]
            five[f"nodes_{side}leafs"].append(0 if child in place else 1)
            five[f"nodes_{side}nodeids"].append(place.get(child, len(leaves)))
            if child not in place:
                leaves.append((r.randrange(targets), float(np.float32(r.gauss(0, 1)))))
        five["nodes_featureids"].append(d["nodes_featureids"][i])
        five["nodes_missing_value_tracks_true"].append(d["nodes_missing_value_tracks_true"][i])
        member = r.random() < 0.4
        modes.append(6 if member else MODES.index(d["nodes_modes"][i]))
        splits.append(0.0 if member else d["nodes_values"][i])
        if member:
            members += [float(v) for v in r.choice([r.sample(range(40), r.randrange(1, 30)), [0.5, 2.0], [r.randrange(1, 20)], list(range(3, 9))])] + [float("nan")]
    five |= {"tree_roots": roots, "nodes_modes": Tensor(modes, UINT8), "nodes_splits": Tensor(splits, kind), "leaf_targetids": [t for t, _ in leaves],
             "leaf_weights": Tensor([w for _, w in leaves], kind)}
    if members:
        five["membership_values"] = Tensor(members, kind)
    rows = onnx_rows(r, d, chance)
    rows[rows[:, 3] != np.trunc(rows[:, 3]), 3] = 3.0
    transform = r.choice([0, 0, 3])  # SOFTMAX_ZERO goes through floats
    content = model([node("TreeEnsemble", ["X"], ["Y"], domain=ML, n_targets=targets, aggregate_function=r.choice([1, 1, 0]), post_transform=transform, **five)],
                    [("X", kind, INPUTS)], [("Y", kind, 0)], opset_ml=5)
    return of_onnx(content, rows, mean=True, number=np.float64 if doubles and transform == 0 else np.float32)


def onnx_chain(r, chance, seed):
    from skl2onnx import to_onnx
    from sklearn import ensemble, linear_model, neural_network, pipeline, preprocessing
    from sklearn.impute import SimpleImputer
    x, truth, rows = table(r, chance)
    y = np.digitize(truth, [1.0] if r.random() < 0.6 else [0.4, 1.3])
    rows = np.clip(rows, -50, 50)  # weights times what is huge say nothing about a bound
    steps = [SimpleImputer(strategy=r.choice(["mean", "median"]))]
    steps += r.sample([preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.MaxAbsScaler(), preprocessing.RobustScaler(), preprocessing.Normalizer(r.choice(["l1", "l2"]))],
                      r.randrange(1, 4))
    layers = tuple(r.randrange(2, 12) for _ in range(r.randrange(1, 6)))
    network = {"hidden_layer_sizes": layers, "activation": r.choice(["relu", "tanh", "logistic"]), "max_iter": 20, "random_state": seed}
    last = r.choice([linear_model.LogisticRegression(), linear_model.SGDClassifier(loss="log_loss", random_state=seed), neural_network.MLPClassifier(**network),
                     linear_model.Ridge(), neural_network.MLPRegressor(**network), ensemble.RandomForestClassifier(5, max_depth=4, random_state=seed)])
    if isinstance(last, linear_model.SGDClassifier):
        y = (truth > 1).astype(int)
    fitted = pipeline.make_pipeline(*steps, last).fit(x, y if hasattr(last, "predict_proba") else truth)
    options = {"options": {"zipmap": False}} if hasattr(last, "predict_proba") else {}
    content = to_onnx(fitted, x[:1].astype(np.float32), **options)
    exact = isinstance(last, ensemble.RandomForestClassifier) and not any(isinstance(s, preprocessing.Normalizer) for s in steps)
    return of_onnx(content, rows) if exact else None if isinstance(last, ensemble.RandomForestClassifier) else of_onnx(content, rows, network=True)


# ---- treelite ----

def treelite_any(r, chance, seed):
    import lightgbm
    import treelite
    import xgboost
    from sklearn import ensemble
    x, truth, rows = table(r, chance)
    y = r.choice([truth, (truth > 1).astype(int), np.digitize(truth, [0.4, 1.3])])
    classes = 0 if y.dtype == float else len(set(y))
    trainer = r.choice(["sklearn", "lightgbm", "xgboost"])
    if trainer == "sklearn":
        kind = r.choice(["RandomForest", "ExtraTrees", "GradientBoosting", "IsolationForest"])
        arguments = {"random_state": seed, "n_estimators": r.choice([1, 8])} | ({} if kind == "IsolationForest" else {"max_depth": r.choice([2, 5])})
        estimator = getattr(ensemble, kind if kind == "IsolationForest" else kind + ("Classifier" if classes else "Regressor"))(**arguments)
        imported = treelite.sklearn.import_model(estimator.fit(np.nan_to_num(x), y))
    elif trainer == "lightgbm":
        p = {"verbose": -1, "num_threads": 1, "seed": seed, "num_leaves": r.choice([2, 7, 31]), "min_data_in_leaf": 3, "min_data_per_group": 1, "cat_smooth": 1,
             "boosting": r.choice(["gbdt", "dart"])}
        p["objective"] = {0: r.choice(["regression", "huber"]), 2: "binary", 3: r.choice(["multiclass", "multiclassova"])}[classes]
        p |= {"num_class": 3} if classes == 3 else {}
        imported = treelite.frontend.from_lightgbm(lightgbm.train(p, lightgbm.Dataset(x, y, categorical_feature=r.choice([[], [3]])), r.choice([1, 6, 15])))
    else:
        p = {"max_depth": r.choice([1, 4, 7]), "nthread": 1, "seed": seed, "base_score": 0.5, "tree_method": "hist"}
        p |= {0: {"objective": "reg:squarederror"}, 2: {"objective": "binary:logistic"}, 3: {"objective": "multi:softprob", "num_class": 3}}[classes]
        data = xgboost.DMatrix(x, y, feature_types=["float"] * 3 + [r.choice(["float", "c"])], enable_categorical=True)
        imported = treelite.frontend.from_xgboost(xgboost.train(p, data, r.choice([1, 6, 15])))
    content = imported.serialize_bytes()
    number = np.float32 if imported.input_type == "float32" else np.float64
    raw, answers = (treelite.gtil.predict(imported, rows.astype(number), nthread=1, pred_margin=m).reshape(ROWS, -1) for m in (True, False))
    mean = imported.get_header_accessor().get_field("average_tree_output")[0]
    second = imported.get_header_accessor().get_field("num_class").tolist() == [2]
    if second:
        raw, answers = raw[:, 1:], answers[:, 1:]
    softmax = imported.get_header_accessor().get_field("postprocessor") == "softmax"  # goes through floats there
    case = Case(content, rows, answers, raw if not mean else None, number=number)
    case.absolute = 2.0**-22 if softmax else 0.0
    return case


# ---- XGBoost ----

def xgboost_any(r, chance, seed):
    import xgboost
    x, truth, rows = table(r, chance)
    objective = r.choice(["binary:logistic", "binary:logistic", "binary:logitraw", "binary:hinge", "reg:squarederror", "reg:logistic", "multi:softprob", "count:poisson", "reg:gamma", "reg:tweedie",
                          "reg:absoluteerror", "survival:cox"])
    y = {"multi:softprob": np.digitize(truth, [0.4, 1.3]), "reg:squarederror": truth, "reg:absoluteerror": truth}.get(objective, (truth > 1).astype(int))
    if objective in ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox"):
        y = np.abs(truth) + 0.1
    p = {"objective": objective, "max_depth": r.choice([0, 1, 4, 8]), "nthread": 1, "seed": seed, "tree_method": r.choice(["hist", "exact", "approx"]), "booster": r.choice(["gbtree", "dart"]),
         "num_parallel_tree": r.choice([1, 1, 3]), "subsample": 0.8, "rate_drop": 0.3, "max_leaves": r.choice([0, 20]), "grow_policy": r.choice(["depthwise", "lossguide"])}
    if p["max_depth"] == 0:
        p |= {"max_leaves": 20, "tree_method": "hist"}
    if p["tree_method"] == "exact":
        p |= {"grow_policy": "depthwise", "max_leaves": 0}
    p |= {"num_class": 3} if objective == "multi:softprob" else {}
    if r.random() < 0.4:
        p["base_score"] = r.choice([0.2, 0.5, 0.9])
    if r.random() < 0.1:
        p = {"objective": objective, "booster": "gblinear", "updater": "coord_descent", "nthread": 1, "seed": seed, "tree_method": "exact"} | {k: p[k] for k in ("num_class",) if k in p}
    category = p["tree_method"] != "exact" and r.random() < 0.5
    if objective == "multi:softprob" and p["tree_method"] == "hist" and r.random() < 0.5:  # leaves of several values
        category = False
        p |= {"multi_strategy": "multi_output_tree", "booster": "gbtree", "num_parallel_tree": 1}
    names = ["amount", "age", "gap", "kind"]
    make = lambda values, label=None: xgboost.DMatrix(values, label, feature_types=["float"] * 3 + ["c" if category else "float"], enable_categorical=True, feature_names=names)  # noqa: E731
    rows[np.isinf(rows)] = 0.0
    if category:
        rows[:, 3] = np.nan_to_num(np.trunc(np.abs(rows[:, 3]) % 50))
    trained = xgboost.train(p, make(x, y), r.choice([1, 7, 20]))
    content = bytes(trained.save_raw("ubj" if r.random() < 0.5 else "json"))
    if p["booster"] == "gblinear":
        rows = np.clip(rows, -50, 50)
    raw, answers = (trained.predict(make(rows), output_margin=m, training=False).reshape(ROWS, -1) for m in (True, False))
    return Case(content, rows, answers, raw, network=p["booster"] == "gblinear")


# ---- all ----

MAKERS = {"onnx": [onnx_sklearn, onnx_boosted, onnx_lists, onnx_classes, onnx_five, onnx_chain], "onnx_parts": [onnx_columns, onnx_votes], "treelite": [treelite_any], "xgboost": [xgboost_any]}


def scored(folder, case, raw):
    (folder / "model").write_bytes(case.content)
    text = ["amount,age,gap,kind"] + [",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in case.rows]
    (folder / "rows.csv").write_text("\n".join(text) + "\n")
    done = subprocess.run([RIDE, "score", "--model", folder / "model", "--input", folder / "rows.csv", "--output", "-"] + ["--raw"] * raw, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return np.array([[float(cell) for cell in line.split(",")] for line in done.stdout.split()])


def difference(folder, case):
    for raw, want in ((True, case.margins), (False, case.answers)):
        if want is None:
            continue
        got = scored(folder, case, raw)
        if got.shape != want.shape:
            return f"{got.shape[1]} outputs, not {want.shape[1]}"
        same = (got.astype(np.float32) == want.astype(np.float32)) if case.number is np.float32 else (got == want)
        same |= np.isnan(got) & np.isnan(want)
        if case.network:
            same |= np.abs(got - want) <= NETWORK_BOUND * np.maximum(1, np.abs(want))
        elif not raw:
            same |= np.abs(got.astype(case.number).astype(float) - want) <= np.maximum(case.absolute, case.ulps * np.spacing(np.abs(want).astype(case.number)))
        if not same.all():
            at = tuple(np.argwhere(~same)[0])
            return f"{'margin' if raw else 'answer'} {at}: {got[at]!r}, not {want[at]!r}; row {case.rows[at[0]].tolist()}"
    return None


def main():
    name, count, first = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50, int(sys.argv[3]) if len(sys.argv) > 3 else 0
    made, bad = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first, first + 10 * count):
            if made == count:
                break
            maker = MAKERS[name][seed % len(MAKERS[name])]
            case = maker(random.Random(seed), np.random.default_rng(seed), seed)
            if case is None:
                continue
            made += 1
            try:
                found = difference(Path(scratch), case)
            except RuntimeError as refused:
                found = str(refused)
            if found:
                bad += 1
                print(f"{name} seed {seed} ({maker.__name__}): {found}")
    print(f"{made} random models of {name}, {bad} with a difference")
    return 1 if bad or made < count else 0


if __name__ == "__main__":
    sys.exit(main())
