"""Several estimators of scikit-learn that answer as one: their members, how each is calibrated, how they are combined."""
from .export_common import Unsupported, class_name, classes_of, number, numbers


def _two(model):
    if len(classes_of(model)) != 2:
        raise Unsupported(model, "with more than two classes its answers are put in proportion afterwards: calibrate two classes")


def _member(of, name, estimator, steps, features, **more):
    """of: the exporter of one estimator."""
    body = of(estimator, features)
    if body["kind"] == "ensemble":
        raise Unsupported(estimator, "an ensemble within an ensemble: make it one list of members")
    body["steps"] = steps + body["steps"]
    return {"name": str(name), **more, **body}


def _named(model):
    """(name, trained estimator) of those that take part."""
    kept = [name for name, estimator in model.estimators if not (isinstance(estimator, str) and estimator == "drop")]
    return list(zip(kept, model.estimators_))


def _voting(of, model, steps, width):
    hard = getattr(model, "voting", "soft") == "hard"
    if hasattr(model, "classes_"):
        classes_of(model)
    weights = model._weights_not_none
    weights = [1] * len(model.estimators_) if weights is None else list(weights)
    members = [_member(of, name, estimator, steps, width, weight=number(weight)) for (name, estimator), weight in zip(_named(model), weights) if weight != 0]
    if hard:
        members = [{**member, "threshold": _second_from(member)} for member in members]
    return {"combine": "vote" if hard else "mean", "members": members}


def _second_from(member):
    """From which answer on a member of two classes says the second: a probability above 0.5, a margin above 0; boosted trees take a margin of 0 for it."""
    if member["kind"] == "gradient_boosting":
        return 0.5
    return 5e-324 if member["kind"] == "network" and member["link"] == "none" else 0.5000000000000001


def _bagging(of, model, steps, width):
    members = []
    for k, (estimator, columns) in enumerate(zip(model.estimators_, model.estimators_features_)):
        if hasattr(model, "classes_") and len(estimator.classes_) != len(classes_of(model)):
            raise Unsupported(model, "one of its estimators saw not all classes: train it on more rows")
        columns = [int(c) for c in columns]
        select = [] if columns == list(range(width)) else [{"kind": "select", "columns": columns}]
        members.append(_member(of, f"bag{k}", estimator, steps + select, len(columns)))
    return {"combine": "mean", "members": members}


def _calibrator(calibrator, on_margin):
    name = class_name(calibrator)
    of = "margin" if on_margin else "answer"
    if name == "_SigmoidCalibration":
        return {"kind": "platt", "of": of, "a": number(calibrator.a_), "b": number(calibrator.b_)}
    if name == "IsotonicRegression":
        return {"kind": "curve", "of": of, "x": numbers(calibrator.X_thresholds_), "y": numbers(calibrator.y_thresholds_)}
    raise Unsupported(calibrator, "use method='sigmoid' or 'isotonic'")


def _calibrated(of, model, steps, width):
    _two(model)
    members = []
    for k, one in enumerate(model.calibrated_classifiers_):
        calibration = _calibrator(one.calibrators[0], hasattr(one.estimator, "decision_function"))
        members.append(_member(of, f"fold{k}", one.estimator, steps, width, calibration=calibration))
    return {"combine": "mean", "members": members}


def _stacking(of, model, steps, width):
    members = []
    for (name, estimator), method in zip(_named(model), model.stack_method_):
        member = _member(of, name, estimator, steps, width)
        if method == "decision_function":
            member.update(link="none", link_scale=0)
        elif method == "predict" and hasattr(estimator, "classes_"):
            raise Unsupported("a stack whose members give classes (stack_method='predict')", "let them give probabilities")
        members.append(member)
    last = model.final_estimator_
    stacker = of(last, int(last.n_features_in_))
    if stacker["kind"] == "ensemble":
        raise Unsupported(last, "an ensemble as the final estimator")
    names = None
    if model.passthrough:
        given = getattr(model, "feature_names_in_", None)
        if given is None or steps:
            raise Unsupported("a stack with passthrough=True whose columns have no names", "train it on a DataFrame, without steps before it")
        names = [n for m in members for n in ([m["name"]] if m["outputs"] == 1 else [f"{m['name']}.{k}" for k in range(m["outputs"])])] + [str(n) for n in given]
        if len(set(names)) != len(names):
            raise Unsupported("a stack whose members have names of columns", "give them other names")
    return {"combine": "stack", "members": members, "stacker": {"name": "stacker", "features": int(last.n_features_in_), "names": names, **stacker}}


KINDS = {
    "VotingClassifier": _voting, "VotingRegressor": _voting, "BaggingClassifier": _bagging, "BaggingRegressor": _bagging, "CalibratedClassifierCV": _calibrated,
    "StackingClassifier": _stacking, "StackingRegressor": _stacking,
}


def ensemble(of, model, steps, width):
    """of(estimator, features) exports one member; steps come before all members, which then see `width` values."""
    body = KINDS[class_name(model)](of, model, steps, width)
    if not 1 <= len(body["members"]) <= 256:
        raise Unsupported(model, f"it has {len(body['members'])} members, at most 256")
    return {"kind": "ensemble", "steps": [], **body}
