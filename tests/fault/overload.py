"""Ten times the load that the engine can work: its memory keeps the bound that `ride config check` tells, nothing is lost, and it catches up.

    python3 tests/fault/overload.py [--seconds N] [--rate EVENTS/S] [--partitions N] [--mode inline|pipeline] [--folder DIR]

The engine gets a tenth of the time (SIGSTOP, SIGCONT) while the load sends what a whole one could hardly work; its queues are small, so that they are full
at once. For a while the broker stands still. What counts is the most memory that there ever was (VmHWM)."""
import argparse
import signal
import threading
import time
from pathlib import Path

from cases import alone
from harness import Load, Ride, Topics, judged, transactions, until

SMALL = {"queued.max.messages.kbytes": "4096", "queue.buffering.max.kbytes": "4096", "queue.buffering.max.messages": "5000"}
ABOVE_BOUND = 64 << 20  # what the program itself may take
RUN_S, STAND_S, PAUSE_S, DRAIN_S = 0.02, 0.18, 3, 300


class Throttle:
    """Lets a process run a tenth of the time."""

    def __init__(self, engine):
        self.engine, self.ended = engine, threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.ended.is_set():
            self.engine.process.send_signal(signal.SIGSTOP)
            self.ended.wait(STAND_S)
            self.engine.process.send_signal(signal.SIGCONT)
            self.ended.wait(RUN_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.engine.process.send_signal(signal.SIGCONT)


def run(broker, options, topics=Topics()):
    folder = Path(options.folder)
    broker.create(topics, options.partitions)
    engine = Ride(broker, folder, group=topics.decisions, topics=topics, raw=SMALL, settings=[f"runtime.mode={options.mode}"])
    bound = engine.bound() + ABOVE_BOUND
    with engine, Load(broker, topics.tx, transactions(3), options.rate) as load:
        engine.wait_working()
        with Throttle(engine):
            time.sleep(options.seconds / 2)
            broker.do("pause")
            time.sleep(PAUSE_S)
            broker.do("resume")
            time.sleep(options.seconds / 2)
            acknowledged = load.finish(at_once=True)
            behind = broker.lag(topics.tx, engine.group)
        until("it catches up", lambda: engine.check() or broker.lag(topics.tx, engine.group) == 0, DRAIN_S)
        _, most = engine.memory()
        code = engine.stop()
    report = judged(broker, engine, folder, acknowledged, verify=False)
    if code != engine.stops_with:
        report["findings"]["stopped_badly"] = 1
    if behind < len(acknowledged) / 2:
        report["findings"]["no_overload"] = 1
    if most > bound:
        report["findings"]["over_its_bound"] = most - bound
    return {"behind_at_the_end_of_the_load": behind, "memory_most_mib": round(most / 2**20, 1), "memory_bound_mib": round(bound / 2**20, 1), **report}


def parse(arguments=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--partitions", type=int, default=4)
    options.add_argument("--rate", type=float, default=40000)
    options.add_argument("--mode", default="inline")
    options.add_argument("--folder")
    return options.parse_args(arguments)


if __name__ == "__main__":
    alone(run, parse)
