"""What scikit-learn does to whole rows: scalers, imputers, linear models, networks. Each is a list of steps; a step has a kind and its numbers."""
from .export_common import Unsupported, class_name, classes_of, number, numbers


def unwrap(estimator, features):
    """(the estimator that predicts, the steps before it, how many values it sees)"""
    steps, width = [], features
    while True:
        name = class_name(estimator)
        if name == "Pipeline":
            for _, part in estimator.steps[:-1]:
                more, width = transformer(part, width)
                steps += more
            estimator = estimator.steps[-1][1]
            if estimator is None or estimator == "passthrough" or not hasattr(estimator, "predict"):
                raise Unsupported("a pipeline without a predictor at its end", "end it with a classifier, regressor or IsolationForest")
        elif name in ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"):
            if not hasattr(estimator, "best_estimator_"):
                raise Unsupported(estimator, "it has no best_estimator_: use refit=True")
            estimator = estimator.best_estimator_
        elif name == "FrozenEstimator":
            estimator = estimator.estimator
        else:
            return estimator, steps, width


def transformer(part, width):
    """(steps, values after them) of one part of a pipeline."""
    if part is None or isinstance(part, str):
        if part in (None, "passthrough"):
            return [], width
        raise Unsupported(part, "only `passthrough` is a text")
    name = class_name(part)
    if name == "Pipeline":
        steps = []
        for _, inner in part.steps:
            more, width = transformer(inner, width)
            steps += more
        return steps, width
    if name not in TRANSFORMERS:
        raise Unsupported(part, "supported before a model are " + ", ".join(sorted([*TRANSFORMERS, "Pipeline"])) + "; what else a row needs belongs into the feature spec")
    return TRANSFORMERS[name](part, width)


def _filled(values, width, otherwise):
    return [otherwise] * width if values is None else numbers(values)


def _standard(part, width):
    return [{"kind": "shift_divide", "shift": _filled(part.mean_ if part.with_mean else None, width, 0), "divisor": _filled(part.scale_, width, 1)}], width


def _robust(part, width):
    return [{"kind": "shift_divide", "shift": _filled(part.center_ if part.with_centering else None, width, 0),
             "divisor": _filled(part.scale_ if part.with_scaling else None, width, 1)}], width


def _min_max(part, width):
    if part.clip:
        raise Unsupported("MinMaxScaler with clip=True", "use clip=False")
    return [{"kind": "scale_shift", "scale": numbers(part.scale_), "shift": numbers(part.min_)}], width


def _max_abs(part, width):
    if getattr(part, "clip", False):
        raise Unsupported("MaxAbsScaler with clip=True", "use clip=False")
    return [{"kind": "shift_divide", "shift": [0] * width, "divisor": numbers(part.scale_)}], width


def _impute(part, width):
    import numpy as np
    if part.add_indicator:
        raise Unsupported("SimpleImputer with add_indicator=True", "use add_indicator=False")
    values = np.asarray(part.statistics_)
    if values.dtype.kind not in "fiub":
        raise Unsupported("SimpleImputer of texts", "impute numbers")
    step = {"kind": "impute", "values": numbers(np.asarray(values, dtype=float))}
    missing = float(part.missing_values)
    if missing == missing:
        step["missing"] = number(missing)
    dropped = np.isnan(np.asarray(values, dtype=float))
    if not dropped.any() or getattr(part, "keep_empty_features", False):
        return [step], width
    kept = np.flatnonzero(~dropped).tolist()  # columns that were empty in training
    step["values"] = [step["values"][k] for k in kept]
    return [{"kind": "select", "columns": kept}, step], len(kept)


def _selected(part, _width):
    kept = part.get_support(indices=True).tolist()
    return [{"kind": "select", "columns": kept}], len(kept)


def _function(part, width):
    if part.func is not None:
        raise Unsupported("FunctionTransformer with a function", "compute it in the feature spec")
    return [], width


def _components(part, width):
    if getattr(part, "whiten", False):
        raise Unsupported("PCA with whiten=True", "use whiten=False")
    mean = getattr(part, "mean_", None)
    shift = [] if mean is None else [{"kind": "shift_divide", "shift": numbers(mean), "divisor": [1] * width}]
    return [*shift, _dense(part.components_, None)], len(part.components_)


def _columns(part, width):
    """Blocks of columns side by side: all are taken, then each step of a block is done with the other columns left as they are."""
    blocks = []
    for name, inner, _ in part.transformers_:
        if isinstance(inner, str) and inner == "drop":
            continue
        at = part._transformer_to_input_indices[name]
        steps, wide = transformer(inner, len(at))
        if wide != len(at) or any(s["kind"] not in NEUTRAL or "missing" in s for s in steps):
            raise Unsupported("ColumnTransformer with parts that are more than scalers and imputers of NaN", "use those, or one pipeline for all columns")
        blocks.append((list(at), steps))
    total, first = sum(len(at) for at, _ in blocks), 0
    out = [{"kind": "select", "columns": [int(c) for at, _ in blocks for c in at]}]
    for at, steps in blocks:
        for step in steps:
            whole = {"kind": step["kind"]}
            for key, neutral in NEUTRAL[step["kind"]].items():
                whole[key] = [neutral] * first + step[key] + [neutral] * (total - first - len(at))
            out.append(whole)
        first += len(at)
    return out, total


