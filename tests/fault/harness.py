"""What the fault tests are made of: a broker, engines that can be killed, a load, and the phase an engine was killed in.

An engine is `ride run` (Ride), or the stand-in of tests/kafka/topic.c (Relay), with which the tests themselves are tested: one that does what
was promised must pass, one with a planted fault must not. Nothing here looks into an engine but for the file in which it says what it is
at (host/engine/service_phase.c)."""
import fcntl
import json
import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections import namedtuple
from pathlib import Path

import oracle
import records

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
RIDE = os.environ.get("RIDE_BIN") or str(BUILD / "bin/ride")
TOPIC_TOOL = str(BUILD / "tests/topic")
RAW = {"session.timeout.ms": "1500", "heartbeat.interval.ms": "300",  # a killed member's partitions are given away soon
       "reconnect.backoff.max.ms": "500"}
Topics = namedtuple("Topics", "tx decisions rejects", defaults=("tx", "decisions", "rejects"))
PHASES = ("idle", "consumed", "scored", "produced", "delivered")  # delivered: and not stored yet
HIT = PHASES[1:]


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


def tool(*arguments, **more):
    return subprocess.run([TOPIC_TOOL, *map(str, arguments)], check=True, **more)


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def until(what, true, seconds):
    """Waits until true() is; a test that waits in vain says for what."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Broker:
    """A real one (tests/services/kafka), with a session timeout that a test can wait for. options: more lines of its properties, separated by ;"""

    def __init__(self, folder, options=""):
        self.script = TOP / "tests/services/kafka/kafka"
        if not self.script.exists() or not Path(TOPIC_TOOL).exists():
            skip("this build has no Kafka")
        self.env = dict(os.environ, RIDE_SERVICE_DIR=str(folder), KAFKA_OPTS=f"group.min.session.timeout.ms=500;{options}".rstrip(";"))
        started = subprocess.run([self.script, "start"], env=self.env, capture_output=True, text=True, check=False)
        if started.returncode == 77:
            skip(started.stdout.strip().splitlines()[-1])
        if started.returncode != 0:
            raise RuntimeError(f"the broker does not start: {started.stdout}{started.stderr}")
        self.address = dict(line.split("=", 1) for line in started.stdout.splitlines() if "=" in line)["bootstrap"]

    def do(self, command):
        done = subprocess.run([self.script, command], env=self.env, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"the broker does not {command}: {done.stdout}{done.stderr}")

    def create(self, topics, partitions, *options):
        for name in topics:
            tool("create", self.address, name, partitions, *options)

    def lag(self, topic, group):
        return int(tool("lag", self.address, topic, group, capture_output=True, text=True).stdout)

    def dump(self, topic, path):
        with open(path, "wb") as file:
            tool("dump", self.address, topic, stdout=file)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([self.script, "stop"], env=self.env, check=False, capture_output=True)


class Phases:
    """The file in which an engine says what it is at. It outlives the engine."""
    WORDS = struct.Struct("<8Q")

    def __init__(self, path):
        self.path, self.map = path, None

    def read(self):
        if self.map is None:
            if not self.path.exists() or self.path.stat().st_size < self.WORDS.size:
                return (0,) * 8
            with open(self.path, "rb") as file:
                self.map = mmap.mmap(file.fileno(), self.WORDS.size, prot=mmap.PROT_READ)
        return self.WORDS.unpack_from(self.map)

    def now(self):
        at = self.read()[0]
        return PHASES[at] if at < len(PHASES) else "unknown"

    def batches(self):
        return self.read()[1 + PHASES.index("delivered")]


class Engine:
    """One process of the group, started again and again in one folder."""

    def __init__(self, broker, folder, name="engine", group="ride", topics=Topics()):
        self.broker, self.name, self.group, self.topics = broker, name, group, topics
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process, self.log, self.starts = None, None, 0
        self.variables = {}  # of its environment, beside those of the test
        self.phases = Phases(self.phase_path())

    def start(self):
        self.starts += 1
        self.log = open(self.folder / f"log-{self.starts}", "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                        env=dict(os.environ, **self.variables), start_new_session=True)

    def log_text(self):
        return (self.folder / f"log-{self.starts}").read_text(errors="replace")

    def check(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended by itself with {self.process.returncode}:\n{self.log_text()[-3000:]}")

    def wait_working(self, seconds=60):
        """Until it has delivered a batch since now."""
        before = self.phases.batches()

        def worked():
            self.check()
            return self.phases.batches() > before
        until(f"{self.name} works", worked, seconds)

    def kill(self):
        """kill -9. The phase it hit."""
        self.check()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()
        return self.phases.now()

    def hold(self):
        """Stands still, all threads of it, when this returns."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self.check()

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self, seconds=60):
        """SIGTERM, as an operator does. The exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process is not None else None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} does not stop:\n{self.log_text()[-3000:]}") from None
        finally:
            self.log.close()
        return code

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Relay(Engine):
    stops_with = 0
    has_rejects = False
    id_field = None

    def __init__(self, broker, folder, fault="", **more):
        self.fault = fault
        super().__init__(broker, folder, **more)

    def phase_path(self):
        return self.folder / "phase"

    def expected(self, inputs):
        """Input -> what an independent run gives."""
        answers = {}
        for record in inputs:
            value = 14695981039346656037
            for byte in record.value:
                value = (value ^ byte) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
            answers[record.partition, record.offset] = b'{"score":"%016x"}' % value
        return answers

    def verify(self):
        return None

    def command(self):
        return [TOPIC_TOOL, "relay", self.broker.address, self.topics.tx, self.topics.decisions, self.group,
                self.phase_path(), *([self.fault] if self.fault else [])]


class Ride(Engine):
    """The card-fraud example between topics, its features told beside each decision: the windows' state is in what is compared."""
    stops_with = 0
    has_rejects = True
    id_field = "tx_id"

    def __init__(self, broker, folder, spec=None, raw=(), settings=(), **more):
        """spec: another one than the example's, which then has no model. raw: options of librdkafka. settings: option=value."""
        self.spec, self.raw, self.settings = spec, dict(RAW, **dict(raw)), list(settings)
        self.admin = f"127.0.0.1:{free_port()}"
        super().__init__(broker, folder, **more)
        self.phase_path().parent.mkdir(exist_ok=True)

    def phase_path(self):
        return self.folder / "state" / "phase"

    def scoring(self):
        if self.spec is not None:
            return f"""spec: {self.spec}
rules: [{{id: many, when: "card_count_1h >= 3", decision: review}}]
"""
        return f"""spec: {TOP}/examples/card-fraud/features.yaml
model: {{path: {TOP}/examples/card-fraud/model/model.json}}
rules:
  - {{id: sure, when: "probability >= 0.5", decision: decline}}
  - {{id: likely, when: "probability >= 0.1", decision: review}}
"""

    def config(self):
        raw = ", ".join(f'{name}: "{value}"' for name, value in self.raw.items())
        return f"""{self.scoring()}inputs: {{tx: {{topic: {self.topics.tx}, format: ndjson}}}}
outputs:
  decisions: {{topic: {self.topics.decisions}, format: ndjson, vector: true}}
  rejects: {{topic: {self.topics.rejects}}}
kafka: {{brokers: "{self.broker.address}", group: {self.group}, raw: {{{raw}}}}}
state: {{dir: {self.folder}/state}}
admin: {{listen: "{self.admin}"}}
log: {{level: info}}
"""

    def expected(self, inputs):
        """Of one partition: `ride run` over a file of the same events. Of more, the order in which they were met decides: None."""
        if any(record.partition > 0 for record in inputs):
            return None
        events, decisions, rejects = (self.folder / name for name in ("whole.ndjson", "whole-decisions.ndjson", "whole-rejects.ndjson"))
        whole = [r for r in inputs if r.value and r.value.strip() and b"\n" not in r.value]  # the others are no line: dead letters
        events.write_bytes(b"".join(record.value + b"\n" for record in whole))
        path = self.folder / "whole.yaml"
        path.write_text(f"""{self.scoring()}inputs: {{tx: {{path: {events}, format: ndjson}}}}
outputs:
  decisions: {{path: {decisions}, format: ndjson, vector: true}}
  rejects: {{path: {rejects}}}
log: {{level: warn}}
""")
        subprocess.run([RIDE, "run", "--config", str(path), "--quiet"], check=True)
        refused = {json.loads(line)["line"] - 1 for line in rejects.read_bytes().splitlines()}
        accepted = [record for number, record in enumerate(whole) if number not in refused]
        lines = decisions.read_bytes().splitlines()
        if len(lines) != len(accepted):
            raise RuntimeError(f"`ride run` gave {len(lines)} decisions for {len(accepted)} events")
        return {(record.partition, record.offset): line for record, line in zip(accepted, lines)}

    def verify(self):
        """What is published against what log and journal give (`ride verify`). None, or what is not right."""
        self.command()
        told = subprocess.run([RIDE, "verify", "--config", str(self.folder / "ride.yaml"), "--journal", *self.set_options()], check=False,
                              capture_output=True, text=True)
        return None if told.returncode == 0 else f"exit {told.returncode}: {told.stdout[-2000:]}{told.stderr[-1000:]}"

    def metrics(self):
        """Names with labels -> values of /metrics."""
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line and line[0] != "#")}

    def memory(self):
        """(bytes of it that are in memory, the most that there were)"""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return tuple(int(text.split(name)[1].split()[0]) * 1024 for name in ("VmRSS:", "VmHWM:"))

    def bound(self):
        """Bytes that `ride config check` says it takes at most."""
        self.command()
        told = subprocess.run([RIDE, "config", "check", "--config", str(self.folder / "ride.yaml"), *self.set_options()], check=True, capture_output=True,
                              text=True).stdout
        value, unit = re.search(r"in all +([0-9.]+) (KiB|MiB|GiB)", told).groups()
        return int(float(value) * 1024 ** ("KiB", "MiB", "GiB").index(unit) * 1024)

    def set_options(self):
        return [word for setting in self.settings for word in ("--set", setting)]

    def command(self):
        path = self.folder / "ride.yaml"
        path.write_text(self.config())
        return [RIDE, "run", "--config", str(path), *self.set_options()]


