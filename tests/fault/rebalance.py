"""Two engines of one group come, go and are killed under load, so that partitions move while batches are in flight; then the oracle.

    python3 tests/fault/rebalance.py [--engine ride|relay[:FAULT]] [--rounds N] [--partitions N] [--rate EVENTS/S] [--seed N] [--folder DIR]

A round: one that does not run is started, or one that runs is stopped in order or killed, while the other goes on. The spec has one entity, keyed by
what the topic is partitioned by, which is what several members of a group may have."""
import argparse
import collections
import random
import time
from pathlib import Path

from cases import alone
from harness import Load, Ride, Topics, engine_of, judged, transactions, until

DRAIN_S = 300


def running(engines):
    return [engine for engine in engines if engine.process is not None and engine.process.poll() is None]


def play(engines, chance):
    """One round. What was done, and the exit code of a stop that was not clean."""
    there = running(engines)
    absent = [engine for engine in engines if engine not in there]
    if len(there) < 2 or (absent and chance.random() < 0.5):
        absent[0].start()
        return "join", None
    engine = chance.choice(there)
    if chance.random() < 0.5:
        engine.kill()
        return "kill", None
    code = engine.stop()
    return "leave", None if code == engine.stops_with else code


def run(broker, options, topics=Topics()):
    chance, done = random.Random(options.seed), collections.Counter()
    folder = Path(options.folder)
    broker.create(topics, options.partitions)
    spec = Path(__file__).resolve().with_name("one_entity.yaml")
    engines = [engine_of(options.engine, broker, folder, name=f"engine-{i}", group=topics.decisions, topics=topics, spec=spec,
                         settings=["inputs.tx.partition_key=card"]) for i in (0, 1)]
    events = transactions(options.seed, late_rate="0.5%")
    bad = []
    with engines[0], Load(broker, topics.tx, events, options.rate) as load:
        engines[0].wait_working()
        try:
            for _ in range(options.rounds):
                what, code = play(engines, chance)
                done[what] += 1
                if code is not None:
                    bad.append(code)
                for engine in running(engines):
                    engine.wait_working()
                time.sleep(chance.random())
            acknowledged = load.finish(at_once=True)
            until("everything is worked and stored", lambda: broker.lag(topics.tx, topics.decisions) == 0, DRAIN_S)
            for engine in running(engines):
                engine.check()
                code = engine.stop()
                if code != engine.stops_with:
                    bad.append(code)
        finally:
            for engine in running(engines):
                engine.kill()
    report = judged(broker, engines[0], folder, acknowledged, verify=False)  # each has a journal of its own
    if bad:
        report["findings"]["stopped_badly"] = len(bad)
        report["exit_codes"] = bad
    return {"engine": options.engine, "seed": options.seed, "rounds": dict(done), **report}


def refused(broker, options, topics=Topics()):
    """With an entity that is not keyed by the partitions a second member is refused with the reason, and the first one goes on when it has gone."""
    folder = Path(options.folder)
    broker.create(topics, options.partitions)
    first, second = (Ride(broker, folder, name=name, group=topics.decisions, topics=topics) for name in ("first", "second"))
    with first, Load(broker, topics.tx, transactions(options.seed), options.rate) as load:
        first.wait_working()
        with second:
            code = second.process.wait(60)
        first.wait_working()
        acknowledged = load.finish(at_once=True)
        until("everything is worked and stored", lambda: first.check() or broker.lag(topics.tx, first.group) == 0, DRAIN_S)
        stopped = first.stop()
    report = judged(broker, first, folder, acknowledged)
    if stopped != first.stops_with:
        report["findings"]["stopped_badly"] = 1
    if code in (0, -9) or "another member of the group" not in second.log_text():
        report["findings"]["not_refused"] = 1
        report["second"] = [code, second.log_text()[-1000:]]
    return report


def parse(arguments=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--engine", default="ride")
    options.add_argument("--rounds", type=int, default=8)
    options.add_argument("--partitions", type=int, default=4)
    options.add_argument("--rate", type=float, default=2000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--folder")
    return options.parse_args(arguments)


if __name__ == "__main__":
    alone(run, parse)
