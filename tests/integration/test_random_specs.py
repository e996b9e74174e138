#!/usr/bin/env python3
# ride-test: timeout=300
"""Random specs over random events, the engine against the independent program of tests/reference: late, too late and repeated events
(ids come again within, at and beyond the dedup horizon), ties, null keys and values, labels by id that come early, late, twice and
out of order, conditions over strings and categories, all aggregates. The same bytes for every batch size."""
import os
import random
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "reference"))
import check  # noqa: E402

SEEDS = int(os.environ.get("RIDE_RANDOM_SPECS", "60"))
WHERE = ["amount < 5", "kind == 'a'", "kind != 'b' and n > 2", "note == 'x'", "not (note == 'y')", "kind == 'c' or amount >= 10", "n % 2 == 0"]
ENDS = [""] * 3 + [", closed: left", ", closed: neither", ", closed: both", ", ties: exclude", ", ties: peers", ", ties: peers, current: exclude",
                   ", current: exclude"]
COLUMNS = {"sum": ["amount", "n"], "mean": ["amount", "n"], "var": ["amount"], "std": ["n"], "std_pop": ["amount"], "var_pop": ["n"],
           "min": ["amount", "n"], "max": ["amount", "n"], "last": ["amount", "n"], "distinct": ["n", "note", "kind", "amount"],
           "first_seen": ["note", "kind", "n"], "count": [None, None, "amount", "note"], "since_last": [None, "amount"],
           "since_first": [None, "amount", "note"], "risk": [None]}


def feature(r, number, labelled, order):
    agg = r.choice(list(COLUMNS))
    if agg == "risk" and not labelled:
        agg = "since_first"
    parts = [f"name: f{number}", f"entity: {r.choice(['card', 'shop', 'pair'])}", f"agg: {agg}"]
    column = r.choice(COLUMNS[agg])
    if column:
        parts.append(f"column: {column}")
    ends = "" if agg == "since_first" else r.choice(ENDS)
    if agg in ("since_last", "first_seen"):
        ends = ends.replace(", current: exclude", "")  # says nothing there: refused
    if order == "event_time" and "peers" in ends:
        ends = ""  # `features run` refuses it; tests/conformance has it
    if agg != "since_first":
        parts.append(f"windows: {r.choice(['1s', '3s', '10s', '1m', '10m'])}")
        if agg == "risk" and r.random() < 0.5:
            parts.append(f"labels: arrival{ends}")
        elif agg == "risk" or r.random() < 0.2:
            parts.append(f"delay: {r.choice(['1s', '4s', '20s'])}")
        elif ends:
            parts.append(ends[2:])
    if r.random() < 0.5:
        parts.append(f'where: "{r.choice(WHERE)}"')
    if r.random() < 0.25:
        parts.append(f"empty: {r.choice([0, -1.5])}")
    if r.random() < 0.25:
        parts.append(f"min_count: {r.randrange(1, 4)}")
    return "  - {" + ", ".join(parts) + "}"


def random_spec(r, labels, order):
    dedup = f"\n    dedup: {r.choice(['4s', '30s'])}" if labels != "event" or r.random() < 0.8 else ""
    mark = "" if order == "event_time" else "\n    watermark: {bound: %s, allowed_lateness: %s}" % (r.choice(["0s", "2s"]), r.choice(["0s", "5s", "20s"]))
    return f"""version: 1
order: {order}
sources:
  tx:
    format: csv
    event_time: {{field: ts, unit: ms}}
    event_id: id{dedup}{mark}
{"    label: fraud" if labels == "event" else ""}
    fields:
      id: u64
      card: {{type: string, nullable: true}}
      shop: u32
      amount: {{type: decimal, scale: 2, nullable: true}}
      n: i32
      note: {{type: string, nullable: true}}
      kind: {{type: string, category: [a, b, c]}}
{"      fraud: bool" if labels == "event" else ""}
{'''  cb:
    format: csv
    event_time: {field: at, unit: ms}
    fields: {id: u64, bad: bool}
    labels: {source: tx, key: id, value: bad}
''' if labels == "source" else ""}entities: {{card: {{keys: [card], horizon: {r.choice(['11m', '12m'])}}}, shop: {{keys: [shop], horizon: 11m}}, pair: {{keys: [card, shop], horizon: 11m}}}}
features:
""" + "\n".join(feature(r, i, labels != "none", order) for i in range(r.randrange(1, 14))) + '\nvector: [amount, "f*"]\n'


