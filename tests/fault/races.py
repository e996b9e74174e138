"""The real engine, built with ThreadSanitizer, between a real broker's topics: no data race in our code.

    RIDE_BIN=build/tsan/bin/ride scripts/python tests/fault/races.py [--seconds N] [--rate EVENTS/S] [--seed N] [--planted] [--folder DIR]

First one engine with two shards, HTTP scores, questions about the state, /metrics and reloads beside the load, and a broker that stands still; then two
engines that share the partitions, of which one, in a pipeline, leaves and comes back again and again. Every report is a finding but those of
races.suppressions, and so is a result that is missing. --planted: a race is planted into the engine's process, and must be among the findings.

RIDE_BUILD_DIR is the release build, whose tools are used. What is preloaded (tests/support/c11_threads_preload.c) is of the build of RIDE_BIN."""
import argparse
import itertools
import random
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import harness
from cases import alone
from harness import Load, Ride, Topics, free_port, judged, transactions, until

SUPPRESSIONS = Path(__file__).resolve().with_name("races.suppressions")
WAIT_S, DRAIN_S, PAUSE_S = 120, 300, 2
EVENT = ('{"tx_id":%d,"ts":1767225600000,"card":"4000%04d","terminal":%d,"amount":"10.00","currency":"EUR","mcc":5411,"channel":"pos",'
         '"country":"DE","is_fraud":false}\n')


class Beside:
    """Threads that do something again and again while a block runs. What they meet that they should not is raised at its end."""

    def __init__(self, *works):
        self.over, self.failures, self.counts = threading.Event(), [], {}
        self.threads = [threading.Thread(target=self.run, args=(work,), daemon=True) for work in works]

    def run(self, work):
        try:
            for number in itertools.count():
                if self.over.is_set():
                    return
                for word in work(number) or ():
                    self.counts[word] = self.counts.get(word, 0) + 1
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.failures.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(WAIT_S)
        if self.failures:
            raise self.failures[0]


def ask(url, body=None):
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/x-ndjson"} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def watch(engine):
    """Pages and questions of an engine that may be away for a while."""
    def work(number):
        paths = ("/metrics", "/readyz", "/healthz", f"/v1/state?entity=card&key=4000{number % 100:04}")
        try:
            code, _ = ask(f"http://{engine.admin}{paths[number % 4]}")
        except OSError:
            time.sleep(0.1)
            return ("away",)
        assert code in (200, 404, 429, 503), code
        return (f"page_{code}",)
    return work


def score(port):
    def work(number):
        code, _ = ask(f"http://127.0.0.1:{port}/v1/score", "".join(EVENT % (10**9 + number * 8 + i, number % 100, i) for i in range(1 + number % 5)).encode())
        assert code in (200, 429, 503), code
        return (f"score_{code}",)
    return work


def reload(engines):
    def work(number):
        time.sleep(0.7)
        engine = engines[number % len(engines)]
        if engine.process is None or engine.process.poll() is not None or "metrics and health" not in engine.log_text():
            return ()  # before it is up, SIGHUP would end it
        engine.process.send_signal(signal.SIGHUP)
        return (f"reload_{engine.name}",)
    return work


def sanitized(engine, options):
    """The engine with TSan's options, which are not the tools'."""
    threads = Path(harness.RIDE).parents[1] / "tests" / "c11_threads.so"
    engine.variables = {"LD_PRELOAD": str(threads),
                        "TSAN_OPTIONS": f"log_path={options.folder}/tsan-report:exitcode=0:second_deadlock_stack=1:suppress_equal_addresses=0"}
    if options.planted:
        engine.variables["RIDE_PLANTED_RACE"] = "1"
    return engine


def suppressions():
    """(function, library) of each line of the file."""
    lines = (line.split("#")[0].split() for line in SUPPRESSIONS.read_text().splitlines())
    return {(line[0], line[1]) for line in lines if line}


def is_suppressed(report, known):
    """known: what races.suppressions has. The access that TSan reports, not the one before, is made by the function, called from the library."""
    if "WARNING: ThreadSanitizer: data race" not in report:
        return False
    frames = re.findall(r"^    #(\d+) (\S+) .*?\(([^()+]+)\+0x[0-9a-f]+\)", report, re.M)
    if len(frames) < 2 or (frames[0][0], frames[1][0]) != ("0", "1") or not frames[0][2].startswith("libtsan"):
        return False
    return (frames[0][1], frames[1][2].split(".so")[0]) in known


