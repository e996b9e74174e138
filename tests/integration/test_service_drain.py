#!/usr/bin/env python3
# ride-test: timeout=600
# ride-test: waits
# ride-test: release-only (it is about time: a sanitizer makes it a test of patience)
"""A stop while the broker hangs: a drain waits for runtime.drain_timeout and no longer, exits 75 and says what was not acknowledged; a second
signal ends it at once; and the next start works those events again. Results are held back by linger.ms, so that there are some when the broker
stops answering."""
import atexit
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
sys.path.insert(0, str(TOP / "tests/support"))
from kafka_service import Kafka, until  # noqa: E402

RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
EVENTS, PATIENCE_S = 500, 120


class Service:
    def __init__(self, folder, kafka, timeout, linger_ms):
        self.log = open(folder / "log", "w+", encoding="utf-8")
        config = folder / "ride.yaml"
        config.write_text(f"spec: features.yaml\ninputs: {{tx: {{topic: tx}}}}\noutputs: {{decisions: {{topic: decisions}}}}\nstate: state\n"
                          f"kafka: {{brokers: '{kafka.bootstrap}', raw: {{linger.ms: {linger_ms}}}}}\nadmin: '127.0.0.1:0'\n"
                          f"runtime: {{drain_timeout: {timeout}}}\nlog: {{format: json}}\n")
        self.process = subprocess.Popen([RIDE, "run", "--config", config, "--quiet"], stderr=self.log)
        atexit.register(self.process.kill)  # whatever fails here
        self.admin = until(lambda: re.search(r'"metrics and health".*"ride.listen":"([^"]+)"', self.text()), PATIENCE_S, "a listener").group(1)

    def text(self):
        return Path(self.log.name).read_text(encoding="utf-8")

    def scored(self):
        page = urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=PATIENCE_S).read().decode()
        found = re.search(r'ride_events_total\{end="scored"\} (\d+)', page)
        return int(found.group(1)) if found else 0  # it is not open yet

    def wait_scored(self, count):
        until(lambda: self.scored() >= count, PATIENCE_S, f"{count} events scored")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def end(self):
        code = self.process.wait(PATIENCE_S)
        self.log.close()
        return code


def events(first, count):
    for i in range(first, first + count):
        event = {"tx_id": i, "ts": 1767225600000 + 1000 * i, "card": f"c{i % 17}", "terminal": i % 5, "amount": 1.25 * (i % 40), "currency": "EUR",
                 "mcc": 5411, "channel": "pos", "country": "DE", "lat": 52.5, "lon": 13.4, "is_fraud": False}
        yield event["card"], json.dumps(event)


def check(folder, kafka):
    # The broker hangs: the drain ends in time, says what is missing, and nothing of it is stored.
    service = Service(folder, kafka, "1500ms", 600000)
    kafka.produce("tx", events(0, EVENTS))
    service.wait_scored(EVENTS)
    kafka.service("pause")
    service.stop()
    code = service.end()
    text = (folder / "log").read_text(encoding="utf-8")
    kafka.service("resume")
    assert code == 75, (code, text)
    told = re.search(r"(\d+) results of \d+ batches were not acknowledged within 1\.5 s", text)
    assert told and int(told.group(1)) == EVENTS, text
    assert re.search(r"tx/0 before offset \d+", text) and "their events will be worked again at the next start" in text, text
    assert kafka.offsets("tx", "ride")[0]["committed"] in (-1001, -1, None), "nothing is stored that was not acknowledged"

    # The next start works them again, and a second signal ends a drain that would take an hour.
    service = Service(folder, kafka, "1h", 600000)
    service.wait_scored(EVENTS)
    kafka.service("pause")
    service.stop()
    until(lambda: '"stopping"' in service.text(), PATIENCE_S, "the drain")
    service.stop()
    assert service.end() == -signal.SIGTERM
    kafka.service("resume")

    # And the one after that, with a broker that answers.
    service = Service(folder, kafka, "60s", 5)
    service.wait_scored(EVENTS)
    service.stop()
    assert service.end() == 0, (folder / "log").read_text(encoding="utf-8")
    assert kafka.offsets("tx", "ride")[0]["committed"] == EVENTS
    results = [json.loads(m["value"])["tx_id"] for m in kafka.consume("decisions")]
    assert set(results) == set(range(EVENTS)), f"{len(set(results))} of {EVENTS} have a result"


with tempfile.TemporaryDirectory() as scratch, Kafka() as broker:
    place = Path(scratch)
    (place / "features.yaml").write_text((TOP / "examples/card-fraud/features.yaml").read_text().replace("format: csv", "format: json"))
    broker.create("tx", 1)
    broker.create("decisions", 1)
    check(place, broker)
print("ok")
