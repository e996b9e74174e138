"""One engine in a process of its own, for bench/peers/score.py: loads a model, then answers lines of JSON on standard input.

    {"do": "results", "to": FILE}          all rows' margins (or answers), as an array
    {"do": "load"}                         the model once more, beside the first → {"seconds", "peak", "kept"}: what it takes, bytes at most at once and afterwards
    {"do": "sample", "batch": N, "ms": T, "wall": 0 or 1}  → {"ns": ns per row} of calls of N rows for at least T ms, the next rows each time; CPU time, or the
                                           wall's clock
"""
import ctypes
import json
import os
import pickle
import sys
import time
from pathlib import Path

import numpy as np

TOP = Path(__file__).resolve().parents[2]


class Ride:
    """libride by its C API, in a C loop."""
    threads, kind, phi = 1, "margin", 0

    def __init__(self, model, rows):
        os.environ["RIDE_LIBRARY"] = str(TOP / "build/release/lib/libride.so.0")
        sys.path.insert(0, str(TOP / "python"))
        import ride
        from ride import native
        self.model, self.rows = ride.Model(model, threads=self.threads), rows
        loop = ctypes.CDLL(str(Path(os.environ["RIDE_PEERS_SCRATCH"]) / "ride_loop.so")).ride_loop
        loop.restype = ctypes.c_double
        loop.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_double,
                         ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
        self.context, self.loop, self.at = native.context(self.threads), loop, ctypes.c_uint64()
        each = self.model.outputs * (self.model.inputs + 1 if self.phi else 1)
        self.out = np.zeros(each * (4096 if self.phi else len(rows)), dtype=np.float64)

    def results(self, x):
        return self.model.explain(x) if self.phi else self.model.margin(x)

    def answers(self, x):
        return self.model.predict(x)

    def sample(self, batch, ms, wall):
        number = self.model._output_number
        return self.loop(self.context.handle, self.model._handle, self.rows.ctypes.data, self.rows.shape[1], len(self.rows), batch, ms * 1e6,
                         ctypes.byref(self.at), self.out.ctypes.data, number, self.phi, wall)


class RideTwo(Ride):
    threads = 2


class RideExplain(Ride):
    phi = 1


