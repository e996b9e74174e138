"""RIDE in Python.

ride.Model scores rows with model files of XGBoost, LightGBM, CatBoost, scikit-learn, ONNX …, with the trainer's own bits (docs/python.md). It is libride,
the same engine that scores streams, over NumPy.

`python -m ride` is training, evaluation, report and export. It calls the `ride` program and reads what that wrote; it never computes a feature or a
decision itself, so a model is trained on exactly what will be served. It needs no libride."""

_HOMES = {"Model": "model", "RideError": "native", "ModelError": "native", "DataError": "native", "UnsupportedError": "native",
          "MissingFileError": "native"}
__all__ = [*_HOMES, "version"]


def version() -> str:
    """Of libride."""
    from .native import lib
    return lib.ride_version().decode()


def __getattr__(name):  # nothing is loaded that is not asked for
    if name not in _HOMES:
        raise AttributeError(f"module `ride` has no `{name}`")
    from importlib import import_module
    return getattr(import_module("." + _HOMES[name], __name__), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
