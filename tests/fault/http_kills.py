"""Kills the engine, and the broker once, at random moments while HTTP events go through a log, and looks at what became of those that were acknowledged.

    python3 tests/fault/http_kills.py [--kills N] [--clients N] [--partitions N] [--mode inline|pipeline] [--seed N]

Clients send events of their own, one or some at a time, to /v1/score and /v1/events, and note who got a 200 or 202. Each of these must have a result in the
decisions topic; all results of a message must have the same bytes, headers and key too; a 200's answer must be the result's value. Events whose client got no
answer may be there or not, once. `ride verify --journal` computes all of it again."""
import argparse
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from http_log import HttpLog, messages  # noqa: E402
from http_ride import events_of  # noqa: E402
from kafka_service import Kafka, until  # noqa: E402

EVENTS = 200_000


class Clients:
    def __init__(self, service, events, count, seed):
        self.service, self.events, self.lock = service, iter(events), threading.Lock()
        self.answers = {}  # id -> the record of a 200, or None of a 202
        self.codes, self.stops = {}, False
        self.threads = [threading.Thread(target=self.run, args=(random.Random(seed * 100 + i),)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, chance):
        while not self.stops:
            with self.lock:
                some = [event for _, event in zip(range(1 if chance.random() < 0.7 else chance.randint(2, 20)), self.events)]
            path = "/v1/events" if chance.random() < 0.3 else "/v1/score"
            status, body, _ = self.service.post(path, f"[{','.join(some)}]", timeout=40)
            with self.lock:
                self.codes[status] = self.codes.get(status, 0) + 1
                if status == 202:
                    self.answers.update((json.loads(event)["tx_id"], None) for event in some)
                elif status == 200:
                    self.answers.update((record["tx_id"], record) for record in body if "error" not in record)
            if status not in (200, 202):
                time.sleep(0.05)  # it is being started

    def taken(self):
        with self.lock:
            return len(self.answers)

    def finish(self):
        self.stops = True
        for thread in self.threads:
            thread.join()


def judge(kafka, service, answers):
    """(findings, counts)"""
    name, findings, scored, first, repeats = service.name, [], {}, {}, 0
    for *_, key, value, headers in messages(kafka, f"{name}-decisions"):
        where = headers["source_topic"], headers["source_partition"], headers["source_offset"]
        found = (key, value, sorted(headers.items()))
        if where in first:
            repeats += 1
            if first[where] != found:
                findings.append(f"{where} was repeated with other bytes: {first[where]} {found}")
            continue
        first[where] = found
        record = json.loads(value)
        scored.setdefault(record["tx_id"], []).append(record)
    log = messages(kafka, f"{name}-log")
    if len(first) != len(log):
        findings.append(f"{len(log)} messages in the log, {len(first)} have results")
    for event_id, record in answers.items():
        if event_id not in scored:
            findings.append(f"{event_id} was acknowledged with {'a 200' if record else 'a 202'} and has no result")
        elif record is not None and record not in scored[event_id]:
            findings.append(f"{event_id} was answered {record}, and the result is {scored[event_id]}")
    twice = [event_id for event_id, records in scored.items() if len(records) > 1]
    if twice:  # each is sent once, and one that is generated twice has one id: a duplicate
        findings += [f"{event_id} was scored twice" for event_id in twice if sum(r["end"] == "scored" for r in scored[event_id]) > 1]
    return findings, {"acknowledged": len(answers), "with_an_answer": sum(record is not None for record in answers.values()), "messages": len(log),
                      "results_repeated": repeats}


def run(kafka, options, folder):
    chance, name = random.Random(options.seed), f"kills-{options.seed}"
    service = HttpLog(kafka, folder, name, partitions=options.partitions, mode=options.mode).start()
    clients = Clients(service, events_of(folder, EVENTS, seed=options.seed), options.clients, options.seed)
    try:
        for number in range(options.kills):
            if number == options.kills // 2:
                kafka.service("kill")
                time.sleep(chance.random() * 2)
                kafka.service("restart")
            before = clients.taken()
            until(lambda at=before: clients.taken() > at + 50, 60, "events are acknowledged")
            time.sleep(chance.random() * 0.7)
            service.kill()
            service.start()
        before = clients.taken()
        until(lambda: clients.taken() > before + 50, 60, "events are acknowledged")
        clients.finish()
        until(lambda: service.lag() == 0, 120, "everything is scored and stored")
        code = service.stop()
        findings, counts = judge(kafka, service, clients.answers)
        if code != 0:
            findings.append(f"it stopped with {code}")
        counts |= {"mode": options.mode, "kills": options.kills, "codes": clients.codes, "verify": service.verify()}
    finally:
        clients.stops = True
        service.close()
    if counts["results_repeated"] == 0:
        findings.append("no result was repeated: the kills hit nothing")
    return findings, counts


def main(arguments=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=8)
    options.add_argument("--clients", type=int, default=6)
    options.add_argument("--partitions", type=int, default=2)
    options.add_argument("--mode", default="inline")
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ride-http-kills-") as folder, Kafka() as kafka:
        findings, counts = run(kafka, options, Path(folder))
    print(json.dumps(counts))
    for finding in findings[:10]:
        print(f"FINDING {finding}")
    assert not findings, f"{len(findings)} findings"


if __name__ == "__main__":
    main()
