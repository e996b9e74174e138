#!/usr/bin/env python3
"""The service beside what its libraries do alone, on this machine, in one run, in turn:

    scripts/python bench/service.py [--events N] [--rounds N] [--parts kafka,http,replay] [--modes inline,pipeline]
                                    [--output bench/results/service.json]

kafka   a topic of N JSON events of 200 bytes and 8 fields, one partition, through the handbook's features and a forest of 100 trees:
        counted only, beside a bare consume loop; and with results given back, beside a bare loop that consumes, produces as many bytes
        with the same headers, and commits (bench/kafka_floor.c). First the results are checked: one for each event, in order, the
        bytes of `ride run` over the same events as a file.
http    one event a request and 1,000 a request over 16 kept connections, beside libmicrohttpd's empty answer (bench_http_load.c)
replay  the rebuild of the window state after a stop, beside a run without a model over the same events: from the same topic, and as a file

Each of --modes (runtime.mode; as it is by default: auto) is measured in turn. CPU by thread says what more cores than
are here would give: a pipeline is as fast as its busiest thread. The broker shares the cores. What the machine does besides is printed with every round: a disturbed round is worth nothing."""
import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "bench" / "harness"))
import machine  # noqa: E402

BUILD = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build" / "release"))
RIDE, FLOOR, LOAD = BUILD / "bin" / "ride", BUILD / "bench" / "kafka_floor", BUILD / "bench" / "bench_http_load"
TREES, CONNECTIONS = 100, 16
SPEC = TOP / "examples" / "handbook" / "features.yaml"


def events(path, count, seconds=20):
    """The handbook's events, made up: one every 20 seconds over 5,000 customers; the same for a count. 200 bytes, 8 fields, 5 of them the spec's."""
    state = 88172645463325252
    with open(path, "w", encoding="ascii") as out:
        for i in range(count):
            state ^= (state << 13) & 0xFFFFFFFFFFFFFFFF
            state ^= state >> 7
            state ^= (state << 17) & 0xFFFFFFFFFFFFFFFF
            when = time.gmtime(1522540800 + i * seconds)
            line = (f'{{"TRANSACTION_ID":{i},"TX_DATETIME":"{time.strftime("%Y-%m-%d %H:%M:%S", when)}",'
                    f'"CUSTOMER_ID":{state % 5000},"TERMINAL_ID":{(state >> 16) % 10000},'
                    f'"TX_AMOUNT":{(state >> 32) % 20000 / 100},"TX_FRAUD":{"true" if state % 113 == 0 else "false"},'
                    f'"channel":"pos","note":"')
            out.write(line + "x" * max(0, 198 - len(line)) + '"}\n')


def model(path):
    """A forest of 100 trees, six deep, over the spec's vector: what it says is of no matter, only its size."""
    import numpy
    import xgboost
    names = ["TX_AMOUNT", "weekend", "night"] + [f"customer_{what}_{w}" for what in ("count", "TX_AMOUNT_mean") for w in ("1d", "7d", "30d")] + \
            [f"terminal_{what}_{w}" for what in ("count", "risk") for w in ("1d", "7d", "30d")]
    chance = numpy.random.default_rng(1)
    rows = chance.random((20000, len(names))) * 50
    labels = (rows[:, 0] + rows[:, 4] * chance.random(20000) > 45).astype(int)
    booster = xgboost.train({"max_depth": 6, "objective": "binary:logistic", "nthread": 2, "seed": 1},
                            xgboost.DMatrix(rows, labels, feature_names=names), TREES)
    booster.save_model(path)


class Broker:
    """tests/services/kafka, ended with the program."""

    def __init__(self, folder):
        self.env = dict(os.environ, RIDE_SERVICE_DIR=str(folder))
        self.script = TOP / "tests" / "services" / "kafka" / "kafka"

    def __call__(self, *words):
        return subprocess.run([self.script, *words], env=self.env, capture_output=True, text=True)

    def __enter__(self):
        started = self("start")
        if started.returncode == 77:
            print(started.stdout.strip())
            sys.exit(77)
        if started.returncode != 0:
            sys.exit(f"the broker does not start: {started.stderr}")
        self.address = re.search(r"bootstrap=(\S+)", started.stdout).group(1)
        return self

    def __exit__(self, *_):
        self("stop")

    def topic(self, name):
        self("topic", "--create", "--topic", name, "--partitions", "1")


