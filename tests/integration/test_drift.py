#!/usr/bin/env python3
"""`ride drift` against scipy and against the definitions recomputed: 20 pairs of samples of different kinds, seeded, written as CSV.

What is compared with what, and how strictly (relative, of the greater of both):
  KS, Wasserstein      scipy.stats.ks_2samp(method="asymp"), wasserstein_distance: 1e-12. W1 over numpy's std of the reference: 1e-12
  KS p-value           the same test: 1e-12, but for n <= 140 where scipy's value is 1 minus a double: there 2e-14 absolute is allowed, and
                       ours must be within 1e-13 relative of the exact probability, computed in rational numbers
  PSI, JS, L-infinity  from integer counts in 50-digit decimals, after numpy's quantiles: 1e-12; scipy's jensenshannon: 1e-9, because it
                       takes the difference of nearly equal numbers
  chi-square           exact rationals: 1e-12; scipy.stats.chi2_contingency(correction=False): 1e-9 (the same reason); its p-value from
                       our statistic by scipy.stats.chi2.sf: 1e-12
Values below 1e-300 only have to be below 1e-290. test_drift_handbook.py does the same with months of real size.
ride-test: timeout=1800"""
import csv
import decimal
import gzip
import json
import math
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
from check import ride, skip  # noqa: E402

try:
    import numpy as np
    from scipy import stats
    from scipy.spatial.distance import jensenshannon
except ImportError as missing:
    skip(f"{missing}: scripts/setup --dev")

D = decimal.Decimal
decimal.getcontext().prec = 50
failures, compared, worst = [], 0, {}


def check(where, name, ours, expected, relative=1e-12, absolute=0.0):
    """Counts a comparison; a difference beyond the tolerance is a failure."""
    global compared
    compared += 1
    if expected is None or (isinstance(expected, float) and not math.isfinite(expected)):
        ok, error = ours is None, 0.0
    elif ours is None:
        ok, error = False, 0.0
    else:
        error = abs(float(D(ours) - D(expected))) if not isinstance(expected, Fraction) else abs(float(Fraction(ours) - expected))
        size = max(abs(float(ours)), abs(float(expected)))
        ok = error <= relative * size + absolute or size < 1e-290
        error = error / size if size >= 1e-290 else 0.0
    worst[name] = max(worst.get(name, (0.0, "")), (error, where))
    if not ok:
        failures.append(f"{where}: {name} is {ours!r}, expected {float(expected) if expected is not None else None!r}")


