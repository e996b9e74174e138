#!/usr/bin/env python3
# ride-test: timeout=300
"""Inputs that wait: rows and dead letters are written as they come, and Ctrl-C ends a run whose input is idle at once, with a
summary, whole rows, and nothing lost that had come."""
import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
SLOW = 20.0  # seconds until something is taken as not coming
STOP = 0.5   # seconds from the signal to the end; 0.05 is usual, the rest is for a busy machine
SPEC = """version: 1
sources:
  tx:
    format: csv
    event_time: {field: ts, unit: s}
    event_id: id
    fields: {id: u64, ts: {type: timestamp, unit: s}, card: string, note: {type: string, nullable: true}}
  backs:
    event_time: {field: ts, unit: s}
    labels: {source: tx, key: id, value: fraud}
    fields: {id: u64, fraud: bool}
entities:
  card: {keys: [card], horizon: 1d}
features:
  - {entity: card, agg: [count, risk], windows: [1h], delay: 1m}
"""
HEADER = b"id,ts,card,note\n"
# How a run is started: another verb that reads the same way is one more line.
VERBS = {"features run": lambda inputs: ["features", "run", "--spec", "spec.yaml", "--output", "out.csv", "--rejects", "rejects.ndjson",
                                         *[word for name, path in inputs.items() for word in ("--input", f"{name}={path}")]],
         "run": lambda inputs: ["run", "--config", "ride.yaml",
                                *[word for name, path in inputs.items() for word in ("--set", f"inputs.{name}.path={path}")]]}
failures = []
verb = None


def row(number):
    return b"%d,%d,c%d,\n" % (number, 1_767_225_600 + number, number % 3)


def until(condition):
    end = time.monotonic() + SLOW
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def lines(name):
    return Path(name).read_bytes().count(b"\n") if Path(name).exists() else 0


class Run:
    """A run over a pipe that this test writes."""

    def __init__(self, case, writes=True, stdin=False, **labels):
        self.case = case
        for name in ("pipe", "out.csv", "rejects.ndjson"):
            Path(name).unlink(missing_ok=True)
        if stdin:
            read_end, self.pipe = os.pipe()
            os.set_blocking(read_end, False)  # as a shell may leave it behind
            self.run = subprocess.Popen([RIDE, *VERBS[verb]({"tx": "-"})], stdin=read_end, stderr=subprocess.PIPE)
            os.close(read_end)
            return
        os.mkfifo("pipe")
        self.run = subprocess.Popen([RIDE, *VERBS[verb]({"tx": "pipe", **labels})], stderr=subprocess.PIPE)
        self.pipe = os.open("pipe", os.O_WRONLY) if writes else None

    def check(self, condition, told):
        if not condition:
            failures.append(f"{verb}: {self.case}: {told}")

    def write(self, data):
        while data:
            data = data[os.write(self.pipe, data):]

    def shows(self, rows, rejects=0):
        """That many rows (and the header) and dead letters are to be seen while the input stays open."""
        self.check(until(lambda: lines("out.csv") == rows + 1 and lines("rejects.ndjson") == rejects),
                   f"{lines('out.csv') - 1} rows and {lines('rejects.ndjson')} dead letters are shown, not {rows} and {rejects}")

    def stop(self, rows, rejects=0, number=signal.SIGINT):
        time.sleep(0.1)
        start = time.monotonic()
        self.run.send_signal(number)
        try:
            err = self.run.communicate(timeout=SLOW)[1].decode()
        except subprocess.TimeoutExpired:
            self.run.kill()
            err = self.run.communicate()[1].decode()
        took, self.err = time.monotonic() - start, err
        self.check(self.run.returncode == 0, f"exit {self.run.returncode}: {err}")
        self.check(took < STOP, f"the end took {took:.2f} s")
        counts = re.search(r"interrupted: (\d+) events .* (\d+) rejected,", err)
        if verb == "run":
            counts = re.search(r"interrupted: .*\n +ended +([\d,]+) scored, .*, ([\d,]+) rejected;", err)
        self.check(counts is not None, f"no summary: {err}")
        text = Path("out.csv").read_bytes() if Path("out.csv").exists() else b""
        self.check(text == b"" or text.endswith(b"\n"), "the last row is cut")
        if counts is not None:
            written, rejected = max(text.count(b"\n") - 1, 0), int(counts[2].replace(",", ""))
            self.check(int(counts[1].replace(",", "")) == written, f"counted {counts[1]} events, wrote {written} rows")
            self.check(rows in (None, written) and rejects in (None, rejected), f"{written} rows and {rejected} dead letters, not {rows} and {rejects}")
        if self.pipe is not None:
            os.close(self.pipe)


