"""Input files as events in order of arrival, with what the watermark and the deduplication decide about each."""
import csv
import datetime
import heapq
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)


def time_us(text, unit, zone):
    if unit != "iso8601":
        return int(text) * {"s": 10**6, "ms": 1000, "us": 1}[unit] if unit != "ns" else int(text) // 1000
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return (moment - EPOCH) // MICROSECOND


def decimal_minor(text, scale):
    """'85.64999999999999' at scale 2 -> 8565: rounded half away from zero."""
    return int(Decimal(text).scaleb(scale).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def field_value(text, kind):
    if text == "":
        return None
    name = kind["type"]
    if name == "decimal":
        return decimal_minor(text, kind.get("scale", 0))
    if name == "string":
        return text
    if name == "bool":
        return text.lower() in ("1", "true")
    return float(text) if name in ("f32", "f64") else int(text)


@dataclass(slots=True, eq=False)
class Event:
    time: int
    values: dict  # field -> value; decimals in minor units; None = null
    arrival: int = 0
    clock: int = 0  # greatest event time so far
    enters: bool = True
    label: bool = False  # in the event; or patched later:
    patches: list = None  # [(known, label)] in order of arrival
    is_label: bool = False
    features: dict = None


def read_events(source, path):
    for row in csv.DictReader(open(path, newline="", encoding="utf-8")):
        values = {n: field_value(row[n], kind) for n, kind in source.fields.items()}
        yield Event(time_us(row[source.time_field], source.unit, source.zone), values, is_label=source.labels is not None)


def arrivals(spec, paths):
    """Events and labels in the order in which they are met: by (event time, order of the sources, line)."""
    streams = [[(e.time, n, line, e) for line, e in enumerate(read_events(s, paths[s.name]))]
               for n, s in enumerate(spec.sources) if s.name in paths]
    source, clock, count, seen = spec.events, None, 0, {}
    for _, _, _, event in heapq.merge(*streams, key=lambda x: x[:1] + x[1:2]):
        if event.is_label:
            yield event
            continue
        now = event.time if clock is None else max(clock, event.time)
        if source.dedup > 0:
            identity = event.values[source.event_id]
            if any(abs(event.time - accepted) <= source.dedup and now - accepted <= source.dedup + source.bound + source.lateness
                   for accepted in seen.get(identity, ())):
                continue  # answered with the verdict of the first: no row, and nothing else changes either
            seen.setdefault(identity, []).append(event.time)
        event.clock, event.arrival, clock = now, count, now
        event.enters = event.time >= now - source.bound - source.lateness
        event.label = bool(source.label and event.values.get(source.label))
        event.patches = []
        count += 1
        yield event
