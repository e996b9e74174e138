"""Writes model files of any size without a trainer: full trees of depth 8 with numbers as trainers write them, the same 16 over and over.

    write("xgboost-json", path, bytes)      FORMATS: xgboost-json, xgboost-ubj, lightgbm, onnx, sklearn"""
import random
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from onnx_file import field, varint  # noqa: E402

DEPTH, FEATURES, KINDS = 8, 32, 16
INNER, LEAVES = 2**DEPTH - 1, 2**DEPTH
NODES = INNER + LEAVES


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


class Tree:
    """Breadth first: the children of node k are 2k + 1 and 2k + 2."""

    def __init__(self, seed):
        r = random.Random(seed)
        self.feature = [r.randrange(FEATURES) if k < INNER else 0 for k in range(NODES)]
        self.value = [f32(r.gauss(0, 1)) if k < INNER else f32(r.gauss(0, 0.01)) for k in range(NODES)]
        self.left = [2 * k + 1 if k < INNER else -1 for k in range(NODES)]
        self.right = [2 * k + 2 if k < INNER else -1 for k in range(NODES)]
        self.missing_left = [r.randrange(2) if k < INNER else 0 for k in range(NODES)]
        self.cover = [f32(100000 / 2 ** (k + 1).bit_length() * r.uniform(0.9, 1.1)) for k in range(NODES)]
        self.gain = [f32(r.expovariate(0.1)) if k < INNER else 0.0 for k in range(NODES)]


def short(x):
    """As XGBoost has floats: 1.2345678E-1."""
    mantissa, exponent = f"{x:.7e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}E{int(exponent)}"