def config(folder, name, broker, topic, group, out, port, mode="auto", scored=True):
    """Where the results go: a topic, or nowhere that costs anything. Not scored: features are all that is computed."""
    decisions = f"{{topic: {out}, format: csv}}" if out else "{path: /dev/null, format: binary}"
    model_line = f"model: {folder}/model.json\n" if scored else ""
    text = f"""spec: {SPEC}
{model_line}inputs: {{tx: {{topic: {topic}}}}}
outputs: {{decisions: {decisions}}}
kafka: {{brokers: "{broker.address}", group: {group}}}
state: {{dir: {folder}/{group}}}
admin: {{listen: "127.0.0.1:{port}"}}
scheduler: {{max_batch: 4096}}
runtime: {{mode: {mode}}}
log: {{level: warn}}
"""
    (folder / name).write_text(text)
    return folder / name


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def counter(port, name):
    """The sum of a family's series, over a plain socket; None while nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    except OSError:
        return None
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))


def thread_seconds(pid):
    """CPU seconds of each of our threads that works on events."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name in ("ride", "ride-compute", "ride-send"):
            found[name] = found.get(name, 0) + int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


def serve(path, port, count, family="ride_events_total"):
    """Runs a service until it has worked `count` events: (seconds from the first of them to the last, CPU seconds, of each thread)."""
    process = subprocess.Popen([RIDE, "run", "--config", path, "--quiet"])
    first = last = None
    while last is None:
        time.sleep(0.05)
        if process.poll() is not None:
            sys.exit(f"ride run ended by itself with {process.returncode}")
        done, now = counter(port, family), time.monotonic()
        if done and first is None:
            first = (now, done)
        if done is not None and done >= count:
            last = now
    threads = thread_seconds(process.pid)
    process.send_signal(signal.SIGTERM)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    seconds = (last - first[0]) * count / max(count - first[1], 1)
    return seconds, used.ru_utime + used.ru_stime, threads


def floor(mode, broker, topic, out, count, value_bytes=None):
    words = [FLOOR, mode, broker.address, topic] + ([out] if mode == "echo" else []) + [str(count)]
    if value_bytes:
        words.append(f"value_bytes={value_bytes}")
    told = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return told["seconds"], told["cpu_s"], {}


def produce(folder, broker, name, topic):
    """The lines of a file to a topic, keyed by customer."""
    with open(folder / name, encoding="ascii") as lines, open(folder / "keyed", "w", encoding="ascii") as out:
        for line in lines:
            out.write(re.search(r'"CUSTOMER_ID":(\d+)', line).group(1) + "\t" + line)
    subprocess.run([BUILD / "tests" / "kafka_tool", broker.address, "produce", topic, folder / "keyed"], check=True, stdout=subprocess.DEVNULL)


def rebuilt(path, group_log):
    """Starts the service again and ends it when the window state is there: (events, seconds) as it says itself."""
    with open(group_log, "w", encoding="utf-8") as log:
        process = subprocess.Popen([RIDE, "run", "--config", path, "--quiet"], stderr=log)
    told = None
    while told is None:
        time.sleep(0.05)
        if process.poll() is not None:
            sys.exit(f"ride run ended by itself with {process.returncode}")
        for line in group_log.read_text().splitlines():
            if "is rebuilt" in line:
                told = json.loads(line)
    process.send_signal(signal.SIGTERM)
    process.wait()
    return told["ride.events"], told["ride.seconds"]


