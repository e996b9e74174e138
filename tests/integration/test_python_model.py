"""ride.Model: the examples of docs/python.md and of the module, the trainers' own results from every form of rows, errors as exceptions, threads, forks, and
an import that loads nothing that is not asked for. pyarrow and polars are tried where they are; the protocol itself is tried without them."""
import ctypes
import doctest
import inspect
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from python_library import TOP as top  # noqa: E402
import numpy as np  # noqa: E402
import ride  # noqa: E402

golden = top / "tests/golden/models"
NAMES = ["amount", "age", "gap", "kind"]


def rows_of(name):
    """The golden rows as doubles and the trainer's margins."""
    lines = (golden / f"{name}.csv").read_text().splitlines()
    cells = np.array([[float(c) if c else np.nan for c in line.split(",")] for line in lines[1:]])
    return cells[:, :4], cells[:, 4] if cells.shape[1] == 5 else cells[:, 4:]


def fails(kind, text, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except kind as error:
        assert text in str(error), f"`{error}` lacks `{text}`"
        assert isinstance(error, ride.RideError), type(error)
        return
    raise AssertionError(f"{call} did not fail")


def check_examples():
    example = {"example": str(golden / "lightgbm-4.6.0-binary.txt")}
    import ride.model
    tried = doctest.testmod(ride.model, extraglobs=example)
    assert tried.failed == 0 and tried.attempted > 5, tried
    try:
        import pandas  # noqa: F401
    except ImportError:
        return "without pandas"
    tried = doctest.testfile(str(top / "docs/python.md"), module_relative=False, globs=example)
    assert tried.failed == 0 and tried.attempted > 10, tried
    return f"{tried.attempted} examples"


def check_arrays():
    for name, suffix, number in (("xgboost-3.2.0-plain", "json", np.float32), ("xgboost-3.2.0-multi", "json", np.float32),
                                 ("xgboost-2.1.4-dart", "ubj", np.float32), ("lightgbm-4.6.0-plain", "txt", np.float64),
                                 ("lightgbm-4.6.0-multi", "txt", np.float64)):
        x, want = rows_of(name)
        for source in (golden / f"{name}.{suffix}", str(golden / f"{name}.{suffix}"), (golden / f"{name}.{suffix}").read_bytes()):
            model = ride.Model(source)
            got = model.margin(x)
            assert got.dtype == number and got.shape == want.shape, (got.dtype, got.shape)
            assert np.array_equal(got, want.astype(number)), name
        spread = np.full((60, 9), -7.0)
        spread[:, 1::2] = x
        forms = [np.asfortranarray(x), spread[:, 1::2], x[::-1][::-1], x.astype(">f8"), x.tolist(), np.ma.masked_invalid(x),
                 x.astype(object), np.frombuffer(x.tobytes(), dtype=np.float64).reshape(x.shape)]
        odd = np.zeros(x.nbytes + 1, dtype=np.uint8)[1:].view(np.float64).reshape(x.shape)  # not aligned
        odd[:] = x
        for form in [*forms, odd]:
            assert np.array_equal(model.margin(form), want.astype(number)), (name, type(form))
        if number == np.float32:
            assert np.array_equal(model.margin(x.astype(np.float32)), want.astype(number))
        assert np.array_equal(model.margin(x[::-2]), want.astype(number)[::-2])
        assert model.margin(x[:0]).shape == want[:0].shape
        whole = np.clip(np.nan_to_num(x, nan=3), -1e9, 1e9).astype(np.int64)
        assert np.array_equal(model.margin(whole), model.margin(whole.astype(np.float64)))
        assert np.array_equal(model.margin(x > 1), model.margin((x > 1).astype(np.float64)))
    assert model.predict(x).shape == (60, 3) and np.allclose(model.predict(x).sum(axis=1), 1)


def check_faults():
    model = ride.Model(golden / "xgboost-3.2.0-plain.json")
    x, _ = rows_of("xgboost-3.2.0-plain")
    fails(FileNotFoundError, "/nowhere.json", ride.Model, "/nowhere.json")
    fails(ValueError, "model", ride.Model, b"no model")
    fails(ride.ModelError, "\n", ride.Model, b'{"learner": {"objective": {"name": "none"}, "gradient_booster": 3}}')
    fails(ride.DataError, "3 columns, the model 4 inputs", model.predict, x[:, :3])
    fails(ValueError, "reshape(1, -1)", model.predict, x[0])
    fails(ValueError, "3 dimensions", model.predict, x[None])
    fails(ValueError, "different lengths", model.predict, [[1, 2], [3]])
    fails(ValueError, "numbers", model.predict, [["a", "b", "c", "d"]])
    fails(ValueError, "numbers", model.predict, np.array([[None, {}, 1, 2]], dtype=object))
    for text in ("1.5", b"1.5"):
        fails(ValueError, "text", model.predict, np.array([[text, 1, 2, 3]], dtype=object))
    assert model.explain(x).shape == (60, 5) and model.explain(x[:0]).shape == (0, 5)
    for memory in (-1, 1 << 70):
        fails(ValueError, f"memory={memory}", model.explain, x, memory=memory)
    fails(ValueError, "background: rows are a matrix; this has 1 dimension ([row] is", model.explain, x, background=[1, 2, 3, 4])
    fails(ValueError, "background: rows are a matrix; this has 1 dimension (reshape(1, -1)", model.explain, x, background=x[0])
    fails(ValueError, "background: the matrix has 3 columns", model.explain, x, background=x[:, :3])
    onnx = ride.Model(top / "tests/golden/onnx/boosted.onnx")  # ONNX counts no training rows
    fails(NotImplementedError, "", onnx.explain, np.zeros((1, onnx.inputs)))


def check_threads():
    x, _ = rows_of("xgboost-3.2.0-multi")
    many = np.tile(x.astype(np.float32), (700, 1))
    models = [ride.Model(golden / "xgboost-3.2.0-multi.json", threads=threads) for threads in (1, 2, 3, 0)]
    want = models[0].margin(many)
    for model in models[1:]:
        assert np.array_equal(model.margin(many), want), model.threads
    got, workers = [None] * 6, []
    for i in range(6):  # of one model, at once
        workers.append(threading.Thread(target=lambda i=i: got.__setitem__(i, [models[i % 2].margin(many[i:]) for _ in range(5)])))
        workers[-1].start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(part, want[i:]) for i in range(6) for part in got[i])
    assert np.array_equal(pickle.loads(pickle.dumps(models[1])).margin(many), want)
    child = os.fork()
    if child == 0:  # the parent's threads are not here
        code = 1
        try:
            code = 0 if np.array_equal(models[1].margin(many), want) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    beats, stop = [0], threading.Event()

    def beat():
        while not stop.is_set():
            beats[0] += 1
            time.sleep(0)

    huge = np.tile(many, (20, 1))
    worker = threading.Thread(target=beat)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # so that nobody gets the interpreter by waiting for it
    worker.start()
    while beats[0] == 0:
        time.sleep(0.001)
    before = beats[0]
    models[0].margin(huge)
    after = beats[0]
    stop.set()
    worker.join()
    sys.setswitchinterval(interval)
    assert after > before, "the interpreter stood still during a call"


