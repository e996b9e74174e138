"""RIDE and its peers on the same model file and the same rows: one command, one table, one JSON file.

    python3 -m venv peers && peers/bin/pip install -r bench/peers/requirements.txt
    cmake --build build/release --target ride_shared bench_profile
    peers/bin/python bench/peers/score.py --folder FOLDER --out bench/results/scoring.json [--only NAME] [--rounds 9]

Models and rows are made into FOLDER first (models.py), once. Each engine is a process of its own, pinned to one core, with its model loaded; one works at a time
and they take turns, each round in another order, so what disturbs the machine disturbs all of them. Before anything is measured results are compared: a
trainer's own and RIDE's bit for bit where docs/models.md promises that, others within a tolerance; how many rows are equal is kept. Then each loads the model once more beside the first, so that what its libraries
take is not counted: seconds, the most memory that this adds at once, and what it keeps, as a multiple of the file. Rows are C-contiguous floats, distinct in
each call. RIDE is called by its C API in a C loop; peers by their C API where they have one that a Python process can reach, else from Python (engines.py). A peer that
cannot be had is left out by name.

The figure of an engine is the least and the median of its samples, in CPU time of its one thread (ns per row; two threads: the wall's clock); a ratio is the median over rounds of the peer's time by RIDE's.
"""
import argparse
import datetime
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(TOP / "bench/harness"))
sys.path.insert(0, str(HERE))
import machine  # noqa: E402
import models  # noqa: E402
import tiles  # noqa: E402

# Work, model file, columns, engines (RIDE's first), batches; the rows' file where it is not rows.npy.
WORKS = [
    ("XGBoost 500 × depth 6", "xgboost-500x6.json", 32, ["ride", "XGBoost", "oneDAL"], [1, 64, 1024, 65536]),
    ("LightGBM 500 × 31 leaves", "lightgbm-500x31.txt", 32, ["ride", "LightGBM", "lleaves", "oneDAL"], [1, 64, 1024, 65536]),
    ("XGBoost 100 × depth 6, 15 features", "xgboost-100x6.json", 15, ["ride", "XGBoost", "oneDAL"], [1, 64, 1024, 65536]),
    ("random forest 100 × depth 20", "forest-100x20.json", 32, ["ride", "scikit-learn", "oneDAL, own forest"], [64, 1024, 65536]),
    ("isolation forest 100 × 256", "isolation-100x256.json", 32, ["ride", "scikit-learn", "ONNX Runtime"], [1, 64, 1024, 65536]),
    ("CatBoost oblivious 500 × depth 6", "catboost-500x6.cbm", 32, ["ride", "CatBoost"], [1, 64, 1024, 65536]),
    ("MLP 32-64-32-1", "mlp-32-64-32-1.json", 32, ["ride", "ONNX Runtime", "scikit-learn"], [1, 64, 1024]),
    ("XGBoost 500 × depth 6, half of the cells missing", "xgboost-500x6.json", 32, ["ride", "XGBoost", "oneDAL"], [1024, 65536], "rows-missing.npy"),
    ("mean of XGBoost, LightGBM and isolation forest", "three.yaml", 32, ["ride"], [1, 64, 1024, 65536]),
    ("TreeSHAP, XGBoost 500 × depth 6", "xgboost-500x6.json", 32, ["ride explains", "XGBoost explains"], [1, 64, 1024]),
    ("TreeSHAP, LightGBM 500 × 31 leaves", "lightgbm-500x31.txt", 32, ["ride explains", "LightGBM explains"], [1, 64, 1024]),
    ("through ride.Model, XGBoost 500 × depth 6", "xgboost-500x6.json", 32, ["the C call", "ride.Model"], [1, 64, 1024, 65536]),
    ("XGBoost 500 × depth 6 with AVX2 only", "xgboost-500x6.json", 32, ["ride, AVX2", "oneDAL, AVX2"], [64, 1024, 65536]),
    ("XGBoost 500 × depth 6, two threads", "xgboost-500x6.json", 32, ["ride", "ride, two threads"], [65536]),
]
NEEDS = {"XGBoost": "xgboost-cpu", "XGBoost explains": "xgboost-cpu", "LightGBM": "lightgbm", "LightGBM explains": "lightgbm", "lleaves": "lleaves",
         "oneDAL": "scikit-learn-intelex", "oneDAL, AVX2": "scikit-learn-intelex", "oneDAL, own forest": "scikit-learn-intelex", "CatBoost": "catboost", "scikit-learn": "scikit-learn",
         "ONNX Runtime": "onnxruntime"}
SAME_BITS = {("xgboost", "XGBoost"), ("lightgbm", "LightGBM"), ("catboost", "CatBoost")}
FEW = {"XGBoost explains": 64, "LightGBM explains": 64}  # a larger batch takes them seconds and is no faster


