#!/usr/bin/env python3
"""The two ways of tests/reference (event by event; sorted with running totals) give the same bytes on random specs and events.
Both are written from the manual; they share its words but no arithmetic."""
import io
import random
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "reference"))
try:
    import features
except ImportError as missing:
    print(f"skipped: {missing} (scripts/setup --dev)")
    sys.exit(77)


def random_spec(r):
    lines = []
    for number in range(r.randrange(1, 12)):
        agg = r.choice(["count", "sum", "mean", "var", "std_pop", "risk"])
        parts = [f"name: f{number}", f"entity: {r.choice(['card', 'shop', 'pair'])}", f"agg: {agg}",
                 f"windows: {r.choice(['1s', '3s', '10s', '1m', '10m', '1w'])}"]
        kind = r.choice(["sliding", "sliding", "sliding", "tumbling", "hopping"])
        delay = agg == "risk" or r.random() < 0.3
        if delay:
            parts.append(f"delay: {r.choice(['1s', '4s', '1m'])}")
        if kind != "sliding":
            parts.append(f"kind: {kind}")
        closed = r.choice(["right", "both", "left", "neither"]) if kind == "sliding" else "right"
        if kind == "hopping":
            parts.append("hop: 1s")
        elif closed != "right":
            parts.append(f"closed: {closed}")
        if kind != "hopping" and closed in ("right", "both"):
            parts.append(f"ties: {r.choice(['arrival', 'exclude', 'peers'])}")
            parts.append(f"current: {r.choice(['include', 'exclude'])}")
        if agg not in ("count", "risk") or (agg == "count" and r.random() < 0.3):
            parts.append(f"column: {r.choice(['amount', 'n'])}")
        if r.random() < 0.3:
            parts.append('where: "amount < 5"')
        if r.random() < 0.3:
            parts.append(f"empty: {r.choice([0, -1.5])}")
        if r.random() < 0.3:
            parts.append(f"min_count: {r.randrange(1, 4)}")
        lines.append("  - {" + ", ".join(parts) + "}")
    order = r.choice(["arrival", "event_time"])
    return f"""version: 1
sources:
  tx:
    format: csv
    order: {order}
    event_time: {{field: ts, unit: ms}}
    event_id: id
    label: fraud
    fields: {{id: u64, card: {{type: string, nullable: true}}, shop: u32, amount: {{type: decimal, scale: 2, nullable: true}}, n: i32, fraud: bool}}
entities: {{card: {{keys: [card]}}, shop: {{keys: [shop]}}, pair: {{keys: [card, shop]}}}}
features:
""" + "\n".join(lines) + '\nvector: [amount, "f*"]\n'


def random_events(r):
    lines, ms = ["id,ts,card,shop,amount,n,fraud"], 1522540800000
    for row in range(r.randrange(1, 300)):
        ms += r.choice([0, 0, 1000, 1000, 2000, 500, 30000]) if r.random() < 0.99 else 10**8
        lines.append(",".join(map(str, (row, ms, r.choice(["a", "b", "c", ""]), r.randrange(3),
                                        "" if r.random() < 0.1 else f"{r.randrange(-500, 2000) / 100:.2f}",
                                        r.randrange(-3, 9), int(r.random() < 0.3)))))
    return "\n".join(lines) + "\n"


def main():
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(120):
            r = random.Random(seed)
            spec, rows = Path(scratch, "spec.yaml"), Path(scratch, "rows.csv")
            spec.write_text(random_spec(r))
            rows.write_text(random_events(r))
            results = []
            for path in ("events", "sorted"):
                out = io.StringIO()
                features.run(spec, [str(rows)], out, path)
                results.append(out.getvalue())
            if results[0] != results[1]:
                for a, b in zip(results[0].splitlines(), results[1].splitlines()):
                    if a != b:
                        print(f"seed {seed}:\n{spec.read_text()}\nevents: {a}\nsorted: {b}")
                        return 1
    print("120 random specs: both ways give the same bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
