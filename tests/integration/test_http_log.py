#!/usr/bin/env python3
# ride-test: timeout=600
# ride-test: waits
# ride-test: release-only (a whole service beside a broker; its parts run under sanitizers in unit/logged_feed_test and integration/kafka_io)
"""http.log_topic with a real broker: what HTTP takes is in the topic before it is answered, is scored from there with everything that a topic of `inputs` has, and is
there after a restart; a log that is away, missing or shared is told, within a bound of time."""
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from http_log import HttpLog, messages  # noqa: E402
from http_ride import RIDE, events_of, ride  # noqa: E402
from kafka_service import Kafka, until  # noqa: E402

BEGAN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)


def decisions(kafka, name):
    """{(topic, partition, offset): [values]} of the decisions topic."""
    found = {}
    for *_, value, headers in messages(kafka, f"{name}-decisions"):
        where = headers["source_topic"], int(headers["source_partition"]), int(headers["source_offset"])
        found.setdefault(where, []).append(value)
    return found


def tensors(event):
    """The event as a request of the inference protocol."""
    texts = ("card", "currency", "channel", "country")
    kinds = dict.fromkeys(texts, "BYTES") | {"is_fraud": "BOOL", "amount": "FP64", "lat": "FP64", "lon": "FP64", "ts": "INT64", "tx_id": "UINT64",
                                             "terminal": "UINT64", "mcc": "UINT16"}
    return {"inputs": [{"name": name, "shape": [1], "datatype": kinds[name], "data": [value]} for name, value in event.items()]}


