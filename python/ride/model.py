"""Scores of a trained model, with the trainer's own bits, by RIDE's engine.

>>> import numpy as np, ride
>>> model = ride.Model(example)                     # a path, bytes, or a trained estimator
>>> X = np.array([[51.3, 87, 0.5, 25], [np.nan, 12, 3, 4]])
>>> model.predict(X).shape
(2,)
>>> bool(np.all((model.predict(X) > 0) & (model.predict(X) < 1)))
True
>>> model.feature_names
['amount', 'age', 'gap', 'kind']
>>> model.info["format"], model.outputs
('lightgbm', 1)
"""
from __future__ import annotations

import ctypes
import json
import operator
import os
import weakref
from ctypes import byref, c_void_p
from functools import cached_property
from typing import Any, Optional, Union

import numpy as np

from . import arrow
from .native import DataError, ExplainOptions, Explanation, LoadOptions, Matrix, Scores, context, lib
from .rows import CODES, NUMBERS, matrix


class Model:
    """A model of XGBoost, LightGBM, CatBoost, scikit-learn, ONNX … ready to score.

    source: a model file's path, its bytes, or a trained estimator (exported by ride.export; a scikit-learn wrapper whose own predict stops at
    its best iteration does so here too). threads: how many work on one call; 0 = as many as this process may use. best_iteration: use
    the trees up to the file's best iteration only.

    Immutable; any number of Python threads may use it at once, and calls release the GIL. Pickles when it came from a path or from bytes."""

    def __init__(self, source: Any, *, threads: int = 1, best_iteration: bool = False) -> None:
        self._threads = threads or len(os.sched_getaffinity(0))
        self._handle: Optional[c_void_p] = None
        if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
            from . import export
            best_iteration = best_iteration or _stops_early(source)
            source = export.to_bytes(source)
        self._source = (os.fspath(source) if isinstance(source, (str, os.PathLike)) else bytes(source), best_iteration)
        self._load(*self._source)

    def _load(self, source: Union[str, bytes], best_iteration: bool) -> None:
        mine, handle = context(self._threads), c_void_p()
        options = LoadOptions(ctypes.sizeof(LoadOptions), int(best_iteration))
        if isinstance(source, str):
            mine.check(lib.ride_load(mine.handle, os.fsencode(source), byref(options), byref(handle)))
        else:
            mine.check(lib.ride_load_memory(mine.handle, source, len(source), b"model", byref(options), byref(handle)))
        self._handle = handle
        self._loaded = _Loaded(handle)
        self.inputs: int = lib.ride_inputs_count(handle)
        self.outputs: int = lib.ride_outputs_count(handle)
        self._input_number, self._output_number = lib.ride_input_number(handle), lib.ride_output_number(handle)
        self._dtype = NUMBERS[self._output_number]

    def predict(self, X: Any) -> np.ndarray:
        """What the model predicts: a probability, a mean, an anomaly score …: (rows,), or (rows, outputs) where there are several. X: a matrix of
        numbers, NaN = missing; or a frame (pandas, pyarrow, polars …) whose columns are taken by name."""
        return self._score(X, False)

    def margin(self, X: Any) -> np.ndarray:
        """Raw scores (log-odds of a binary classifier), of predict's shape: the trainer's own bits."""
        return self._score(X, True)

    def explain(self, X: Any, *, background: Any = None, memory: int = 0) -> np.ndarray:
        """What each input adds to the margin, and last the expected margin: (rows, inputs + 1), or (rows, outputs, inputs + 1). SHAP values of trees, the terms
        of linear models, integrated gradients of networks. background: up to 4,096 rows that stand for what is not known of a row (interventional
        SHAP values; the baseline of linear models and networks is their mean). memory: bytes that it may take, beside the rows (256 MiB)."""
        memory = operator.index(memory)
        if not 0 <= memory < 1 << 64:  # ctypes would take its low bits
            raise DataError(f"memory={memory}: it is a number of bytes, 0 or more and below 2**64")
        x, mine = matrix(X, self), context(self._threads)
        out = np.empty((len(x), self.outputs, self.inputs + 1), dtype=self._dtype)
        rows, to = byref(_matrix_of(x)), byref(Explanation(_address(out), self._output_number))
        if background is None and not memory:
            mine.check(lib.ride_explain(mine.handle, self._handle, rows, to))
        else:
            way = self._way(mine, background, memory)
            mine.check(lib.ride_explain_by(mine.handle, way.handle, rows, to))
        return out[:, 0] if self.outputs == 1 else out

    def _way(self, mine: Any, background: Any, memory: int) -> "_Way":
        """Tables for such a way of explaining; those of the last one are kept."""
        try:
            rows = None if background is None else np.ascontiguousarray(matrix(background, self))
        except DataError as error:
            raise DataError(f"background: {error}") from None
        key = (memory, None if rows is None else (rows.dtype.str, rows.tobytes()))
        known = self.__dict__.get("_last_way")
        if known is None or known.key != key:
            self._last_way = known = _Way(self, mine, rows, memory, key)
        return known

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the model is: format, trainer, objective, trees, features …"""
        return json.loads(lib.ride_info(self._handle))

    @cached_property
    def feature_names(self) -> Optional[list[str]]:
        """Names of the inputs, or None when the file has none."""
        names = [lib.ride_input_name(self._handle, i) for i in range(self.inputs)]
        return None if not names or names[0] is None else [name.decode() for name in names]

    @property
    def threads(self) -> int:
        return self._threads

    def _score(self, rows: Any, raw: bool) -> np.ndarray:
        if type(rows) is not np.ndarray and arrow.speaks(rows) and not _is_pandas(rows):
            return self._score_arrow(rows, raw)
        x, mine = matrix(rows, self), context(self._threads)
        out = np.empty(len(x) if self.outputs == 1 else (len(x), self.outputs), dtype=self._dtype)
        mine.check(lib.ride_predict(mine.handle, self._handle, byref(_matrix_of(x)), byref(self._scores(out, raw))))
        return out

    def _score_arrow(self, rows: Any, raw: bool) -> np.ndarray:
        mine, parts = context(self._threads), []
        for schema, array, count in arrow.batches(rows):
            out = np.empty(count if self.outputs == 1 else (count, self.outputs), dtype=self._dtype)
            mine.check(lib.ride_predict_arrow(mine.handle, self._handle, array, schema, byref(self._scores(out, raw))))
            parts.append(out)
        if not parts:
            return np.empty((0,) if self.outputs == 1 else (0, self.outputs), dtype=self._dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _scores(self, out: np.ndarray, raw: bool) -> Scores:
        at = _address(out)
        return Scores(at if raw else None, None if raw else at, self._output_number)

    def _categories(self, index: int) -> Optional[dict[str, int]]:
        """Codes of an input's categories by name, or None when the file has no names of them."""
        known = self.__dict__.setdefault("_known_categories", {})
        if index not in known:
            count = lib.ride_input_categories_count(self._handle, index)
            known[index] = {lib.ride_input_category(self._handle, index, i).decode(): i for i in range(count)} if count else None
        return known[index]

    def __reduce__(self):
        return _again, (*self._source, self._threads)

    def __repr__(self) -> str:
        return f"<ride.Model {self.info['format']} {self.info.get('objective', '')}: {self.inputs} inputs, {self.outputs} output{'s' * (self.outputs > 1)}>"


