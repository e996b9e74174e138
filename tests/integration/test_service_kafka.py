#!/usr/bin/env python3
# ride-test: timeout=900
# ride-test: waits
# ride-test: release-only (a whole service beside a broker; its parts run under sanitizers in unit/service_test and integration/kafka_io)
"""Generated events through a real broker and `ride run` as a service:

- one partition: every decision, alert and late event has the bytes, and is in the order, of `ride run` over the same events in a file;
- four partitions and a topic of labels: what a second service makes along the journal of the first one, with another batch size, is equal
  to the byte, keys and headers included; so is what `ride verify --journal` makes;

each for batches of 1 and of 4,096 events, by one thread and in a pipeline. Late, repeated and unreadable events are among them. RIDE_KAFKA_EVENTS: how many (20,000)."""
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
sys.path.insert(0, str(TOP / "tests/support"))
from kafka_service import TOOL, Kafka, until  # noqa: E402

RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
EVENTS = int(os.environ.get("RIDE_KAFKA_EVENTS") or 20000)
BATCHES = (1, 4096)
MODES = ("inline", "pipeline")
EXAMPLE = TOP / "examples/card-fraud"
OUTPUTS = ("decisions", "alerts", "late", "rejects")
POISON = ["{", '{"tx_id":-1}', "[1,2]", '{"tx_id":1,"tx_id":2}', "\x01"]
TOMBSTONES = 2
LABELS = """  chargebacks:
    format: json
    event_time: {field: reported_at, unit: ms}
    fields: {tx_id: u64, is_fraud: bool}
    labels: {source: tx, key: tx_id, value: is_fraud}
"""
BEGAN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)