class Peer:
    """An engine's process."""

    def __init__(self, name, model, rows, columns, scratch, core):
        own = dict(os.environ, RIDE_PEERS_SCRATCH=str(scratch), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", KMP_BLOCKTIME="0", OMP_WAIT_POLICY="PASSIVE")
        if name == "ride, AVX2":
            own["RIDE_CPU_ISA"] = "avx2"
        cores = os.sched_getaffinity(0) if "two" in name else {core}
        self.name = name
        self.process = subprocess.Popen([sys.executable, "-W", "ignore", str(HERE / "engines.py"), name, str(model), str(rows), str(columns)], env=own,
                                        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        preexec_fn=lambda: os.sched_setaffinity(0, cores))
        self.told = self.read()
        self.error = self.told.get("error")

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "it ended without a word"}

    def ask(self, **wish):
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        answer = self.read()
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def compare(peers, model, folder):
    """How each peer's results relate to RIDE's: rows with the same bits, and the greatest difference."""
    told, count = {}, 64 if "explains" in peers[0].name else 4096
    mine = {}
    for answers in (False, True):
        file = folder / f"ride-{answers}.npy"
        peers[0].ask(do="results", to=str(file), rows=count, answers=answers and "explains" not in peers[0].name)
        mine[answers] = np.load(file)
    for peer in peers[1:]:
        if peer.told["kind"] == "own training":
            told[peer.name] = {"compared": "not: it trains its own forest of the same shape"}
            continue
        file = folder / "peer.npy"
        peer.ask(do="results", to=str(file), rows=count)
        want, got = mine[peer.told["kind"] == "answer"], np.load(file)
        if want.ndim == 2 and got.ndim == 1:
            want = want[:, -1]
        difference = float(np.max(np.abs(want.astype(np.float64) - got.astype(np.float64))))
        same = int((want == got).sum() if want.ndim == 1 else (want == got).all(axis=tuple(range(1, want.ndim))).sum())
        told[peer.name] = {"compared": peer.told["kind"], "rows": count, "same_bits": same, "greatest_difference": difference}
        exact = any(model.startswith(start) and peer.name in (name, "ride.Model", "ride, two threads") for start, name in SAME_BITS)
        if exact and same != count:
            raise SystemExit(f"{peer.name}: {count - same} of {count} rows have other bits than RIDE's (at most {difference:g} apart)")
        scale = float(np.max(np.abs(want)))
        if difference > 2e-3 * max(1.0, scale) and not peer.name.startswith("oneDAL"):
            raise SystemExit(f"{peer.name}: results differ by {difference:g}")
    return told


def loads(peers, file_bytes):
    """What a load of the model takes each peer: seconds, and memory by the file's bytes: at most at once, and afterwards."""
    told = {}
    for peer in peers:
        if peer.told["kind"] == "own training":
            continue
        answer = peer.ask(do="load")
        told[peer.name] = {"seconds": answer["seconds"], "peak_of_file": answer["peak"] / file_bytes, "kept_of_file": answer["kept"] / file_bytes}
    return told


def measure(peers, batches, rounds, ms, wall, say):
    samples = {str(batch): {peer.name: [] for peer in peers} for batch in batches}
    for r in range(rounds):
        for batch in batches:
            order = peers[r % len(peers):] + peers[:r % len(peers)]
            for peer in order:
                done = min(batch, FEW.get(peer.name, batch))
                samples[str(batch)][peer.name].append(peer.ask(do="sample", batch=done, ms=ms, wall=wall)["ns"])
        say(f"  round {r + 1} of {rounds}")
    return samples


def summary(samples):
    lines = {}
    for batch, by_name in samples.items():
        base = next(iter(by_name.values()))
        lines[batch] = {name: {"least_ns": min(values), "median_ns": statistics.median(values),
                               "ratio": statistics.median(v / b for v, b in zip(values, base))} for name, values in by_name.items()}
    return lines


def show(document):
    for work in document["works"]:
        print(f"\n{work['name']} (ns per row: least / median; × RIDE)")
        for name in work["engines"]:
            cells = []
            for batch, by_name in work["summary"].items():
                s = by_name[name]
                cells.append(f"{batch:>6}: {s['least_ns']:>9,.0f} /{s['median_ns']:>9,.0f} {s['ratio']:>7.1f} ×")
            print(f"  {name:22}" + "  ".join(cells))
        for name, load in work.get("load", {}).items():
            print(f"  {name:22}load {load['seconds']:.3f} s, at most {load['peak_of_file']:.1f} of the file at once, {load['kept_of_file']:.1f} kept")
        for name, why in work["left_out"].items():
            print(f"  {name:22}left out: {why}")


def markdown(document):
    """The table of docs/benchmarks.md: least ns per row, and the ratio to RIDE's."""
    print("| | 1 row | 64 | 1,024 | 65,536 |\n|---|---|---|---|---|")
    for work in document["works"]:
        print(f"| **{work['name']}** | | | | |")
        for name in work["engines"]:
            cells = []
            for batch in ("1", "64", "1024", "65536"):
                s = work["summary"].get(batch, {}).get(name)
                ratio = "" if not s or name == work["engines"][0] else f" · {s['ratio']:.{2 if s['ratio'] < 2 else 1 if s['ratio'] < 20 else 0}f} ×"
                cells.append(f"{s['least_ns']:,.0f}{ratio}" if s else "")
            print(f"| {name} | {' | '.join(cells)} |")


