"""Kills engine and broker at random moments under load, and lets the oracle say what became of it.

    python3 tests/fault/kills.py [--engine ride[:MODE]|relay[:FAULT]] [--kills N] [--broker-kills N] [--per-phase N] [--partitions N]
                                 [--rate EVENTS/S] [--seed N] [--folder DIR]

Every kill is told with the phase it hit, as the engine's own file says after its end: consumed, scored, produced, delivered but not stored.
Moments are random; where --per-phase (that many hits in each, at least) is in danger, the rest are aimed at what is still rare. A run that gave no duplicate at
all has hit nothing and fails. --engine relay tests this test: see tests/kafka/topic.c for the faults."""
import argparse
import collections
import json
import random
import time
from pathlib import Path

from cases import alone
from harness import HIT, POISON_TOPIC, Load, Topics, engine_of, judged, transactions, until, with_poison

AIM_S, DRAIN_S = 5, 300
AIMS_FOR_A_HIT = 3  # a phase is over in microseconds: some aims come late


def aim(engine, phase, chance):
    """Kills when the engine is at the phase: holds it some moments after it says so, or, as a phase may be over before a signal arrives, at any moment;
    and lets it go on when it is not at the phase then. The moments are fewer each time. What was hit is what its file says afterwards."""
    end, moments_s = time.monotonic() + AIM_S, 0.002
    while time.monotonic() < end:
        at = time.perf_counter() + chance.random() * 0.004
        while engine.phases.now() != phase and time.perf_counter() < at:
            pass
        if engine.phases.now() == phase:
            at = time.perf_counter() + chance.random() * moments_s
            moments_s *= 0.8
            while time.perf_counter() < at:
                pass
        engine.hold()
        if engine.phases.now() == phase:
            break
        engine.go_on()
    return engine.kill()


def kill_engine(engine, chance, wanted):
    """At a random moment, or at a phase. (phase hit, was it aimed at)"""
    time.sleep(chance.random() * 0.7)
    return (aim(engine, wanted, chance), True) if wanted is not None else (engine.kill(), False)


def rarest(hits, per_phase, left):
    """The phase to aim at when the kills that are left may not be enough for luck; else None."""
    missing = {phase: per_phase - hits[phase] for phase in HIT if hits[phase] < per_phase}
    if not missing or left > AIMS_FOR_A_HIT * sum(missing.values()):
        return None
    return max(missing, key=missing.get)


def run(broker, options, topics=Topics()):
    """The report: kills, hits by phase, and what the oracle says."""
    chance, hits, kills = random.Random(options.seed), collections.Counter(), []
    folder = Path(options.folder)
    broker_at = set(chance.sample(range(options.kills), min(options.broker_kills, options.kills)))
    broker.create(topics, options.partitions, POISON_TOPIC)
    engine = engine_of(options.engine, broker, folder, group=topics.decisions, topics=topics)
    events = transactions(options.seed, late_rate="0.5%", duplicate_rate="0.5%")
    if engine.has_rejects:
        events = with_poison(events, 500)
    began = time.monotonic()
    with engine, Load(broker, topics.tx, events, options.rate) as load:
        for number in range(options.kills):
            engine.wait_working()
            if number in broker_at:
                time.sleep(chance.random() * 0.5)
                broker.do("kill")
                kills.append({"who": "broker", "at_s": round(time.monotonic() - began, 2), "phase": engine.phases.now()})
                print(json.dumps(kills[-1]), flush=True)
                time.sleep(chance.random() * 2)
                engine.check()  # a broker that is away is no reason to end
                broker.do("restart")
                engine.wait_working()
            phase, aimed = kill_engine(engine, chance, rarest(hits, options.per_phase, options.kills - number))
            hits[phase] += 1
            kills.append({"who": engine.name, "at_s": round(time.monotonic() - began, 2), "phase": phase, "aimed": aimed})
            print(json.dumps(kills[-1]), flush=True)
            engine.start()
        engine.wait_working()
        acknowledged = load.finish(at_once=True)
        until("everything is worked and stored", lambda: engine.check() or broker.lag(topics.tx, engine.group) == 0, DRAIN_S)
        code = engine.stop()
    report = judged(broker, engine, folder, acknowledged)
    findings = report["findings"]
    if code != engine.stops_with:
        findings["stopped_badly"] = 1
        report["exit_code"] = code
    if report["duplicates"] == 0:
        findings["nothing_hit"] = 1
    for phase in HIT:
        if hits[phase] < options.per_phase:
            findings[f"rarely_{phase}"] = options.per_phase - hits[phase]
    return {"engine": options.engine, "seed": options.seed, "seconds": round(time.monotonic() - began, 1), "hits": dict(hits), **report,
            "broker_kills": sum(kill["who"] == "broker" for kill in kills)}


def parse(arguments=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--engine", default="ride")
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--broker-kills", type=int, default=2)
    options.add_argument("--per-phase", type=int, default=0)
    options.add_argument("--partitions", type=int, default=4)
    options.add_argument("--rate", type=float, default=2000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--folder")
    return options.parse_args(arguments)


if __name__ == "__main__":
    alone(run, parse)