class Calls:
    """An engine that is called from Python: `call` with each of the batch's slices in turn."""
    kind, at = "margin", 0

    def sample(self, batch, ms, wall):
        now = time.perf_counter_ns if wall else time.process_time_ns
        rows, done = self.prepared(batch), 0
        begin = now()
        while True:
            if self.at + batch > len(self.rows):
                self.at = 0
            self.call(rows[self.at // batch] if isinstance(rows, list) else self.rows[self.at:self.at + batch])
            self.at += batch
            done += batch
            end = now()
            if end - begin >= ms * 1e6:
                return (end - begin) / done

    def prepared(self, batch):
        return None

    def results(self, x):
        return np.array(self.call(x))


class RidePython(Calls):
    """ride.Model.margin, from NumPy."""
    def __init__(self, model, rows):
        os.environ["RIDE_LIBRARY"] = str(TOP / "build/release/lib/libride.so.0")
        sys.path.insert(0, str(TOP / "python"))
        import ride
        self.model, self.rows, self.call = ride.Model(model), rows, None
        self.call = self.model.margin


class RideCall(Calls):
    """One call of the C API from Python, with everything ready: what ride.Model is measured against."""
    def __init__(self, model, rows):
        os.environ["RIDE_LIBRARY"] = str(TOP / "build/release/lib/libride.so.0")
        sys.path.insert(0, str(TOP / "python"))
        import ride
        from ride import native
        self.model, self.rows, self.native, self.context = ride.Model(model), rows, native, native.context(1)
        self.out = np.zeros(len(rows), dtype=self.model._dtype)
        self.scores = native.Scores(self.out.ctypes.data, None, self.model._output_number)
        self.matrix = native.Matrix(rows.ctypes.data, native.F32, rows.shape[1], len(rows), rows.shape[1], 1)

    def call(self, x):
        self.matrix.values, self.matrix.rows_count = x.__array_interface__["data"][0], len(x)
        self.native.lib.ride_predict(self.context.handle, self.model._handle, ctypes.byref(self.matrix), ctypes.byref(self.scores))
        return self.out[:len(x)]

    def answers(self, x):
        return self.model.predict(x)


class XGBoost(Calls):
    """Its C API with a dense array, as Booster.inplace_predict calls it."""
    contribs = False

    def __init__(self, model, rows):
        import xgboost
        self.xgboost, self.rows = xgboost, rows
        self.booster = xgboost.Booster({"nthread": 1}, model_file=model)
        self.config = json.dumps({"type": 1, "training": False, "iteration_begin": 0, "iteration_end": 0, "missing": float("nan"),
                                  "strict_shape": False, "cache_id": 0}).encode()
        self.lib = xgboost.core._LIB

    def call(self, x):
        shape, dim, out = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
        if self.lib.XGBoosterPredictFromDense(self.booster.handle, json.dumps(x.__array_interface__).encode(), self.config, None, ctypes.byref(shape),
                                              ctypes.byref(dim), ctypes.byref(out)) != 0:
            raise RuntimeError("XGBoost's predict failed")
        return np.ctypeslib.as_array(out, (len(x),))


class XGBoostExplain(XGBoost):
    def call(self, x):
        return self.booster.predict(self.xgboost.DMatrix(x, nthread=1), pred_contribs=True)


class LightGBM(Calls):
    def __init__(self, model, rows):
        import lightgbm
        self.rows, self.booster, self.lib = rows, lightgbm.Booster(model_file=model), lightgbm.basic._LIB
        self.out, self.count = np.zeros(len(rows)), ctypes.c_int64()

    def call(self, x):
        code = self.lib.LGBM_BoosterPredictForMat(self.booster._handle, ctypes.c_void_p(x.__array_interface__["data"][0]), 0, ctypes.c_int32(len(x)),
                                                  ctypes.c_int32(x.shape[1]), 1, 1, 0, -1, b"num_threads=1", ctypes.byref(self.count),
                                                  self.out.ctypes.data_as(ctypes.POINTER(ctypes.c_double)))
        if code != 0:
            raise RuntimeError("LightGBM's predict failed")
        return self.out[:len(x)]


class LightGBMExplain(LightGBM):
    def call(self, x):
        return self.booster.predict(x, pred_contrib=True, num_threads=1)


class Lleaves(Calls):
    def __init__(self, model, rows):
        import lleaves
        self.rows, self.model = rows.astype(np.float64), lleaves.Model(model_file=model)
        self.model.compile(cache=str(Path(model).with_suffix(".lleaves.o")), raw_score=True)

    def call(self, x):
        return self.model.predict(x, n_jobs=1)


class OneDAL(Calls):
    kind = "answer"

    def __init__(self, model, rows):
        import daal4py
        daal4py.daalinit(nthreads=1)
        if model.endswith(".txt"):
            import lightgbm
            booster = lightgbm.Booster(model_file=model)
        else:
            import xgboost
            booster = xgboost.Booster(model_file=model)
        self.rows, self.model = rows, daal4py.mb.convert_model(booster)

    def call(self, x):
        return self.model.predict_proba(x)[:, 1]


class OneDALAvx2(OneDAL):
    """On its AVX2 path; where the processor would let it take another, it is told so before anything else."""
    def __init__(self, model, rows):
        for name in ("libtbb.so.12", "libtbbmalloc.so.2", "libonedal_thread.so.4"):
            if (Path(sys.prefix) / "lib" / name).exists():
                ctypes.CDLL(str(Path(sys.prefix) / "lib" / name), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)
        core = ctypes.CDLL(str(Path(sys.prefix) / "lib/libonedal_core.so.4"), mode=ctypes.RTLD_GLOBAL)
        environment = "_ZN4daal8services10interface111Environment"  # daal::services::interface1::Environment
        instance, set_cpu, cpu = (getattr(core, environment + name) for name in ("11getInstanceEv", "8setCpuIdEi", "8getCpuIdEi"))
        instance.restype = ctypes.c_void_p
        set_cpu.argtypes = cpu.argtypes = [ctypes.c_void_p, ctypes.c_int]
        avx2 = 4  # daal::CpuType
        set_cpu(instance(), avx2)
        super().__init__(model, rows)
        if cpu(instance(), -1) != avx2:
            raise RuntimeError(f"oneDAL does not take its AVX2 path here, but {cpu(instance(), -1)}")


class OneDALForest(Calls):
    """oneDAL reads no forest of scikit-learn's: it trains its own, of the same shape, on the same rows. Its results are not compared."""
    kind = "own training"

    def __init__(self, model, rows):
        import models
        from sklearnex.ensemble import RandomForestClassifier
        x = models.rows(models.TRAIN_ROWS, 1)
        self.rows = rows
        self.forest = RandomForestClassifier(100, max_depth=20, min_samples_leaf=5, max_features=8, max_samples=40_000, n_jobs=1, random_state=1)
        self.forest.fit(x, models.labels(x))

    def call(self, x):
        return self.forest.predict_proba(x)[:, 1]


class CatBoost(Calls):
    def __init__(self, model, rows):
        import catboost
        self.catboost, self.rows, self.model, self.pools = catboost, rows, catboost.CatBoost(), {}
        self.model.load_model(model)

    def prepared(self, batch):
        """Ready pools: what it costs to make them is not counted. A part of the rows is enough for small ones."""
        if batch not in self.pools:
            starts = range(0, len(self.rows) if batch >= 1024 else 512 * batch, batch)
            self.pools[batch] = [self.catboost.Pool(self.rows[i:i + batch]) for i in starts if i + batch <= len(self.rows)]
        pools = self.pools[batch]
        self.at = self.at % (len(pools) * batch) // batch * batch
        return pools * (len(self.rows) // (len(pools) * batch) + 1)

    def call(self, pool):
        return self.model.predict(pool, prediction_type="RawFormulaVal", thread_count=1)


class Sklearn(Calls):
    kind = "answer"

    def __init__(self, model, rows):
        with open(Path(model).with_suffix(".pickle"), "rb") as file:
            self.estimator, self.rows = pickle.load(file), rows
        if hasattr(self.estimator, "n_jobs"):
            self.estimator.n_jobs = 1

    def call(self, x):
        return -self.estimator.score_samples(x) if hasattr(self.estimator, "score_samples") else self.estimator.predict_proba(x)[:, 1]


class OnnxRuntime(Calls):
    kind = "answer"

    def __init__(self, model, rows):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.rows = rows
        self.session = onnxruntime.InferenceSession(str(Path(model).with_suffix(".onnx")), options, providers=["CPUExecutionProvider"])
        self.name, self.wanted = self.session.get_inputs()[0].name, [self.session.get_outputs()[1].name]
        self.offset = None
        if "isolation" in model:
            self.offset = Sklearn(model, rows).estimator.offset_

    def call(self, x):
        return self.session.run(self.wanted, {self.name: x})[0]

    def results(self, x):
        out = self.call(x)
        return -(out[:, 0] + self.offset) if self.offset is not None else out[:, 1]


ENGINES = {"ride": Ride, "ride, two threads": RideTwo, "ride.Model": RidePython, "the C call": RideCall, "ride explains": RideExplain, "XGBoost": XGBoost,
           "XGBoost explains": XGBoostExplain, "LightGBM": LightGBM, "LightGBM explains": LightGBMExplain, "lleaves": Lleaves, "oneDAL": OneDAL, "ride, AVX2": Ride, "oneDAL, AVX2": OneDALAvx2,
           "oneDAL, own forest": OneDALForest, "CatBoost": CatBoost, "scikit-learn": Sklearn, "ONNX Runtime": OnnxRuntime}


def memory(name):
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))


def load_again(name, model, rows):
    """Beside the first: its libraries are there already, and what it needs comes from the system."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, begin = memory("VmRSS"), time.perf_counter()
    second = ENGINES[name](model, np.ascontiguousarray(rows[:8]))
    seconds = time.perf_counter() - begin
    found = {"seconds": seconds, "peak": max(0, memory("VmHWM") - before), "kept": max(0, memory("VmRSS") - before)}
    del second
    return found


def main():
    name, model, rows, columns = sys.argv[1:5]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not ours to send

    def answer(**what):
        answers.write(json.dumps(what) + "\n")
        answers.flush()
    try:
        begin = time.perf_counter()
        engine = ENGINES[name](model, np.ascontiguousarray(np.load(rows)[:, :int(columns)]))
        answer(loaded_s=time.perf_counter() - begin, kind=engine.kind)
    except Exception as error:  # noqa: BLE001: whatever keeps a peer away is told
        answer(error=f"{type(error).__name__}: {error}"[:300])
        return
    for line in sys.stdin:
        wish = json.loads(line)
        try:
            if wish["do"] == "results":
                x = engine.rows[:wish["rows"]]
                if isinstance(engine, CatBoost):
                    x = engine.catboost.Pool(x)
                np.save(wish["to"], engine.answers(x) if wish.get("answers") else engine.results(x))
                answer(ok=True)
            elif wish["do"] == "load":
                answer(**load_again(name, model, engine.rows))
            else:
                answer(ns=engine.sample(wish["batch"], wish["ms"], wish["wall"]))
        except Exception as error:  # noqa: BLE001
            answer(error=f"{type(error).__name__}: {error}"[:300])


if __name__ == "__main__":
    main()
