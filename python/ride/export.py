"""Export a trained scikit-learn estimator (a pickle or joblib file) to the JSON that RIDE scores.

Loading a pickle runs code of its author: export only files that you trust. docs/models-sklearn.md says what is supported and what the
file holds. From Python: ride.export.to_json(estimator). Needs scikit-learn 1.4 or later only for what is loaded; RIDE itself needs none.
"""
import json
from pathlib import Path

from . import export_ensembles, export_steps, export_trees
from .export_common import Unsupported, classes_of, class_name, features_of, names_of

VERSION = 1
MEMBERS = {**export_trees.KINDS, **export_steps.KINDS}


def add_arguments(parser):
    parser.add_argument("model", help="pickle or joblib file of an estimator")
    parser.add_argument("-o", "--output", required=True, help="where the JSON goes")


def load(path):
    try:
        import joblib
    except ImportError:
        import pickle
        with path.open("rb") as file:
            return pickle.load(file)
    return joblib.load(path)


def run(arguments):
    path = Path(arguments.model)
    try:
        estimator = load(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # a pickle may raise anything
        raise ValueError(f"{path}: not loaded ({type(error).__name__}: {error}): a pickle or joblib file, and the packages of its estimator, were expected") from error
    Path(arguments.output).write_bytes(to_bytes(estimator))
    return 0


def to_bytes(estimator):
    """A trained estimator as a model file: XGBoost's, LightGBM's and CatBoost's own format where it is theirs, else to_json()."""
    library = type(estimator).__module__.partition(".")[0]
    if library == "xgboost":
        booster = estimator.get_booster() if hasattr(estimator, "get_booster") else estimator
        return bytes(booster.save_raw("json"))
    if library == "lightgbm":
        return getattr(estimator, "booster_", estimator).model_to_string().encode()
    if library == "catboost":
        return estimator._serialize_model()
    return to_json(estimator).encode()


def to_json(estimator):
    """A trained scikit-learn estimator, pipeline or ensemble as RIDE's JSON. ValueError names what is not supported."""
    return json.dumps(document(estimator), separators=(",", ":"))


def document(estimator):
    import sklearn
    head = {"format": "ride-sklearn", "version": VERSION, "library": f"scikit-learn {sklearn.__version__}",
            "features": features_of(estimator), "names": names_of(estimator)}
    return {**head, **member(estimator, features_of(estimator))}


def member(estimator, features):
    """One estimator: its steps, then what comes after them."""
    estimator, steps, width = export_steps.unwrap(estimator, features)
    name = class_name(estimator)
    if name not in MEMBERS and name not in export_ensembles.KINDS:
        raise Unsupported(estimator, "supported are " + ", ".join(sorted([*MEMBERS, *export_ensembles.KINDS])))
    told = {"estimator": name}
    if hasattr(estimator, "classes_"):
        told["classes"] = [str(c) for c in classes_of(estimator)]
    if name in export_ensembles.KINDS:
        return {**told, **export_ensembles.ensemble(member, estimator, steps, width)}
    body = MEMBERS[name](estimator, width)
    body["steps"] = steps + body.get("steps", [])
    return {**told, **body}
