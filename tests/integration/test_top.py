#!/usr/bin/env python3
# ride-test: timeout=300
# ride-test: waits
"""`ride top` against a /metrics endpoint over the real registry with known traffic: its figures are reckoned again here from the pages that it
was given. As text, as JSON, and live in a pseudo-terminal; and what it says when what answers is nothing, silent, or no RIDE."""
import fcntl
import json
import math
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
sys.path.insert(0, str(TOP / "tests/support"))
from metrics_server import Page, Server, build_page  # noqa: E402

if not Path(RIDE).exists():
    print("no ride program")
    sys.exit(77)


def top(address, *arguments, env=None):
    return subprocess.run([RIDE, "top", "--admin", address, *arguments], capture_output=True, text=True, check=False, timeout=60,
                          env=dict(os.environ, **(env or {})))


def samples(page):
    """{(name, labels): value} of a page, labels as a frozen set of pairs."""
    out = {}
    for line in page.decode().splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
        out[name, frozenset(re.findall(r'([a-z_]+)="([^"]*)"', labels or ""))] = float(value)
    return out


def quantile(before, after, family, label, q):
    """As Prometheus' histogram_quantile reckons."""
    def buckets(page):
        found = [(math.inf if dict(labels)["le"] == "+Inf" else float(dict(labels)["le"]), value) for (name, labels), value in page.items()
                 if name == family + "_bucket" and (label is None or label in labels)]
        return sorted(found)
    counts = [(bound, b - a) for (bound, b), (_, a) in zip(buckets(after), buckets(before))]
    rank, low, seen = q * counts[-1][1], 0, 0
    for bound, count in counts:
        if count >= rank:
            return low + (bound - low) * (rank - seen) / (count - seen)
        low, seen = bound, count


def check_json(program):
    page, pages = Page(program), []
    server = Server(lambda: (pages.append(page.next()) or 200, pages[-1]))
    done = top(server.address, "--once", "--json")
    server.close()
    page.close()
    assert done.returncode == 0 and done.stderr == "", done
    assert done.stdout.count("\n") == 1 and len(pages) == 2, "one line from two readings"
    told, before, after = json.loads(done.stdout), samples(pages[0]), samples(pages[1])
    seconds = told["seconds"]
    assert 0.9 < seconds < 20, seconds

    def counter(got, name, *labels):
        key = name, frozenset(labels)
        assert got["total"] == after[key], (key, got)
        assert math.isclose(got["rate"], (after[key] - before[key]) / seconds, rel_tol=1e-9), (key, got)

    counter(told["received"]["tx"], "ride_events_received_total", ("source", "tx"))
    for end in ("scored", "degraded", "duplicate", "rejected", "shed"):
        counter(told["ended"][end], "ride_events_total", ("end", end))
    for reason in ("bad_json", "below_min"):
        counter(told["rejected"][reason], "ride_events_rejected_total", ("reason", reason))
    for decision in ("approve", "review", "decline"):
        counter(told["decisions"][decision], "ride_decisions_total", ("decision", decision))
    counter(told["delivered"]["decisions"], "ride_kafka_delivered_total", ("topic", "decisions"))
    counter(told["http_requests"]["429"], "ride_http_requests_total", ("endpoint", "/v1/score"), ("code", "429"))
    assert told["lag"]["tx"]["messages"] == 4 * after["ride_kafka_lag_messages", frozenset([("topic", "tx"), ("partition", "2")])]
    assert told["lag"]["tx"]["partitions"] == 4 and math.isclose(told["lag"]["tx"]["rate"], -400 / seconds)
    assert told["queues"]["ingest"] == {"rows": 1024, "rows_max": 8192, "bytes": 300000, "bytes_max": 16777216}
    assert told["ready"] is True and told["not_ready"] == "" and told["version"] == "0.1.0" and told["model_hash"] == "91a2b3c4d5e6f708"
    assert told["state"] == {"keys": 50000, "entries": 2000000, "bytes": 128000000} and told["in_flight"] == 128
    names = [("ride_stage_seconds", stage, ("stage", stage)) for stage in ("queue", "read", "journal", "compute", "encode", "deliver")]
    names += [("ride_latency_seconds", "to_sink", None), ("ride_delivery_seconds", "acknowledged", None)]
    assert set(told["latency_seconds"]) == {name for _, name, _ in names}
    for family, name, label in names:
        got = told["latency_seconds"][name]
        for member, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)):
            assert math.isclose(got[member], quantile(before, after, family, label, q), rel_tol=1e-9), (name, member, got)
        labels = frozenset([label] if label else [])
        assert math.isclose(got["mean"], (after[family + "_sum", labels] - before[family + "_sum", labels]) / 1000, rel_tol=1e-6)
    return len(after)