def random_events(r, labels, order, rows):
    """[(ms, id, line)] in order of arrival."""
    out, ms, ids = [], 1522540800000, []
    for _ in range(rows):
        ms += r.choice([0, 0, 1000, 1000, 2000, 500, 4000]) if r.random() < 0.985 else r.choice([30000, 1300000, 10**7])
        at = ms
        if order == "arrival" and r.random() < 0.2:
            at -= 1000 * r.choice([1, 2, 3, 4, 5, 7, 20, 26, 60])
        again = ids and r.random() < 0.15
        identity = r.choice(ids[-12:]) if again else len(ids) + 1
        if again and r.random() < 0.5:  # at the horizon of the first, or a millisecond beyond, before or after it
            first = next(o for o in out if o[1] == identity)[0]
            at = first + r.choice([4000, 4001, -4000, -4001, 30000, 30001, -30000, -30001])
            if order == "event_time":
                at = ms
            ms = max(ms, at)
        ids += [] if again else [identity]
        cells = [identity, at, r.choice(["u", "v", "w", ""]), r.randrange(2), "" if r.random() < 0.1 else f"{r.randrange(-500, 2000) / 100:.2f}",
                 r.randrange(-3, 9), r.choice(["x", "y", "", "long text"]), r.choice("abc")]
        cells += [int(r.random() < 0.3)] if labels == "event" else []
        out.append((at, identity, ",".join(map(str, cells))))
    return out


def random_labels(r, events):
    out, seen = [], set()
    for at, identity, _ in events:
        for _ in range(r.choice([0, 0, 1, 1, 2])):
            early = identity not in seen and r.random() < 0.1 and not out[-1:] == [identity]
            known = at + (-1000 * r.randrange(1, 5) if early else 1000 * r.choice([0, 0, 1, 2, 3, 10, 30]) + r.choice([0, 1]))
            out.append((known, identity, int(r.random() < 0.7)))
            seen.add(identity)
            if early:
                break
    out.sort(key=lambda x: x[0] + 3000 * r.random())  # nearly in order
    return ["id,at,bad"] + [f"{i},{known},{bad}" for known, i, bad in out]


def one(seed, folder):
    r = random.Random(seed)
    labels, order = r.choice(["none", "event", "source", "source"]), r.choice(["arrival", "arrival", "event_time"])
    (folder / "spec.yaml").write_text(random_spec(r, labels, order))
    events = random_events(r, labels, order, r.randrange(2, 300))
    header = "id,ts,card,shop,amount,n,note,kind" + (",fraud" if labels == "event" else "")
    (folder / "tx.csv").write_text("\n".join([header] + [line for _, _, line in events]) + "\n")
    inputs = [folder / "tx.csv"]
    if labels == "source":
        (folder / "cb.csv").write_text("\n".join(random_labels(r, events)) + "\n")
        inputs.append(f"cb={folder / 'cb.csv'}")
    wanted = folder / "wanted.csv"
    import features
    with open(wanted, "w", newline="", encoding="utf-8") as out:
        features.run(folder / "spec.yaml", [str(i) for i in inputs], out, "events")
    for batch in (r.choice([1, 7]), r.choice([64, 4096])):
        got = folder / "got.csv"
        check.features_run(folder / "spec.yaml", inputs, got, "--batch", batch, "--quiet")
        difference = check.first_difference(wanted, got)
        if difference:
            return f"seed {seed}, batches of {batch}: {difference}"
    return None


def main():
    check.ride()
    try:
        import features  # noqa: F401
    except ImportError as missing:
        check.skip(f"{missing} (scripts/setup --dev)")
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first, first + SEEDS):
            found = one(seed, Path(scratch))
            if found:
                print(found + "\n" + Path(scratch, "spec.yaml").read_text())
                return 1
    print(f"{SEEDS} random specs: the engine gives what the reference gives")
    return 0


if __name__ == "__main__":
    sys.exit(main())
