"""A feature spec (YAML) as plain objects: what to compute, in words of the windows' manual. No checks: the engine does those."""
import fnmatch
import re
from dataclasses import dataclass, field

import yaml

UNITS = {"us": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6, "w": 7 * 86400 * 10**6}
NO_COLUMN = {"count", "risk", "since_last", "since_first"}


def duration(text):
    """'7d' -> microseconds."""
    number, unit = re.fullmatch(r"([0-9_]+)\s*([a-z]*)", str(text)).groups()
    return int(number) * (UNITS[unit] if unit else 0)


def listed(value):
    return value if isinstance(value, list) else [value]


@dataclass
class Feature:
    name: str
    expr: str = None
    entity: str = None
    column: str = None
    agg: str = None
    window: int = None  # microseconds; None = everything retained
    delay: int = 0
    kind: str = "sliding"
    hop: int = 0
    closed: str = "right"
    ties: str = "arrival"
    current: str = "include"
    labels: str = None
    where: str = None
    empty: float = None
    min_count: int = 0


@dataclass
class Source:
    name: str
    fields: dict  # name -> {type, scale, nullable, …}
    time_field: str
    unit: str
    zone: str
    event_id: str = None
    label: str = None
    dedup: int = 0
    bound: int = 0
    lateness: int = 0
    order: str = "arrival"
    labels: dict = None  # a label source: {source, key, value}


@dataclass
class Spec:
    sources: list
    events: Source
    labels: Source
    entities: dict  # name -> {keys, horizon}
    features: list
    vector: list
    zone: str
    retention: dict = field(default_factory=dict)  # entity -> microseconds that an event stays in state
    lookback: dict = field(default_factory=dict)  # entity -> microseconds that windows without a length see


def read_source(name, node, zone):
    fields = {n: (f if isinstance(f, dict) else {"type": f}) for n, f in (node.get("fields") or {}).items()}
    time, mark = node["event_time"], node.get("watermark") or {}
    return Source(name, fields, time["field"], time["unit"], time.get("zone", zone), node.get("event_id"), node.get("label"),
                  duration(node.get("dedup", "0s")), duration(mark.get("bound", "0s")),
                  duration(mark.get("allowed_lateness", "0s")), node.get("order", "arrival"), node.get("labels"))


def read_features(nodes):
    out = []
    for node in nodes:
        if "expr" in node:
            out.append(Feature(node["name"], expr=str(node["expr"])))
            continue
        for agg in listed(node["agg"]):
            for window in listed(node.get("windows", None)):
                column = node.get("column")
                parts = [node["entity"], column, agg, window]
                out.append(Feature(
                    node.get("name") or "_".join(str(p) for p in parts if p is not None), None, node["entity"], column, agg,
                    duration(window) if window is not None else None, duration(node.get("delay", "0s")),
                    node.get("kind", "sliding"), duration(node.get("hop", "0s")), node.get("closed", "right"),
                    node.get("ties", "arrival"), node.get("current", "exclude" if agg == "last" else "include"), node.get("labels"), node.get("where"),
                    node.get("empty"), node.get("min_count", 0)))
    return out


def expand_vector(entries, names):
    out = []
    for entry in entries:
        hits = [n for n in names if fnmatch.fnmatchcase(n, entry)] if "*" in entry else [entry]
        out += [n for n in hits if n not in out]
    return out


def load(path):
    node = yaml.safe_load(open(path, encoding="utf-8"))
    zone = node.get("zone", "UTC")
    sources = [read_source(n, s, zone) for n, s in node["sources"].items()]
    events = next(s for s in sources if s.labels is None)
    labels = next((s for s in sources if s.labels is not None), None)
    features = read_features(node["features"])
    vector = expand_vector(node["vector"], [f.name for f in features])
    spec = Spec(sources, events, labels, node["entities"], features, vector, zone)
    for name, entity in spec.entities.items():
        own = [f for f in features if f.entity == name]
        # An event exactly as old as a window that keeps its left end is still needed, hence the microsecond.
        longest = max([(f.window or 0) + f.delay + f.hop + (f.closed in ("left", "both") or f.kind != "sliding")
                       for f in own] or [0])
        late = events.bound + events.lateness
        spec.lookback[name] = max(longest + late, duration(entity.get("horizon", "0s")))
        spec.retention[name] = spec.lookback[name] + (late if any(f.window is None for f in own) else 0)
    return spec
