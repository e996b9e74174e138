"""Explanations of every kind of model, through ride.Model: their sums against the margins for all golden models; with background rows, trees and linear models
against Shapley's definition over all subsets of inputs, by margins alone; linear models against their formula and XGBoost's own contributions; networks
against integrated gradients by NumPy at many points; ensembles against their members' shares, rescaled."""
import json
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from python_library import TOP as top  # noqa: E402
import numpy as np  # noqa: E402
import ride  # noqa: E402

GOLDEN = top / "tests/golden"
ENSEMBLES = GOLDEN / "ensembles"


def rows_of(path, inputs):
    """The golden rows beside a model, or those of the ensembles."""
    file = path.with_suffix(".csv")
    lines = (file if file.exists() else ENSEMBLES / "expected.csv").read_text().splitlines()[1:]
    return np.array([[float(c) if re.fullmatch(r"[-+.\d]+(e[-+]?\d+)?|nan|inf|-inf", c) else np.nan for c in line.split(",")[:inputs]] for line in lines])


def three(values, model):
    """(rows, outputs, …) of explain's or margin's results."""
    return values[:, None] if model.outputs == 1 else values


def check_sums(model, x, name, **how):
    phi, margin = three(model.explain(x, **how), model).astype(float), three(model.margin(x), model).astype(float)
    size = 1 + np.abs(phi).sum(axis=-1)
    known = np.isfinite(margin)
    worst = np.max(np.where(known, np.abs(phi.sum(axis=-1) - margin) / size, 0), initial=0)
    assert worst < 1e-6, (name, worst)
    assert np.array_equal(np.isfinite(phi).all(axis=-1), known), (name, "shares that are no numbers")
    return phi


def golden_models():
    paths = [*GOLDEN.glob("models/*.json"), *GOLDEN.glob("models/*.txt"), *GOLDEN.glob("xgboost/*.json"), *GOLDEN.glob("catboost/*.cbm"),
             *GOLDEN.glob("onnx/*.onnx"), *GOLDEN.glob("sklearn/1.9.1-*.json"), *ENSEMBLES.glob("*.json"), *ENSEMBLES.glob("*.yaml"), *GOLDEN.glob("treelite/*.checkpoint")]
    return sorted(path for path in paths if path.name not in ("1.2-texts.cbm", "1.2.10-texts.cbm"))  # which name no categories


def check_all():
    """With and without background rows: the sum is the margin, or the kind is refused by name."""
    explained, refused = {}, {}
    for path in golden_models():
        name = f"{path.parent.name}/{path.name}"
        model = ride.Model(path)
        x = rows_of(path, model.inputs)
        for way, how in (("", {}), ("background", {"background": x[:9]}), ("memory", {"memory": 4096})):
            try:
                check_sums(model, x, (name, way), **how)
                explained.setdefault(name, []).append(way)
            except ride.UnsupportedError as error:
                refused.setdefault(name, []).append(str(error))
                assert len(str(error)) > 20, name
    never = set(refused) - set(explained)
    kinds = ("vote", "least", "greatest", "scaled-forest", "linear_tree", "linear-tree", "linear")
    assert all(any(kind in name for kind in kinds) for name in never), {name: refused[name] for name in never}
    assert len(explained) > 120 and "onnx/boosted.onnx" in explained and explained["onnx/boosted.onnx"] == ["background"]
    return f"{len(explained)} models explained, {len(never)} of kinds that have no shares: {', '.join(sorted(never))}"


def definition(model, row, background):
    """Shapley values by margins alone: what a set of inputs is worth is the mean margin when only those are the row's and the others a background row's."""
    inputs = model.inputs
    sets = np.array([[s >> i & 1 for i in range(inputs)] for s in range(1 << inputs)], dtype=bool)
    mixed = np.where(sets[:, None, :], row, background[None])
    value = three(model.margin(mixed.reshape(-1, inputs)), model).astype(float).reshape(len(sets), len(background), -1).mean(axis=1)
    weight, count = np.ones(inputs), sets.sum(axis=1)
    weight[0] = 1 / inputs
    for s in range(1, inputs):
        weight[s] = weight[s - 1] * s / (inputs - s)
    phi = [sum(weight[count[s]] * (value[s | 1 << i] - value[s]) for s in range(len(sets)) if not sets[s, i]) for i in range(inputs)]
    return np.stack([*phi, value[0]], axis=-1)