def check_text(program):
    page = Page(program)
    commands = iter(["tick", "topics 70", "not-ready", "tick"])
    server = Server(lambda: (200, page.next(next(commands))))
    lines = top(server.address, "--once").stdout.splitlines()
    assert re.search(r"^ride 0\.1\.0 at 127.*  ready  up ", lines[0]), lines[0]
    # one second of 1,000 events, unless the machine was busy
    rates = re.match(r"per second +([\d,]+) +([\d,]+) +0 +([\d.]+) +([\d.]+) +([\d.]+) +128$", lines[2])
    assert rates and 50 < int(rates[1].replace(",", "")) <= 1010, lines[2]
    assert re.match(r"in all +2,000 +1,920 +0 +40 +30 +10$", lines[3]), lines[3]
    assert "approve" in lines[4] and re.search(r"\(93\.[78] %\)", lines[4]) and "bad_json" in lines[5], lines[:7]
    assert sum(line.startswith("  more-") for line in lines) == 63 and "  others " in "\n".join(lines), "64 topics at most, the rest together"
    lines = top(server.address, "--once").stdout.splitlines()
    assert "NOT READY: model, tx" in lines[0], lines[0]
    server.close()
    page.close()


def check_restart(program):
    """A service that began anew between two readings: what it counted since, never a negative rate."""
    first, second = Page(program), Page(program)
    for _ in range(5):
        first.next()
    pages = iter([first.next(), second.next()])
    server = Server(lambda: (200, next(pages)))
    told = json.loads(top(server.address, "--once", "--json").stdout)
    assert math.isclose(told["received"]["tx"]["rate"] * told["seconds"], 1000), told["received"]
    assert math.isclose(told["latency_seconds"]["compute"]["rate"] * told["seconds"], 1000)
    assert told["latency_seconds"]["compute"]["p50"] > 0
    for one in (first, second):
        one.close()
    server.close()


