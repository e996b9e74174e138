"""Aggregates of one event from the list of earlier events of its key, straight from the manual's words.

`state` is a list of events sorted by (time, arrival). Integers all the way; one division at the end (Python's division of
integers rounds once)."""
import datetime
import math
from fractions import Fraction
from zoneinfo import ZoneInfo

DAY = 86400 * 10**6
EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def period_start(t, period, zone):
    """Start of the period of the zone's wall clock that holds t; weeks begin on Monday."""
    if zone == "UTC":
        origin = -3 * DAY if period % (7 * DAY) == 0 else 0
        return (t - origin) // period * period + origin
    tz = ZoneInfo(zone)
    wall = (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + t * MICROSECOND).astimezone(tz)
    local = (wall.replace(tzinfo=None) - EPOCH) // MICROSECOND
    start = EPOCH + period_start(local, period, "UTC") * MICROSECOND
    moment = start.replace(tzinfo=tz, fold=wall.fold)
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // MICROSECOND


def in_window(f, spec, event, other):
    """Is the other event of the key, which is in state, in the window of this feature as of this event?"""
    t, s = event.time - f.delay, other.time
    if f.kind == "tumbling":
        if s < period_start(t, f.window, spec.zone) or s > t:
            return False
        keeps_right = True
    elif f.kind == "hopping":
        end = period_start(t, f.hop, spec.zone)
        return end - f.window <= s < end
    else:
        keeps_right = f.closed in ("right", "both")
        if s > t:
            return False
        window = f.window if f.window is not None else spec.lookback[f.entity] - f.delay
        if s < t - window or (s == t - window and f.closed not in ("left", "both")):
            return False
    if s == t:
        if not keeps_right:
            return False
        if f.delay == 0 and f.ties == "exclude":
            return False
    return True


def counts_current(f):
    return f.delay == 0 and f.kind != "hopping" and f.closed in ("right", "both") and f.current == "include"


def label_at(event, t):
    label = event.label
    for known, value in event.patches:
        if known <= t:
            label = value
    return label


def major(minor, scale):
    return None if minor is None else minor / 10**scale


def variance(xs, scale, population):
    n = len(xs)
    below = n * n if population else n * (n - 1)
    if below == 0:
        return None
    total = n * sum(x * x for x in xs) - sum(xs) ** 2
    exact = Fraction(total, below * 10 ** (2 * scale))
    return exact.numerator / exact.denominator


def since(a, b):
    return Fraction(a - b, 10**6).__float__()


def since_first(spec, f, event, window, history):
    """history: all events of the key that ever entered, sorted. Back from the newest while no gap exceeds what is retained."""
    gap = spec.lookback[f.entity]
    if not window or event.time - window[-1].time > gap:
        return None
    first = window[-1].time
    for other in reversed(history):
        if other.time > first or other is event:
            continue
        if first - other.time > gap:
            break
        first = other.time
    return since(event.time, first)


def aggregate(spec, f, event, state, holds):
    """The feature's value; state: entered events of the key (the event itself may be among them), sorted by (time, arrival);
    holds(event): the feature's `where`."""
    scale = spec.events.fields.get(f.column, {}).get("scale", 0) if f.column else 0
    alive = [e for e in state if e is not event and e.time > event.clock - spec.retention[f.entity]]
    counts = lambda e: holds(e) and (f.column is None or e.values[f.column] is not None)
    window = [e for e in alive if in_window(f, spec, event, e) and counts(e)]
    if f.agg == "since_last":
        value = since(event.time, window[-1].time) if window else None
        return finish(f, len(window), value)
    if f.agg == "since_first":
        history = [e for e in state if e is not event and counts(e)]
        return finish(f, len(window), since_first(spec, f, event, window, history))
    if f.agg == "first_seen":
        mine = event.values[f.column]
        seen = any(e.values[f.column] == mine for e in window)
        return finish(f, len(window), None if mine is None else float(not seen))
    if counts_current(f) and counts(event):
        window = sorted(window + [event], key=lambda e: (e.time, e.arrival))
    xs = [e.values[f.column] for e in window] if f.column is not None else []
    n = len(window)
    if f.agg == "count":
        value = float(n)
    elif f.agg == "risk":
        value = sum(label_at(e, event.time) for e in window if e is not event) / n if n else None
    elif f.agg == "distinct":
        value = float(len(set(xs)))
    elif f.agg == "sum":
        value = major(sum(xs), scale)
    elif n == 0:
        value = None
    elif f.agg == "mean":
        value = sum(xs) / (n * 10**scale)
    elif f.agg in ("var", "var_pop", "std", "std_pop"):
        value = variance(xs, scale, f.agg.endswith("_pop"))
        if f.agg.startswith("std") and value is not None:
            value = math.sqrt(value)
    else:
        value = major({"min": min, "max": max, "last": lambda v: v[-1]}[f.agg](xs), scale)
    return finish(f, n, value)


def finish(f, n, value):
    if n < f.min_count:
        value = None
    return f.empty if value is None else value