def check_definition():
    names = ("models/xgboost-3.2.0-plain.json", "models/xgboost-3.2.0-multi.json", "models/xgboost-3.2.0-dart.json", "models/lightgbm-4.6.0-binary.txt", "models/lightgbm-4.6.0-multi.txt",
             "models/lightgbm-4.6.0-zero.txt", "onnx/boosted.onnx", "onnx/forest3.onnx", "onnx/ridge.onnx", "onnx/logistic3.onnx", "xgboost/linear.json", "xgboost/linear3.json",
             "sklearn/1.9.1-forest.json", "sklearn/1.9.1-isolation.json", "sklearn/1.9.1-hist.json", "sklearn/1.9.1-boost.json", "sklearn/1.9.1-logistic.json", "sklearn/1.9.1-columns.json",
             "sklearn/1.9.1-bagging.json", "sklearn/1.9.1-svm.json", "ensembles/linear.json", "ensembles/forest.json", "ensembles/isolation.json")
    for name in names:
        path = GOLDEN / name
        model = ride.Model(path)
        x = rows_of(path, model.inputs)
        x = x[np.isfinite(three(model.margin(x), model)).all(axis=1)]
        background = x[20:27]
        got = three(model.explain(x[:20], background=background), model).astype(float)
        for row, phi in zip(x, got):
            want = definition(model, row, background)
            worst = np.abs(phi - want).max() / np.abs(want).max()
            assert worst < 1e-5, (name, worst)
    return f"{len(names)} models"


def check_linear():
    told = json.loads((ENSEMBLES / "linear.json").read_text())["steps"]
    x = rows_of(ENSEMBLES / "linear.json", 4)
    shift, divisor, weights = (np.array(v) for v in (told[0]["shift"], told[0]["divisor"], told[1]["weights"]))
    got = ride.Model(ENSEMBLES / "linear.json").explain(x)
    assert np.allclose(got[:, :4], weights / divisor * (x - shift), rtol=1e-12, atol=1e-14) and np.allclose(got[:, 4], told[1]["bias"][0], rtol=1e-14)
    means = x[:50].mean(axis=0)
    against = ride.Model(ENSEMBLES / "linear.json").explain(x, background=x[:50])
    assert np.allclose(against[:, :4], weights / divisor * (x - means), rtol=1e-11, atol=1e-12)
    holes = x[:50].copy()
    holes[::3, 1] = np.nan  # what a background row lacks does not count
    against = ride.Model(ENSEMBLES / "linear.json").explain(x, background=holes)
    assert np.allclose(against[:, :4], weights / divisor * (x - np.nanmean(holes, axis=0)), rtol=1e-11, atol=1e-12)
    told = json.loads((GOLDEN / "sklearn/1.9.1-logistic.json").read_text())["steps"]  # a missing value is what its imputer says
    path = GOLDEN / "sklearn/1.9.1-logistic.json"
    x = rows_of(path, 4)
    fill, shift, divisor, weights = (np.array(v) for v in (told[0]["values"], told[1]["shift"], told[1]["divisor"], told[2]["weights"]))
    assert np.isnan(x).any()
    want = weights / divisor * (np.where(np.isnan(x), fill, x) - shift)
    assert np.allclose(ride.Model(path).explain(x)[:, :4], want, rtol=1e-9, atol=1e-12)
    for name, outputs in (("linear", 1), ("linear3", 3)):
        path = GOLDEN / f"xgboost/{name}.json"
        weights = np.array(json.loads(path.read_text())["learner"]["gradient_booster"]["model"]["weights"], dtype=np.float32).reshape(5, outputs)
        model, x = ride.Model(path), rows_of(path, 4)
        got = three(model.explain(x), model)
        want = np.nan_to_num(x)[:, None, :] * weights[:4].T.astype(float)
        assert np.allclose(got[..., :4], want, rtol=1e-5, atol=1e-6 * np.abs(want).max()), name
        assert np.allclose(got[..., 4], three(model.margin(np.zeros((1, 4))), model), rtol=1e-6)
    try:
        import xgboost
        r = np.random.default_rng(1)
        x = r.normal(size=(300, 5)).astype(np.float32)
        booster = xgboost.train({"booster": "gblinear", "objective": "binary:logistic", "nthread": 1, "updater": "coord_descent"}, xgboost.DMatrix(x, x[:, 0] > x[:, 1]), 5)
        want = booster.predict(xgboost.DMatrix(x), pred_contribs=True)
        assert np.abs(ride.Model(booster).explain(x) - want).max() < 1e-5 * np.abs(want).max()
        return f"xgboost {xgboost.__version__}'s gblinear too"
    except ImportError:
        return "no xgboost here"