class Load:
    """Sends messages (key, value) at a steady rate until it is told to stop, whatever becomes of the broker. fresh: they are made when they are sent, not
    a pipe's length before."""

    def __init__(self, broker, topic, messages, rate, fresh=False):
        self.process = subprocess.Popen([TOPIC_TOOL, "produce", broker.address, topic, str(rate)], bufsize=0 if fresh else -1, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, start_new_session=True)
        if fresh:
            fcntl.fcntl(self.process.stdin, fcntl.F_SETPIPE_SZ, 4096)
        self.acknowledged, self.stopping = set(), False
        self.writer = threading.Thread(target=self.write, args=(messages,), daemon=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.writer.start()
        self.reader.start()

    def write(self, messages):
        try:
            for key, value in messages:
                if self.stopping:
                    break
                self.process.stdin.write(records.pack(key, value))
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def read(self):
        for line in self.process.stdout:
            if not line.endswith(b"\n"):
                break  # cut off by its end
            _, partition, offset = line.split()
            self.acknowledged.add((int(partition), int(offset)))

    def finish(self, seconds=120, at_once=False):
        """No more messages; waits until all are acknowledged. Returns the places of those that were."""
        self.stopping = at_once
        self.writer.join(seconds)
        if self.process.wait(seconds) != 0:
            raise AssertionError("the load failed")
        self.reader.join(seconds)
        return self.acknowledged

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def judged(broker, engine, folder, acknowledged, verify=True, requests=False):
    """What the oracle says of the engine's topics, and of several partitions what `ride verify` says. What the broker acknowledged and does
    not have is not the engine's fault, but this test could not see it: an error. requests: results of HTTP requests are there too, and left out."""
    folder, topics = Path(folder), engine.topics
    inputs = list(records.read(broker.dump(topics.tx, folder / "tx.records")))
    there = {(record.partition, record.offset) for record in inputs}
    if not acknowledged <= there:
        raise RuntimeError(f"the broker lost {len(acknowledged - there)} records that it had acknowledged")
    letters = list(records.read(broker.dump(topics.rejects, folder / "rejects.records"))) if engine.has_rejects else ()
    results = list(records.read(broker.dump(topics.decisions, folder / "decisions.records")))
    if requests:
        results, letters = ([r for r in some if (oracle.source_of(r) or ("",))[0] != "http"] for some in (results, letters))
    expected = engine.expected(inputs)
    report = oracle.judge(topics.tx, inputs, results, letters, expected, engine.id_field)
    report["compared_with"] = "an independent run" if expected is not None else "nothing"
    if expected is None and verify:
        wrong = engine.verify()
        report["compared_with"] = "log and journal"
        if wrong is not None:
            report["findings"]["not_verified"], report["told"]["not_verified"] = 1, [wrong]
    return report


def engine_of(word, broker, folder, **more):
    """`ride`, `ride:MODE` (of runtime.mode), `relay` or `relay:FAULT` as an engine."""
    kind, _, what = word.partition(":")
    if kind == "relay":
        return Relay(broker, folder, what, **{key: value for key, value in more.items() if key not in ("spec", "raw", "settings")})
    if what:
        more["settings"] = [*more.get("settings", ()), f"runtime.mode={what}"]
    return Ride(broker, folder, **more)


def transactions(seed, count=10_000_000, **options):
    """(card, event as JSON) of `ride generate`: late ones, duplicates and all."""
    command = [RIDE, "generate", "--events", str(count), "--customers", "2000", "--terminals", "500", "--seed", str(seed),
               "--format", "ndjson", "--output", "-"]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as made:
        try:
            for line in made.stdout:
                begin = line.index(b'"card":"') + 8
                yield line[begin:line.index(b'"', begin)], line.rstrip(b"\n")
        finally:
            made.kill()


GOOD = b'{"tx_id":1,"ts":1735689600000,"card":"c","terminal":1,"amount":1,"currency":"EUR","mcc":1,"channel":"pos","country":"DE","is_fraud":false'
POISON = (
    b"", None, b" ", b"not JSON", b"[1,2]", b"null", b"\xff\xfe", b"\0" * 100, GOOD, GOOD + b'}}', GOOD + b',"tx_id":2}', GOOD + b',"x":"\0"}',
    b'{"x":' + b"[" * 100000 + b"]" * 100000 + b"," + GOOD[1:] + b"}", GOOD.replace(b'"amount":1', b'"amount":"1e999"') + b"}",
    GOOD.replace(b'"ts":1735689600000', b'"ts":"yesterday"') + b"}", GOOD[:-1], b'{"card":"c"}', b"x" * (2 << 20))
POISON_TOPIC = "max.message.bytes=4000000"  # which takes the longest of them


def with_poison(messages, every):
    """Puts messages that are no events among the others."""
    count = 0
    for number, message in enumerate(messages):
        yield message
        if number % every == every - 1:
            yield message[0], POISON[count % len(POISON)]
            count += 1
