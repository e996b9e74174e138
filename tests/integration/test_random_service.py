#!/usr/bin/env python3
# ride-test: timeout=300
"""Random specs and events (those of test_random_specs.py) through a service over a log in memory that crashes, loses its partitions and waits
for acknowledgements: see support/service_crash_main.c for what is demanded. RIDE_RANDOM_SERVICE specs, from the seed given."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from test_random_specs import random_events, random_labels, random_spec  # noqa: E402

SEEDS = int(os.environ.get("RIDE_RANDOM_SERVICE", "60"))
PROGRAM = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build" / "release")) / "tests" / "service_crash"


NUMBERS = {"id", "ts", "shop", "amount", "n", "at"}


def as_json(header, lines):
    """The same rows as lines of JSON: numbers as they are written, empty cells null where that is meant."""
    out = []
    for line in lines:
        cells = []
        for name, cell in zip(header.split(","), line.split(",")):
            if cell == "":
                cell = "null"
            elif name in ("fraud", "bad"):
                cell = "true" if cell == "1" else "false"
            elif name not in NUMBERS:
                cell = json.dumps(cell)
            cells.append(f'"{name}":{cell}')
        out.append("{" + ",".join(cells) + "}")
    return "\n".join(out) + "\n"


def one(seed, folder):
    r = random.Random(seed)
    keyed = r.random() < 0.3
    labels = r.choice(["none", "event"] if keyed else ["none", "event", "source", "source"])
    spec, events = random_spec(r, labels, "arrival"), random_events(r, labels, "arrival", r.randrange(2, 600))
    if keyed:  # an event and its repeats have the same shop
        spec = spec.replace("entity: card", "entity: pair").replace("{card: {keys: [card], ", "{other: {keys: [shop, n], ")
        events = [(at, identity, re.sub(r"^((?:[^,]*,){3})[^,]*", rf"\g<1>{identity % 5}", line)) for at, identity, line in events]
    (folder / "spec.yaml").write_text(spec)
    header = "id,ts,card,shop,amount,n,note,kind" + (",fraud" if labels == "event" else "")
    (folder / "tx.csv").write_text("\n".join([header] + [line for _, _, line in events]) + "\n")
    (folder / "tx.ndjson").write_text(as_json(header, [line for _, _, line in events]))
    words = [PROGRAM, folder / "spec.yaml", str(seed), "k" * keyed + str(r.choice([2, 3, 4] if keyed else [1, 1, 2, 4])), str(r.choice([1, 7, 64, 1024])), folder / "tx.csv", folder / "tx.ndjson"]
    if labels == "source":
        header, *lines = random_labels(r, events)
        (folder / "cb.ndjson").write_text(as_json(header, lines))
        words.append(folder / "cb.ndjson")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, f"seed {seed} ({' '.join(map(str, words[2:5]))}): {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}, None


def main():
    if not PROGRAM.exists():
        print(f"{PROGRAM} is missing: cmake --build build/release")
        return 77
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    seen = {"attempts": 0, "repeats": 0, "rebalances": 0}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first, first + SEEDS):
            told, found = one(seed, Path(scratch))
            if found:
                print(found + "\n" + Path(scratch, "spec.yaml").read_text())
                return 1
            seen = {name: seen[name] + told[name] for name in seen}
    print(f"{SEEDS} random specs as a service: {seen['attempts'] - SEEDS} crashes, {seen['repeats']} repeats, {seen['rebalances']} rebalances, "
          "nothing lost or changed")
    if seen["repeats"] == 0:
        print("nothing was hit: the test would see no loss")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
