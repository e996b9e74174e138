"""What the programs of gpu-check print, as numbers."""
import csv
import io
import re
import statistics

CASE = re.compile(r"^\[(PASS|FAIL)\] (\S+) \(([\d.]+) s(?:, (\d+) rounds)?\)$", re.M)
SKIP = re.compile(r"^\[SKIP\] (\S+): (.*)$", re.M)
LACKS = re.compile(r"\w+ lacks ")  # of a skip: what the backend does not have and refuses by name; any other means that it could not run
SYNTHESIS = re.compile(r"Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)")
ROUND = re.compile(r"^size=(\d+) backend=(\w+) round=(\d+) rows=(\d+) ns=(\d+) busy_ns=(\d+) crc=(\w+)$", re.M)
FIGURE = re.compile(r"^(\w+) ([\d.e+-]+) ?(\S*)$", re.M)


def conformance(text):
    """Cases by name, skips by name, and the counts; None when the program did not get to its closing line."""
    closing = SYNTHESIS.search(text)
    if closing is None:
        return None
    cases = {name: {"passed": outcome == "PASS", "seconds": float(seconds), "rounds": int(rounds or 1)}
             for outcome, name, seconds, rounds in CASE.findall(text)}
    tested, passing, failing, crashing = map(int, closing.groups())
    return {"tested": tested, "passing": passing, "failing": failing, "crashing": crashing, "cases": cases, "skips": dict(SKIP.findall(text))}


def figures(text):
    """floors: NAME VALUE UNIT lines."""
    return {name: {"value": float(value), "unit": unit} for name, value, unit in FIGURE.findall(text)}


def crossover(text):
    """Per batch size and backend: rows a second (median of all rounds but the first, which fills caches and tables), the part of the
    time the device was busy; whether both gave the same bytes; and the least size from which on the other backend is always faster."""
    rounds, sums = {}, {}
    for size, backend, number, rows, ns, busy, crc in ROUND.findall(text):
        if number == "0":
            sums.setdefault(int(size), set()).add(crc)
        else:
            rounds.setdefault(int(size), {}).setdefault(backend, []).append((int(rows) * 1e9 / max(int(ns), 1), int(busy) / max(int(ns), 1)))
    sizes = []
    for size, backends in sorted(rounds.items()):
        row = {"rows_of_a_batch": size, "same_bytes": len(sums.get(size, ())) == 1}
        for backend, values in backends.items():
            rates = [rate for rate, _ in values]
            row[backend] = {"rows_per_s": round(statistics.median(rates)), "least": round(min(rates)), "greatest": round(max(rates)),
                            "busy": round(statistics.median(busy for _, busy in values), 3), "rounds": len(rates)}
        sizes.append(row)
    faster_from = None
    for row in reversed(sizes):
        if "cuda" not in row or "cpu" not in row or row["cuda"]["rows_per_s"] <= row["cpu"]["rows_per_s"]:
            break
        faster_from = row["rows_of_a_batch"]
    return {"sizes": sizes, "cuda_faster_from_rows": faster_from, "different": sorted(s for s, crcs in sums.items() if len(crcs) != 1)}


def ncu(text):
    """Nsight Compute's CSV (one line per launch and metric) as {kernel: {metric: [values]}}; kernel names without arguments."""
    start = text.find('"ID"')
    if start < 0:
        return {}
    kernels = {}
    for row in csv.DictReader(io.StringIO(text[start:])):
        name, metric = (row.get("Kernel Name") or "").split("(")[0], row.get("Metric Name")
        try:
            value = float((row.get("Metric Value") or "").replace(",", ""))
        except ValueError:
            continue
        if name and metric:
            kernels.setdefault(name, {}).setdefault(metric, []).append(value)
    return kernels


def timing(text):
    """What the plugin writes with RIDE_CUDA_TIMING: NAME LAUNCHES NANOSECONDS lines, added up."""
    kernels = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
            entry = kernels.setdefault(words[0], [0, 0])
            entry[0] += int(words[1])
            entry[1] += int(words[2])
    return {name: {"launches": launches, "us": round(ns / launches / 1e3, 3)} for name, (launches, ns) in kernels.items() if launches}


def kernels(measured, floors, processors):
    """Per kernel the median time beside its two limits: its bytes at the bandwidth measured here, its instructions at four a cycle
    and multiprocessor."""
    bandwidth = floors.get("device_read", {}).get("value")  # GB/s
    rows = {}
    for name, metrics in measured.items():
        middle = {metric: statistics.median(values) for metric, values in metrics.items()}
        us = middle.get("gpu__time_duration.sum", 0) / 1e3
        moved = middle.get("dram__bytes_read.sum", 0) + middle.get("dram__bytes_write.sum", 0)
        cycles, issued = middle.get("sm__cycles_elapsed.max", 0), middle.get("sm__inst_executed.sum", 0)
        row = {"launches": len(metrics.get("gpu__time_duration.sum", [])), "us": round(us, 3), "bytes": moved, "instructions": issued,
               "registers": middle.get("launch__registers_per_thread")}
        if us > 0 and bandwidth:
            row["of_bandwidth"] = round(moved / bandwidth / 1e3 / us, 4)
        if cycles > 0 and processors:
            row["of_issue"] = round(issued / (4 * processors) / cycles, 4)
        rows[name] = row
    return rows
