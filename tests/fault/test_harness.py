# ride-test: timeout=900
# ride-test: release-only (a broker and a stand-in, nothing of ours in C but the generator)
"""The fault tests are tests: with a stand-in for the engine that does what was promised they pass, with one that has a fault they
do not."""
import sys
import tempfile
from pathlib import Path

import kills
import rebalance
from harness import Broker, Topics

KILLS = ["--kills", "4", "--broker-kills", "1", "--rate", "3000"]
REBALANCES = ["--rounds", "5", "--rate", "3000"]
CASES = [  # program, engine, what is found: all of the first, whatever of the second
    (kills, KILLS, "relay", set(), set()),
    (kills, KILLS, "relay:early", {"lost"}, {"nothing_hit"}),
    (kills, KILLS, "relay:state", {"changed", "wrong"}, set()),
    (kills, KILLS, "relay:twist", {"wrong"}, set()),
    (rebalance, REBALANCES, "relay", set(), set()),
    (rebalance, REBALANCES, "relay:skip", {"lost"}, set()),
]


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "broker") as broker:
        for number, (program, options, engine, found, allowed) in enumerate(CASES):
            name = f"{program.__name__}-{number}"
            given = program.parse([*options, "--engine", engine, "--folder", f"{folder}/{name}"])
            report = program.run(broker, given, Topics(f"{name}-tx", f"{name}-decisions", f"{name}-rejects"))
            findings = set(report["findings"])
            good = found <= findings <= found | allowed
            failed += not good
            print(f"{'ok' if good else 'FAILED'} {program.__name__} {engine}: {report['findings'] if good else report}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