def the_way(kafka, folder, mode):
    """Every kind of request, what is in the topics then, and the same again after a restart."""
    name, events = f"way-{mode}", events_of(folder, 600)
    service = HttpLog(kafka, folder, name, mode=mode).start()
    try:
        single = [service.post("/v1/score", event) for event in events[:20]]
        assert all(status == 200 for status, *_ in single), single
        status, array, _ = service.post("/v1/score", f"[{','.join(events[20:120])}]")
        assert status == 200 and len(array) == 100, array
        status, lines, _ = service.post("/v1/score", "\n".join(events[120:200]), Content_Type="application/x-ndjson")
        lines = [json.loads(line) for line in lines.splitlines()]
        assert status == 200 and len(lines) == 80, lines
        answers = [body for _, body, _ in single] + array + lines
        assert [a["tx_id"] for a in answers] == [json.loads(e)["tx_id"] for e in events[:200]], "an answer is another's"
        status, body, _ = service.post("/v1/events", f"[{','.join(events[200:400])}]")
        assert status == 202 and body == {"accepted": 200}, body
        ends = kafka.offsets(f"{name}-log")
        assert sum(row["end"] for row in ends.values()) == 400, f"202 came before the log had it: {ends}"
        status, body, _ = service.post("/v2/models/ride/infer", tensors(json.loads(events[400])))
        assert status == 200 and {o["name"] for o in body["outputs"]} >= {"probability", "margin"}, body
        vector = {"inputs": [{"name": "vector", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}
        status, body, _ = service.post("/v2/models/ride/infer", vector)
        assert status == 422 and body["reason"] == "bad_shape", body  # it does not go through the log
        # what is no event, and what the log does not take
        status, body, _ = service.post("/v1/score", events[401].replace('"tx_id":', '"tx_id":-'))
        assert status == 422 and body["reason"] and body["field"] == "tx_id", body
        large = json.loads(events[402]) | {"more": "x" * 1_020_000}
        status, body, _ = service.post("/v1/score", large)
        assert status == 422 and body["reason"] == "too_large", body
        status, body, _ = service.post("/v1/events", large)
        assert status == 422 and body["reason"] == "too_large", body
        # repeats: by event id, and by key
        until(lambda: service.lag() == 0, 30, "all is scored and stored")
        status, repeated, _ = service.post("/v1/score", events[390])
        assert status == 200 and repeated["end"] == "duplicate", repeated
        for path, code in (("/v1/score", 200), ("/v1/events", 202)):
            first, again = (service.post(path, events[403], Idempotency_Key=f"k{path}") for _ in range(2))
            assert first[0] == again[0] == code and first[1] == again[1] and again[2]["Idempotency-Replayed"] == "true", (first, again)
        total = 401 + 1 + 1 + 2
        until(lambda: service.lag() == 0, 30, "all is scored and stored")
        log, results = messages(kafka, f"{name}-log"), decisions(kafka, name)
        assert len(log) == total, len(log)
        partition_of = {}
        for partition, _, key, value, headers in log:
            assert len(headers["ride_request"]) > 32, headers
            card = json.loads(value).get("card")
            assert key == card and partition_of.setdefault(card, partition) == partition, (key, card)
        assert {p for p, *_ in log} == {0, 1}, "all in one partition"
        assert len(results) == total - 1 and all(len(copies) == 1 for copies in results.values()), "a result each, once"
        by_id = {json.loads(copies[0])["tx_id"]: json.loads(copies[0]) for where, copies in results.items() if b'"end":"scored"' in copies[0]}
        assert all(by_id[a["tx_id"]] == a for a in answers), "an answer is not the result"
        letters = messages(kafka, f"{name}-rejects")
        assert len(letters) == 1 and letters[0][4]["source_topic"] == f"{name}-log", letters
        say(f"{mode}: {total} requests through the log: results and answers are equal; {service.verify()}")
        assert service.stop() == 0, service.said()
        before = service.verify()
        told = ride("replay", "--config", service.config, "--event", by_id[answers[50]["tx_id"]]["tx_id"])
        assert "equal, byte for byte" in told, told
        # a restart has the windows that HTTP's events made
        service.start()
        status, body, _ = service.post("/v1/score", events[390])
        assert status == 200 and body == repeated, body
        rest = [service.post("/v1/score", event)[1] for event in events[404:440]]
        until(lambda: service.lag() == 0, 30, "all is scored and stored")
        assert "requests are not in any log" not in service.said()
        assert service.stop() == 0, service.said()
        after = service.verify()
        assert int(after.split()[1].replace(",", "")) == int(before.split()[1].replace(",", "")) + 37, (before, after)
        say(f"{mode}, after a restart: {len(rest)} more, {after}")
    finally:
        service.close()


def one_partition_is_the_file(kafka, folder):
    """With one partition the decisions are the lines of a run over the log's messages in a file."""
    name, events = "one", events_of(folder, 2000, seed=8)
    service = HttpLog(kafka, folder, name, partitions=1).start()
    try:
        for at in range(0, len(events), 250):
            status, body, _ = service.post("/v1/score" if at % 500 else "/v1/events", f"[{','.join(events[at:at + 250])}]")
            assert status in (200, 202), body
        until(lambda: service.lag() == 0, 60, "all is scored and stored")
        assert service.stop() == 0
        log = [value.decode() for *_, value, _ in messages(kafka, f"{name}-log")]
        assert log == events, "the log is not in the order of the requests"
        (folder / "one.ndjson").write_text("".join(value + "\n" for value in log))
        text, run = service.config.read_text(), folder / "one.yaml"
        run.write_text(text[:text.index("outputs:")] + f"inputs: {{tx: {{path: {folder}/one.ndjson, format: ndjson}}}}\n"
                       f"outputs: {{decisions: {{path: {folder}/one-decisions.ndjson, format: ndjson}}}}\n")
        ride("run", "--config", run)
        lines = sorted((folder / "one-decisions.ndjson").read_bytes().splitlines())
        results = sorted(copies[0] for copies in decisions(kafka, name).values())
        assert results == lines, "not what a run over the file gives"
        say(f"one partition: {len(lines)} decisions equal those of a run over the file")
    finally:
        service.close()


def beside_a_topic(kafka, folder):
    """A source that has a topic, of CSV, and HTTP: both are read, each in its form."""
    name, events = "beside", [json.loads(event) for event in events_of(folder, 400, seed=9)]
    kafka.create("tx-csv", 1)
    csv = [(e["card"], ",".join("" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in e.values())) for e in events]
    service = HttpLog(kafka, folder, name, inputs="inputs: {tx: {topic: tx-csv, format: csv}}\n").start()
    try:
        kafka.produce("tx-csv", csv[:200])
        for event in events[200:240]:
            status, body, _ = service.post("/v1/score", event)
            assert status == 200, body
        until(lambda: len(decisions(kafka, name)) == 240, 30, "240 results")
        assert service.stop() == 0
        say(f"beside a topic of CSV: {service.verify()}")
    finally:
        service.close()


def a_group_that_begins_at_the_end(kafka, folder, mode):
    """With `kafka.start: latest` too, what was taken is scored: a kill before the first offset is stored does not skip it."""
    name, events = f"latest-{mode}", events_of(folder, 100, seed=13)
    service = HttpLog(kafka, folder, name, start="latest", mode=mode).start()
    try:
        status, body, _ = service.post("/v1/events", f"[{','.join(events)}]")
        service.kill()
        assert status == 202, body
        service.start()
        until(lambda: service.lag() == 0, 30, "all is scored and stored")
        assert service.stop() == 0
        scored = {json.loads(copies[0])["tx_id"] for copies in decisions(kafka, name).values()}
        assert scored == {json.loads(event)["tx_id"] for event in events}, scored
        say(f"{mode}: a group that begins at the end: what was taken before its first offset was stored is there after a kill")
    finally:
        service.close()


def a_broker_that_is_away(kafka, folder, mode):
    name, events = f"away-{mode}", events_of(folder, 400, seed=10)
    service = HttpLog(kafka, folder, name, mode=mode).start()
    try:
        assert service.post("/v1/score", events[0])[0] == 200
        kafka.service("pause")  # it hangs: requests are taken and not acknowledged
        began = time.monotonic()
        waiting, results = [], []
        for event, path in ((events[1], "/v1/score"), (events[2], "/v1/events"), (f"[{events[3]},{events[4]}]", "/v1/score")):
            waiting.append(threading.Thread(target=lambda e=event, p=path: results.append(service.post(p, e))))
            waiting[-1].start()
        for thread in waiting:
            thread.join(60)
        seconds = time.monotonic() - began
        assert len(results) == 3 and seconds < 45, (results, seconds)
        for status, body, headers in results:
            assert status == 503 and "Retry-After" in headers and body["reason"] in ("not_logged", "not_ready"), (status, body)
        until(lambda: service.readyz()[1]["http"], 30, "HTTP is not ready")
        status, body, _ = service.post("/v1/score", events[5])
        assert status == 503, body
        kafka.service("resume")
        until(lambda: service.post("/v1/score", events[6])[0] == 200, 60, "it takes events again")
        kafka.service("kill")
        until(lambda: "no broker" in (service.readyz()[1]["http"] or ""), 30, "HTTP is not ready, and says why")
        status, body, _ = service.post("/v1/score", events[7])
        assert status == 503 and body["reason"] == "not_ready", body
        kafka.service("restart")
        until(lambda: service.post("/v1/score", events[8])[0] == 200, 60, "it takes events again")
        until(lambda: service.lag() == 0, 60, "all is scored and stored")
        assert service.stop() == 0, service.said()
        results, log = decisions(kafka, name), messages(kafka, f"{name}-log")
        assert len(results) == len(log), "what is in the log has a result, whatever its client was told"
        say(f"{mode}: a broker that hangs: 503 after {seconds:.1f} s; {len(log)} events are in the log; {service.verify()}")
    finally:
        service.close()


def refusals(kafka, folder):
    """A topic that is not there; a second process in the group."""
    service = HttpLog(kafka, folder, "refused")
    text = service.config.read_text()
    service.config.write_text(text.replace("refused-log", "no-such-topic"))
    told = ride("run", "--config", service.config, code=66)
    assert "the topic no-such-topic is not there" in told, told
    service.config.write_text(text)
    service.start()
    try:
        second = folder / "second.yaml"
        second.write_text(text.replace("/state}", "/state-2}"))
        other = subprocess.run([RIDE, "run", "--config", second], capture_output=True, text=True, timeout=60, check=False)
        assert other.returncode == 78 and "another member of the group has partitions" in other.stderr, (other.returncode, other.stderr)
        event = events_of(folder, 10, seed=11)[0]
        until(lambda: service.post("/v1/score", event)[0] == 200, 60, "the first goes on alone")
        assert service.stop() == 0
    finally:
        service.close()
    say("a missing topic: exit 66; a second process of the group: exit 78, and the first goes on")


def a_stop_under_load(kafka, folder, mode):
    """SIGTERM while requests come: who has a 200 or 202 has a result, and nothing is left to repeat."""
    name, events = f"stop-{mode}", events_of(folder, 4000, seed=12)
    service = HttpLog(kafka, folder, name, mode=mode).start()
    try:
        taken, others, lock = [], [], threading.Lock()

        def client(number):
            for event in events[number::8]:
                status, body, _ = service.post("/v1/events" if number % 4 == 0 else "/v1/score", event)
                with lock:
                    (taken if status in (200, 202) else others).append((status, body, json.loads(event)["tx_id"]))
                if status == 0:
                    return
        clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for thread in clients:
            thread.start()
        until(lambda: len(taken) > 300, 60, "300 are taken")
        service.run.send_signal(signal.SIGTERM)
        for thread in clients:
            thread.join(60)
        assert service.run.wait(60) == 0, service.said()
        scored = {json.loads(copies[0])["tx_id"] for copies in decisions(kafka, name).values()}
        lacks = [one for one in taken if one[0] == 200 and one[2] not in scored]
        assert taken and not lacks, f"answered, and no result: {lacks[:3]}"
        bad = [other for other in others if other[0] not in (0, 503)]
        assert not bad, bad[:3]
        unanswered = [body for status, body, _ in others if status == 503 and body["reason"] in ("logged", "not_logged")]
        left = service.lag()
        service.start()  # what was taken with a 202 and not met before the stop
        until(lambda: service.lag() == 0, 30, "all is scored and stored")
        assert service.stop() == 0, service.said()
        results = decisions(kafka, name)
        scored = {json.loads(copies[0])["tx_id"] for copies in results.values()}
        assert all(event_id in scored for *_, event_id in taken), "acknowledged, and no result"
        assert all(len(copies) == 1 for copies in results.values()), "a clean stop leaves nothing to repeat"
        say(f"{mode}: a stop under load: {len(taken)} acknowledged, all have a result, {left} of them after the next start; {len(unanswered)} in the log "
            f"without an answer; {service.verify()}")
    finally:
        service.close()


def main():
    with tempfile.TemporaryDirectory(prefix="ride-http-log-") as temporary, Kafka() as kafka:
        folder = Path(temporary)
        for case in (one_partition_is_the_file, beside_a_topic, refusals):
            if len(sys.argv) == 1 or case.__name__ in sys.argv[1:]:
                case(kafka, folder)
        for case in (the_way, a_group_that_begins_at_the_end, a_stop_under_load, a_broker_that_is_away):  # they stop, kill and start
            for mode in ("inline", "pipeline"):
                if len(sys.argv) == 1 or case.__name__ in sys.argv[1:]:
                    case(kafka, folder, mode)


if __name__ == "__main__":
    main()