def kstwo_exact(n, d):
    """P(D_n >= d) in rational numbers: Durbin's matrix as Marsaglia, Tsang and Wang write it. For small n d only."""
    y = Fraction(n) * Fraction(d)
    k = math.ceil(y)
    h, m = k - y, 2 * k - 1
    def entry(i, j):
        if i - j + 1 < 0:
            return Fraction(0)
        value = Fraction(1)
        if j == 0:
            value -= h ** (i + 1)
        if i == m - 1:
            value -= h ** (m - j)
        if j == 0 and i == m - 1 and 2 * h > 1:
            value += (2 * h - 1) ** m
        return value / math.factorial(i - j + 1)
    # whole numbers over one denominator: quick enough in Python
    scale = 1 << 400
    matrix = [[round(entry(i, j) * scale) for j in range(m)] for i in range(m)]
    row = [scale if j == k - 1 else 0 for j in range(m)]
    factor = Fraction(1)
    for i in range(1, n + 1):
        row = [sum(row[a] * matrix[a][j] for a in range(m)) // scale * i // n for j in range(m)]
    return 1 - Fraction(row[k - 1], scale) * factor


def ks_pvalue(where, ours, d, n1, n2):
    n = int(np.round(n1 * n2 / (n1 + n2)))
    if n == 0:
        check(where, "ks_pvalue", ours, None)
        return
    expected = float(stats.kstwo.sf(d, n))
    near = n <= 140 and 1 < n * d and d < 0.5 and n * d * d <= 4
    check(where, "ks_pvalue", ours, expected, 1e-12, 2e-14 if near else 0.0)
    if near and n * d < 14:
        check(where, "ks_pvalue (exact)", ours, kstwo_exact(n, d), 1e-13)


def binned(where, row, ref_counts, cur_counts):
    n_ref, n_cur = int(sum(ref_counts)), int(sum(cur_counts))
    psi = js = linf = D(0)
    chi2, used = Fraction(0), 0
    for a, b in zip(map(int, ref_counts), map(int, cur_counts)):
        p, q = D(a) / n_ref, D(b) / n_cur
        pp, qq = p or D("1e-4"), q or D("1e-4")
        psi += (qq - pp) * (qq / pp).ln()
        m = (p + q) / 2
        js += sum((x * (x / m).ln() for x in (p, q) if x), D(0)) / 2
        linf = max(linf, abs(p - q))
        if a + b:
            used += 1
            for observed, total in ((a, n_ref), (b, n_cur)):
                mean = Fraction(total * (a + b), n_ref + n_cur)
                chi2 += (observed - mean) ** 2 / mean
    check(where, "bins", row["bins"], len(ref_counts), 0)
    check(where, "dof", row["dof"], used - 1, 0)
    check(where, "psi", row["psi"], psi)
    check(where, "js_distance", row["js_distance"], max(js, D(0)).sqrt(), 1e-12, 1e-24)
    check(where, "js_distance (scipy)", row["js_distance"], float(jensenshannon(ref_counts, cur_counts)), 1e-9, 1e-8)
    check(where, "l_infinity", row["l_infinity"], linf)
    check(where, "chi2", row["chi2"], chi2)
    if used > 1:
        table = np.array([ref_counts, cur_counts])[:, np.add(ref_counts, cur_counts) > 0]
        theirs = stats.chi2_contingency(table, correction=False)
        check(where, "chi2 (scipy)", row["chi2"], float(theirs.statistic), 1e-9, 1e-12)
        check(where, "dof (scipy)", row["dof"], int(theirs.dof), 0)
        check(where, "chi2_pvalue", row["chi2_pvalue"], float(stats.chi2.sf(row["chi2"], used - 1)))
    else:
        check(where, "chi2_pvalue", row["chi2_pvalue"], 1.0, 0)


def numbers(where, row, ref, cur):
    """A number column against the definitions; NaN is missing."""
    a, b = ref[~np.isnan(ref)], cur[~np.isnan(cur)]
    check(where, "n_ref", row["n_ref"], len(a), 0)
    check(where, "n_cur", row["n_cur"], len(b), 0)
    check(where, "missing_rate", row["missing_rate"], Fraction(len(cur) - len(b), len(cur)))
    check(where, "new_category_rate", row["new_category_rate"], None)
    if len(a) == 0 or len(b) == 0:
        for name in ("psi", "js_distance", "l_infinity", "ks", "ks_pvalue", "wasserstein", "wasserstein_normed", "chi2", "dof",
                     "chi2_pvalue", "bins"):
            check(where, name, row[name], None)
        return
    edges = np.unique(np.quantile(a, np.arange(1, 10) / 10))
    counts = [np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1) for x in (a, b)]
    binned(where, row, *counts)
    theirs = stats.ks_2samp(a, b, method="asymp")
    check(where, "ks", row["ks"], float(theirs.statistic))
    ks_pvalue(where, row["ks_pvalue"], float(theirs.statistic), len(a), len(b))
    check(where, "wasserstein", row["wasserstein"], float(stats.wasserstein_distance(a, b)))
    deviation = float(np.std(a))
    if a.min() == a.max():
        check(where, "wasserstein_normed", row["wasserstein_normed"], None)
    else:
        check(where, "wasserstein_normed", row["wasserstein_normed"], row["wasserstein"] / deviation)
    check(where, "ks_error", row["ks_error"], 0, 0)


def categories(where, row, ref, cur):
    """A column of texts; "" is missing."""
    a, b = [x for x in ref if x != ""], [x for x in cur if x != ""]
    known = sorted(set(a))
    counts = [[x.count(v) for v in known] for x in (a, b)]
    new = len(b) - sum(counts[1])
    check(where, "new_category_rate", row["new_category_rate"], Fraction(new, len(cur)))
    check(where, "missing_rate", row["missing_rate"], Fraction(len(cur) - len(b), len(cur)))
    check(where, "ks", row["ks"], None)
    if new:
        counts = [counts[0] + [0], counts[1] + [new]]
    binned(where, row, *counts)
    for value in row["values"]:
        check(where, "values", value["ref"], a.count(value["value"]), 0)
        check(where, "values", value["cur"], b.count(value["value"]), 0)


def run(*arguments, code=0, stdin=None):
    done = subprocess.run([str(ride()), "drift", *map(str, arguments)], capture_output=True, text=True, stdin=stdin, check=False)
    if done.returncode != code:
        print(f"exit {done.returncode}, not {code}: drift {' '.join(map(str, arguments))}\n{done.stderr}")
        sys.exit(1)
    return done


def report(*arguments):
    document = json.loads(run(*arguments, "--json").stdout)
    return document, {row["feature"]: row for row in document["features"]}


def write(path, columns):
    """columns: {name: array or list of texts}; the numbers as the shortest text that reads back to the same bits."""
    def cell(x):
        return x if isinstance(x, str) else "" if math.isnan(x) else repr(float(x))
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "wt", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(columns)
        out.writerows(zip(*[[cell(x) for x in c] for c in columns.values()]))


