"""What all parts of the exporter need: names, counts, and numbers as JSON has them."""
import math


class Unsupported(ValueError):
    def __init__(self, estimator, advice):
        name = estimator if isinstance(estimator, str) else f"{type(estimator).__module__}.{type(estimator).__qualname__}"
        super().__init__(f"{name} is not supported: {advice}")


def class_name(estimator):
    """The name of a class of scikit-learn; a subclass of somebody's own may compute anything and has another name."""
    kind = type(estimator)
    return kind.__qualname__ if kind.__module__.partition(".")[0] == "sklearn" else f"{kind.__module__}.{kind.__qualname__}"


def features_of(estimator):
    count = getattr(estimator, "n_features_in_", None)
    if count is None:
        raise Unsupported(estimator, "it does not say how many features it takes (n_features_in_): train it first, with scikit-learn 1.4 or later")
    return int(count)


def names_of(estimator):
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def classes_of(estimator):
    """The labels of a classifier with one output."""
    classes = estimator.classes_
    if isinstance(classes, list):
        raise Unsupported(estimator, "it has several outputs with classes: train one classifier for each")
    if len(classes) < 2:
        raise Unsupported(estimator, f"it knows one class only, {classes[0]!r}")
    return classes


def number(value):
    """A double; a whole one without a point, which reads back as the same double."""
    value = float(value)
    return int(value) if math.isfinite(value) and value == int(value) and abs(value) < 2**53 and not (value == 0 and math.copysign(1, value) < 0) else value


def numbers(values):
    """Doubles of an array of any shape, in C order. A float is held exactly."""
    return [number(v) for v in values.ravel().tolist()]
