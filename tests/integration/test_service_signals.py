#!/usr/bin/env python3
# ride-test: timeout=300
"""`ride run` as a service, by signals alone (HTTP only, no broker): SIGHUP takes all of a new configuration or names what needs a restart;
SIGTERM ends it cleanly; a second signal at once; and what it refuses to start with."""
import atexit
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
EVENT = {"tx_id": 1, "ts": 1767225600, "card": "c", "terminal": 7, "amount": 12.5, "mcc": 5411, "country": "DE"}
WAIT_S = 60

if not Path(RIDE).exists():
    print("no ride program")
    sys.exit(77)


class Service:
    """A process whose log is read line by line."""

    def __init__(self, config, *arguments, **environment):
        self.process = subprocess.Popen([RIDE, "run", "--config", config, "--quiet", *arguments], stderr=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **environment))
        atexit.register(self.process.kill)  # whatever fails here
        self.lines, self.changed = [], threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.at = 0

    def read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(json.loads(line) if line.startswith("{") else {"message": line.strip()})
                self.changed.notify()
        with self.changed:
            self.lines.append(None)
            self.changed.notify()

    def wait(self, message, **fields):
        """The next line with that message and those fields."""
        with self.changed:
            while True:
                for i in range(self.at, len(self.lines)):
                    line = self.lines[i]
                    assert line is not None, f"it ended before `{message}`: {self.lines}"
                    if line["message"] == message and all(line.get(f"ride.{k}") == v for k, v in fields.items()):
                        self.at = i + 1
                        return line
                assert self.changed.wait(WAIT_S), f"no `{message}` {fields}: {self.lines}"

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        if number is not None:
            self.send(number)
        code = self.process.wait(WAIT_S)
        self.reader.join()
        return code


def get(address, path, body=None, token=None):
    request = urllib.request.Request(f"http://{address}{path}", data=body)
    if body is not None:
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def reloads(admin, end):
    found = re.search(rf'ride_config_reloads_total{{end="{end}"}} (\d+)', get(admin, "/metrics")[1])
    return int(found.group(1))


def write(path, **changes):
    values = {"batch": 1024, "level": "info", "rules": "[]", "extra": ""}
    values.update(changes)
    path.write_text(f"spec: {TOP}/examples/card-fraud/features.yaml\n"
                    f"http: {{listen: '127.0.0.1:0', token_file: tokens}}\nadmin: '127.0.0.1:0'\n"
                    f"scheduler: {{max_batch: {values['batch']}}}\nlog: {{level: {values['level']}, format: json}}\n"
                    f"rules: {values['rules']}\n{values['extra']}")


def score(http, token):
    return get(http, "/v1/score", json.dumps(EVENT).encode(), token)[0]


def check_reload(folder):
    config, tokens = folder / "ride.yaml", folder / "tokens"
    tokens.write_text("first-of-the-tokens\n")
    write(config)
    s = Service(config, "--set", "runtime.drain_timeout=5s", RIDE__SCHEDULER__MAX_DELAY="0s")
    admin, http = (s.wait(m)["ride.listen"] for m in ("metrics and health", "HTTP scores"))
    s.wait("ready", part="state")
    assert get(admin, "/readyz")[0] == 200
    before = score(http, "first-of-the-tokens")
    assert before in (200, 422) and score(http, "second-of-the-tokens") == 401, before

    # All of it: batches, tokens; what --set says holds again.
    tokens.write_text("second-of-the-tokens\n")
    write(config, batch=16, extra="runtime: {drain_timeout: 9s}\n")
    s.send(signal.SIGHUP)
    taken = s.wait("the new configuration is taken")
    assert taken["ride.max_batch"] == 16 and taken["ride.drain_timeout_seconds"] == 5, taken
    assert score(http, "second-of-the-tokens") == before and score(http, "first-of-the-tokens") == 401

    # Nothing of it, and all that is wrong: two options and the rules, each with its place. The level stays, so do the tokens.
    tokens.write_text("third-of-the-tokens\n")
    write(config, batch=2048, level="error", rules="[{id: a, when: 'amount > 1', decision: review}]", extra="backend: cpu\n")
    s.send(signal.SIGHUP)
    told = [s.wait("the new configuration is not taken") for _ in range(3)]
    whys = " ".join(line["ride.why"] for line in told)
    for part in ("`backend.name` cannot change", "`scheduler.max_batch` cannot grow", "`rules` cannot change"):
        assert part in whys, whys
    assert told[0]["ride.where"] == str(config) and told[0]["ride.line"] > 0, told[0]
    assert score(http, "second-of-the-tokens") == before and score(http, "third-of-the-tokens") == 401

    # A file that is no configuration, and tokens that cannot be read.
    config.write_text("spec: [\n")
    s.send(signal.SIGHUP)
    s.wait("the new configuration is not taken")
    write(config, level="error")
    tokens.unlink()
    s.send(signal.SIGHUP)
    assert "http.token_file" in s.wait("the new configuration is not taken")["ride.why"]
    assert score(http, "second-of-the-tokens") == before

    # The level: the last line that is told at the old one says that it was taken.
    tokens.write_text("fourth-of-the-tokens\n")
    s.send(signal.SIGHUP)
    s.wait("the new configuration is taken")
    assert score(http, "fourth-of-the-tokens") == before
    assert reloads(admin, "applied") == 2 and reloads(admin, "refused") == 3
    lines = len(s.lines)
    assert s.end() == 0, s.lines
    assert s.lines[lines:] == [None], f"at level error a clean stop says nothing: {s.lines[lines:]}"


def check_stops(folder):
    config = folder / "ride.yaml"
    (folder / "tokens").write_text("some-secret-of-ours\n")
    write(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        s = Service(config)
        s.wait("ready", part="state")
        assert s.end(number) == 0
        s.wait("drained")
    # Two kinds before the process can do anything about the first: it ends by the second, whichever comes first.
    s = Service(config)
    s.wait("ready", part="state")
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        s.send(number)
    code = s.end(None)
    assert code in (-signal.SIGTERM, -signal.SIGINT), code


def check_refusals(folder):
    config = folder / "ride.yaml"
    (folder / "tokens").write_text("some-secret-of-ours\n")

    def refused(code, text, **changes):
        write(config, **changes)
        done = subprocess.run([RIDE, "run", "--config", config, "--quiet"], capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == code and text in done.stderr, done

    refused(71, "needed, ", extra="backend: {name: cpu, memory: 1000TiB}\n")
    refused(66, "nowhere.yaml", extra="model: nowhere.yaml\n")
    (folder / "tokens").unlink()
    refused(78, "cannot open the file of tokens")
    done = subprocess.run([RIDE, "run", "--help"], capture_output=True, text=True, check=True)
    for code in (0, 64, 65, 66, 69, 71, 74, 75, 78):
        assert re.search(rf"\b{code}\b", done.stdout), code


with tempfile.TemporaryDirectory() as scratch:
    for check in (check_reload, check_stops, check_refusals):
        place = Path(scratch) / check.__name__
        place.mkdir()
        check(place)
print("ok")