ACTIVATIONS = {"none": (lambda v: v, lambda y: 1.0), "relu": (lambda v: np.maximum(v, 0), lambda y: (y > 0) * 1.0), "tanh": (np.tanh, lambda y: 1 - y * y),
               "sigmoid": (lambda v: 1 / (1 + np.exp(-v)), lambda y: y * (1 - y))}


def integrated(steps, rows, base, points=40000):
    """Integrated gradients of dense steps by the midpoint rule: (rows, outputs, inputs)."""
    shift, divisor = np.array(steps[0]["shift"]), np.array(steps[0]["divisor"])
    layers = [(np.array(s["weights"]).reshape(s["outputs"], -1), np.array(s["bias"]), s["activation"]) for s in steps[1:]]
    way, out = (np.arange(points) + 0.5) / points, []
    for row in rows:
        y, ys = (base + way[:, None] * (row - base) - shift) / divisor, []
        for weights, bias, kind in layers:
            y = ACTIVATIONS[kind][0](y @ weights.T + bias)
            ys.append(y)
        grads = []
        for o in range(len(layers[-1][0])):
            g = np.zeros_like(ys[-1])
            g[:, o] = 1
            for (weights, _, kind), y in zip(reversed(layers), reversed(ys)):
                g = (g * ACTIVATIONS[kind][1](y)) @ weights
            grads.append((g / divisor).mean(axis=0) * (row - base))
        out.append(grads)
    return np.array(out)


def check_networks():
    tried = []
    for path in (ENSEMBLES / "net.json", ENSEMBLES / "deep.json", *(GOLDEN / f"sklearn/1.9.1-mlp{kind}.json" for kind in ("", "-deep", "-three"))):
        steps = json.loads(path.read_text())["steps"]
        if [s["kind"] for s in steps] != ["shift_divide"] + ["dense"] * (len(steps) - 1):
            continue
        model = ride.Model(path)
        rows = rows_of(path, 4)
        rows = rows[np.isfinite(rows).all(axis=1)][:12]
        for base, how in ((np.array(steps[0]["shift"]), {}), (rows[3:8].mean(axis=0), {"background": rows[3:8]})):
            got, want = three(model.explain(rows, **how), model)[..., :4], integrated(steps, rows, base)
            worst = (np.abs(got - want).max(axis=-1) / np.abs(want).max(axis=-1)).max()
            assert worst < 1e-4, (path.name, worst)  # the midpoint rule's own error, where units switch
        tried.append({s["activation"] for s in steps[1:-1]}.pop())
    assert {"relu", "sigmoid"} & set(tried) and len(tried) >= 3, tried
    return ", ".join(tried)


def random_network(sizes, activation, folder):
    r = np.random.default_rng(len(sizes) + sizes[1])
    steps = [{"kind": "dense", "outputs": b, "weights": list((r.normal(size=(b, a)) / np.sqrt(a)).ravel()), "bias": list(r.normal(0, 0.5, b)),
              "activation": activation if i + 2 < len(sizes) else "none"} for i, (a, b) in enumerate(zip(sizes, sizes[1:]))]
    path = folder / "random.json"
    path.write_text(json.dumps({"format": "ride-sklearn", "version": 1, "library": "x", "features": sizes[0], "names": None, "estimator": "MLP", "classes": ["0", "1"],
                                "kind": "network", "outputs": 1, "steps": steps, "link": "logistic", "link_scale": 1}))
    return ride.Model(path), steps


def check_large_networks(folder):
    """Units that switch more often than a row is walked: within what docs/explanations.md says, of one layer by its closed form; and a row's work is
    bounded, some hundred times that of its margin."""
    rows = np.random.default_rng(5).normal(0, 4, (4, 6))
    model, steps = random_network([6, 3000, 1], "relu", folder)
    w, b, v = np.array(steps[0]["weights"]).reshape(3000, 6), np.array(steps[0]["bias"]), np.array(steps[1]["weights"])
    at = rows @ w.T
    zero = np.clip(-b / at, 0, 1)  # of the way, where the unit switches
    want = ((v * np.where(at > 0, 1 - zero, zero)) @ w) * rows
    got = model.explain(rows)[:, :6]
    worst = (np.abs(got - want).max(axis=1) / np.abs(want).max(axis=1)).max()
    assert worst < 2e-3, worst
    model, _ = random_network([6, 600, 600, 600, 1], "relu", folder)
    model.explain(rows[:1])
    spent = [time.process_time()]
    for call in (lambda: model.explain(rows), lambda: [model.margin(rows[:1]) for _ in range(40)]):
        call()
        spent.append(time.process_time())
    times = (spent[1] - spent[0]) / 4 / ((spent[2] - spent[1]) / 40)
    assert times < 2000, times
    return f"3,000 units within {worst:.1g}; 721,000 weights: a row takes {times:.0f} times its margin"


