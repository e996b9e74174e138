"""Trees of scikit-learn. A tree is a set of lists with one entry per node; a leaf has left = right = -1."""
from .export_common import Unsupported, classes_of, number, numbers


def _nodes(estimator, tree):
    nodes = tree.__getstate__()["nodes"]
    if "missing_go_to_left" not in nodes.dtype.names:
        raise Unsupported(estimator, "it was trained with scikit-learn before 1.3: train it again")
    return nodes


def _tree(estimator, values=None, columns=None):
    """values: of all nodes, (nodes, outputs); columns: which features the tree was given, if not all."""
    tree = estimator.tree_
    nodes = _nodes(estimator, tree)
    leaf = nodes["left_child"] < 0
    feature = nodes["feature"].copy()
    feature[leaf] = 0
    if columns is not None:
        feature = columns[feature]
    threshold = nodes["threshold"].copy()
    threshold[leaf] = 0
    out = {"left": nodes["left_child"].tolist(), "right": nodes["right_child"].tolist(), "feature": feature.tolist(), "threshold": numbers(threshold),
           "missing_left": ((nodes["missing_go_to_left"] != 0) & ~leaf).astype(int).tolist(), "cover": numbers(nodes["weighted_n_node_samples"])}
    if values is None:
        out["samples"] = nodes["n_node_samples"].tolist()
    else:
        values = values.copy()
        values[~leaf] = 0
        out["value"] = numbers(values)
    return out


def _fractions(estimator):
    """A classifier's leaves: the fraction of each class, of two classes that of the second. Until scikit-learn 1.3 trees hold weights, of which predict_proba makes fractions."""
    import sklearn
    values = estimator.tree_.value[:, 0, :len(classes_of(estimator))]
    if tuple(int(part) for part in sklearn.__version__.split(".")[:2]) < (1, 4):
        sums = values.sum(axis=1)[:, None]
        sums[sums == 0] = 1
        values = values / sums
    return values[:, 1:] if values.shape[1] == 2 else values


def _forest(trees, value_of, outputs):
    return {"kind": "forest", "outputs": outputs, "link": "none", "trees": [_tree(t, value_of(t)) for t in trees]}


def _classifiers(model, trees):
    classes = len(classes_of(model))
    return _forest(trees, _fractions, 1 if classes == 2 else classes)


def _regressors(model, trees):
    return _forest(trees, lambda t: t.tree_.value[:, :, 0], int(model.n_outputs_))


def _gradient_boosting(model, features):
    import numpy as np
    init = model.init_
    if init != "zero" and type(init).__name__ not in ("DummyClassifier", "DummyRegressor"):
        raise Unsupported(model, f"its init is a {type(init).__name__}: train it with init=None or init='zero'")
    loss = type(model._loss).__name__
    links = {"HalfBinomialLoss": ("logistic", 1), "ExponentialLoss": ("logistic", 2), "HalfMultinomialLoss": ("softmax", 0), "HalfSquaredError": ("none", 0),
             "AbsoluteError": ("none", 0), "HuberLoss": ("none", 0), "PinballLoss": ("none", 0)}
    if loss not in links:
        raise Unsupported(model, f"its loss is {loss}")
    if hasattr(model, "classes_"):
        classes_of(model)
    base = model._raw_predict_init(np.zeros((1, features), dtype=np.float32)).ravel()
    trees = [{"output": k, **_tree(tree, tree.tree_.value[:, :, 0])} for stage in model.estimators_ for k, tree in enumerate(stage)]
    return {"kind": "gradient_boosting", "outputs": len(base), "base": numbers(base), "learning_rate": number(model.learning_rate), "link": links[loss][0],
            "link_scale": links[loss][1], "trees": trees}


