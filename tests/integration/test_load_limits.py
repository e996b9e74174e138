#!/usr/bin/env python3
"""What a model may have is an option of the program and of the configuration, and a long load says how far it is: a line on a terminal, that is gone in the end."""
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RIDE = os.environ.get("RIDE_BIN", str(TOP / "build/release/bin/ride"))
MODEL = TOP / "examples/card-fraud/model/model.json"
CONFIG = TOP / "examples/card-fraud/ride.yaml"
sys.path.insert(0, str(TOP / "tests/support"))
import large_models  # noqa: E402


def run(*words):
    done = subprocess.run([RIDE, *map(str, words)], cwd=TOP, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def refuses(words, *parts):
    code, told = run(*words)
    assert code == 65, (words, code, told)
    for part in (*parts, "raise the limit"):
        assert part in told, (words, part, told)


def limits(folder):
    for verb in (["model", "info", MODEL, "--quick"], ["model", "check", MODEL], ["model", "convert", MODEL, "--output", folder / "x"],
                 ["score", "--model", MODEL, "--input", "/dev/null", "--output", folder / "x"]):
        refuses([*verb, "--bytes-max", "2KiB"], "at most 2048")
        refuses([*verb, "--trees-max", "3"], "at most 3")
        refuses([*verb, "--nodes-max", "17"], "at most 17")
    assert run("model", "check", MODEL, "--bytes-max", "64GiB", "--trees-max", "100", "--nodes-max", "1000000")[0] == 0
    for wrong in ("0", "1.5GiB", "GiB", "65GiB", "1GB", "-1"):
        assert run("model", "check", MODEL, "--bytes-max", wrong)[0] == 64, wrong
    for option, part in (("trees_max=3", "at most 3"), ("nodes_max=17", "at most 17")):
        refuses(["compile", "--config", CONFIG, "--set", f"model.{option}", "--output", folder / "x"], part)
        code, told = run("config", "check", "--config", CONFIG, "--set", f"model.{option}")
        assert code != 0 and part in told, told
    code, told = run("config", "check", "--config", CONFIG, "--set", "model.bytes_max=1KiB")
    assert code != 0 and "1MiB" in told, told


def progress(folder):
    for form in ("xgboost-json", "xgboost-ubj", "lightgbm", "onnx"):
        path = folder / form
        large_models.write(form, path, 96 << 20)
        leader, follower = pty.openpty()
        child = subprocess.Popen([RIDE, "model", "info", "--quick", path], stdout=subprocess.DEVNULL, stderr=follower)
        os.close(follower)
        told = b""
        try:
            while piece := os.read(leader, 4096):
                told += piece
        except OSError:  # the other side is closed
            pass
        os.close(leader)
        assert child.wait() == 0
        assert b"loading the model: " in told and b"%" in told, (form, told)
        assert told.endswith(b"\r\x1b[K"), (form, told[-80:])
        quiet = subprocess.run([RIDE, "model", "info", "--quick", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        assert b"\r" not in quiet.stderr, quiet.stderr
        path.unlink()


def main():
    with tempfile.TemporaryDirectory() as folder:
        limits(Path(folder))
        print("limits by options and by the configuration")
        progress(Path(folder))
        print("a line of progress on a terminal, for four formats")
    return 0


if __name__ == "__main__":
    sys.exit(main())
