#!/usr/bin/env python3
"""An independent, obvious implementation of feature specs: what the engine is checked against.

    features.py --spec FILE --input [NAME=]FILE… --output FILE [--path events|sorted]

Written from the words of the manual, not from the engine. Gives the rows of `ride features run`: a header, then the event id and
the vector of each accepted event. Numbers that are whole are printed without a point; null is an empty field."""
import argparse
import bisect
import csv
import dataclasses
import sys
from zoneinfo import ZoneInfo

import numpy as np

import sorted_path
from events import arrivals
from expression import compile_expression, evaluate, truth
from spec import load
from windows import aggregate


def row_names(spec, event):
    """What expressions of this event know: fields in their major unit, and ts."""
    names = {}
    for name, value in event.values.items():
        scale = spec.events.fields[name].get("scale", 0)
        names[name] = value / 10**scale if scale and value is not None else value
    names["ts"] = event.time  # in microseconds, also where a field of that name counts otherwise
    return names


class Conditions:
    """`where`, evaluated once for each event."""

    def __init__(self, spec):
        self.spec, self.zone = spec, ZoneInfo(spec.zone)
        self.trees = {f.where: compile_expression(f.where) for f in spec.features if f.where}
        self.known = {}

    def holds(self, where, event):
        if where is None:
            return True
        key = (where, event.arrival)
        if key not in self.known:
            self.known[key] = truth(evaluate(self.trees[where], row_names(self.spec, event), self.zone)) is True
        return self.known[key]


def key_of(spec, entity, event):
    key = tuple(event.values[k] for k in spec.entities[entity]["keys"])
    return None if None in key else key


def near(remembered, time, now, kept):
    """What is remembered of an id is found for a time no further away, while events go on, than what is retained."""
    return abs(time - remembered) <= kept and now - remembered <= kept


def by_events(spec, stream):
    """Event by event: read, then enter. Groups of one timestamp (peers) are read when all of the group have entered."""
    conditions, state, by_id, out = Conditions(spec), {}, {}, []
    early = {}  # id -> the last label that waits for its event
    kept = max(spec.retention.values(), default=0)
    clock = None
    grouped = spec.events.order == "event_time"
    group = []

    def read(event, features):
        for f in features:
            key = key_of(spec, f.entity, event)
            events = state.get((f.entity, key), []) if key is not None else []
            event.features[f.name] = (
                nothing(spec, f, event) if key is None else
                aggregate(spec, f, event, events, lambda e, w=f.where: conditions.holds(w, e)))

    def end_group():
        for event in group:
            read(event, [f for f in spec.features if f.expr is None and f.ties == "peers"])
        group.clear()

    for event in stream:
        if event.is_label:
            labels = spec.labels.labels
            identity, patch = event.values[labels["key"]], (event.time, bool(event.values[labels["value"]]))
            target = by_id.get(identity)
            now = max(event.time, clock) if clock is not None else event.time
            if target is not None and near(target.time, event.time, now, kept):
                target.patches.append(patch)
            else:
                by_id.pop(identity, None)
                early[identity] = patch
            continue
        clock = event.clock
        if grouped and group and group[0].time != event.time:
            end_group()
        event.features = {}
        read(event, [f for f in spec.features if f.expr is None and not (grouped and f.ties == "peers")])
        if event.enters:
            for entity in spec.entities:
                key = key_of(spec, entity, event)
                if key is not None:
                    bisect.insort_right(state.setdefault((entity, key), []), event, key=lambda e: e.time)
            identity = event.values.get(spec.events.event_id)
            patch = early.pop(identity, None)
            if patch is not None and near(patch[0], event.time, clock, kept):
                event.patches.append(patch)
            by_id[identity] = event
        if grouped:
            group.append(event)
        out.append(event)
    end_group()
    return out, [[e.features.get(f.name) for e in out] if f.expr is None else None for f in spec.features]


def nothing(spec, f, event):
    """A null key: no state, and the current event is not counted either."""
    return aggregate(spec, dataclasses.replace(f, current="exclude"), event, [], lambda e: True)


def by_sorting(spec, stream):
    events = list(stream)
    conditions = Conditions(spec)
    groups = {}
    columns = []
    for f in spec.features:
        if f.expr is not None:
            columns.append(None)
            continue
        if f.entity not in groups:
            groups[f.entity] = sorted_path.Groups(spec, events, f.entity)
        met = np.array([conditions.holds(f.where, e) for e in events], dtype=bool) if f.where else np.ones(len(events), bool)
        values = sorted_path.feature(spec, events, f, groups[f.entity], met)
        columns.append([None if v != v else v for v in values.tolist()])
    return events, columns


def expressions(spec, events, columns):
    zone = ZoneInfo(spec.zone)
    for i, f in enumerate(spec.features):
        if f.expr is None:
            continue
        tree, known = compile_expression(f.expr), [(spec.features[j].name, c) for j, c in enumerate(columns) if c is not None]
        values = []
        for row, event in enumerate(events):
            names = row_names(spec, event)
            for name, column in known:
                names[name] = column[row]
            value = evaluate(tree, names, zone)
            values.append(None if value is None else float(value))
        columns[i] = values


def text(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(int(value)) if isinstance(value, bool) else str(value)


def write(spec, events, columns, file):
    writer = csv.writer(file, lineterminator="\n")
    by_name = {f.name: c for f, c in zip(spec.features, columns)}
    identity = [spec.events.event_id] if spec.events.event_id else []
    writer.writerow(identity + spec.vector)
    fields = {n: k.get("scale", 0) for n, k in spec.events.fields.items()}
    for row, event in enumerate(events):
        cells = [event.values[n] for n in identity]
        for name in spec.vector:
            if name in by_name:
                cells.append(by_name[name][row])
            else:
                value = event.values[name]
                cells.append(value / 10 ** fields[name] if fields[name] and value is not None else value)
        writer.writerow([text(c) for c in cells])


def run(spec_path, inputs, output, path=None):
    spec = load(spec_path)
    paths = {}
    for item in inputs:
        name, _, file = item.rpartition("=")
        paths[name or spec.events.name] = file
    stream = list(arrivals(spec, paths))
    if path is None:
        path = "sorted" if len(stream) > 0 and sorted_path.possible(spec, [e for e in stream if not e.is_label]) else "events"
    events, columns = (by_sorting if path == "sorted" else by_events)(spec, stream)
    expressions(spec, events, columns)
    write(spec, events, columns, output)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True)
    parser.add_argument("--input", action="append", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--path", choices=["events", "sorted"])
    args = parser.parse_args()
    if args.output == "-":
        run(args.spec, args.input, sys.stdout, args.path)
    else:
        with open(args.output, "w", newline="", encoding="utf-8") as output:
            run(args.spec, args.input, output, args.path)


if __name__ == "__main__":
    main()