def check_exit():
    """Models and contexts outlive the interpreter's end: daemon threads may still be in a call."""
    code = """
import os, sys, threading, ride, ride.model
calls, at_exit = [], []
for name in ("ride_unload", "ride_context_destroy"):
    def watched(handle, name=name, function=getattr(ride.model.lib, name), calls=calls, at_exit=at_exit, leave=os._exit):
        calls.append(name)
        leave(3) if at_exit else function(handle)
    setattr(ride.model.lib, name, watched)
worker = threading.Thread(target=lambda: ride.Model(sys.argv[1]))
worker.start()
worker.join()
assert sorted(calls) == ["ride_context_destroy", "ride_unload"], calls  # what nobody holds goes at once
model = ride.Model(sys.argv[1])
at_exit.append(1)
"""
    done = subprocess.run([sys.executable, "-c", code, str(golden / "xgboost-3.2.0-plain.json")], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b""), done


class ForeignColumn:
    """A column of a made-up producer: numbers and a bitmap, as Arrow lays them out."""

    def __init__(self, values):
        from ride.arrow import ArrowArray
        valid = ~np.isnan(values)
        self.values = np.where(valid, values, 0)
        self.bits = np.packbits(valid, bitorder="little")
        self.buffers = (ctypes.c_void_p * 2)(self.bits.ctypes.data, self.values.ctypes.data)
        self.array = ArrowArray(length=len(values), null_count=-1, n_buffers=2, buffers=ctypes.addressof(self.buffers))


def released_of(kind, kept):
    """A release callback of a struct, that counts."""
    @kind._fields_[8 if kind.__name__ == "ArrowArray" else 7][1]
    def release(at):
        kept["released"] += 1
        at.contents.release = type(release)()
    return release


