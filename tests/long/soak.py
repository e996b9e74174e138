"""The service at a steady load for a long time, beside a real broker, with HTTP requests beside the stream: nothing is lost, nothing of ours is
allocated, memory stays, and latency is told minute by minute. See soak.sh.

    scripts/python tests/long/soak.py [--seconds N] [--warm-up N] [--capacity-seconds N] [--share 0.7] [--p99-ms N] [--slope %/h | none] [--folder DIR]

The capacity is what the engine works while the load is held just ahead of it, so that messages always wait; generator, broker and clients are on the same
cores. The load is then a share of it. Memory is the resident set, once a second after the warm-up; its slope is the straight line of least squares through all of
these, over their mean, by the hour. Quantiles are of the difference of two /metrics, within a bucket by a straight line, as Prometheus has them; the median
interval's p99 has a bound, and that of the last third may be twice that of the first. Allocations are counted in the process
(tests/support/alloc_watch_preload.c): librdkafka's and libmicrohttpd's own are theirs, those for answers of the admin listener are named, the rest must be none."""
import argparse
import collections
import http.client
import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "fault"))
import harness  # noqa: E402
from harness import BUILD, Broker, Ride, Topics, free_port, until  # noqa: E402

DRAIN_S, CLIENTS, PAUSE_S = 300, 2, 0.02
AHEAD = 20000  # messages that wait while the capacity is measured
BURST_S = 3  # then nothing holds the load, so that every queue has been as full as it may be before memory is watched
STAGES = ("queue", "read", "journal", "compute", "encode", "deliver")
# What allocates for an answer of the admin listener, which is no event's path: function and file.
ADMIN = {("put", "metrics_render.c"), ("open_fds", "metrics_process.c")}


class Soaked(Ride):
    """The card-fraud example. A second is days of event time here, so events that come a moment apart are days out of order."""

    def scoring(self):
        text = (TOP / "examples/card-fraud/features.yaml").read_text()
        path = self.folder / "features.yaml"
        path.write_text(text.replace("watermark: {bound: 30s, allowed_lateness: 2h", "watermark: {bound: 2d, allowed_lateness: 2d"))
        return f"""spec: {path}
model: {{path: {TOP}/examples/card-fraud/model/model.json}}
rules:
  - {{id: sure, when: "probability >= 0.5", decision: decline}}
  - {{id: likely, when: "probability >= 0.1", decision: review}}
"""