def replay(folder, count, rounds, modes, keep):
    """The windows of all events again, from the log and along the journal, beside the features of the same events from the log and from a file."""
    events(folder / "replay.ndjson", count, seconds=1)  # two million within the month that the windows look back
    cases = {"features_file": []} | {f"{what}_{mode}": [] for what in ("features", "rebuild") for mode in modes}
    with Broker(folder / "replay-broker") as broker:
        broker.topic("replay")
        produce(folder, broker, "replay.ndjson", "replay")
        port = free_port()
        serve(config(folder, "replay.yaml", broker, "replay", "replay", None, port), port, count)
        features = folder / "features.yaml"  # no model: features are all that is computed
        features.write_text(f"spec: {SPEC}\ninputs: {{tx: {{path: {folder}/replay.ndjson, format: ndjson}}}}\n"
                            "outputs: {decisions: {path: /dev/null, format: binary}}\n")
        for r in range(rounds):
            began = time.monotonic()
            subprocess.run([RIDE, "run", "--config", features, "--quiet"], check=True)
            cases["features_file"].append(time.monotonic() - began)
            for mode in modes:
                alone = free_port()
                alone_path = config(folder, "alone.yaml", broker, "replay", f"features{r}{mode}", None, alone, mode, scored=False)
                cases[f"features_{mode}"].append(serve(alone_path, alone, count)[0])
                path = config(folder, "replay.yaml", broker, "replay", "replay", None, port, mode)
                path.write_text(path.read_text().replace("level: warn", "level: info, format: json"))
                again, seconds = rebuilt(path, folder / "replay.log")
                if again != count:
                    sys.exit(f"{again} events were rebuilt, not {count}")
                cases[f"rebuild_{mode}"].append(seconds)
            print({name: f"{count / values[-1] / 1e3:.0f} k/s" for name, values in cases.items()}, flush=True)
    rate = {name: count / statistics.median(values) for name, values in cases.items()}
    keep["replay"] = {"events": count, "seconds": cases, "events_per_s": rate}
    for mode in modes:
        seconds, rebuild = 1e6 / rate[f"rebuild_{mode}"], rate[f"rebuild_{mode}"]
        share, of_file = rebuild / rate[f"features_{mode}"], rebuild / rate["features_file"]
        keep["replay"] |= {f"seconds_per_million_{mode}": seconds, f"rebuild_to_features_{mode}": share, f"rebuild_to_features_from_a_file_{mode}": of_file}
        print(f"{mode}: rebuild: {seconds:.2f} s a million events, {share:.2f} of the features alone from the topic (bar 0.80), {of_file:.2f} from a file")


def kafka(folder, count, rounds, modes, keep):
    with Broker(folder / "broker") as broker:
        for topic in ("events", "results", "floor"):
            broker.topic(topic)
        produce(folder, broker, "events.ndjson", "events")
        result_bytes = check(folder, broker, count)
        names = [f"{what}_{mode}" for what in ("count", "results") for mode in modes]
        cases = {name: [] for name in ("consume_floor", "echo_floor", *names)}
        for r in range(rounds):
            for what, out in (("count", None), ("results", "results")):
                if out:
                    cases["echo_floor"].append(floor("echo", broker, "events", "floor", count, result_bytes))
                else:
                    cases["consume_floor"].append(floor("consume", broker, "events", None, count))
                for mode in modes:
                    port = free_port()
                    path = config(folder, f"{what}.yaml", broker, "events", f"{what}{r}{mode}", out, port, mode)
                    cases[f"{what}_{mode}"].append(serve(path, port, count))
            print({name: f"{count / values[-1][0] / 1e3:.0f} k/s" for name, values in cases.items()}, flush=True)
    keep["kafka"] = {"events": count, "value_bytes": 200, "result_bytes": result_bytes, "trees": TREES, "features": 15,
                     "seconds": {n: [v[0] for v in vs] for n, vs in cases.items()},
                     "cpu_seconds": {n: [v[1] for v in vs] for n, vs in cases.items()},
                     "thread_ns": {n: {t: round(statistics.median(v[2].get(t, 0) for v in vs) / count * 1e9) for t in vs[0][2]} for n, vs in cases.items()
                                   if vs[0][2]}}
    rate = {n: count / statistics.median(v[0] for v in vs) for n, vs in cases.items()}
    keep["kafka"]["events_per_s"] = rate
    for mode in modes:
        counted, results = rate[f"count_{mode}"] / rate["consume_floor"], rate[f"results_{mode}"] / rate["echo_floor"]
        keep["kafka"][f"count_to_floor_{mode}"], keep["kafka"][f"results_to_floor_{mode}"] = counted, results
        print(f"{mode}: counted: {counted:.2f} of the bare consume loop (bar 0.70); with results: {results:.2f} of the bare loop (bar 0.80); CPU by thread, "
              f"ns an event: {keep['kafka']['thread_ns'][f'count_{mode}']} and {keep['kafka']['thread_ns'][f'results_{mode}']}")


def check(folder, broker, count):
    """The results of the service are those of a run over the file. Returns the mean bytes of one."""
    port = free_port()
    serve(config(folder, "check.yaml", broker, "events", "check", "results", port), port, count)
    (folder / "file.yaml").write_text(f"spec: {SPEC}\nmodel: {folder}/model.json\ninputs: {{tx: {{path: {folder}/events.ndjson, format: ndjson}}}}\n"
                                      f"outputs: {{decisions: {{path: {folder}/file.csv, format: csv}}}}\n")
    subprocess.run([RIDE, "run", "--config", folder / "file.yaml", "--quiet"], check=True)
    told = subprocess.Popen([BUILD / "tests" / "kafka_tool", broker.address, "consume", "results"], stdout=subprocess.PIPE, text=True)
    with open(folder / "file.csv", encoding="utf-8") as one, told:
        next(one)
        size = 0
        for number, (line, got) in enumerate(zip(one, told.stdout, strict=True)):
            if line != json.loads(got)["value"] + "\n":
                sys.exit(f"result {number} differs: {line} {got}")
            size += len(line) - 1
    return size // count