class ForeignTable:
    """A producer of the PyCapsule protocol: an array, or a stream of several."""

    def __init__(self, x, names, stream):
        self.parts = np.array_split(x, 3) if stream else [x]
        self.names, self.stream = names, stream
        self.kept = {"released": 0, "alive": []}
        setattr(self, "__arrow_c_stream__" if stream else "__arrow_c_array__", self.give_stream if stream else self.give_array)

    def schema(self):
        from ride.arrow import ArrowSchema
        fields = [ArrowSchema(format=b"g", name=name.encode()) for name in self.names]
        children = (ctypes.c_void_p * len(fields))(*[ctypes.addressof(f) for f in fields])
        release = released_of(ArrowSchema, self.kept)
        self.kept["alive"] += [fields, children, release]
        return ArrowSchema(format=b"+s", name=b"", n_children=len(fields), children=ctypes.addressof(children), release=release)

    def array(self, x):
        from ride.arrow import ArrowArray
        columns = [ForeignColumn(np.ascontiguousarray(x[:, i])) for i in range(x.shape[1])]
        children = (ctypes.c_void_p * len(columns))(*[ctypes.addressof(c.array) for c in columns])
        none = (ctypes.c_void_p * 1)(None)
        release = released_of(ArrowArray, self.kept)
        self.kept["alive"] += [columns, children, none, release]
        return ArrowArray(length=len(x), n_buffers=1, buffers=ctypes.addressof(none), n_children=len(columns),
                          children=ctypes.addressof(children), release=release)

    def capsule(self, thing, name):
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        self.kept["alive"] += [thing, name]
        return make(ctypes.addressof(thing), name, None)

    def give_array(self, requested_schema=None):
        return self.capsule(self.schema(), b"arrow_schema"), self.capsule(self.array(self.parts[0]), b"arrow_array")

    def give_stream(self, requested_schema=None):
        from ride import arrow
        fields, left = dict(arrow.ArrowArrayStream._fields_), list(self.parts)

        def put(out, thing):
            ctypes.memmove(out, ctypes.addressof(thing), ctypes.sizeof(thing))
            self.kept["alive"].append(thing)
            return 0

        def released(at):
            self.kept["released"] += 1
            at.contents.release = fields["release"]()

        functions = [fields["get_schema"](lambda at, out: put(out, self.schema())),
                     fields["get_next"](lambda at, out: put(out, self.array(left.pop(0)) if left else arrow.ArrowArray())),
                     fields["get_last_error"](lambda at: None), fields["release"](released)]
        self.kept["alive"].append(functions)
        return self.capsule(arrow.ArrowArrayStream(*functions), b"arrow_array_stream")


def check_arrow():
    for name, suffix in (("lightgbm-4.6.0-plain", "txt"), ("xgboost-3.2.0-multi", "json")):
        x, want = rows_of(name)
        model = ride.Model(golden / f"{name}.{suffix}", threads=2)
        order = [2, 0, 3, 1]
        for stream in (False, True):
            table = ForeignTable(x[:, order], [NAMES[i] for i in order], stream)
            assert np.array_equal(model.margin(table), want.astype(model.margin(x).dtype)), (name, stream)
            assert table.kept["released"] == (5 if stream else 0), table.kept["released"]  # a capsule releases its own
        fails(ride.DataError, "first `gap`", model.margin, ForeignTable(x, ["amount", "age", "gab", "kind"], False))
        fails(ride.DataError, "first `gap`", model.margin, ForeignTable(x, ["amount", "age", "gab", "kind"], True))
    told = []
    x, want = rows_of("lightgbm-4.6.0-plain")
    model = ride.Model(golden / "lightgbm-4.6.0-plain.txt")
    for module in ("pyarrow", "polars"):
        try:
            library = __import__(module)
        except ImportError:
            told.append(f"no {module} here")
            continue
        columns = {name: [None if v != v else v for v in x[:, i]] for i, name in reversed(list(enumerate(NAMES)))}
        table = library.table(columns) if module == "pyarrow" else library.DataFrame(columns)
        assert np.array_equal(model.margin(table), want), module
        assert np.array_equal(model.margin(table[10:50]), want[10:50]), module
        assert len(model.margin(table[:0])) == 0
        told.append(f"{module} {library.__version__}")
    return ", ".join(told)


