"""A real broker for a test (tests/services/kafka) and the programs of tests/kafka beside it.

    with Kafka(secure=True) as kafka:          # exits 77 with the reason when there is none
        kafka.create("tx", 4)
        kafka.produce("tx", [("key", "value"), …])
        feed = Driver("feed", brokers=kafka.bootstrap, group="g", topic="tx", ends=1)
        feed.end()                              # waits; feed.events has what it told
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
SERVICE = TOP / "tests/services/kafka/kafka"
TOOL, DRIVER = BUILD / "tests/kafka_tool", BUILD / "tests/kafka_driver"


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


def until(condition, seconds, told):
    """Waits for a condition; a test that waits says for what."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {told}")


class Kafka:
    def __init__(self, secure=False, options="", version=None):
        if not DRIVER.exists():
            skip("this build has no Kafka: no librdkafka")
        self.folder = Path(tempfile.mkdtemp(prefix="ride-kafka-"))
        self.variables = dict(os.environ, RIDE_SERVICE_DIR=str(self.folder), RIDE_SERVICE_OWNER=str(os.getpid()),
                              KAFKA_OPTS=options)
        if secure:
            self.variables["KAFKA_SECURE"] = "1"
        if version:
            self.variables["KAFKA_VERSION"] = version
        pinned = re.search("<kafka.version>(.*?)<", (SERVICE.parent / "pom.xml").read_text())[1]
        self.version = self.variables.get("KAFKA_VERSION") or pinned

    def __enter__(self):
        try:
            told = self.service("start")
        except BaseException:
            self.__exit__()
            raise
        self.env = dict(line.split("=", 1) for line in told.split())
        self.bootstrap = self.env["bootstrap"]
        return self

    def __exit__(self, *_):
        subprocess.run([SERVICE, "stop"], env=self.variables, capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def service(self, *words):
        """A command of tests/services/kafka/kafka."""
        run = subprocess.run([SERVICE, *words], env=self.variables, capture_output=True, text=True, check=False)
        if run.returncode == 77:
            skip(run.stdout.strip().split("\n")[-1].removeprefix("SKIP "))
        assert run.returncode == 0, f"kafka {' '.join(words)}: {run.stdout}{run.stderr}"
        return run.stdout

    def tool(self, *words, text=None):
        run = subprocess.run([TOOL, self.bootstrap, *map(str, words)], input=text, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"kafka_tool {' '.join(map(str, words))}: {run.stderr}"
        return run.stdout

    def create(self, topic, partitions, *options):
        self.tool("create", topic, partitions, *options)

    def produce(self, topic, rows):
        """rows: (key, value) or (partition, key, value); None is no key, no value."""
        rows = list(rows)
        text = "".join("\t".join("\\N" if v is None else str(v) for v in row) + "\n" for row in rows)
        self.tool("produce", topic, "-", *(["partition"] if rows and len(rows[0]) == 3 else []), text=text)

    def consume(self, topic, isolation="read_committed"):
        """All messages of the topic, each partition in its order."""
        return [json.loads(line) for line in self.tool("consume", topic, isolation).splitlines()]

    def offsets(self, topic, group=None):
        """{partition: {begin, end, committed}}"""
        rows = [json.loads(line) for line in self.tool("offsets", topic, *([group] if group else [])).splitlines()]
        return {row["partition"]: row for row in rows}


class Driver:
    """kafka_driver, running; its events come in as they are told."""

    def __init__(self, kind, raw=(), topic=(), **options):
        topics = [topic] if isinstance(topic, str) else topic
        self.name = f"{kind} {options}"
        self.events, self.log = [], []
        self.run = subprocess.Popen([DRIVER, kind, *(f"{k}={v}" for k, v in options.items()), *(f"topic={t}" for t in topics),
                                     *(f"raw={r}" for r in raw)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.readers = [threading.Thread(target=self.read), threading.Thread(target=lambda: self.log.extend(self.run.stderr))]
        for reader in self.readers:
            reader.start()

    def read(self):
        for line in self.run.stdout:
            self.events.append(json.loads(line))

    def of(self, event):
        return [e for e in list(self.events) if e["event"] == event]

    def wait(self, condition, seconds=60, told="an event"):
        """Until condition(self) gives something; the program may not end before."""
        def look():
            value = condition(self)
            assert value or self.run.poll() is None, f"{self.name} ended: {self.events} {self.log}"
            return value
        try:
            return until(look, seconds, f"{self.name}: {told}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.events[-12:]} {self.log[-5:]}") from None

    def healthy(self):
        health = self.of("health")
        return bool(health) and health[-1]["ready"]

    def owned(self):
        """{stream: what was told of it} that the feed has now."""
        gone = {e["stream"] for e in self.of("revoked")}
        return {e["stream"]: e for e in self.of("assigned") if e["stream"] is not None and e["stream"] not in gone}

    def end(self, seconds=120, code=0):
        """Waits for its end; the last event is the summary, or the failure."""
        try:
            self.run.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} does not end: {self.events[-12:]} {self.log[-5:]}") from None
        for reader in self.readers:
            reader.join()
        assert code is None or self.run.returncode == code, f"{self.name}: exit {self.run.returncode}: {self.events} {self.log}"
        return self.events[-1]

    def stop(self):
        self.run.terminate()
        return self.end()

    def kill(self):
        self.run.kill()
        self.run.wait()
        for reader in self.readers:
            reader.join()
