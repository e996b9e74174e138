"""What the HTTP tests share: build/PRESET/tests/http_echo (tests/support/http_echo_main.c) as a server, and raw requests to it."""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR", Path(__file__).resolve().parents[2]))
PROGRAM = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build/release")) / "tests/http_echo"
WAIT_S = 60  # for what must happen; how fast is not tested here
JSON, LINES = "application/json", "application/x-ndjson"


class Echo:
    """The server, with its engine thread. `with Echo("--queue", "8") as echo:` stops it and checks how it ended."""

    def __init__(self, *options):
        self.process = subprocess.Popen([PROGRAM, *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().split()
        if line[:1] != ["listens"]:
            raise AssertionError(f"http_echo did not start: {self.process.communicate()[1]}")
        self.port, self.admin = int(line[1]), int(line[2])
        self.ended = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
            self.process.communicate()
        elif self.ended is None:
            self.stop()

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def count(self):
        """What the engine has met: received, rejected, released; and now: events in flight, bytes of requests."""
        names = ("received", "rejected", "released", "in_flight", "bytes")
        return dict(zip(names, map(int, self.say("count").split()[1:])))

    def until(self, what, condition):
        """Waits for a count that fulfils the condition."""
        import time
        for _ in range(WAIT_S * 20):
            count = self.count()
            if condition(count):
                return count
            time.sleep(0.05)
        raise AssertionError(f"{what}: {count}")

    def stop(self, by_signal=False):
        if by_signal:
            self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 0, (self.process.returncode, err)
        assert err == "", err
        words = out.splitlines()[-1].split()
        assert words[0] == "stopped", out
        self.ended = {words[i]: int(words[i + 1]) for i in range(1, len(words), 2)}
        return self.ended

    def connect(self, admin=False):
        return socket.create_connection(("127.0.0.1", self.admin if admin else self.port), timeout=WAIT_S)

    def ask(self, method, path, body=None, kind=JSON, headers=None, admin=False):
        """One request on a connection of its own: (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin if admin else self.port, timeout=WAIT_S)
        try:
            all_headers = dict(headers or {})
            if body is not None and kind is not None:
                all_headers.setdefault("Content-Type", kind)
            connection.request(method, path, body=body, headers=all_headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def score(self, event, **more):
        status, headers, body = self.ask("POST", "/v1/score", event if isinstance(event, (str, bytes)) else json.dumps(event), **more)
        return status, headers, json.loads(body)


def post(body, path="/v1/score", kind=JSON, headers=""):
    """A request's bytes."""
    data = body if isinstance(body, bytes) else body.encode()
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{headers}\r\n").encode() + data


def read_answer(stream):
    """The next answer of a raw connection's file: (status, headers, body), or None at its end."""
    line = stream.readline()
    if not line:
        return None
    status, headers = int(line.split()[1]), {}
    while (line := stream.readline().strip()):
        name, _, value = line.partition(b":")
        headers[name.decode().lower()] = value.strip().decode()
    if status == 100:
        return read_answer(stream)
    return status, headers, stream.read(int(headers.get("content-length", 0)))


def run(tests):
    """Runs functions by their names, those named on the command line or all."""
    if not PROGRAM.exists():
        print(f"{PROGRAM.name} is not built")
        sys.exit(77)
    wanted = sys.argv[1:]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        print(test.__name__, flush=True)
        test()
    print("ok")