KINDS = ("normal", "lognormal", "ties", "integers", "missing", "tiny", "constant", "equal", "zero-heavy", "far")


def sample(rng, kind, count, shift):
    x = rng.normal(size=count)
    if kind == "normal":
        return x * 3 + shift
    if kind == "lognormal":
        return np.exp(1.5 * x + shift)
    if kind == "ties":
        return np.round(x + shift, 1)
    if kind == "integers":
        return rng.poisson(3 + 10 * abs(shift), count).astype(float)
    if kind == "missing":
        return np.where(rng.random(count) < 0.3 + 0.3 * shift, np.nan, x)
    if kind == "tiny":
        return x * 1e-120
    if kind == "constant":
        return np.full(count, 0.1 + (shift > 0.2))
    if kind == "equal":
        return np.arange(count) / 8.0
    if kind == "zero-heavy":
        return np.where(rng.random(count) < 0.7, 0.0, np.exp(x + shift))
    return x + 1000 * shift


def random_pairs(scratch):
    rng = np.random.default_rng(20260101)
    sizes = [(10, 10), (1, 1), (1, 5), (2, 3), (17, 11), (50, 70), (100, 1000), (1000, 100), (300, 280), (10, 100000), (5000, 5000),
             (100000, 10), (2000, 150000), (100000, 100000), (30000, 20000), (400, 401), (1000000, 300000), (1000, 1000000),
             (250, 260), (90, 2000)]
    for number, (n, m) in enumerate(sizes):
        big = n + m > 500000
        shift = [0.0, 0.02, 0.3, 1.0][number % 4]
        chosen = KINDS[number % 5::5] if big else KINDS
        ref = {kind: sample(rng, kind, n, 0.0) for kind in chosen}
        cur = {kind: sample(rng, kind, m, shift) for kind in chosen}
        a, b = scratch / f"ref{'.csv.gz' if number % 6 == 0 else '.csv'}", scratch / "cur.csv"
        write(a, ref)
        write(b, dict(reversed(cur.items())))  # by name, not by place
        document, rows = report("--reference", a, "--current", b)
        check(f"pair {number}", "rows", document["rows_ref"], n, 0)
        order = [row["psi"] for row in document["features"] if row["psi"] is not None]
        check(f"pair {number}", "sorted by psi", int(order == sorted(order, reverse=True)), 1, 0)
        for kind in chosen:
            numbers(f"pair {number} ({n}, {m}) {kind}", rows[kind], ref[kind], cur[kind])


