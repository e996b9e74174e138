"""Ten times the load that the engine can work, over HTTP, with a stream from Kafka beside it: every request is scored or refused at once with 429 and
Retry-After, memory keeps the bound that `ride config check` tells, every event is counted, and latency is as before within ten seconds.

    python3 tests/fault/overload_http.py [--seconds N] [--partitions N] [--mode inline|pipeline] [--folder DIR]

The capacity is what a few clients get that always wait for their answer. The load is then open: requests leave at their time, whatever became of
those before, a thousand events each."""
import argparse
import collections
import http.client
import threading
import time
from pathlib import Path

from cases import alone
from harness import TOP, Load, Ride, Topics, free_port, until

EVENTS = 1000          # of a request
CLOSED, OPEN = 4, 96   # clients
TIMES, BACK_S, PROBE_S, DRAIN_S, WAIT_S = 10, 10, 3, 120, 60
ABOVE_BOUND = 64 << 20  # what the program itself may take
BEGIN_MS, EVENT_DAYS_A_REQUEST = 946684800000, 0.4  # by what was scored, not by the clock: windows hold as many events on a faster machine,
# but for what the stream, whose clock counts, is behind: its events are made when they are sent
SETTINGS = ["http.queue=8192", "http.memory=16MiB", "backend.memory=512MiB", "outputs.decisions.vector=false"]
STREAM_RATE = 200


class Scorer(Ride):
    """The card-fraud example without a memory of event ids, which has no bound; its windows are full after 230 requests."""

    def scoring(self):
        path, lines = self.folder / "features.yaml", (TOP / "examples/card-fraud/features.yaml").read_text().splitlines()
        text = "\n".join(line for line in lines if not line.lstrip().startswith("dedup:"))
        path.write_text(text.replace("watermark: {bound: 30s, allowed_lateness: 2h", "watermark: {bound: 30d, allowed_lateness: 1d"))
        return f"""spec: {path}
model: {{path: {TOP}/examples/card-fraud/model/model.json}}
rules: [{{id: sure, when: "probability >= 0.5", decision: decline}}]
"""


