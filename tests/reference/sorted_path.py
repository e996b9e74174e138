"""The same windows for long histories whose events arrive in order of time: positions by binary search in numpy, sums as
differences of running totals of integers. Only what can be said so; features.py takes the event-by-event way for the rest,
and test_reference.py holds both against each other."""
import numpy as np

from windows import DAY, counts_current

AGGS = {"count", "sum", "mean", "var", "std", "var_pop", "std_pop", "risk"}


def possible(spec, events):
    times = [e.time for e in events]
    return (spec.labels is None and all(a <= b for a, b in zip(times, times[1:])) and spec.zone == "UTC" and
            all(f.expr is not None or (f.agg in AGGS and f.window is not None) for f in spec.features))


def aligned(times, period):
    origin = -3 * DAY if period % (7 * DAY) == 0 else 0
    return (times - origin) // period * period + origin


class Groups:
    """The events of one entity, sorted by key and then arrival."""

    def __init__(self, spec, events, name):
        keys = [tuple(e.values[k] for k in spec.entities[name]["keys"]) for e in events]
        code = {}
        codes = np.array([-1 if None in k else code.setdefault(k, len(code)) for k in keys], dtype=np.int64)
        self.rows = np.flatnonzero(codes >= 0)
        self.rows = self.rows[np.argsort(codes[self.rows], kind="stable")]
        self.codes = codes[self.rows]
        times = np.array([e.time for e in events], dtype=np.int64)
        self.times = times[self.rows]
        self.unit = int(np.gcd.reduce(np.concatenate([np.diff(np.unique(times)), [0]]))) or 1
        self.start = int(times.min())
        self.span = (int(times.max()) - self.start) // self.unit + 2
        assert self.span * (len(code) + 1) < 2**62
        self.line = self.codes * self.span + (self.times - self.start) // self.unit + 1
        self.own = np.arange(len(self.rows))

    def position(self, at, side):
        """How many events, from the first of all keys, lie before the time `at` of the row's own key (side right: or at it)."""
        steps = at - self.start
        exact = steps % self.unit == 0  # between two possible times: both sides give the same
        whole = np.clip(steps // self.unit, -1, self.span - 2) + 1
        before = np.searchsorted(self.line, self.codes * self.span + whole, "left")
        through = np.searchsorted(self.line, self.codes * self.span + whole, "right")
        return np.where(exact & (side == "left"), before, through)


def ends(f, order, g):
    """First and one past the last position of the window among the sorted events, without the current event; and whether the
    current event lies inside those positions (peers)."""
    t = g.times - f.delay
    if f.kind == "hopping":
        end = aligned(t, f.hop)
        return g.position(end - f.window, "left"), g.position(end, "left"), False
    if f.kind == "tumbling":
        first, keeps_right = g.position(aligned(t, f.window), "left"), True
    else:
        keeps_left, keeps_right = f.closed in ("left", "both"), f.closed in ("right", "both")
        first = g.position(t - f.window, "left" if keeps_left else "right")
    if not keeps_right:
        return first, g.position(t, "left"), False
    if f.delay > 0:
        return first, g.position(t, "right"), False
    if f.ties == "exclude":
        return first, g.position(t, "left"), False
    if f.ties == "peers" and order == "event_time":
        return first, g.position(t, "right"), True
    return first, g.own, False


def totals(values):
    return np.concatenate([[0], np.cumsum(values)])


def feature(spec, events, f, g, met):
    """One value per event (NaN = null). met: bool per event: its `where`."""
    mask = met[g.rows]
    xs = np.ones(len(g.rows), dtype=np.int64)
    scale = 0
    if f.column is not None:
        raw = [events[i].values[f.column] for i in g.rows]
        mask = mask & np.array([x is not None for x in raw], dtype=bool)
        xs = np.array([x or 0 for x in raw], dtype=np.int64)
        scale = spec.events.fields[f.column].get("scale", 0)
    if f.agg == "risk":
        xs = np.array([events[i].label for i in g.rows], dtype=np.int64)
    first, last, own_inside = ends(f, spec.events.order, g)
    empty = last <= first
    own = counts_current(f).__int__() - int(own_inside)  # how often to add the current event

    def over(values):
        total = totals(np.where(mask, values, 0))
        inside = np.where(empty, 0, total[last] - total[first])
        return inside, np.where(mask, values, 0) * own

    n = sum(over(np.ones(len(g.rows), dtype=np.int64)))
    sums, own_sum = over(xs)
    if f.agg == "risk":
        sums = sums - (np.where(mask, xs, 0) if own_inside else 0)  # never its own label
    else:
        sums = sums + own_sum
    out = np.full(len(events), np.nan)
    out[:] = value_of(f, np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64), scale)[0]  # null keys: nothing
    out[g.rows] = value_of(f, n, sums, sum(over(xs * xs)) if f.agg.startswith(("var", "std")) else None, scale)
    return out


def divided(above, below):
    """Quotients rounded once: numpy where both fit in 53 bits, Python's integers elsewhere."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.asarray(above, dtype=float) / np.asarray(below, dtype=float)
    for i in np.flatnonzero((np.abs(above) > 2**53) | (below > 2**53)):
        out[i] = int(above[i]) / int(below[i])
    return out


def value_of(f, n, sums, squares, scale):
    if f.agg == "count":
        out = n.astype(float)
    elif f.agg == "sum":
        out = divided(sums, np.full(len(sums), 10**scale, dtype=np.int64))
    elif f.agg in ("mean", "risk"):
        out = divided(sums, n * 10**scale)
    else:
        other = n if f.agg.endswith("_pop") else n - 1
        assert len(n) == 0 or int(n.max()) * int(np.abs(squares).max()) < 2**62
        out = divided(n * squares - sums * sums, n * other * 10 ** (2 * scale))
        out = np.where(n * other > 0, out, np.nan)
        out = np.sqrt(out) if f.agg.startswith("std") else out
    if f.agg not in ("count", "sum"):
        out = np.where(n > 0, out, np.nan)
    out = np.where(n < f.min_count, np.nan, out)
    return np.where(np.isnan(out) & (f.empty is not None), np.nan if f.empty is None else float(f.empty), out)