class Member:
    """A member by itself: its shares, and what its margin becomes (numbers of the file, and what two of its own rows say)."""

    def __init__(self, name, x):
        self.model = ride.Model(ENSEMBLES / f"{name}.json")
        phi = self.model.explain(x).astype(float)
        self.phi, self.expected, self.margin, self.answer = phi[:, :-1], phi[0, -1], self.model.margin(x).astype(float), self.model.predict(x).astype(float)
        if name == "isolation":
            scale = -self.margin[0] / np.log2(self.answer[0])
            self.link = lambda m: 2.0 ** (-m / scale)
        elif name == "forest":
            factor = self.answer[0] / self.margin[0]
            self.link = lambda m: m * factor
        else:
            self.link = lambda m: 1 / (1 + np.exp(-m))
        assert np.allclose(self.link(self.margin), self.answer, rtol=0, atol=1e-9), name

    def shares(self, bring):
        """Of what it brings; and which rows are not those whose shares nearly cancel."""
        total, size = self.phi.sum(axis=1), np.abs(self.phi).sum(axis=1)
        at, change = bring(self.link(self.expected)), bring(self.answer) - bring(self.link(self.expected))
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.phi * (change / total)[:, None], at, np.abs(total) > size / 60


def members_of(name, x):
    text = (ENSEMBLES / f"{name}.yaml").read_text()
    return {m: (Member(m, x), float(w) if w else 1.0) for m, w in re.findall(r"model: (\w+)\.json(?:, weight: ([\d.]+))?[^\n]*\}\n", text.split("stacker:")[0])}


def close(got, want, rows, name):
    worst = np.abs(got - want)[rows].max() / np.abs(want).max()
    assert rows.sum() > len(rows) / 3 and worst < 3e-5, (name, worst, rows.sum())


def check_tree_stack(x, folder):
    """A last model of trees: its own shares of the answers, each divided as the member's."""
    def tree(inputs, thresholds, values):
        return {"output": 0, "left": [1, 3, 5, -1, -1, -1, -1], "right": [2, 4, 6, -1, -1, -1, -1], "feature": [*inputs, 0, 0, 0, 0], "threshold": [*thresholds, 0, 0, 0, 0],
                "missing_left": [1, 1, 1, 0, 0, 0, 0], "cover": [100, 60, 40, 35, 25, 10, 30], "value": [0, 0, 0, *values]}
    trees = [tree((0, 1, 2), (0.5, 0.4, 0.6), (-2, -1, 0.5, 1)), tree((2, 0, 1), (0.45, 0.3, 0.7), (-1, 0.3, -0.2, 2))]
    stacker = {"format": "ride-sklearn", "version": 1, "library": "none", "features": 3, "names": None, "estimator": "GradientBoostingClassifier", "classes": ["0", "1"],
               "kind": "gradient_boosting", "outputs": 1, "base": [0.1], "learning_rate": 0.5, "link": "logistic", "link_scale": 1, "trees": trees}
    (folder / "trees.json").write_text(json.dumps(stacker))
    names = ("linear", "forest", "boost")
    lines = "".join(f"  - {{model: {ENSEMBLES / name}.json}}\n" for name in names)
    (folder / "stack.yaml").write_text(f"ensemble: 1\ncombine: stack\ninputs: [amount, age, gap, kind]\nmembers:\n{lines}stacker: {{model: trees.json}}\n")
    model, last = ride.Model(folder / "stack.yaml"), ride.Model(folder / "trees.json")
    members = [Member(name, x) for name in names]
    answers = np.stack([member.answer for member in members], axis=1)
    for how, inner in (({}, {}), ({"background": x[:11]}, {"background": answers[:11]})):
        got, shares = check_sums(model, x, "a stack of trees", **how)[:, 0], last.explain(answers, **inner)
        assert np.allclose(got[:, 4], shares[:, 3], rtol=0, atol=1e-9)
        phi = [ride.Model(ENSEMBLES / f"{name}.json").explain(x, **how)[:, :4] for name in names]
        rows = np.all([np.abs(p.sum(axis=1)) > np.abs(p).sum(axis=1) / 60 for p in phi], axis=0)
        close(got[:, :4], sum(p * (shares[:, j] / p.sum(axis=1))[:, None] for j, p in enumerate(phi)), rows, "a stack of trees")