NEUTRAL = {"impute": {"values": float("nan")}, "shift_divide": {"shift": 0, "divisor": 1}, "scale_shift": {"scale": 1, "shift": 0}}
TRANSFORMERS = {
    "StandardScaler": _standard, "MinMaxScaler": _min_max, "MaxAbsScaler": _max_abs, "RobustScaler": _robust, "SimpleImputer": _impute,
    "Normalizer": lambda part, width: ([{"kind": "normalize", "norm": part.norm}], width),
    "PCA": _components, "TruncatedSVD": _components, "ColumnTransformer": _columns, "VarianceThreshold": _selected, "SelectKBest": _selected,
    "SelectPercentile": _selected, "SelectFromModel": _selected, "RFE": _selected, "RFECV": _selected,
    "FunctionTransformer": _function,
}


def _dense(weights, bias, activation="none"):
    """weights: (outputs, inputs)"""
    step = {"kind": "dense", "outputs": len(weights), "weights": numbers(weights), "activation": activation}
    if bias is not None:
        step["bias"] = numbers(bias)
    return step


def _linear(model, activation="none"):
    import numpy as np
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=float))
    bias = np.broadcast_to(np.asarray(model.intercept_, dtype=float).ravel(), (len(weights),)).copy()
    return _dense(weights, bias, activation)


def _network(steps, link, scale=0):
    outputs = next(s["outputs"] for s in reversed(steps) if "outputs" in s)
    return {"kind": "network", "outputs": outputs, "steps": steps, "link": link, "link_scale": scale}


def _regression(link):
    return lambda model, _width: _network([_linear(model)], link)


def _margin(model, _width):
    classes_of(model)
    return _network([_linear(model)], "none")


def _one_against_rest(model):
    """Of several classes: a logistic answer each, then divided by their sum."""
    return _network([_linear(model, activation="sigmoid"), {"kind": "normalize", "norm": "l1"}], "none")


def _logistic(model, _width):
    binary = len(classes_of(model)) == 2
    how = getattr(model, "multi_class", "auto")
    if binary:
        return _network([_linear(model)], "logistic", 2 if how == "multinomial" else 1)
    if how == "ovr" or model.solver == "liblinear":
        return _one_against_rest(model)
    return _network([_linear(model)], "softmax")


def _discriminant(model, _width):
    binary = len(classes_of(model)) == 2
    return _network([_linear(model)], "logistic" if binary else "softmax", 1 if binary else 0)


def _descent(model, width):
    if model.loss != "log_loss":
        if model.loss == "modified_huber":
            raise Unsupported("SGDClassifier with loss=modified_huber", "its probabilities have a form of their own: use log_loss, or hinge for the margin")
        return _margin(model, width)
    return _network([_linear(model)], "logistic", 1) if len(classes_of(model)) == 2 else _one_against_rest(model)


def _perceptrons(model, _width):
    import numpy as np
    if hasattr(model, "classes_"):
        classes_of(model)
    inner = {"identity": "none", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}[model.activation]
    links = {"identity": ("none", 0), "logistic": ("logistic", 1), "softmax": ("softmax", 0), "exp": ("exp", 0)}
    if model.out_activation_ not in links:
        raise Unsupported(model, f"its last activation is {model.out_activation_}")
    link, scale = links[model.out_activation_]
    last = len(model.coefs_) - 1
    steps = [_dense(weights.T, bias, inner if k < last else "none") for k, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_))]
    if model.coefs_[0].dtype == np.float32 and link != "exp":
        for step in steps:
            step["number"] = "f32"
    return _network(steps, link, scale)


KINDS = {
    **{name: _regression("none") for name in ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "Lars", "LassoLars", "BayesianRidge",
                                              "ARDRegression", "HuberRegressor", "TheilSenRegressor", "SGDRegressor", "LinearSVR", "QuantileRegressor")},
    **{name: _regression("exp") for name in ("PoissonRegressor", "GammaRegressor")},
    **{name: _margin for name in ("LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "Perceptron", "PassiveAggressiveClassifier")},
    "LogisticRegression": _logistic, "LogisticRegressionCV": _logistic, "LinearDiscriminantAnalysis": _discriminant, "SGDClassifier": _descent,
    "MLPClassifier": _perceptrons, "MLPRegressor": _perceptrons,
}
