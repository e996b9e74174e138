"""The bars of speed and size (bench/results/README.md), and what bench's records say of each: read from their JSON, never measured here."""
import json
import re
import statistics
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "bench/results"


def by_mode(name, part=None):
    """What bench/service.py keeps under NAME_MODE, for each mode that was measured."""
    def found(told):
        told = told.get(part, {}) if part else told
        return {key[len(name) + 1:]: value for key, value in told.items() if re.fullmatch(rf"{name}(_[a-z]+)?", key)}
    return found


def at(*keys):
    def found(told):
        for key in keys:
            told = told.get(key) if isinstance(told, dict) else None
        return {} if told is None else {"": told}
    return found


def median(case, value):
    return statistics.median(value(run) for run in case)


def nanoseconds(told):
    return {"": median([run for run in told["runs"] if run["case"] == "ride"], lambda run: run["metrics"]["ns_per_event"])}


def speedup(told):
    one, two = ([run for run in told["runs"] if run["case"] == name] for name in ("one", "two"))
    return {"": median(one, lambda run: run["seconds"]) / median(two, lambda run: run["seconds"])}


# what, file, values by mode, bar, how it is shown; MORE: at least the bar, LESS: below it
MORE, LESS = "at least", "below"
BARS = (
    ("Kafka, counted, of a bare consume loop", "service.json", by_mode("count_to_floor", "kafka"), MORE, 0.70, "{:.2f}"),
    ("Kafka, with results, of a bare loop", "service.json", by_mode("results_to_floor", "kafka"), MORE, 0.80, "{:.2f}"),
    ("HTTP, one event a request, of an empty answer", "service.json", by_mode("http_one_to_empty"), MORE, 0.60, "{:.2f}"),
    ("HTTP, lines of 1,000, of that", "service.json", by_mode("http_lines_to_one"), MORE, 10, "{:.1f}"),
    ("rebuild after a stop, of the features alone", "service.json", by_mode("rebuild_to_features", "replay"), MORE, 0.80, "{:.2f}"),
    ("JSON message to a row", "json-message.json", nanoseconds, LESS, 250, "{:.0f} ns"),
    ("two shards against one", "shards.json", speedup, MORE, 1.7, "{:.2f}"),
    ("start", "service-idle.json", at("start_s", "median"), LESS, 1, "{:.2f} s"),
    ("CPU of a core while it waits", "service-idle.json", at("idle_cpu"), LESS, 0.01, "{:.2%}"),
    ("memory while it waits", "service-idle.json", at("memory_mib", "idle"), LESS, 64, "{:.0f} MiB"),
    ("memory over the sum of bounds", "service-idle.json", at("memory_mib", "over_bounds"), LESS, 64, "{:.0f} MiB"),
)


def measured(results=RESULTS):
    """((outcome, reason), words): skipped while a bar has no figure on record; a missed bar is told in the words. Prints a line for each."""
    met, missed, absent = [], [], []
    for what, name, values, side, bar, form in BARS:
        path = results / name
        found = values(json.loads(path.read_text())) if path.exists() else {}
        if not found:
            absent.append(f"{what} ({name})")
            print(f"   no record {what} ({name})", flush=True)
        for mode, value in found.items():
            good = value >= bar if side == MORE else value < bar
            by = f", by {abs(value / bar - 1):.0%}"
            told = f"{what}{f', {mode}' if mode else ''}: {form.format(value)}, bar {side} {form.format(bar)}"
            (met if good else missed).append(told if good else told + by)
            print(f"   {'met' if good else 'missed':<9} {told}{'' if good else by} ({name})", flush=True)
    words = f"{len(met)} of {len(met) + len(missed)} bars met" + (f"; missed: {'; '.join(missed)}" if missed else "")
    return (("skipped", f"not on record in bench/results yet: {', '.join(absent)}") if absent else ("passed", "")), words