def check_ensembles():
    x = rows_of(ENSEMBLES / "mean.yaml", 4)
    x = x[np.isfinite(x).all(axis=1)]
    curves = {m: np.array(json.loads(f"[{q}]")) for m, q in re.findall(r"model: (\w+)\.json, quantiles: \[([^\]]*)\]", (ENSEMBLES / "rank-mean.yaml").read_text())}
    for name in ("mean", "logit-mean", "rank-mean"):
        members, got = members_of(name, x), ride.Model(ENSEMBLES / f"{name}.yaml").explain(x)
        want, at, rows, weights = np.zeros((len(x), 4)), 0.0, np.ones(len(x), dtype=bool), sum(w for _, w in members.values())
        for m, (member, weight) in members.items():
            bring = {"mean": lambda p: p, "logit-mean": lambda p: np.log(np.clip(p, 1e-15, 1 - 1e-15) / (1 - np.clip(p, 1e-15, 1 - 1e-15))),
                     "rank-mean": lambda p, m=m: np.interp(p, curves.get(m, [0, 1]), np.linspace(0, 1, len(curves.get(m, [0, 1]))))}[name]
            shares, expected, plain = member.shares(bring)
            want, at, rows = want + weight / weights * shares, at + weight / weights * expected, rows & plain
        close(got[:, :4], want, rows, name)
        assert np.allclose(got[:, 4], at, rtol=0, atol=1e-9), name
    stack = json.loads((ENSEMBLES / "stacker.json").read_text())["steps"][0]
    got, want, rows, at = ride.Model(ENSEMBLES / "stacking.yaml").explain(x), np.zeros((len(x), 4)), np.ones(len(x), dtype=bool), stack["bias"][0]
    for (member, _), weight in zip(members_of("stacking", x).values(), stack["weights"]):
        shares, expected, plain = member.shares(lambda p: p)
        want, at, rows = want + weight * shares, at + weight * expected, rows & plain
    close(got[:, :4], want, rows, "stacking")
    assert np.allclose(got[:, 4], at, rtol=0, atol=1e-9), "stacking"
    got = ride.Model(ENSEMBLES / "segment.yaml").explain(x)
    chosen = {m: ride.Model(ENSEMBLES / f"{m}.json").explain(x) for m in ("boost", "net", "deep")}
    for i, kind in enumerate(x[:, 3]):
        assert np.array_equal(got[i], chosen["boost" if kind == 1 else "net" if kind == 3 else "deep"][i]), i
    got, first = ride.Model(ENSEMBLES / "cascade.yaml").explain(x), Member("linear", x)
    shares, at, plain = first.shares(lambda p: p)
    sure = (first.answer < 0.2) | (first.answer > 0.7)
    assert 0 < sure.sum() < len(x)
    close(got[:, :4], np.where(sure[:, None], shares, got[:, :4]), plain, "cascade, the first")
    others = [(Member(m, x).shares(lambda p: p), w) for m, w in (("boost", 0.75), ("forest", 0.25))]
    close(got[:, :4], np.where(sure[:, None], got[:, :4], sum(w * s[0] for s, w in others)), np.all([s[2] for s, _ in others], axis=0), "cascade, the others")
    assert np.allclose(got[:, 4], np.where(sure, at, sum(w * s[1] for s, w in others)), rtol=0, atol=1e-9)


def check_options():
    path = GOLDEN / "models/xgboost-3.2.0-plain.json"
    model, x = ride.Model(path), rows_of(path, 4)
    against = model.explain(x, background=x[:30])
    for form in (x[:30].astype(np.float32), x[:30].tolist(), np.asfortranarray(x[:30]), x[29::-1]):
        assert np.allclose(model.explain(x, background=form), against, rtol=0, atol=1e-6)
    assert not np.allclose(against, model.explain(x), atol=1e-3)
    assert np.allclose(model.explain(x, memory=1), model.explain(x), rtol=0, atol=1e-6)  # no table: computed
    for wrong, word in ((x[:0], "0 background rows"), (np.zeros((4097, 4)), "4097 background rows"), (x[:, :2], "2 columns")):
        try:
            model.explain(x, background=wrong)
        except ride.RideError as error:
            assert word in str(error), error
        else:
            raise AssertionError(word)
    way = model._last_way
    del model
    assert way.handle  # the tables outlive the model, which is unloaded with them


def main():
    print("sums:", check_all())
    print("the definition:", check_definition())
    print("linear:", check_linear())
    print("networks:", check_networks())
    check_ensembles()
    with tempfile.TemporaryDirectory() as folder:
        print("large networks:", check_large_networks(Path(folder)))
        x = rows_of(ENSEMBLES / "mean.yaml", 4)
        check_tree_stack(x[np.isfinite(x).all(axis=1)], Path(folder))
    check_options()
    print("ok")


main()