class Clients:
    """Requests of many events, and what became of each."""
    LINE = ('{"tx_id":%d,"ts":TTTTTTTTTTTT,"card":"4000%08d","terminal":%d,"amount":%d.50,"currency":"EUR","mcc":5411,"channel":"pos","country":"DE",'
            '"lat":52.5,"lon":13.4,"is_fraud":false}\n')

    def __init__(self, port):
        self.port, self.lock = port, threading.Lock()
        self.codes, self.silent, self.wrong, self.slots = collections.Counter(), 0, [], 0
        self.body = "".join(self.LINE % (i, i * 7 % 20000, i * 3 % 10000, 1 + i % 200) for i in range(EVENTS)).encode()
        self.lines = self.body.splitlines()
        self.made = (None, b"")

    def now_ms(self):
        return BEGIN_MS + int(self.codes[200] * EVENT_DAYS_A_REQUEST * 86400000)

    def events(self):
        """The body of a request; made again when the time has gone on, which it does less often than requests are sent."""
        now_ms = self.now_ms()
        if self.made[0] != now_ms:
            self.made = (now_ms, self.body.replace(b"TTTTTTTTTTTT", b"%012d" % now_ms))
        return self.made[1]

    def request(self, connection):
        body = self.events()
        try:
            connection.request("POST", "/v1/score", body, {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            with self.lock:
                self.silent += 1
            return
        with self.lock:
            self.codes[answer.status] += 1
            if answer.status == 200 and text.count(b"\n") != EVENTS or answer.status == 429 and answer.headers["Retry-After"] is None or \
                    answer.status not in (200, 429):
                self.wrong.append([answer.status, dict(answer.headers), text[:200].decode(errors="replace")])

    def run(self, clients, seconds, rate=None):
        """rate: requests a second, open; None: each client sends when it was answered. (Answers by code in it, seconds)."""
        before, began, self.slots = collections.Counter(self.codes), time.monotonic(), 0

        def work():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
            while time.monotonic() - began < seconds:
                if rate is not None:
                    with self.lock:
                        at, self.slots = began + self.slots / rate, self.slots + 1
                    if at - began >= seconds:
                        break
                    time.sleep(max(at - time.monotonic(), 0))
                self.request(connection)
            connection.close()

        threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S + seconds)
        return self.codes - before, time.monotonic() - began

    def one(self, number):
        return self.lines[number % EVENTS].replace(b"TTTTTTTTTTTT", b"%012d" % self.now_ms())

    def stream(self):
        """The same events as (key, value), at the same time, for a topic."""
        for number in range(10**9):
            yield b"4000%08d" % (number * 7 % 20000), self.one(number)

    def probe(self, seconds):
        """Milliseconds of single events, one after the other; a refused one counts as the longest there is."""
        connection, times = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S), []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            body, began = self.one(len(times)), time.monotonic()
            connection.request("POST", "/v1/score", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            self.codes[f"one_{answer.status}"] += 1
            times.append(1e3 * (time.monotonic() - began) if answer.status == 200 else float("inf"))
            time.sleep(0.005)
        return sorted(times)


def total(metrics, family, label=""):
    return sum(value for name, value in metrics.items() if name.split("{")[0] == family and label in name)


def back_to_normal(clients, before):
    """Seconds until a second's median and its nine in ten are again what they were, or BACK_S and more."""
    began = time.monotonic()
    bounds = [max(3 * before[int(share * (len(before) - 1))], 20) for share in (0.5, 0.9)]
    while time.monotonic() - began < 3 * BACK_S:
        times = clients.probe(1)
        if all(times[int(share * (len(times) - 1))] <= bound for share, bound in zip((0.5, 0.9), bounds)):
            break
    return time.monotonic() - began


def accounted(engine, clients, sent):
    """Findings: what the counters say of what was sent."""
    metrics, findings = engine.metrics(), {}
    received, ended, in_flight = (total(metrics, f"ride_events_{name}") for name in ("received_total", "total", "in_flight"))
    scored = clients.codes[200] * EVENTS + clients.codes["one_200"]
    if received != ended + in_flight or in_flight != 0:
        findings["unaccounted"] = received - ended
    if received != scored + sent:
        findings["lost_or_invented"] = received - scored - sent
    refused = clients.codes[429] + clients.codes["one_429"]
    if total(metrics, "ride_http_requests_total", 'code="429"') != refused:
        findings["refusals_not_counted"] = refused - total(metrics, "ride_http_requests_total", 'code="429"')
    return findings


def run(broker, options, topics=Topics()):
    folder, port = Path(options.folder), free_port()
    broker.create(topics, options.partitions)
    engine = Scorer(broker, folder, group=topics.decisions, topics=topics,
                    settings=[f"http.listen=127.0.0.1:{port}", f"runtime.mode={options.mode}", *SETTINGS])
    bound = engine.bound() + ABOVE_BOUND
    clients = Clients(port)
    with engine, Load(broker, topics.tx, clients.stream(), STREAM_RATE, fresh=True) as load:
        engine.wait_working()
        normal = clients.probe(PROBE_S)
        met, seconds = clients.run(CLOSED, max(options.seconds / 3, 3))
        capacity = met[200] * EVENTS / seconds
        met, seconds = clients.run(OPEN, options.seconds, rate=TIMES * capacity / EVENTS)
        offered, scored = sum(met.values()) * EVENTS / seconds, met[200] * EVENTS / seconds
        back_s = back_to_normal(clients, normal)
        sent = len(load.finish(at_once=True))
        until("everything is worked and stored", lambda: engine.check() or broker.lag(topics.tx, engine.group) == 0, DRAIN_S)
        _, most = engine.memory()
        findings = accounted(engine, clients, sent)
        code = engine.stop()
    if code != engine.stops_with:
        findings["stopped_badly"] = code
    if offered < 0.9 * TIMES * capacity or met[429] == 0:
        findings["no_overload"] = offered / capacity
    if scored < capacity / 10:
        findings["hardly_scores"] = scored / capacity
    if clients.silent:
        findings["silent"] = clients.silent
    if clients.wrong:
        findings["wrong_answers"] = len(clients.wrong)
    if most > bound:
        findings["over_its_bound"] = most - bound
    if back_s > BACK_S:
        findings["not_back_within_s"] = back_s
    return {"capacity": round(capacity), "offered": round(offered), "scored": round(scored), "answers": dict(clients.codes), "sent_by_kafka": sent,
            "memory_most_mib": round(most / 2**20, 1), "memory_bound_mib": round(bound / 2**20, 1), "normal_ms": round(normal[len(normal) // 2], 2),
            "back_after_s": round(back_s, 1), "findings": findings, "told": {"wrong_answers": clients.wrong[:5]}}


def parse(arguments=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=15)
    options.add_argument("--partitions", type=int, default=2)
    options.add_argument("--mode", default="inline")
    options.add_argument("--folder")
    return options.parse_args(arguments)


if __name__ == "__main__":
    alone(run, parse)