def _bits(words, count):
    return [c for c in range(count) if words[c // 32] >> (c % 32) & 1]


class _Categories:
    """What HistGradientBoosting does with columns of categories before its trees: they come first there, as positions in the list of known values."""

    def __init__(self, model, features):
        import numpy as np
        self.model, self.told, self.codes = model, [], {}
        self.columns = np.arange(features)
        is_category = getattr(model, "is_categorical_", None)
        if is_category is None or not is_category.any():
            return
        encoder = getattr(getattr(model, "_preprocessor", None), "named_transformers_", {}).get("encoder")
        if encoder is None:
            raise Unsupported(model, "its categories were trained with scikit-learn before 1.4: train it again")
        self.columns = np.concatenate([np.flatnonzero(is_category), np.flatnonzero(~is_category)])
        for place, known in enumerate(encoder.categories_):
            known = [v for v in known.tolist() if v is not None and v == v]  # NaN is last, and missing
            column = int(self.columns[place])
            self.codes[place], names = self.code(column, known)
            self.told.append({"feature": column, "codes": self.codes[place], "names": names})

    def code(self, column, known):
        if all(isinstance(v, str) for v in known):
            return list(range(len(known))), known
        if all(isinstance(v, (int, float)) and v == int(v) and 0 <= v < 2**24 for v in known):
            return [int(v) for v in known], None
        raise Unsupported(self.model, f"the categories of feature {column} are neither texts nor whole numbers from 0 to {2**24 - 1}: {known[:5]}")

    def test(self, place, words, missing_left):
        """(members, 1 when they go left): what the model never saw goes where missing values go."""
        codes = self.codes[place]
        left = set(_bits(words, len(codes)))
        return sorted(code for k, code in enumerate(codes) if (k in left) != missing_left), int(not missing_left)


def _hist_tree(predictor, output, categories):
    nodes = predictor.nodes
    leaf = nodes["is_leaf"] != 0
    out = {"output": output, "left": [], "right": [], "feature": [], "threshold": [], "missing_left": [], "cover": nodes["count"].tolist(), "value": [], "set": [],
           "set_left": [], "sets": []}
    for i, node in enumerate(nodes):
        place, missing_left, is_set = (0, False, False) if leaf[i] else (int(node["feature_idx"]), bool(node["missing_go_to_left"]), bool(node["is_categorical"]))
        members_left = 0
        if is_set:
            members, members_left = categories.test(place, [int(w) for w in predictor.raw_left_cat_bitsets[node["bitset_idx"]]], missing_left)
            out["sets"].append(members)
        out["left"].append(-1 if leaf[i] else int(node["left"]))
        out["right"].append(-1 if leaf[i] else int(node["right"]))
        out["feature"].append(0 if leaf[i] else int(categories.columns[place]))
        out["threshold"].append(0 if leaf[i] or is_set else number(node["num_threshold"]))
        out["missing_left"].append(int(missing_left))
        out["value"].append(number(node["value"]) if leaf[i] else 0)
        out["set"].append(len(out["sets"]) - 1 if is_set else -1)
        out["set_left"].append(members_left)
    if not out["sets"]:
        del out["set"], out["set_left"], out["sets"]
    return out


def _hist(model, features):
    loss = type(model._loss).__name__
    links = {"HalfBinomialLoss": ("logistic", 1), "HalfMultinomialLoss": ("softmax", 0), "HalfSquaredError": ("none", 0), "AbsoluteError": ("none", 0),
             "PinballLoss": ("none", 0), "HalfPoissonLoss": ("exp", 0), "HalfGammaLoss": ("exp", 0)}
    if loss not in links:
        raise Unsupported(model, f"its loss is {loss}")
    if hasattr(model, "classes_"):
        classes_of(model)
    categories = _Categories(model, features)
    trees = [_hist_tree(p, k, categories) for stage in model._predictors for k, p in enumerate(stage)]
    base = model._baseline_prediction.ravel()
    return {"kind": "hist_gradient_boosting", "outputs": len(base), "base": numbers(base), "link": links[loss][0], "link_scale": links[loss][1],
            "categories": categories.told, "trees": trees}


def _isolation(model, _features):
    trees = [_tree(tree, columns=columns) for tree, columns in zip(model.estimators_, model.estimators_features_)]
    return {"kind": "isolation_forest", "max_samples": int(model._max_samples), "offset": number(model.offset_), "trees": trees}


KINDS = {
    "DecisionTreeClassifier": lambda m, _: _classifiers(m, [m]), "ExtraTreeClassifier": lambda m, _: _classifiers(m, [m]),
    "DecisionTreeRegressor": lambda m, _: _regressors(m, [m]), "ExtraTreeRegressor": lambda m, _: _regressors(m, [m]),
    "RandomForestClassifier": lambda m, _: _classifiers(m, m.estimators_), "ExtraTreesClassifier": lambda m, _: _classifiers(m, m.estimators_),
    "RandomForestRegressor": lambda m, _: _regressors(m, m.estimators_), "ExtraTreesRegressor": lambda m, _: _regressors(m, m.estimators_),
    "GradientBoostingClassifier": _gradient_boosting, "GradientBoostingRegressor": _gradient_boosting,
    "HistGradientBoostingClassifier": _hist, "HistGradientBoostingRegressor": _hist, "IsolationForest": _isolation,
}
