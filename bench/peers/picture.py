"""The picture of docs/benchmarks.md: ns per row against rows of a call, RIDE and each peer, one panel per work; from the file that score.py wrote.

    python3 bench/peers/picture.py bench/results/scoring.json bench/results/scoring.svg
"""
import html
import json
import math
import sys

WIDTH, HEIGHT, COLUMNS, LEFT, RIGHT, TOP, BOTTOM = 400, 260, 2, 62, 120, 34, 34
COLOURS = ["#c2410c", "#1d4ed8", "#047857", "#7c3aed", "#525252"]


def power(value):
    return {0: "1 ns", 3: "1 µs", 6: "1 ms", 9: "1 s"}.get(value) or f"{10 ** (value % 3)} {'ns µs ms s'.split()[value // 3]}"


def panel(work, left, top):
    batches = sorted(int(b) for b in work["summary"])
    values = [s["least_ns"] for by_name in work["summary"].values() for s in by_name.values()]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def x(batch):
        return left + LEFT + math.log(batch) / math.log(65536) * (WIDTH - LEFT - RIGHT)

    def y(ns):
        return top + HEIGHT - BOTTOM - (math.log10(ns) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    out = [f'<text class="title" x="{left + LEFT}" y="{top + 20}">{html.escape(work["name"])}</text>']
    for exponent in range(low, high + 1):
        out.append(f'<line class="grid" x1="{left + LEFT}" x2="{left + WIDTH - RIGHT}" y1="{y(10 ** exponent):.1f}" y2="{y(10 ** exponent):.1f}"/>'
                   f'<text x="{left + LEFT - 6}" y="{y(10 ** exponent) + 4:.1f}" text-anchor="end">{power(exponent)}</text>')
    for batch in (1, 64, 1024, 65536):
        out.append(f'<text x="{x(batch):.1f}" y="{top + HEIGHT - BOTTOM + 16}" text-anchor="middle">{batch:,}</text>')
    ends = []
    for name, colour in zip(work["engines"], COLOURS):
        points = [(x(b), y(work["summary"][str(b)][name]["least_ns"])) for b in batches]
        width = 2.4 if name == work["engines"][0] else 1.4
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{width:.1f}" fill="{colour}"/>' for a, b in points]
        ends.append([points[-1][1], points[-1][0], name, colour])
    below = top
    for at, right, name, colour in sorted(ends):  # names at the ends of their lines, none over another
        below = max(at + 4, below + 13)
        out.append(f'<text x="{right + 7:.1f}" y="{below:.1f}" style="fill:{colour}">{html.escape(name)}</text>')
    return out


def main():
    document = json.load(open(sys.argv[1], encoding="utf-8"))
    works = [w for w in document["works"] if len(w["summary"]) > 1 and len(w["engines"]) > 1]
    rows = (len(works) + COLUMNS - 1) // COLUMNS
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * COLUMNS} {HEIGHT * rows}" font-family="sans-serif" font-size="11">',
           "<style>text{fill:#444}.title{font-size:13px;font-weight:bold;fill:#222}.grid{stroke:#ddd}</style>",
           f'<rect width="{WIDTH * COLUMNS}" height="{HEIGHT * rows}" fill="#fff"/>']
    for i, work in enumerate(works):
        out += panel(work, i % COLUMNS * WIDTH, i // COLUMNS * HEIGHT)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write("\n".join([*out, "</svg>", ""]))


if __name__ == "__main__":
    main()