class Sender:
    """tests/kafka/soak_load.c"""

    def __init__(self, broker, topic, rate, first=0):
        self.process = subprocess.Popen([BUILD / "tests" / "soak_load", broker.address, topic, str(rate), str(first)], stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)
        self.next, self.acknowledged, self.event_ms = first, 0, 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.next, self.acknowledged, self.event_ms = map(int, line.split())

    def finish(self):
        self.process.terminate()
        code = self.process.wait(DRAIN_S)
        self.reader.join()
        if code != 0:
            raise AssertionError(f"the load ended with {code}")
        return self.acknowledged

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Requests:
    """Clients that score one event after another, at the time of the stream."""

    def __init__(self, port):
        self.port, self.over, self.sender, self.codes, self.failures = port, threading.Event(), None, collections.Counter(), []
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(CLIENTS)]

    def run(self, client):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            number = client
            while not self.over.wait(PAUSE_S):
                if self.sender is None or self.sender.event_ms == 0:
                    continue
                event = {"tx_id": 10**12 + number, "ts": self.sender.event_ms, "card": f"http-{number % 1000}", "terminal": number % 9973, "amount": 12.5,
                         "currency": "EUR", "mcc": 5411, "channel": "pos", "country": "DE", "is_fraud": False}
                connection.request("POST", "/v1/score", json.dumps(event), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                self.codes[answer.status] += 1
                number += CLIENTS
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.failures.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        if self.failures:
            raise self.failures[0]

    def __exit__(self, *_):
        self.over.set()


class Allocations:
    """The counts of the preloaded library."""
    SITES = 510

    def __init__(self, path):
        self.path = path

    def read(self):
        """(ours by site, theirs)"""
        words = struct.unpack_from(f"<{4 + 2 * self.SITES}Q", self.path.read_bytes())
        sites = {words[4 + 2 * i]: words[5 + 2 * i] for i in range(self.SITES) if words[4 + 2 * i] != 0}
        return collections.Counter(sites | ({0: words[2]} if words[2] else {})), words[1]

    @staticmethod
    def names(sites):
        """Site -> function and place."""
        told = subprocess.run(["addr2line", "-f", "-s", "-e", harness.RIDE, *(hex(site - 1) for site in sites)], check=True, capture_output=True, text=True)
        lines = told.stdout.splitlines()
        return {site: (lines[2 * i], lines[2 * i + 1]) for i, site in enumerate(sites)}

    def between(self, before, after):
        """What was allocated between two reads: (of the data path by name, of admin answers by name, theirs)."""
        sites = {site: count - before[0][site] for site, count in after[0].items() if count > before[0][site]}
        names = self.names(sorted(sites))
        path, admin = collections.Counter(), collections.Counter()
        for site, count in sites.items():
            function, place = names[site]
            (admin if (function, place.split(":")[0]) in ADMIN else path)[f"{function} {place}"] += count
        return path, admin, after[1] - before[1]


def total(metrics, family):
    return sum(value for name, value in metrics.items() if name.split("{")[0] == family)


def quantile(before, after, family, share, label=""):
    """Of what came between two /metrics, in seconds."""
    buckets = []
    for name, value in after.items():
        if name.startswith(f"{family}_bucket{{") and label in name:
            bound = name.split('le="')[1].split('"')[0]
            buckets.append((float("inf") if bound == "+Inf" else float(bound), value - before.get(name, 0)))
    buckets.sort()
    if not buckets or buckets[-1][1] == 0:
        return 0.0
    rank, low, below = share * buckets[-1][1], 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / max(count - below, 1)
        low, below = bound, count
    return low


def slope_per_hour(samples):
    """(seconds, bytes): the line of least squares, as a share of the mean by the hour."""
    count = len(samples)
    mean_s, mean_b = (sum(sample[i] for sample in samples) / count for i in (0, 1))
    spread = sum((s - mean_s) ** 2 for s, _ in samples)
    return sum((s - mean_s) * (b - mean_b) for s, b in samples) / spread * 3600 / mean_b if spread > 0 else 0.0


def capacity(engine, sender, seconds):
    """Events a second that end while there are always some that wait."""
    def hold(until_s):
        while time.monotonic() < until_s:
            ended = total(engine.metrics(), "ride_events_total")
            ahead = sender.next - ended > AHEAD
            sender.process.send_signal(signal.SIGSTOP if ahead else signal.SIGCONT)
            time.sleep(0.02)
        engine.check()
        return ended, time.monotonic()

    try:
        before, began_s = hold(time.monotonic() + seconds / 2)
        after, end_s = hold(time.monotonic() + seconds / 2)
    finally:
        sender.process.send_signal(signal.SIGCONT)
    time.sleep(BURST_S)
    return (after - before) / (end_s - began_s), sender.finish()


def observe(engine, seconds, allocations):
    """Minute by minute (or tenth by tenth of a shorter run), and each second's memory."""
    step, began = min(60.0, seconds / 10), time.monotonic()
    rows, samples, counts = [], [], allocations.read()
    before, begin_s = engine.metrics(), 0.0
    while begin_s < seconds:
        while time.monotonic() - began < min(begin_s + step, seconds):
            samples.append((time.monotonic() - began, engine.memory()[0]))
            time.sleep(min(1.0, step / 4))
        engine.check()
        after, now_s = engine.metrics(), time.monotonic() - began
        row = {"from_s": round(begin_s), "events_per_s": round((total(after, "ride_events_total") - total(before, "ride_events_total")) / (now_s - begin_s)),
               "p50_ms": 1e3 * quantile(before, after, "ride_latency_seconds", 0.5), "p99_ms": 1e3 * quantile(before, after, "ride_latency_seconds", 0.99),
               "p99_delivered_ms": 1e3 * quantile(before, after, "ride_delivery_seconds", 0.99),
               "p99_http_ms": 1e3 * quantile(before, after, "ride_http_request_seconds", 0.99, 'endpoint="score"'),
               **{f"p99_{stage}_ms": 1e3 * quantile(before, after, "ride_stage_seconds", 0.99, f'stage="{stage}"') for stage in STAGES},
               "lag": total(after, "ride_kafka_lag_messages"), "rss_mib": samples[-1][1] / 2**20,
               "cpu": (total(after, "process_cpu_seconds_total") - total(before, "process_cpu_seconds_total")) / (now_s - begin_s),
               "runnable": os.getloadavg()[0]}
        rows.append(row)
        before, begin_s = after, now_s
    return rows, samples, allocations.between(counts, allocations.read())


def table(rows):
    columns = (("from_s", "s", "{:.0f}"), ("events_per_s", "events/s", "{:.0f}"), ("p50_ms", "p50", "{:.2f}"), ("p99_ms", "p99", "{:.2f}"),
               ("p99_delivered_ms", "p99 acked", "{:.1f}"), ("p99_http_ms", "p99 HTTP", "{:.1f}"),
               *((f"p99_{stage}_ms", stage, "{:.2f}") for stage in STAGES), ("lag", "lag", "{:.0f}"), ("rss_mib", "RSS MiB", "{:.1f}"),
               ("cpu", "cores", "{:.2f}"), ("runnable", "loadavg", "{:.1f}"))
    print(" ".join(f"{title:>9}" for _, title, _ in columns) + "   (times in ms)")
    for row in rows:
        print(" ".join(f"{form.format(row[name]):>9}" for name, _, form in columns))


def ends(broker, topic):
    """Messages that a topic has been given."""
    told = subprocess.run([BUILD / "tests" / "kafka_tool", broker.address, "offsets", topic], check=True, capture_output=True, text=True).stdout
    return sum(json.loads(line)["end"] for line in told.splitlines())


def account(broker, engine, topics, sent, answered):
    """After the drain: what came in is what was sent, has ended, and has its result. Findings."""
    metrics, findings = engine.metrics(), {}
    received, ended, in_flight = (total(metrics, f"ride_events_{name}") for name in ("received_total", "total", "in_flight"))
    results = ends(broker, topics.decisions)
    if received != sent + answered:
        findings["lost_or_repeated"] = sent + answered - received
    if received != ended + in_flight or in_flight != 0:
        findings["unaccounted"] = received - ended
    if results != sent + answered:
        findings["results_missing"] = sent + answered - results
    if total(metrics, "ride_kafka_delivered_total") != results:
        findings["delivered_is_not_there"] = total(metrics, "ride_kafka_delivered_total") - results
    return findings


def run(broker, options, topics=Topics()):
    folder = Path(options.folder)
    bounded = ("retention.bytes=268435456", "segment.bytes=33554432", "retention.ms=-1")
    broker.create(topics, 4, *bounded)
    port = free_port()
    engine = Soaked(broker, folder, group=topics.decisions, topics=topics, raw={"session.timeout.ms": "10000", "heartbeat.interval.ms": "1000"},
                    settings=[f"http.listen=127.0.0.1:{port}", "outputs.decisions.vector=false", "scheduler.max_batch=1024"])
    allocations = Allocations(folder / "allocations")
    engine.variables = {"LD_PRELOAD": str(BUILD / "tests" / "alloc_watch.so"), "RIDE_ALLOC_WATCH": str(allocations.path)}
    findings = {}
    with engine, Requests(port) as requests:
        until("the engine is ready", lambda: engine.check() or up(engine), 60)
        with Sender(broker, topics.tx, 0) as sender:
            requests.sender = sender
            rate, sent = capacity(engine, sender, options.capacity_seconds)
        until("the backlog is worked", lambda: engine.check() or broker.lag(topics.tx, engine.group) == 0, DRAIN_S)
        print(f"capacity {rate:.0f} events/s; the load is {options.share * rate:.0f}", flush=True)
        with Sender(broker, topics.tx, round(options.share * rate), sender.next) as sender:
            requests.sender = sender
            time.sleep(options.warm_up)
            rows, samples, (path, admin, theirs) = observe(engine, options.seconds, allocations)
            requests.finish()
            sent += sender.finish()
        until("everything is worked and stored", lambda: engine.check() or broker.lag(topics.tx, engine.group) == 0, DRAIN_S)
        time.sleep(1)
        answered = sum(requests.codes.values())
        findings.update(account(broker, engine, topics, sent, answered))
        code = engine.stop()
    slope = slope_per_hour(samples) * 100
    table(rows)
    if code != engine.stops_with:
        findings["stopped_badly"] = code
    if set(requests.codes) != {200}:
        findings["not_answered_with_200"] = dict(requests.codes)
    if path:
        findings["allocations"] = dict(path)
    if options.slope is not None and slope >= options.slope:
        findings["memory_grows_percent_an_hour"] = slope
    p99 = [row["p99_ms"] for row in rows]
    third = max(len(p99) // 3, 1)
    median, first, last = (statistics.median(some) for some in (p99, p99[:third], p99[-third:]))
    if median > options.p99_ms:
        findings["p99_ms_over_its_bound"] = median
    if options.slope is not None and last > 2 * first + 1:
        findings["latency_grows"] = [first, last]
    if rows[-1]["lag"] > 5 * options.share * rate:
        findings["falls_behind"] = rows[-1]["lag"]
    return {"capacity": round(rate), "load": round(options.share * rate), "sent": sent, "requests": answered, "rss_mib": round(samples[-1][1] / 2**20, 1),
            "rss_slope_percent_an_hour": round(slope, 3), "p99_ms_median": round(median, 3), "p99_ms_worst": round(max(p99), 3), "allocations_ours": sum(path.values()),
            "allocations_for_admin_answers": dict(admin), "allocations_of_clients": theirs, "findings": findings}


def up(engine):
    try:
        return engine.metrics().get('ride_ready{part="all"}') == 1
    except OSError:
        return False


def parse(arguments=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=600)
    options.add_argument("--warm-up", type=float, default=90)
    options.add_argument("--capacity-seconds", type=float, default=30)
    options.add_argument("--share", type=float, default=0.7)
    options.add_argument("--p99-ms", type=float, default=100)
    options.add_argument("--slope", type=lambda word: None if word == "none" else float(word), default=1.0)
    options.add_argument("--folder")
    return options.parse_args(arguments)


def main():
    options = parse()
    with tempfile.TemporaryDirectory() as made:
        options.folder = options.folder or made
        with Broker(Path(options.folder) / "broker", "log.retention.check.interval.ms=5000") as broker:
            report = run(broker, options)
    print(json.dumps(report, indent=1))
    for name, unit in (("capacity", "events/s"), ("load", "events/s"), ("p99_ms_median", "ms"), ("p99_ms_worst", "ms"), ("rss_slope_percent_an_hour", "%/h"), ("allocations_ours", "")):
        print(f"figure: {name} {report[name]:g} {unit}".rstrip())
    print(f"figure: seconds {options.seconds:g} s")
    sys.exit(1 if report["findings"] else 0)


if __name__ == "__main__":
    main()
