#!/usr/bin/env python3
# ride-test: timeout=300
# ride-test: waits
# ride-test: release-only (a whole service beside a broker; its parts run under sanitizers in integration/kafka_io)
"""A topic that is deleted under `ride run`, in both modes. Without the topic of results it is not ready, says why, and goes on when the topic is made again; results
that were on their way end it with exit 69, and the next start sends them. Without its input it is not ready either, and ends with exit 65 when another topic of
that name is there (docs/operations.md)."""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from http_log import EXAMPLE, RULES, messages  # noqa: E402
from http_ride import HttpRide, events_of, ride  # noqa: E402
from kafka_service import Kafka, until  # noqa: E402

REFRESH_MS = 1000
NOTICED_S = 6  # after which a client that asks every REFRESH_MS knows that a topic is gone


def service_of(kafka, folder, name, mode, refresh_ms=REFRESH_MS):
    """Between name-tx and name-decisions."""
    raw = f"{{session.timeout.ms: 6000, topic.metadata.refresh.interval.ms: {refresh_ms}, topic.metadata.propagation.max.ms: 0}}"
    spec = folder / "spec.yaml"
    spec.write_text((EXAMPLE / "features.yaml").read_text().replace("format: csv", "format: json"))
    for topic in ("tx", "decisions"):
        kafka.create(f"{name}-{topic}", 1)
    return HttpRide(folder, name, f"spec: {spec}\nmodel: {EXAMPLE}/model/model.json\n{RULES}inputs: {{tx: {{topic: {name}-tx}}}}\n"
                    f"outputs: {{decisions: {{topic: {name}-decisions}}}}\nkafka: {{brokers: '{kafka.bootstrap}', group: {name}, raw: {raw}}}\n"
                    f"state: {{dir: {folder}/{name}/state}}\nruntime: {{mode: {mode}}}\n")


def send(kafka, name, events):
    kafka.produce(f"{name}-tx", [(json.loads(event)["card"], event) for event in events])


def ids(kafka, name):
    return [json.loads(value)["tx_id"] for *_, value, _ in messages(kafka, f"{name}-decisions")]


def stored(kafka, name):
    return kafka.offsets(f"{name}-tx", name)[0]["committed"] or 0


def why(service, part):
    return service.readyz()[1][part] or ""


def begin_and_delete(kafka, folder, name, events, mode, **more):
    """A service of which 100 events are done, and whose topic of results is gone."""
    service = service_of(kafka, folder, name, mode, **more).start()
    send(kafka, name, events[:100])
    until(lambda: len(ids(kafka, name)) == 100 and stored(kafka, name) == 100, 60, "100 results, stored")
    kafka.tool("delete", f"{name}-decisions")
    return service


def end_with_all(kafka, service, events):
    """The topic has the results of events[100:], each once and in order."""
    until(lambda: stored(kafka, service.name) == len(events), 60, "all is stored")
    expected = [json.loads(event)["tx_id"] for event in events[100:]]
    assert ids(kafka, service.name) == expected, "not the results of what came since, each once and in order"
    assert service.stop() == 0, service.said()


def results_are_away(kafka, folder, mode):
    name, events = f"results-{mode}", events_of(folder, 300)
    service = begin_and_delete(kafka, folder, name, events, mode)
    try:
        time.sleep(NOTICED_S)
        send(kafka, name, events[100:200])
        until(lambda: f"the topic {name}-decisions is not there" in why(service, "results"), 60, "not ready, with the topic that is missing")
        assert service.readyz()[0] == 503
        assert stored(kafka, name) == 100, "stored without a result"
        kafka.create(f"{name}-decisions", 1)
        until(lambda: service.readyz()[0] == 200, 60, "it is ready again")
        send(kafka, name, events[200:])
        end_with_all(kafka, service, events)
        print(f"{mode}: a topic of results that is deleted: not ready, and 200 results when it is there again", flush=True)
    finally:
        service.close()


def results_on_their_way(kafka, folder, mode):
    name, events = f"sent-{mode}", events_of(folder, 300)
    service = begin_and_delete(kafka, folder, name, events, mode, refresh_ms=300_000)
    try:
        send(kafka, name, events[100:200])  # of a client that does not know yet
        code = service.run.wait(60)
        assert code == 69 and f"a result cannot be delivered: the topic {name}-decisions is not there" in service.said(), (code, service.said()[-2000:])
        assert stored(kafka, name) == 100, "stored without a result"
        assert f"the topic {name}-decisions is not there" in ride("run", "--config", service.config, code=66)
        kafka.create(f"{name}-decisions", 1)
        service.start()
        send(kafka, name, events[200:])
        end_with_all(kafka, service, events)
        print(f"{mode}: a topic of results that is deleted with results on their way: exit 69, and 200 results after a start", flush=True)
    finally:
        service.close()


def input_is_away(kafka, folder, mode):
    name, events = f"input-{mode}", events_of(folder, 300)
    service = service_of(kafka, folder, name, mode).start()
    try:
        send(kafka, name, events[:100])
        until(lambda: stored(kafka, name) == 100, 60, "100 are stored")
        kafka.tool("delete", f"{name}-tx")
        until(lambda: f"the topic {name}-tx is not there: create the topic" in why(service, "kafka"), 60, "not ready, with the topic that is missing")
        status, _ = service.readyz()
        assert status == 503, status
        kafka.create(f"{name}-tx", 1)
        try:
            code = service.run.wait(60)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on with another topic: {service.said()[-3000:]}") from None
        told = service.said()
        assert code == 65 and f"{name}-tx" in told, (code, told[-2000:])
        assert "offset 100 is next, but the log ends at 0" in told or "no longer has the events up to offset" in told, told[-2000:]
        assert len(ids(kafka, name)) == 100
        print(f"{mode}: an input that is made anew: exit 65: {told.strip().splitlines()[-1][-300:]}", flush=True)
    finally:
        service.close()


def main():
    with tempfile.TemporaryDirectory(prefix="ride-topics-") as temporary, Kafka() as kafka:
        for case in (results_are_away, results_on_their_way, input_is_away):
            for mode in ("inline", "pipeline"):
                if len(sys.argv) == 1 or case.__name__ in sys.argv[1:]:
                    case(kafka, Path(temporary), mode)


if __name__ == "__main__":
    main()
