#!/usr/bin/env python3
"""`ride model info` tells how each part is scored here, and how long it takes. `ride model check --golden`: what the trainers predicted is found equal, one digit changed is found with its line, and what --write writes is good for the same
model and not for another one."""
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ["RIDE_SOURCE_DIR"])
RIDE = os.environ["RIDE_BIN"]
GOLDEN = TOP / "tests/golden"
# of each format: the same bits as the trainer's
EQUAL = ["models/lightgbm-4.6.0-linear.txt", "models/xgboost-3.2.0-multi.json", "models/xgboost-1.7.6-dart.ubj", "models/lightgbm-4.6.0-multi.txt", "catboost/1.2-three.cbm",
         "catboost/1.2-plain.json", "onnx/boosted3.onnx", "treelite/xgboost.checkpoint", "sklearn/1.9.1-hist-three.json", "sklearn/1.9.1-boost.json"]
WRITTEN = EQUAL + ["ensembles/cascade.yaml", "ensembles/stacking.yaml", "ensembles/segment.yaml", "sklearn/1.4.2-isotonic.json", "onnx/mlp3.onnx"]
failed = 0


def check(*args):
    done = subprocess.run([RIDE, "model", "check", *map(str, args)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def expect(what, condition, told=""):
    global failed
    if not condition:
        failed += 1
        print(f"FAILED: {what}: {told}")


def info(*args):
    done = subprocess.run([RIDE, "model", "info", *map(str, args)], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else f"exit {done.returncode}: {done.stderr}"


def check_info():
    """A part for each member that has one, ways for every number of rows told, a time for each, tables for explanations where the file has covers."""
    for name, parts, explained in (("models/xgboost-3.2.0-multi.json", [("", "forest")], True), ("onnx/mlp3.onnx", [("", "network")], True),
                                   ("ensembles/stacking.yaml", None, True), ("onnx/boosted.onnx", [("", "forest")], False), ("models/lightgbm-4.6.0-plain.txt", [("", "forest")], True),
                                   ("models/lightgbm-4.6.0-linear.txt", [("", "forest")], False)):
        told = json.loads(info(GOLDEN / name, "--json"))
        engine = told["engine"]
        found = [(part["member"], part["kind"]) for part in engine["parts"]]
        expect(f"{name}, parts", found == parts if parts else found[-1] == ("stacker", "network") and ("boost", "forest") in found, found)
        for part in engine["parts"]:
            ways = part["ways"]
            expect(f"{name}, ways", part["bytes"] > 0 and part["why"] and [way["rows"] for way in ways] == ([1, 16, 64, 512] if part["kind"] == "forest" else []) and
                   all(way["way"] and way["estimated_ns_per_row"] > 0 for way in ways), part)
        expect(f"{name}, times", [time["rows"] for time in engine["measured"]] == [1, 64, 4096] and all(time["ns_per_row"] > 0 for time in engine["measured"]), engine)
        expect(f"{name}, explanations", (engine["explanations"] or {}).get("bytes", 0) > 0 and engine["explanations"]["us_per_row"] > 0 if explained else engine["explanations"] is None, engine)
        text, quick = info(GOLDEN / name), info(GOLDEN / name, "--quick")
        expect(f"{name}, text", all(f"\n{word} " in text for word in ("engine", "measured", "explanations")) and " ns a row for 4096" in text, text)
        expect(f"{name}, quick", "\nengine " not in quick and text.startswith(quick) and "engine" not in json.loads(info(GOLDEN / name, "--quick", "--json")), quick)


def check_sets():
    """RIDE_CPU_ISA keeps the program to a set of instructions: `info` says so, and the bits are the same."""
    name, told = GOLDEN / EQUAL[1], {}
    for word in ("portable", "avx2", "avx512", "", "nonsense"):
        env = {**os.environ, "RIDE_CPU_ISA": word}
        code = subprocess.run([RIDE, "model", "check", name, "--golden", name.with_suffix(".csv")], env=env, capture_output=True, text=True, check=False)
        expect(f"RIDE_CPU_ISA={word}", code.returncode == 0 and "with the same bits" in code.stdout, code.stdout + code.stderr)
        told[word] = subprocess.run([RIDE, "model", "info", name], env=env, capture_output=True, text=True, check=True).stdout
    expect("RIDE_CPU_ISA=portable is told", "the machine has neither AVX2 nor NEON" in told["portable"], told["portable"])


CONVERTED = ["models/xgboost-3.2.0-multi.json", "models/xgboost-1.7.6-dart.ubj", "models/lightgbm-4.6.0-multi.txt", "models/lightgbm-4.6.0-zero.txt", "models/lightgbm-4.6.0-linear.txt",
                           "models/lightgbm-4.6.0-forest.txt", "catboost/1.2-kinds.cbm", "onnx/rules.onnx", "onnx/average.onnx", "onnx/pipeline.onnx", "onnx/mlp3.onnx",
                           "onnx/probit.onnx", "treelite/isolation.checkpoint", "sklearn/1.9.1-hist-three.json", "sklearn/1.9.1-isolation.json", "xgboost/linear3.json"]


def convert(work):
    """Any format as one document: the same bits, and the same document when it is converted again. An ensemble is refused, a changed document by name."""
    made, first, second = work / "rows.csv", work / "first.json", work / "second.json"
    for name in CONVERTED:
        check(GOLDEN / name, "--golden", made, "--write", "--rows", 500)
        for source, to in ((GOLDEN / name, first), (first, second)):
            done = subprocess.run([RIDE, "model", "convert", source, "--output", to], capture_output=True, text=True, check=False)
            expect(f"{name}, converted", done.returncode == 0, done.stderr)
        code, told = check(first, "--golden", made, "--answer-ulp", 0)
        expect(f"{name}, the same bits", code == 0 and told.startswith("500 rows") and "within" not in told, told)
        expect(f"{name}, the same document", first.read_bytes() == second.read_bytes())
    whole = json.loads(first.read_text())
    for key, value, words in (("link", 99, "link"), ("input_number", "f16", "input_number"), ("version", 2, "version"), ("base", [1e300] * 3, "base")):
        second.write_text(json.dumps(whole | {key: value}))
        code, told = check(second)
        expect(f"a document with {key} {value}", code == 65 and words in told, told)
    subprocess.run([RIDE, "model", "convert", GOLDEN / CONVERTED[2], "--output", first], check=True)
    whole = json.loads(first.read_text())
    for key, value, words in (("left", 0, "reached twice"), ("right", 999, "not there"), ("input", 5000, "none of the"), ("value", "x", "a number was expected"),
                              ("input", 1 << 31, "whole number"), ("cover", -1, "cover"), ("set", None, "whole number")):
        tree = whole["trees"][0]
        second.write_text(json.dumps(whole | {"trees": [tree | {key: [value, *tree[key][1:]]}, *whole["trees"][1:]]}))
        code, told = check(second)
        expect(f"a tree with {key} {value}", code == 65 and words in told, told)
    subprocess.run([RIDE, "model", "convert", GOLDEN / "models/lightgbm-4.6.0-linear.txt", "--output", first], check=True)
    whole = json.loads(first.read_text())
    one, two, *others = whole["lines"]
    for what, change, words in (("a line of another leaf", {"lines": [one, *others]}, "line"), ("one line more", {"lines": [*whole["lines"], one]}, "lines"),
                                ("an input that is none", {"lines": [one | {"inputs": [4] * len(one["inputs"])}, two, *others]}, "lines[0]"),
                                ("fewer coefficients", {"lines": [one | {"coefficients": []}, two, *others]}, "lines[0]"),
                                ("no constant", {"lines": [{**one, "constant": None}, two, *others]}, "lines[0]"), ("sums of floats", {"sum_number": "f32"}, "f")):
        second.write_text(json.dumps(whole | change))
        code, told = check(second)
        expect(f"lines: {what}", code == (65 if words else 0) and (words or "") in told, told)
    done = subprocess.run([RIDE, "model", "convert", GOLDEN / "sklearn/1.4.2-voting.json", "--output", second], capture_output=True, text=True, check=False)
    expect("an ensemble", done.returncode == 78 and "convert its members" in done.stderr, done.stderr)


def change_one(source, to, digits):
    """The last cell of the last line becomes its next number of so many digits; returns that line's number."""
    rows = list(csv.reader(source.open()))
    value = float(rows[-1][-1])
    rows[-1][-1] = f"{value * (1 + 10.0 ** -digits):.17g}"
    with to.open("w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)
    return len(rows)


def main():
    check_info()
    check_sets()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        convert(work)
        for name in EQUAL:
            model = GOLDEN / name
            code, told = check(model, "--golden", model.with_suffix(".csv"))
            expect(name, code == 0 and "with the same bits" in told and "the model is good" in told, told)
            changed = work / "changed.csv"
            line = change_one(model.with_suffix(".csv"), changed, 5)
            code, told = check(model, "--golden", changed)
            expect(f"{name}, changed", code == 65 and f"changed.csv:{line}: " in told and "1 results differ" in told, told)
            code, told = check(model, "--golden", changed, "--bound", "1e-4")
            expect(f"{name}, changed, within a bound", code == 0, told)
        for name in WRITTEN:
            made, again = work / "made.csv", work / "again.csv"
            code, told = check(GOLDEN / name, "--golden", made, "--write", "--rows", 700)
            expect(f"{name}, written", code == 0 and "700 rows written" in told, told)
            code, told = check(GOLDEN / name, "--golden", made, "--answer-ulp", 0)
            expect(f"{name}, read again", code == 0 and told.startswith("700 rows") and "within" not in told, told)
            code, told = check(GOLDEN / name, "--golden", again, "--write", "--input", made)
            expect(f"{name}, from rows", code == 0 and made.read_bytes() == again.read_bytes(), told)
            rows = list(csv.reader(made.open()))
            results = {row[-1] for row in rows[1:]}
            expect(f"{name}, rows that differ", len(results) > 9 or name.endswith("cascade.yaml"), f"{len(results)} results")
        check(GOLDEN / "models/lightgbm-4.6.0-plain.txt", "--golden", work / "other.csv", "--write")
        code, told = check(GOLDEN / "models/lightgbm-4.6.0-zero.txt", "--golden", work / "other.csv")
        expect("another model", code == 65 and "results differ" in told and told.count("was expected") == 10, told)
        # trees' answers of floats are 2 ulp apart at most, and networks are good to a bound only
        code, told = check(GOLDEN / "onnx/mlp.onnx", "--golden", GOLDEN / "onnx/mlp.csv")
        expect("a network, by ulp", code == 65, told)
        code, told = check(GOLDEN / "onnx/mlp.onnx", "--golden", GOLDEN / "onnx/mlp.csv", "--bound", "2e-6")
        expect("a network, by bound", code == 0, told)
        model = GOLDEN / EQUAL[0]
        (work / "bare.csv").write_text("amount,age,gap,kind\n1,2,3,4\n")
        (work / "broken.csv").write_text("amount,age,gap,kind,margin0\n1,2,3,4,5\n1,2,x,4,5\n")
        for args, code_wanted, words in ((("--golden", work / "bare.csv"), 65, "nothing to compare"), (("--golden", work / "broken.csv"), 65, "broken.csv:3"),
                                         (("--golden", work / "none.csv"), 66, "none.csv"), (("--write",), 64, "--golden"),
                                         (("--golden", "a", "--input", "b"), 64, "--write"), (("--golden", work, "--write"), 74, str(work))):
            code, told = check(model, *args)
            expect(f"{args}", code == code_wanted and words in told, f"{code} {told}")
    print(f"{len(EQUAL)} models against their trainers, {len(WRITTEN)} against themselves, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