class _Loaded:
    """A predictor, which goes when nothing holds it: the model, and what explains it."""

    def __init__(self, handle):
        weakref.finalize(self, lib.ride_unload, handle).atexit = False  # a daemon thread may be in a call then


class _Way:
    def __init__(self, model, mine, rows, memory, key):
        self.key, self.handle, self._loaded = key, c_void_p(), model._loaded
        of = None if rows is None else ctypes.pointer(_matrix_of(rows))
        options = ExplainOptions(ctypes.sizeof(ExplainOptions), 0, memory, of)
        mine.check(lib.ride_explain_prepare(mine.handle, model._handle, byref(options), byref(self.handle)))
        weakref.finalize(self, _release, self.handle, self._loaded).atexit = False


def _release(handle, loaded):
    """The finalizer holds the predictor too: in a cycle both go at once, in any order, and ride_unload must come last."""
    lib.ride_explain_release(handle)


def _again(source, best_iteration, threads):
    return Model(source, threads=threads, best_iteration=best_iteration)


def _is_pandas(rows):
    return type(rows).__module__.partition(".")[0] == "pandas"


def _stops_early(estimator):
    """XGBoost's scikit-learn wrappers predict with the trees up to the best iteration, where training stopped early; its Booster with all."""
    return hasattr(estimator, "get_booster")


def _address(array):
    return array.__array_interface__["data"][0]


def _matrix_of(x):
    size = x.itemsize
    return Matrix(_address(x), CODES[x.dtype], x.shape[1], x.shape[0], x.strides[0] // size, x.strides[1] // size)
