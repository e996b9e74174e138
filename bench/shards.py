#!/usr/bin/env python3
"""Two shards against one: the card-fraud example (39 features, its model, rules and drift) over a file of generated events, file to file.

    scripts/python bench/shards.py [--events N] [--batch ROWS] [--rounds N] [--output bench/results/shards.json]

Both run on the same two cores, in turn; their outputs have one hash. The topology is printed first. Two hardware threads of one core are
not two cores: where nothing else is there, the program says so and ends with 77. What the machine does besides is kept with every round;
--max-other-load repeats rounds that were disturbed."""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
CPUS = Path("/sys/devices/system/cpu")


def listed(text):
    """0-1,4 → {0, 1, 4}"""
    cpus = set()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def read(path, otherwise=""):
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return otherwise


def topology():
    """Of each cpu that may be used: (cpu, its core's hardware threads, its node)."""
    rows = []
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = listed(read(CPUS / f"cpu{cpu}/topology/thread_siblings_list", str(cpu)))
        node = next((int(n.name[4:]) for n in (CPUS / f"cpu{cpu}").glob("node[0-9]*")), 0)
        rows.append((cpu, frozenset(siblings), node))
    return rows


def two_cores(rows):
    """Cpus of two cores, of one node when there is one that has two."""
    by_node = {}
    for cpu, siblings, node in rows:
        by_node.setdefault(node, {}).setdefault(siblings, cpu)
    for cores in by_node.values():
        if len(cores) >= 2:
            return sorted(cores.values())[:2]
    every = {siblings: cpu for cpu, siblings, _ in rows}
    return sorted(every.values())[:2] if len(every) >= 2 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--max-other-load", default="0.1")
    parser.add_argument("--ride", default=str(TOP / "build/release/bin/ride"))
    parser.add_argument("--output", default=str(TOP / "bench/results/shards.json"))
    given = parser.parse_args()
    rows = topology()
    for cpu, siblings, node in rows:
        print(f"cpu {cpu}: core of {', '.join(map(str, sorted(siblings)))}, node {node}")
    cores = two_cores(rows)
    if cores is None:
        print("skipped: there are not two cores here, only hardware threads of one")
        sys.exit(77)
    print(f"measured on cpus {cores[0]} and {cores[1]}")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as scratch:
        events = Path(scratch, "events.csv")
        subprocess.run([given.ride, "generate", "--events", str(given.events), "--customers", "12000", "--terminals", "6000", "--seed", "7",
                        "--late-rate", "0.5%", "--duplicate-rate", "0.3%", "--output", events], check=True, stdout=subprocess.DEVNULL)
        common = f"{given.ride} run --quiet --config {TOP}/examples/card-fraud/ride.yaml --set inputs.tx.path={events} " \
                 f"--set outputs.decisions.path={{out}} --set outputs.rejects.path={scratch}/rejects --set outputs.late.path={scratch}/late " \
                 f"--set outputs.summary.path={scratch}/summary --set backend=cpu --set log.level=error --set scheduler.max_batch={given.batch}"
        harness = [sys.executable, str(TOP / "bench/harness")]
        measured = subprocess.run([*harness, "run", "--name", f"two shards against one, {given.events} events", "--equal", "out", "--scratch", scratch,
                                   "--case", f"one={common} --set runtime.shards=1", "--case", f"two={common} --set runtime.shards=2",
                                   "--cores", f"{cores[0]},{cores[1]}",
                                   "--rounds", str(given.rounds), "--max-other-load", given.max_other_load, "--out", given.output,
                                   "--note", f"batches of {given.batch}; cores {cores}"], check=False)
    if measured.returncode == 0:  # 1.7 times as fast
        measured = subprocess.run([*harness, "compare", given.output, "--metric", "seconds", "--bar", f"two={1 / 1.7:.4f}"], check=False)
    sys.exit(measured.returncode)


if __name__ == "__main__":
    main()