def check_pandas():
    try:
        import pandas as pd
    except ImportError:
        return "no pandas here"
    for name, suffix in (("lightgbm-4.6.0-plain", "txt"), ("xgboost-3.2.0-plain", "json")):
        x, want = rows_of(name)
        model = ride.Model(golden / f"{name}.{suffix}")
        want = want.astype(model.margin(x).dtype)
        frame = pd.DataFrame(x, columns=NAMES)
        forms = [frame, frame[NAMES[::-1]], frame.assign(other="text"), frame.assign(kind=frame.kind.astype("Float64")),
                 frame.iloc[::-1].iloc[::-1], frame.set_index("amount").reset_index()]
        for form in forms:
            assert np.array_equal(model.margin(form), want), name
        fails(ride.DataError, "lacks 1 of the model's 4 inputs, first `age`", model.predict, frame.drop(columns="age"))
        twice = pd.concat([frame, frame[["gap"]]], axis=1)
        fails(ride.DataError, "`gap` is there twice", model.predict, twice)
        fails(ride.DataError, "numbers", model.predict, frame.assign(age="old"))
    text = (golden / "lightgbm-4.6.0-plain.txt").read_text()
    named = ride.Model(text.replace("pandas_categorical:null", "pandas_categorical:" + str([[f"k{i}" for i in range(40)]]).replace("'", '"')).encode())
    codes = np.arange(60) % 41 - 1  # -1: missing
    x = rows_of("lightgbm-4.6.0-plain")[0].copy()
    x[:, 3] = np.where(codes < 0, np.nan, codes)
    want = named.margin(x)
    strings = pd.Series([None if c < 0 else f"k{c}" for c in codes], dtype=object)
    frame = pd.DataFrame(x, columns=NAMES)
    for kind in (strings, strings.astype("category"), strings.astype(pd.CategoricalDtype([f"k{i}" for i in reversed(range(45))]))):
        assert np.array_equal(named.margin(frame.assign(kind=kind)), want), kind.dtype
    bad = strings.copy()
    bad[31] = "k44"
    for kind in (bad, bad.astype("category")):
        fails(ride.DataError, "row 31: the model never saw the category `k44`", named.margin, frame.assign(kind=kind))
    plain = ride.Model(golden / "lightgbm-4.6.0-plain.txt")  # no names of categories: a frame's codes are the model's
    by_code = pd.Series(pd.Categorical.from_codes(codes, [f"k{i}" for i in range(40)]))
    assert np.array_equal(plain.margin(frame.assign(kind=by_code)), plain.margin(x))
    return f"pandas {pd.__version__}"


def check_manifests():
    folder = top / "tests/golden/ensembles"
    names, *lines = (folder / "expected.csv").read_text().splitlines()
    cells = np.array([[float(c) if c else np.nan for c in line.split(",")] for line in lines])
    for i, name in enumerate(names.split(",")[4:]):
        model = ride.Model(folder / f"{name}.yaml", threads=2)
        got = model.predict(cells[:, :4])
        assert np.allclose(got, cells[:, 4 + i], rtol=0, atol=1e-6), (name, np.abs(got - cells[:, 4 + i]).max())
        assert model.info["format"] == "ensemble" and model.feature_names == NAMES
    fails(ride.ModelError, "from memory opens no file", ride.Model, (folder / "mean.yaml").read_bytes())
    return f"{len(names.split(',')) - 4} manifests"


def close(got, want):
    """Contributions: within 1e-5 of the row's largest."""
    assert got.shape == want.shape, (got.shape, want.shape)
    worst = (np.abs(got - want).max(axis=-1) / np.abs(want).max(axis=-1)).max()
    assert worst < 1e-5, worst