def races(folder):
    """What TSan wrote: (findings, how many were suppressed)."""
    known, found, left_out = suppressions(), [], 0
    for path in sorted(Path(folder).glob("tsan-report*")):
        for report in re.split(r"^=+$", path.read_text(errors="replace"), flags=re.M):
            if "WARNING: ThreadSanitizer" not in report:
                continue
            if is_suppressed(report, known):
                left_out += 1
            else:
                found.append(report.strip())
    return found, left_out


def one(broker, options, topics):
    port = free_port()
    engine = sanitized(Ride(broker, options.folder, group=topics.decisions, topics=topics,
                  settings=["runtime.shards=2", f"http.listen=127.0.0.1:{port}", "scheduler.max_batch=256"]), options)
    with engine, Load(broker, topics.tx, transactions(options.seed), options.rate) as load:
        engine.wait_working(WAIT_S)
        with Beside(watch(engine), watch(engine), score(port), score(port), reload([engine])) as beside:
            time.sleep(options.seconds / 4)
            broker.do("pause")
            time.sleep(PAUSE_S)
            broker.do("resume")
            time.sleep(options.seconds / 4)
            engine.check()
        acknowledged = load.finish(at_once=True)
        until("everything is worked and stored", lambda: engine.check() or broker.lag(topics.tx, engine.group) == 0, DRAIN_S)
        code = engine.stop(WAIT_S)
    report = judged(broker, engine, options.folder, acknowledged, verify=False, requests=True)
    return code, beside.counts, report


def two(broker, options, topics):
    chance = random.Random(options.seed)
    spec = Path(__file__).resolve().with_name("one_entity.yaml")
    engines = [sanitized(Ride(broker, options.folder, name=f"member-{i}", group=topics.decisions, topics=topics, spec=spec,
                              settings=["runtime.shards=2", f"runtime.mode={mode}", "inputs.tx.partition_key=card"]), options)
               for i, mode in enumerate(("inline", "pipeline"))]
    codes, moves = [], 0
    with engines[0], Load(broker, topics.tx, transactions(options.seed, late_rate="0.5%"), options.rate) as load:
        try:
            engines[0].wait_working(WAIT_S)
            with Beside(watch(engines[0]), watch(engines[1]), reload(engines)) as beside:
                end = time.monotonic() + options.seconds / 2
                while time.monotonic() < end or moves < 2:
                    if moves % 2 == 0:
                        engines[1].start()
                    else:
                        codes.append(engines[1].stop(WAIT_S))
                    moves += 1
                    engines[0].wait_working(WAIT_S)
                    time.sleep(chance.random())
                acknowledged = load.finish(at_once=True)
                until("everything is worked and stored", lambda: broker.lag(topics.tx, topics.decisions) == 0, DRAIN_S)
            codes += [engine.stop(WAIT_S) for engine in engines]
        finally:
            engines[1].__exit__()
    report = judged(broker, engines[0], options.folder, acknowledged, verify=False)
    return max(codes), {**beside.counts, "moves": moves}, report


def run(broker, options, topics=Topics()):
    done, findings, told = {}, {}, {}
    for name, scenario in (("one", one), ("two", two)):
        mine = Topics(*(f"{topic}-{name}" for topic in topics))
        broker.create(mine, options.partitions)
        code, counts, report = scenario(broker, options, mine)
        done[name] = {**counts, "inputs": report.get("inputs"), "exit": code}
        findings.update({f"{name}_{key}": value for key, value in report["findings"].items()})
        told.update(report.get("told", {}))
        if code != Ride.stops_with:
            findings[f"{name}_stopped_badly"] = code
    found, done["suppressed"] = races(options.folder)
    if found:
        findings["races"] = len(found)
        told["races"] = found
        print("\n".join(found)[:2000 if options.planted else 60000], file=sys.stderr)
    return {**done, "findings": findings, "told": told}


def parse(arguments=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--partitions", type=int, default=4)
    options.add_argument("--rate", type=float, default=500)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--planted", action="store_true")
    options.add_argument("--folder")
    return options.parse_args(arguments)


def planted(broker, options):
    report = run(broker, options)
    seen = [text for text in report["told"].get("races", ()) if "planted_race" in text]
    if set(report["findings"]) != {"races"} or not seen:
        return {"findings": {"planted_race_not_seen": 1}, "report": report}
    return {"planted": len(seen), "findings": {}}


if __name__ == "__main__":
    alone(planted if parse().planted else run, parse)
