"""bench/peers/same.py A.csv B.csv: exits 0 when two outputs of the handbook job are the same: the same rows in the same order; counts,
flags and shares exactly as numbers, means and amounts to 1e-9 (the file has amounts like 85.64999999999999). Python 3 alone."""
import sys


def main():
    rows, worst = 0, 0.0
    with open(sys.argv[1], encoding="ascii") as first, open(sys.argv[2], encoding="ascii") as second:
        names, header = (file.readline().rstrip("\r\n").split(",") for file in (first, second))
        if names != header:
            sys.exit(f"other columns: {names}, {header}")
        for a, b in zip(first, second, strict=True):
            rows += 1
            if a == b:
                continue
            for name, x, y in zip(names, a.rstrip("\r\n").split(","), b.rstrip("\r\n").split(","), strict=True):
                if x == y:
                    continue
                x, y = float(x), float(y)
                off = abs(x - y) / max(1.0, abs(x))
                if off > (1e-9 if "AMOUNT" in name else 0.0):
                    sys.exit(f"row {rows}, {name}: {x!r}, {y!r}")
                worst = max(worst, off)
    print(f"{rows} rows, {len(names)} columns: the same; amounts differ by {worst:.2g} at most")
    if rows == 0:
        sys.exit("no rows")


if __name__ == "__main__":
    main()