def check_cycles():
    """A Model whose explanations have tables of their own goes away in a cycle: the collector ends both in any order. In a process of its own, which a
    wrong order would kill."""
    program = """
import gc, sys, numpy as np, ride
class App:
    def __init__(self, path):
        self.model = ride.Model(path)
        self.handler = lambda x: self.model.predict(x)
x = np.random.default_rng(0).normal(size=(50, 4))
for options in ({"background": x[:9]}, {"memory": 1 << 20}) * 4:
    app = App(sys.argv[1])
    app.model.explain(x, **options)
    del app
    gc.collect()
print("survived")
"""
    run = subprocess.run([sys.executable, "-c", program, str(golden / "lightgbm-4.6.0-binary.txt")], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout == "survived\n", (run.returncode, run.stdout, run.stderr)


def check_estimators():
    r, told = np.random.default_rng(3), []
    x = r.normal(size=(400, 6)).astype(np.float32)
    x[r.random(x.shape) < 0.1] = np.nan
    y = (np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) ** 2 > 0.5).astype(int)
    try:
        import xgboost
        booster = xgboost.train({"objective": "binary:logistic", "max_depth": 4, "nthread": 1}, xgboost.DMatrix(x, y), 20)
        model = ride.Model(booster)
        assert np.array_equal(model.margin(x), booster.predict(xgboost.DMatrix(x), output_margin=True))
        want = booster.predict(xgboost.DMatrix(x), pred_contribs=True)
        close(model.explain(x), want)
        told.append(f"xgboost {xgboost.__version__}")
        try:
            early = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, max_depth=3, n_jobs=1)
            early.fit(x[:200], y[:200], eval_set=[(x[200:], y[200:])], verbose=False)
            assert early.best_iteration < 59
            assert np.array_equal(ride.Model(early).margin(x), early.predict(x, output_margin=True))
        except ImportError:
            told.append("without its wrappers, no scikit-learn here")
    except ImportError:
        told.append("no xgboost here")
    try:
        import lightgbm
        booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(x, y), 20)
        model = ride.Model(booster)
        assert np.array_equal(model.margin(x), booster.predict(x, raw_score=True))
        close(model.explain(x), booster.predict(x, pred_contrib=True))
        three = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}, lightgbm.Dataset(x, y + (x[:, 2] > 1)), 5)
        close(ride.Model(three).explain(x), three.predict(x, pred_contrib=True).reshape(len(x), 3, -1))
        told.append(f"lightgbm {lightgbm.__version__}")
    except (ImportError, OSError):
        told.append("no lightgbm here")
    try:
        import sklearn
        from sklearn.ensemble import RandomForestClassifier
        forest = RandomForestClassifier(20, max_depth=5, random_state=1, n_jobs=1).fit(np.nan_to_num(x), y)
        got, want = ride.Model(forest).predict(np.nan_to_num(x)), forest.predict_proba(np.nan_to_num(x))
        assert np.allclose(got if got.ndim == 2 else np.stack([1 - got, got], 1), want, rtol=0, atol=1e-12)
        told.append(f"scikit-learn {sklearn.__version__}")
    except ImportError:
        told.append("no scikit-learn here")
    return ", ".join(told)


def check_light():
    code = "import sys, ride\nassert not {'numpy', 'ctypes', 'pandas'} & set(sys.modules), 'heavy'\nride.Model\nassert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    import ride.native
    stub = Path(ride.native.__file__).with_name("__init__.pyi").read_text()
    assert set(re.findall(r" as (\w+)", stub)) | {"version"} == set(ride.__all__), "__init__.pyi and __init__.py name different things"
    assert Path(ride.native.__file__).with_name("py.typed").exists()
    for name in ("__init__", "predict", "margin", "explain"):
        signature = inspect.signature(getattr(ride.Model, name))
        assert signature.return_annotation is not inspect.Signature.empty, name
    header = (top / "host/include/ride/ride.h").read_text() if (top / "host").exists() else None
    if header:
        from ride.native import ContextOptions, ExplainOptions, FUNCTIONS, LoadOptions, Matrix, Scores
        for name in FUNCTIONS:
            count = len(re.search(rf"\b{name}\(([^)]*)\)", header).group(1).replace("void", "").split(",")) if f"{name}(void)" not in header else 0
            assert count == len(FUNCTIONS[name]) - 1, name
        for kind, name in ((ContextOptions, "context_options"), (LoadOptions, "load_options"), (ExplainOptions, "explain_options"), (Matrix, "matrix"), (Scores, "scores")):
            body = re.sub(r"/\*.*?\*/", "", re.search(rf"typedef struct ride_{name} \{{(.*?)\}}", header, re.S).group(1), flags=re.S)
            fields = [w for line in body.split(";") for w in re.findall(r"\*?(\w+)(?=,|$)", line.strip())]
            assert fields == [f[0] for f in kind._fields_], (name, fields)


def main():
    check_light()
    print("examples:", check_examples())
    check_arrays()
    check_faults()
    check_threads()
    check_exit()
    check_cycles()
    print("Arrow:", check_arrow())
    print("frames:", check_pandas())
    print("ensembles:", check_manifests())
    print("estimators:", check_estimators())
    print(f"ride.Model over libride {ride.version()}, numpy {np.__version__}")


main()