def kstwo_grid(scratch):
    """The p-value over n and D: samples made so that D is j / n exactly, up to ten million rows by their own distribution."""
    for n in (2, 3, 20, 120, 139, 141, 281, 5000, 30000):
        for j in sorted({1, 2, 3, n // 20 + 1, int(1.5 * n ** 0.5) + 1, int(3 * n ** 0.5) + 1, n // 2 + 1, n - 1, n}):
            if j > n:
                continue
            ref, cur = np.arange(n, dtype=float), np.arange(n, dtype=float) + j
            write(scratch / "ref.csv", {"x": ref})
            write(scratch / "cur.csv", {"x": cur})
            numbers(f"shift of {j} in {n}", report("--reference", scratch / "ref.csv", "--current", scratch / "cur.csv")[1]["x"], ref, cur)


def texts(scratch):
    rng = np.random.default_rng(5)
    words = ["grocery", "fuel", 'quo"ted, comma', "ätsch", "7", "", "hotel", "new one", "8.5"]
    ref = [str(words[i]) for i in rng.choice(7, 3000, p=[.3, .2, .1, .1, .1, .1, .1])]
    cur = [str(words[i]) for i in rng.choice(9, 2000, p=[.1, .3, .1, .1, .1, .1, .1, .05, .05])]
    code_ref, code_cur = rng.integers(0, 5, 3000).astype(float), rng.integers(0, 6, 2000).astype(float)
    ids = [f"id{i}" for i in range(3000)]
    write(scratch / "ref.csv", {"mcc": ref, "code": code_ref, "id": ids, "gone": ref})
    write(scratch / "cur.csv", {"id": ids[:2000], "code": code_cur, "mcc": cur, "came": cur})
    files = ("--reference", scratch / "ref.csv", "--current", scratch / "cur.csv")
    document, rows = report(*files)
    categories("texts", rows["mcc"], ref, cur)
    numbers("texts", rows["code"], code_ref, code_cur)
    for member, expected in (("only_reference", ["gone"]), ("only_current", ["came"]), ("left_out", ["id"])):
        check("texts", member, int(document[member] == expected), 1, 0)
    _, rows = report(*files, "--columns", "code,id", "--categories", "code")
    check("texts", "columns", int(sorted(rows) == ["code", "id"]), 1, 0)
    categories("code as category", rows["code"], [str(int(x)) for x in code_ref], [str(int(x)) for x in code_cur])
    check("an id that was asked for", "values_count", rows["id"]["values_count"], 3000, 0)
    # a text in the last row turns what was numbers into the same texts, in both files, and "1" is "1.0"
    write(scratch / "ref.csv", {"x": ["1", "2.0", "1e0", "", "2", "0.50"]})
    write(scratch / "cur.csv", {"x": ["2", "1.0", "inf", "-0", "north"]})
    _, rows = report(*files)
    categories("late text", rows["x"], ["1", "2", "1", "", "2", "0.5"], ["2", "1", "inf", "0", "north"])
    with open(scratch / "cur.csv", encoding="utf-8") as file:  # from a pipe as from a file
        piped = run("--reference", scratch / "ref.csv", "--current", "-", "--json", stdin=file).stdout
    check("stdin", "the same", int(json.loads(piped)["features"] == json.loads(run(*files, "--json").stdout)["features"]), 1, 0)


def says(done, text):
    global compared
    compared += 1
    if text not in done.stderr:
        failures.append(f"stderr lacks `{text}`: {done.stderr}")


def as_a_program(scratch):
    """Exit codes, messages, outputs."""
    a, b, c = (scratch / name for name in ("a.csv", "b.csv", "c.csv"))
    a.write_text("x,y\n1,1\n2,2\n3,3\n4,4\n")
    b.write_text("y,x,z\n1,1,0\n\n2,9,0\n")
    files = ("--reference", a, "--current", b)
    table = run(*files).stdout
    check("table", "lines", len(table.splitlines()), 3, 0)
    check("table", "no colour in a pipe", table.count("\033"), 0, 0)
    run(*files, "--fail-above", "psi=1000,missing_rate=0.5")
    says(run(*files, "--fail-above=psi=0.2", code=10), "psi of x is")
    says(run(*files, "--fail-above", "missing_rate=0.5,ks=0.1", code=10), "ks of x is")
    says(run(*files, "--fail-above", "pis=0.2", code=64), "pis=0.2")
    says(run(*files, "--fail-above", "psi", code=64), "--fail-above")
    run(*files, "--output", scratch / "out.json", "--quiet")
    check("--output", "JSON", int(json.loads((scratch / "out.json").read_text()) == json.loads(run(*files, "--json").stdout)), 1, 0)
    says(run(*files, "--output", "/dev/full", code=74), "/dev/full")
    says(run("--reference", a, "--current", scratch / "none.csv", code=66), "none.csv")
    says(run("--reference", "-", "--current", "-", code=64), "cannot be both")
    says(run(*files, "--columns", "x,yy", code=64), "did you mean `y`")
    says(run(*files, "--columns", "z", code=64), "only the current file has a column `z`")
    says(run(*files, "--columns", "x", "--categories", "y", code=64), "--columns leaves out a column `y`")
    for content, code, message in (("", 65, "the input is empty"), ("x,y\n", 65, "a header and no row"), ("u,v\n1,2\n", 65, "no column in common"),
                                   ("x,x\n1,2\n", 65, "a column twice"), ("x,y\n1\n", 65, "c.csv:2: fewer cells"), ("x,y\n1,2,3\n", 65, "c.csv:2: more cells"),
                                   ('x,y\n1,"2\n', 65, "c.csv:2: quotes do not match"), ('x,y\n1,"2"3\n', 65, "quotes do not match"),
                                   ("x," + "y" * 3_000_000 + "\n1,2\n", 65, "a line too long")):
        c.write_text(content)
        says(run("--reference", a, "--current", c, code=code), message)
    c.write_text('\ufeffx,y\r\n 1 ,"2"\r\nNaN,nan\r\n', encoding="utf-8")
    rows = report("--reference", a, "--current", c)[1]
    check("bom, CRLF, blanks, quotes", "missing_rate", rows["x"]["missing_rate"], 0.5, 0)
    check("bom, CRLF, blanks, quotes", "kind", int(rows["y"]["kind"] == "number"), 1, 0)
    c.write_text("x,y\n,1\n,2\n")
    says(run("--reference", a, "--current", c), "1 column has no values")


def main():
    ride()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        random_pairs(scratch)
        kstwo_grid(scratch)
        texts(scratch)
        as_a_program(scratch)
    return told(2000)


def told(compared_min):
    """Prints what was found; the exit code."""
    for failure in failures[:40]:
        print(failure)
    for name, (error, where) in sorted(worst.items()):
        if error > 0:
            print(f"largest difference of {name}: {error:.1e} ({where})")
    print(f"{compared} values compared, {len(failures)} differ")
    return 1 if failures or compared < compared_min else 0


if __name__ == "__main__":
    sys.exit(main())