def versions():
    found = {}
    for package in sorted({*NEEDS.values(), "numpy", "llvmlite", "daal"}):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where models and rows are, or are made")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--ms", type=float, default=20, help="of a sample, at least")
    parser.add_argument("--only", action="append", help="works whose name contains this")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--show", type=Path, help="print the table of a file and end")
    parser.add_argument("--markdown", type=Path, help="likewise, as docs/benchmarks.md has it")
    options = parser.parse_args()
    if options.markdown:
        return markdown(json.loads(options.markdown.read_text()))
    if options.show:
        return show(json.loads(options.show.read_text()))
    if options.folder is None:
        parser.error("--folder is needed")
    folder = options.folder.resolve()
    chosen = [name for name in [*(w[0] for w in WORKS), tiles.NAME] if not options.only or any(word in name for word in options.only)]
    works = [w for w in WORKS if w[0] in chosen]
    wanted = {w[1] for w in works} | ({"xgboost-500x6.json", "lightgbm-500x31.txt", "isolation-100x256.json"} if any(w[1] == "three.yaml" for w in works) else set())
    missing = sorted(name for name in models.MODELS if name_of(name) in wanted and not (folder / name_of(name)).exists())
    if missing or not (folder / "rows.npy").exists():
        subprocess.run([sys.executable, "-W", "ignore", str(HERE / "models.py"), str(folder), *missing], check=True)
    missing_cells(folder)
    (folder / "three.yaml").write_text("ensemble: 1\ncombine: mean\nmembers:\n  - {model: xgboost-500x6.json}\n  - {model: lightgbm-500x31.txt}\n"
                                       "  - {model: isolation-100x256.json}\n")
    commit, dirty = machine.revision(TOP)
    document = {"schema": 1, "name": "scoring against peers", "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "commit": commit, "dirty": dirty, "machine": machine.describe(), "versions": versions(), "rounds": options.rounds, "sample_ms": options.ms,
                "load_average": os.getloadavg()[0], "works": []}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", f"-I{TOP}/host/include", "-o", str(scratch / "ride_loop.so"), str(HERE / "ride_loop.c"),
                        f"-L{TOP}/build/release/lib", f"-Wl,-rpath,{TOP}/build/release/lib", "-lride"], check=True)
        for name, model, columns, engines, batches, *other_rows in works:
            rows = folder / (other_rows or ["rows.npy"])[0]
            print(name, file=sys.stderr)
            started = [Peer(engine, folder / model, rows, columns, scratch, options.core) for engine in engines]
            peers = [peer for peer in started if peer.error is None]
            left_out = {peer.name: peer.error for peer in started if peer.error is not None}
            if not peers or peers[0].name != engines[0]:
                raise SystemExit(f"RIDE itself: {left_out[engines[0]]}")
            equal = compare(peers, model, scratch)
            load = loads(peers, file_bytes(folder / model))
            wall = int(any("two" in p.name for p in peers))
            samples = measure(peers, batches, options.rounds, options.ms, wall, lambda text: print(text, file=sys.stderr))
            document["works"].append({"name": name, "model": model, "file_bytes": file_bytes(folder / model), "columns": columns,
                                      "engines": [p.name for p in peers], "left_out": left_out, "loaded_s": {p.name: p.told["loaded_s"] for p in peers}, "load": load,
                                      "clock": "wall" if wall else "process CPU", "equal": equal, "summary": summary(samples), "samples": samples})
            for peer in started:
                peer.end()
            if options.out:
                options.out.write_text(json.dumps(document, indent=1) + "\n")
    if tiles.NAME in chosen:
        print(tiles.NAME, file=sys.stderr)
        document["works"].append(tiles.work(folder, "xgboost-500x6.json", 32, options.rounds, options.core))
        if options.out:
            options.out.write_text(json.dumps(document, indent=1) + "\n")
    show(document)


def file_bytes(path):
    """Of a model file, or of all members' that a manifest names."""
    named = [path.parent / word.rstrip("},") for word in path.read_text().split() if (path.parent / word.rstrip("},")).is_file()] if path.suffix == ".yaml" else []
    return sum(member.stat().st_size for member in named or [path])


def missing_cells(folder):
    x = np.load(folder / "rows.npy")
    x[np.random.default_rng(3).random(x.shape) < 0.5] = np.nan
    np.save(folder / "rows-missing.npy", x)


def name_of(maker):
    """The model file that a function of models.py makes."""
    stem = {"mlp_32_64_32_1": "mlp-32-64-32-1"}.get(maker, maker.replace("_", "-"))
    return stem + {"xgboost": ".json", "lightgbm": ".txt", "catboost": ".cbm"}.get(maker.split("_")[0], ".json")


if __name__ == "__main__":
    main()