def http_load(folder, port, seconds, *words):
    out = subprocess.run([LOAD, "--connections", str(CONNECTIONS), "--seconds", str(seconds), "--port", str(port), "--events", folder / "events.ndjson",
                          "--date", "TX_DATETIME", *words], check=True, capture_output=True, text=True).stdout
    return out.strip()


def http_ride(folder, seconds, mode, *words):
    """A service of its own for each: events that come a second time would be late ones."""
    port, admin = free_port(), free_port()
    (folder / "http.yaml").write_text(f"spec: {SPEC}\nmodel: {folder}/model.json\nhttp: {{listen: \"127.0.0.1:{port}\"}}\nruntime: {{mode: {mode}}}\n"
                                      f"admin: {{listen: \"127.0.0.1:{admin}\"}}\nlog: {{level: warn}}\n")
    process = subprocess.Popen([RIDE, "run", "--config", folder / "http.yaml", "--quiet"])
    try:
        while not counter(admin, "ride_ready"):
            time.sleep(0.05)
        out = http_load(folder, port, seconds, *words)
        late, worked = counter(admin, "ride_events_late_total"), counter(admin, "ride_events_total")
        return f"{out} late={late / worked:.4f}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def http_empty(folder, seconds):
    process = subprocess.Popen([folder / "http_floor"], stdout=subprocess.PIPE, text=True)
    try:
        return http_load(folder, re.search(r"listens \S*?(\d+)\b", process.stdout.readline()).group(1), seconds)
    finally:
        process.kill()
        process.wait()


def http(folder, seconds, rounds, modes, keep):
    subprocess.run(["cc", "-O3", "-o", folder / "http_floor", TOP / "bench" / "peers" / "http_floor.c", "-lmicrohttpd"], check=True)
    told = {"empty": []} | {f"{what}_{mode}": [] for mode in modes for what in ("one", "lines")}
    for _ in range(rounds):
        told["empty"].append(http_empty(folder, seconds))
        for mode in modes:
            told[f"one_{mode}"].append(http_ride(folder, seconds, mode))
            told[f"lines_{mode}"].append(http_ride(folder, seconds, mode, "--lines", "1000"))
        for name, texts in told.items():
            print(name, texts[-1], flush=True)
    rate = {name: statistics.median(float(re.search(r"(?:events|requests)_per_s=(\S+)", text if name == "empty" else text.split(" ", 1)[1]).group(1))
                                    for text in texts) for name, texts in told.items()}
    keep["http"] = told
    keep["http_events_per_s"] = rate
    for mode in modes:
        keep[f"http_one_to_empty_{mode}"] = rate[f"one_{mode}"] / rate["empty"]
        keep[f"http_lines_to_one_{mode}"] = rate[f"lines_{mode}"] / rate[f"one_{mode}"]
        print(f"{mode}: one event a request: {keep[f'http_one_to_empty_{mode}']:.2f} of the empty answer (bar 0.60); "
              f"lines: {keep[f'http_lines_to_one_{mode}']:.1f} times that (bar 10)")


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--events", type=int, default=1000000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--seconds", type=int, default=5)
    words.add_argument("--parts", default="kafka,http,replay")
    words.add_argument("--modes", default="auto")
    words.add_argument("--output", type=Path)
    options = words.parse_args()
    keep = {"command": "scripts/python " + " ".join(sys.argv), "machine": machine.describe()}
    with tempfile.TemporaryDirectory(prefix="ride-bench-") as name:
        folder = Path(name)
        events(folder / "events.ndjson", options.events)
        model(folder / "model.json")
        if "kafka" in options.parts:
            kafka(folder, options.events, options.rounds, options.modes.split(","), keep)
        if "replay" in options.parts:
            replay(folder, options.events, options.rounds, options.modes.split(","), keep)
        if "http" in options.parts:
            http(folder, options.seconds, options.rounds, options.modes.split(","), keep)
    if options.output:
        options.output.write_text(json.dumps(keep, indent=1) + "\n")


if __name__ == "__main__":
    main()