def check_answers(program):
    """Bodies in chunks, foreign lines and labels that would move the cursor."""
    page = Page(program)
    server = Server(lambda: (200, page.next()), chunked=True)
    done = top(server.address, "--once", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["received"]["tx"]["total"] == 2000, done
    assert server.requests[0][1]["Connection"] == "close" and server.requests[0][1]["Host"] == server.address
    assert top(f"http://{server.address}/", "--once").returncode == 0
    server.close()
    page.close()
    strange = (b'ride_ready{part="all"} 1\nride_decisions_total{decision="\x1b[2J\\"\\\\\\nx"} 5\nnot a line\nride_events_total{end="scored 1\n'
               b'ride_events_total{end="shed"} NaN\nride_latency_seconds_bucket{le="x"} 1\nride_latency_seconds_bucket{le="+Inf"} 7\n{} {}\n'
               b'other_metric{a="b"} 1e400\nride_queue_rows{queue="' + b"q" * 3000 + b'"} 1 1395066363000\nride_events_received_total')
    server = Server(lambda: (200, strange))
    done = top(server.address, "--once")
    assert done.returncode == 0 and "\x1b" not in done.stdout and '?[2J"\\ x' in done.stdout, done
    done = top(server.address, "--once", "--json")
    assert '?[2J"\\ x' in json.loads(done.stdout)["decisions"], done.stdout
    server.close()


def raw_server(answer):
    """Takes connections one by one and sends `answer`; None = says nothing. (address, close)"""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        kept = []
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if answer is None:
                kept.append(connection)
                continue
            connection.recv(4096)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            connection.close()
    threading.Thread(target=serve, daemon=True).start()

    def close():
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    return "127.0.0.1:%d" % listener.getsockname()[1], close


def check_refusals():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = "127.0.0.1:%d" % listener.getsockname()[1]
    done = top(free)
    assert done.returncode == 69 and done.stderr.startswith(f"ride top: nothing listens at {free} ("), done
    assert "is `ride run` up" in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""
    for address in ("localhost", ":9100", "1.2.3.4:", "1.2.3.4:x", "::1:9100", "127.0.0.1:9100/metrics", "h" * 300 + ":1"):
        done = top(address)
        assert done.returncode == 64 and "is no HOST:PORT" in done.stderr, (address, done)
    head = b"HTTP/1.1 200 OK\r\n"
    wrong = [
        (b"", 65, "does not speak HTTP"), (b"\x15\x03\x01\x00\x02\x02", 65, "does not speak HTTP"), (b"HTTP/1.1 200", 65, "does not speak HTTP"),
        (head + b"Content-Length: 10\r\n\r\nshort", 65, "cut short"), (head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", 65, "cut short"),
        (head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 65, "cut short"), (head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 65, "cut short"),
        (head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n0\r\n\r\n", 65, "cut short"),
        (head + b"\r\nprocess_open_fds 3\nup 1\n", 65, "none of RIDE's"), (b"HTTP/1.1 404 Not Found\r\n\r\n", 65, "HTTP 404"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 65, "HTTP 503"), (head + b"X: y\r\n\r\n" + b"a" * (33 << 20), 65, "over 32 MiB"),
        (None, 69, "no answer from"),
    ]
    for answer, code, words in wrong:
        address, close = raw_server(answer)
        done = top(address, "--once")
        assert done.returncode == code and words in done.stderr and done.stdout == "", (answer and answer[:80], done)
        close()
    return 8 + len(wrong)


class Terminal:
    """The program in a pseudo-terminal. `screen` is what its last drawing left."""

    def __init__(self, address, rows, columns, env=None, interval=1):
        self.child, self.fd = os.openpty()
        self.size(rows, columns)
        self.was = termios.tcgetattr(self.fd)
        self.process = subprocess.Popen([RIDE, "top", "--admin", address, "--interval", str(interval)], stdin=self.fd, stdout=self.fd,
                                        stderr=self.fd, start_new_session=True, env=dict(os.environ, **(env or {})))
        self.text = ""

    def size(self, rows, columns):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.size(rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def until(self, wanted, fresh=False):
        """Reads until the last whole drawing satisfies it; gives the drawing's lines."""
        if fresh:
            self.text = ""
        end = time.monotonic() + 60
        while True:
            frames = self.text.split("\x1b[H")[1:]
            whole = [frame for frame in frames if "\x1b[J" in frame]
            if whole:
                lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", whole[-1].split("\x1b[J")[0]).replace("\r", "").split("\n")
                if wanted(lines):
                    assert len(lines) <= self.rows, f"{len(lines)} lines on {self.rows}"
                    assert all(len(line) <= self.columns for line in lines), [line for line in lines if len(line) > self.columns]
                    return lines
            assert time.monotonic() < end, self.text[-3000:]
            assert select.select([self.child], [], [], 60)[0], "it draws nothing"
            self.text += os.read(self.child, 1 << 16).decode()

    def end(self, how):
        if isinstance(how, bytes):
            os.write(self.child, how)
        else:
            self.process.send_signal(how)
        code = self.process.wait(30)
        self.text += os.read(self.child, 1 << 16).decode()
        assert code == 0, (how, code)
        assert self.text.endswith("\x1b[?7h\x1b[?25h\x1b[?1049l"), "the screen is given back"
        assert termios.tcgetattr(self.fd) == self.was, "the keyboard is as it was"
        os.close(self.fd)
        os.close(self.child)


def check_live(program):
    page, away = Page(program), threading.Event()
    server = Server(lambda: (503, b"") if away.is_set() else (200, page.next()))
    terminal = Terminal(server.address, 24, 80)
    lines = terminal.until(lambda shown: any(re.match(r"per second +[1-9]", line) for line in shown))
    assert "\x1b[32mready\x1b[0m" in terminal.text and "\x1b[?1049h" in terminal.text
    for start in ("events ", "decisions/s", "rejected/s", "dropped/s", "latency ", "  to the sink", "  acknowledged", "queue ", "lag of topic", "  tx ", "kafka ",
                  "http ", "process "):
        assert any(line.startswith(start) for line in lines), (start, lines)
    assert len(lines) == 24
    terminal.resize(10, 30)
    lines = terminal.until(lambda shown: len(shown) <= 10 and max(map(len, shown)) == 30)
    assert lines[0].startswith("ride 0.1.0")
    terminal.resize(60, 150)
    lines = terminal.until(lambda shown: len(shown) > 24)
    assert any(line.startswith("  deliver ") for line in lines) and not any("… and" in line for line in lines)
    away.set()
    lines = terminal.until(lambda shown: "HTTP 503" in shown[0])
    assert any(line.startswith("in all") and not line.startswith("in all 0") for line in lines), "the last page stays"
    away.clear()
    terminal.until(lambda shown: "  ready" in shown[0])
    terminal.end(b"q")
    for how in (b"\x03", signal.SIGTERM, signal.SIGINT):
        terminal = Terminal(server.address, 24, 80, env={"NO_COLOR": "1"}, interval=3600)
        before = len(server.requests)
        terminal.until(lambda shown: len(shown) == 24)
        os.write(terminal.child, b" ")  # reads at once
        terminal.until(lambda shown: len(server.requests) > before and "  ready" in shown[0])
        assert not re.search(r"\x1b\[[0-9]+m", terminal.text), "NO_COLOR"
        terminal.end(how)
    server.close()
    page.close()


def check_pipe(program):
    """Not on a terminal it goes on, reading after reading, until the pipe is closed or a signal comes."""
    page = Page(program)
    server = Server(lambda: (200, page.next()))
    process = subprocess.Popen([RIDE, "top", "--admin", server.address, "--interval", "1", "--json"], stdout=subprocess.PIPE, text=True)
    first, second = json.loads(process.stdout.readline()), json.loads(process.stdout.readline())
    assert second["received"]["tx"]["total"] == first["received"]["tx"]["total"] + 1000
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    process = subprocess.Popen([RIDE, "top", "--admin", server.address, "--interval", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 74
    server.close()
    page.close()


def main():
    with tempfile.TemporaryDirectory() as scratch:
        program, why = build_page(scratch)
        assert program, why
        print(f"refused: {check_refusals()} addresses and answers")
        print(f"figures of {check_json(program)} samples reckoned again")
        check_text(program)
        check_restart(program)
        check_answers(program)
        check_pipe(program)
        check_live(program)
        print("text, restart, answers, pipe, terminal: as they should be")


if __name__ == "__main__":
    main()