def ride(*words):
    done = subprocess.run([RIDE, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ride {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr}"
    return done.stdout + done.stderr


def make_spec(path, labels):
    """The example's, of JSON, with less patience for late events; with labels of their own instead of those inside events."""
    text = (EXAMPLE / "features.yaml").read_text().replace("format: csv", "format: json").replace("allowed_lateness: 2h", "allowed_lateness: 1m")
    if labels:
        text = text.replace("    label: is_fraud ", "    #").replace("      is_fraud: bool\n", "").replace("\nentities:", LABELS + "\nentities:")
    path.write_text(text)


def config(spec, batch, inputs, outputs, more=""):
    rules = re.search(r"^rules:.*?\n\n", (EXAMPLE / "ride.yaml").read_text(), re.M | re.S)[0]
    return (f"spec: {spec}\nmodel: {EXAMPLE}/model/model.json\n{rules}inputs:\n{inputs}outputs:\n{outputs}{more}"
            f"scheduler: {{max_batch: {batch}}}\nlog: {{level: info, format: json}}\n")


def check_stages(page, name, batch):
    """docs/metrics.md: what events spent in the stages, without deliver, is their latency, but for the rounding of sums of seconds; and with it their delivery, where
    each is its batch's oldest."""
    stages, counts = ({re.search('stage="(.*)"', labels)[1]: value for labels, value in page[f"ride_stage_seconds_{what}"].items()} for what in ("sum", "count"))
    (latency, rows), (delivery, delivered) = ((page[f"ride_{what}_seconds_sum"][""], page[f"ride_{what}_seconds_count"][""]) for what in ("latency", "delivery"))
    ended = sum(value for labels, value in page["ride_events_total"].items() if "rejected" not in labels)
    assert counts == {**dict.fromkeys(("queue", "read", "journal", "compute", "encode"), rows), "deliver": delivered}, counts
    applied = sum(value for labels, value in page.get("ride_labels_total", {}).items() if "applied" in labels)
    assert rows == ended and delivered == ended + applied, (rows, delivered, ended, applied)
    whole = sum(stages.values())
    assert abs(whole - stages["deliver"] - latency) < 1e-6 and latency > 0, f"{name}: {stages} make {whole - stages['deliver']}, not {latency}"
    assert whole < delivery + 1e-6, f"{name}: {stages} make {whole}, and the delivery is {delivery}"
    assert batch > 1 or delivered > rows or whole > delivery - 1e-6, f"{name}: {stages} make {whole}, not {delivery}"


class Service:
    """`ride run` between topics named after it; its state is in a folder of its own."""

    def __init__(self, kafka, folder, name, spec, batch, mode, labels=False, journal=None):
        self.kafka, self.name, self.folder, self.batch = kafka, name, folder / name, batch
        (self.folder / "state").mkdir(parents=True)
        if journal:
            shutil.copy(journal, self.journal)
        self.config = self.folder / "ride.yaml"
        self.config.write_text(config(
            spec, batch, "  tx: {topic: tx4}\n  chargebacks: {topic: chargebacks}\n" if labels else "  tx: {topic: tx}\n",
            "".join(f"  {output}: {{topic: {name}-{output}}}\n" for output in OUTPUTS),
            f"kafka: {{brokers: '{kafka.bootstrap}', group: {name}}}\nstate: {{dir: {self.folder}/state}}\nadmin: {{listen: '127.0.0.1:0'}}\n"
            f"runtime: {{mode: {mode}}}\n"))
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.run = subprocess.Popen([RIDE, "run", "--config", self.config], stderr=self.log)

    @property
    def journal(self):
        return self.folder / "state/journal.ride"

    def said(self):
        return (self.folder / "log").read_text()

    def metrics(self):
        """{family: {labels: value}}; nothing before it listens."""
        assert self.run.poll() is None, f"{self.name} ended: {self.said()}"
        listens, found = re.search(r'"metrics and health".*?"ride.listen":"([^"]+)"', self.said()), {}
        if listens:
            with urllib.request.urlopen(f"http://{listens[1]}/metrics", timeout=10) as page:
                for family, labels, value in re.findall(r"^(ride_\w+)(?:{(.*)})? (\S+)$", page.read().decode(), re.M):
                    found.setdefault(family, {})[labels] = float(value)
        return found

    def finish(self, messages, events, rejected):
        """Until all of it is stored, when every event is accounted for; then it is stopped, and ends in order."""
        until(lambda: sum(self.metrics().get("ride_kafka_stored_offset", {}).values()) == messages, 120 + EVENTS / 1000,
              f"{self.name} stores {messages} messages")
        until(lambda: sum(self.metrics()["ride_kafka_lag_messages"].values()) == 0, 60, f"{self.name} has no lag")
        page = self.metrics()
        ends = {re.search('end="(.*)"', labels)[1]: value for labels, value in page["ride_events_total"].items()}
        assert page["ride_events_received_total"]['source="tx"'] == events == sum(ends.values()), (events, page["ride_events_received_total"], ends)
        assert ends["rejected"] == rejected == sum(page["ride_events_rejected_total"].values()), ends
        assert ends["scored"] == sum(page["ride_decisions_total"].values()) and ends["duplicate"] > 0, ends
        assert page["ride_events_in_flight"][""] == 0, page["ride_events_in_flight"]
        check_stages(page, self.name, self.batch)
        for queue in ('queue="messages"', 'queue="results"'):
            assert page["ride_queue_bytes_max"][queue] > 0, page["ride_queue_bytes_max"]
        until(lambda: sum(self.metrics()["ride_queue_bytes"].values()) == 0, 30, f"{self.name} has nothing in its queues")
        self.run.send_signal(signal.SIGTERM)
        code = self.run.wait(60)
        assert code == 0, f"{self.name}: exit {code}: {self.said()}"

    def close(self):
        self.run.kill()
        self.run.wait()
        self.log.close()


def messages(kafka, topic):
    """What a topic holds, partition by partition: partition, key, value, headers as bytes."""
    reader = subprocess.Popen([TOOL, kafka.bootstrap, "consume", topic], stdout=subprocess.PIPE, text=True)
    for line in reader.stdout:
        m = json.loads(line)
        yield (m["partition"], m["key"], m["value"].encode("latin-1"), m["headers"])
    assert reader.wait() == 0, f"{topic} cannot be read"


def events_of(folder):
    """[(key, value)] with unreadable ones among them."""
    ride("generate", "--events", EVENTS, "--customers", max(EVENTS // 40, 20), "--terminals", max(EVENTS // 200, 10), "--seed", 5, "--late-rate", "2%",
         "--duplicate-rate", "1%", "--format", "ndjson", "--labels", folder / "labels.ndjson", "--output", folder / "events.ndjson")
    with open(folder / "events.ndjson", encoding="utf-8") as file:
        rows = [(line.split('"card":"', 1)[1].split('"', 1)[0], line.rstrip("\n")) for line in file]
    step = len(rows) // len(POISON)
    for i, value in enumerate(POISON):
        rows.insert(i * step, (None, value))
    return rows


def one_partition(kafka, folder, rows):
    spec = folder / "spec.yaml"
    make_spec(spec, labels=False)
    (folder / "events.ndjson").write_text("".join(value + "\n" for _, value in rows), encoding="utf-8")
    run = folder / "run.yaml"
    run.write_text(config(spec, 1024, f"  tx: {{path: {folder}/events.ndjson, format: ndjson}}\n",
                          f"  decisions: {{path: {folder}/decisions.ndjson, format: ndjson}}\n  late: {{path: {folder}/late.ndjson}}\n"))
    ride("run", "--config", run)
    kafka.create("tx", 1)
    tombstones = [("k", None)] * TOMBSTONES
    kafka.produce("tx", rows[:100] + tombstones + rows[100:])
    total = len(rows) + TOMBSTONES
    for batch, mode in itertools.product(BATCHES, MODES):
        name = f"one-{batch}-{mode}"
        for output in OUTPUTS:
            kafka.create(f"{name}-{output}", 1)
        service = Service(kafka, folder, name, spec, batch, mode)
        try:
            service.finish(total, total, len(POISON) + TOMBSTONES)
        finally:
            service.close()
        counts = {}
        for output in ("decisions", "late", "alerts"):
            with open(folder / f"{'late' if output == 'late' else 'decisions'}.ndjson", "rb") as file:
                expected = (line.rstrip(b"\n") for line in file
                            if output != "alerts" or b'"decision":"approve"' not in line and b'"end":"duplicate"' not in line)
                counts[output] = 0
                for _, key, value, headers in messages(kafka, f"{name}-{output}"):
                    line = next(expected, None)
                    assert value == line, f"{name}: {output} {counts[output]}: {value} instead of {line}"
                    assert key == json.loads(value)["key"] and headers["source_topic"] == "tx", (key, headers)
                    counts[output] += 1
                rest = sum(1 for _ in expected)
            assert rest == 0, f"{name}: {rest} {output} are missing"
            assert counts[output] > 0, f"no {output}: nothing was compared"
        letters = list(messages(kafka, f"{name}-rejects"))
        rejects = [json.loads(value)["reason"] for *_, value, _ in letters]
        assert len(rejects) == len(POISON) + TOMBSTONES, rejects
        assert all(headers["reason"] == reason and headers["source_topic"] == "tx" for (*_, headers), reason in zip(letters, rejects)), letters
        say(f"1 partition, batches of {batch}, {mode}: {counts} equal to the run over the file; {len(rejects)} dead letters: {sorted(set(rejects))}")


def digest_of(kafka, name):
    """{output: {(topic, partition, offset): digest of key, value and headers}}; each partition's results in its order."""
    found = {}
    for output in ("decisions", "late", "alerts"):
        here, last = found.setdefault(output, {}), {}
        for partition, key, value, headers in messages(kafka, f"{name}-{output}"):
            source, at, offset = headers["source_topic"], int(headers["source_partition"]), int(headers["source_offset"])
            assert (source, at, offset) not in here, f"{name}: {output} of {source}/{at}/{offset} twice, without a failure"
            assert offset > last.get((partition, at), -1), f"{name}: {output} of {source}/{at}/{offset} out of order"
            last[partition, at] = offset
            here[source, at, offset] = hashlib.sha256(repr((key, value, sorted(headers.items()))).encode()).digest()
    return found


def four_partitions(kafka, folder, rows):
    spec = folder / "labels.yaml"
    make_spec(spec, labels=True)
    kafka.create("tx4", 4)
    kafka.create("chargebacks", 4)
    kafka.produce("tx4", rows)
    with open(folder / "labels.ndjson", encoding="utf-8") as file:
        labels = [(str(json.loads(line)["tx_id"]), line.rstrip("\n")) for line in file]
    kafka.produce("chargebacks", labels)
    total = len(rows) + len(labels)
    for batch in BATCHES:
        made, journal = {}, None
        for name, size, mode in ((f"first-{batch}", batch, "pipeline"), (f"again-{batch}", 4097 - batch, "inline")):
            for output in OUTPUTS:
                kafka.create(f"{name}-{output}", 4)
            service = Service(kafka, folder, name, spec, size, mode, labels=True, journal=journal)
            try:
                service.finish(total, len(rows), len(POISON))
            finally:
                service.close()
            made[name], journal = digest_of(kafka, name), service.journal
            if name.startswith("first"):
                say(f"ride verify --journal: {ride('verify', '--config', service.config, '--journal').strip().splitlines()[-1]}")
        first, again = made.values()
        for output, results in first.items():
            wrong = [where for where in results.keys() | again[output].keys() if results.get(where) != again[output].get(where)]
            assert not wrong, f"batches of {batch}: {len(wrong)} {output} differ along the same journal, {sorted(wrong)[0]} for one"
            assert results, f"no {output}: nothing was compared"
        assert len(first["decisions"]) == len(rows) - len(POISON), len(first["decisions"])
        say(f"4 partitions and labels, batches of {batch}: { {k: len(v) for k, v in first.items()} } equal along the journal in batches of {4097 - batch}")


def main():
    with tempfile.TemporaryDirectory(prefix="ride-service-") as temporary, Kafka() as kafka:
        folder = Path(temporary)
        rows = events_of(folder)
        one_partition(kafka, folder, rows)
        four_partitions(kafka, folder, rows)
    say(f"{EVENTS} events")


if __name__ == "__main__":
    main()