def all_cases():
    for stdin in (False, True):
        run = Run("rows as they come", stdin=stdin)
        run.write(HEADER + row(1))
        run.shows(1)
        run.write(row(2) + b"bad\n" + row(3)[:4])
        run.shows(2, 1)
        run.write(row(3)[4:] + b"".join(map(row, range(4, 10001))))
        run.shows(10000, 1)
        run.stop(10000, 1)

    run = Run("only bad rows")
    run.write(HEADER + b"bad\n")
    run.shows(0, 1)
    run.stop(0, 1, signal.SIGTERM)

    run = Run("nobody writes yet", writes=False)
    run.stop(0)

    run = Run("no header yet")
    run.write(b"id")
    run.stop(0)

    run = Run("an open quote")  # the row may go on in the next line, so it waits; those before it do not
    run.write(HEADER + row(1) + row(2) + b'3,1767225603,c1,"x')
    run.shows(2)
    run.write(b'\ny"\n')
    run.shows(3)
    run.stop(3)

    run = Run("an overlong line")
    run.write(HEADER + row(1) + b"x" * (1 << 21))
    run.shows(1, 1)
    run.write(b"x" * (1 << 20) + b"\n" + row(2))
    run.shows(2, 1)
    run.write(b"y" * (1 << 21))
    run.stop(2, 2)

    run = Run("gzip")
    whole = HEADER + b"".join(map(row, range(5000)))
    first = gzip.compress(whole)
    run.write(first)
    run.shows(5000)
    second = gzip.compress(row(5001))
    run.write(second[:10])
    run.stop(5000)

    Path("labels.csv").write_bytes(b"id,ts,fraud\nx,1,1\n1,2\n" + b"".join(b"%d,%d,1\n" % (n, 1_767_225_700 + n) for n in range(0, 50, 7)))
    run = Run("labels beside it", backs="labels.csv")
    run.write(HEADER + b"".join(map(row, range(50))))
    run.shows(50, 2)
    run.write(b"x" * (2 << 20))  # an overlong line in two pieces: dropped to its end, whatever is done in between
    run.shows(50, 3)
    run.write(b"x" * 1000 + b"\n" + row(50))
    run.shows(51, 3)
    run.stop(51, 1)
    run.check(re.search(r"labels.* 2 rejected", run.err) is not None, f"bad labels are not counted: {run.err}")

    Path("long.csv").write_bytes(HEADER + b"".join(b"%d,%d,%s,\n" % (n, 1_767_225_600 + n, b"c" * 1_000_000) for n in range(40)))
    command = [RIDE, *VERBS[verb]({"tx": "long.csv", "backs": "labels.csv"})]
    try:  # strings for more than one batch
        done = subprocess.run(command, stderr=subprocess.PIPE, timeout=SLOW, check=False)
        run.check(done.returncode == 0 and lines("out.csv") == 41, f"long rows beside labels: {done.stderr.decode()}")
    except subprocess.TimeoutExpired:
        run.check(False, "long rows beside labels: the run does not end")

    noise = subprocess.Popen(["sh", "-c", "echo id,ts,card,note; exec yes bad"], stdout=subprocess.PIPE)  # never a row to give, never idle
    Path("out.csv").unlink(missing_ok=True)
    run = Run.__new__(Run)
    run.case, run.pipe = "an endless stream of bad rows", None
    run.run = subprocess.Popen([RIDE, *[w if w != "rejects.ndjson" else "/dev/null" for w in VERBS[verb]({"tx": "-"})]], stdin=noise.stdout, stderr=subprocess.PIPE)
    time.sleep(0.5)
    run.stop(0, None)
    noise.kill()
    noise.wait()
    noise.stdout.close()


def main():
    global verb
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        Path("spec.yaml").write_text(SPEC)
        Path("ride.yaml").write_text("spec: spec.yaml\noutputs: {decisions: out.csv, rejects: rejects.ndjson}\n")
        for verb in VERBS:
            all_cases()
        os.chdir("/")
    print("\n".join(failures) or "streams: rows are shown as they come, and a run that waits ends at once when it is told to")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