def xgboost_fields(tree):
    parents = [2147483647] + [(k - 1) // 2 for k in range(1, NODES)]
    return [("base_weights", "d", tree.value), ("categories", "l", []), ("categories_nodes", "l", []), ("categories_segments", "L", []), ("categories_sizes", "L", []),
            ("default_left", "U", tree.missing_left), ("id", "", 0), ("left_children", "l", tree.left), ("loss_changes", "d", tree.gain), ("parents", "l", parents),
            ("right_children", "l", tree.right), ("split_conditions", "d", tree.value), ("split_indices", "l", tree.feature), ("split_type", "U", [0] * NODES),
            ("sum_hessian", "d", tree.cover)]


PARAM = [("num_deleted", "0"), ("num_feature", str(FEATURES)), ("num_nodes", str(NODES)), ("size_leaf_vector", "1")]


def xgboost_json(tree):
    parts = [f'"{key}":{value}' if kind == "" else f'"{key}":[{",".join(short(v) if kind == "d" else str(v) for v in value)}]' for key, kind, value in xgboost_fields(tree)]
    return ("{" + ",".join(parts) + ',"tree_param":{' + ",".join(f'"{k}":"{v}"' for k, v in PARAM) + "}}").encode()


def ub_text(text):
    return b"L" + struct.pack(">q", len(text)) + text.encode()


def ub_array(kind, values):
    return b"[$" + kind.encode() + b"#L" + struct.pack(">q", len(values)) + struct.pack(f">{len(values)}{ {'d': 'f', 'l': 'i', 'L': 'q', 'U': 'B'}[kind]}", *values)


def ub_strings(pairs):
    return b"{" + b"".join(ub_text(k) + b"S" + ub_text(v) for k, v in pairs) + b"}"


def xgboost_ubj(tree):
    parts = [ub_text(key) + (b"l" + struct.pack(">i", value) if kind == "" else ub_array(kind, value)) for key, kind, value in xgboost_fields(tree)]
    return b"{" + b"".join(parts) + ub_text("tree_param") + ub_strings(PARAM) + b"}"


def write_xgboost_json(out, trees, bytes_wanted):
    count = max(1, bytes_wanted // (len(trees[0]) + 1))
    out.write(b'{"learner":{"attributes":{},"feature_names":[],"feature_types":[],"gradient_booster":{"model":{"gbtree_model_param":{"num_parallel_tree":"1","num_trees":"%d"},'
              b'"tree_info":[%s],"trees":[' % (count, b",".join([b"0"] * count)))
    for t in range(count):
        out.write((b"," if t > 0 else b"") + trees[t % KINDS])
    out.write(b']},"name":"gbtree"},"learner_model_param":{"base_score":"5E-1","boost_from_average":"1","num_class":"0","num_feature":"%d","num_target":"1"},'
              b'"objective":{"name":"binary:logistic","reg_loss_param":{"scale_pos_weight":"1"}}},"version":[3,2,0]}' % FEATURES)


def write_xgboost_ubj(out, trees, bytes_wanted):
    count = max(1, bytes_wanted // len(trees[0]))
    out.write(b"{" + ub_text("learner") + b"{" + ub_text("attributes") + b"{}" + ub_text("feature_names") + b"[]" + ub_text("feature_types") + b"[]" +
              ub_text("gradient_booster") + b"{" + ub_text("model") + b"{" + ub_text("gbtree_model_param") + ub_strings([("num_parallel_tree", "1"), ("num_trees", str(count))]) +
              ub_text("tree_info") + ub_array("l", [0] * count) + ub_text("trees") + b"[#L" + struct.pack(">q", count))
    for t in range(count):
        out.write(trees[t % KINDS])
    out.write(b"}" + ub_text("name") + b"S" + ub_text("gbtree") + b"}" + ub_text("learner_model_param") +
              ub_strings([("base_score", "5E-1"), ("num_class", "0"), ("num_feature", str(FEATURES)), ("num_target", "1")]) + ub_text("objective") + b"{" + ub_text("name") +
              b"S" + ub_text("binary:logistic") + b"}}" + ub_text("version") + ub_array("U", [3, 2, 0]) + b"}")


def lightgbm(tree):
    def child(k):
        return str(k if k < INNER else -(k - INNER) - 1)

    def words(values):
        return " ".join(values)
    inner, leaves = range(INNER), range(INNER, NODES)
    return (f"num_leaves={LEAVES}\nnum_cat=0\nsplit_feature={words(str(tree.feature[k]) for k in inner)}\nsplit_gain={words(f'{tree.gain[k]:g}' for k in inner)}\n"
            f"threshold={words(f'{tree.value[k] + 1e-9:.17g}' for k in inner)}\ndecision_type={words(str(8 + 2 * tree.missing_left[k]) for k in inner)}\n"
            f"left_child={words(child(2 * k + 1) for k in inner)}\nright_child={words(child(2 * k + 2) for k in inner)}\n"
            f"leaf_value={words(f'{tree.value[k] + 1e-12:.17g}' for k in leaves)}\nleaf_weight={words(f'{tree.cover[k] / 4:.17g}' for k in leaves)}\n"
            f"leaf_count={words(str(int(tree.cover[k])) for k in leaves)}\ninternal_value={words(f'{tree.value[k]:g}' for k in inner)}\n"
            f"internal_weight={words(f'{tree.cover[k] / 4:g}' for k in inner)}\ninternal_count={words(str(int(tree.cover[k])) for k in inner)}\n"
            "is_linear=0\nshrinkage=0.1\n\n\n").encode()


def write_lightgbm(out, trees, bytes_wanted):
    names = " ".join(f"Column_{k}" for k in range(FEATURES))
    out.write((f"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={FEATURES - 1}\nobjective=binary sigmoid:1\nfeature_names={names}\n"
               f"feature_infos={' '.join(['[-4:4]'] * FEATURES)}\ntree_sizes=1\n\n").encode())
    for t in range(max(1, bytes_wanted // len(trees[0]))):
        out.write(f"Tree={t}\n".encode() + trees[t % KINDS])
    out.write(b"end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n")


INTS, FLOATS, TEXTS = 8, 7, 9


def onnx(tree):
    """The entries of each list but the numbers of trees, and how many trees' numbers there are in it."""
    leaves = range(INNER, NODES)
    return [("nodes_nodeids", 7, b"".join(field(INTS, k) for k in range(NODES))), ("nodes_featureids", 7, b"".join(field(INTS, k) for k in tree.feature)),
            ("nodes_hitrates", 6, field(FLOATS, 1.0) * NODES), ("nodes_modes", 8, field(TEXTS, "BRANCH_LT") * INNER + field(TEXTS, "LEAF") * LEAVES),
            ("nodes_values", 6, b"".join(field(FLOATS, v if k < INNER else 0.0) for k, v in enumerate(tree.value))),
            ("nodes_truenodeids", 7, b"".join(field(INTS, max(k, 0)) for k in tree.left)), ("nodes_falsenodeids", 7, b"".join(field(INTS, max(k, 0)) for k in tree.right)),
            ("nodes_missing_value_tracks_true", 7, b"".join(field(INTS, k) for k in tree.missing_left)), ("target_ids", 7, field(INTS, 0) * LEAVES),
            ("target_nodeids", 7, b"".join(field(INTS, k) for k in leaves)), ("target_weights", 6, b"".join(field(FLOATS, tree.value[k]) for k in leaves))]


def write_onnx(out, trees, bytes_wanted):
    count = max(1, bytes_wanted // (sum(len(entries) for _, _, entries in trees[0]) + 3 * (NODES + LEAVES)))

    def values(name, kind, entries_of):
        head = field(1, name) + field(20, kind)
        return [varint(5 << 3 | 2) + varint(len(head) + sum(len(entries_of(t)) for t in range(count))) + head, entries_of]
    lists = [values(name, kind, lambda t, k=k: trees[t % KINDS][k][2]) for k, (name, kind, _) in enumerate(trees[0])]
    lists += [values("nodes_treeids", 7, lambda t: field(INTS, t) * NODES), values("target_treeids", 7, lambda t: field(INTS, t) * LEAVES)]
    rest = (field(1, "X") + field(2, "Y") + field(4, "TreeEnsembleRegressor") + field(7, "ai.onnx.ml") + field(5, field(1, "n_targets") + field(20, 2) + field(3, 1)) +
            field(5, field(1, "post_transform") + field(20, 3) + field(4, "NONE")))
    def info(name, columns):
        shape = field(1, field(2, "N")) + field(1, field(1, columns))
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))
    node_bytes = len(rest) + sum(len(head) + sum(len(entries_of(t)) for t in range(count)) for head, entries_of in lists)
    before, after = varint(1 << 3 | 2) + varint(node_bytes) + rest, field(2, "g") + field(11, info("X", FEATURES)) + field(12, info("Y", 1))
    out.write(field(1, 10) + field(2, "large") + field(8, field(1, "ai.onnx.ml") + field(2, 3)) + field(8, field(2, 18)))
    out.write(varint(7 << 3 | 2) + varint(len(before) + node_bytes - len(rest) + len(after)) + before)
    for head, entries_of in lists:
        out.write(head)
        for t in range(count):
            out.write(entries_of(t))
    out.write(after)


def sklearn(tree):
    def words(values):
        return "[" + ", ".join(values) + "]"
    return ('{"left": ' + words(map(str, tree.left)) + ', "right": ' + words(map(str, tree.right)) + ', "feature": ' + words(str(f if k < INNER else -2) for k, f in enumerate(tree.feature)) +
            ', "threshold": ' + words(repr(v + 1e-9) for v in tree.value) + ', "missing_left": ' + words(map(str, tree.missing_left)) + ', "value": ' +
            words(repr(v + 1e-12) for v in tree.value) + ', "cover": ' + words(repr(v) for v in tree.cover) + "}").encode()


def write_sklearn(out, trees, bytes_wanted):
    out.write(b'{"format": "ride-sklearn", "version": 1, "library": "1.9.1", "estimator": "RandomForestRegressor", "features": %d, "names": null, "kind": "forest", "outputs": 1, '
              b'"link": "none", "trees": [\n' % FEATURES)
    for t in range(max(1, bytes_wanted // len(trees[0]))):
        out.write((b",\n" if t > 0 else b"") + trees[t % KINDS])
    out.write(b"]}")


FORMATS = {"xgboost-json": (xgboost_json, write_xgboost_json), "xgboost-ubj": (xgboost_ubj, write_xgboost_ubj), "lightgbm": (lightgbm, write_lightgbm),
           "onnx": (onnx, write_onnx), "sklearn": (sklearn, write_sklearn)}


def write(form, path, bytes_wanted):
    make, put = FORMATS[form]
    trees = [make(Tree(seed)) for seed in range(KINDS)]
    with open(path, "wb") as out:
        put(out, trees, bytes_wanted)


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], int(sys.argv[3]))
