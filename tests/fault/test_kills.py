# ride-test: timeout=900
# ride-test: waits
# ride-test: release-only (it is about time: a sanitizer makes it a test of patience)
"""Kills of the engine and of the broker under load, with messages among the events that are none: every input has a result or a dead
letter, duplicates are alike, the order is kept, and with one partition the bytes are those of `ride run` over a file; inline and in a pipeline. More of them: tests/long/service.sh."""
import cases
import kills

if __name__ == "__main__":
    cases.main([
        (kills.run, kills.parse, ["--kills", "10", "--broker-kills", "2", "--per-phase", "1", "--partitions", "4"], set(), set()),
        (kills.run, kills.parse, ["--engine", "ride:pipeline", "--kills", "10", "--broker-kills", "2", "--per-phase", "1", "--partitions", "4",
                                  "--seed", "3"], set(), set()),
        (kills.run, kills.parse, ["--kills", "4", "--broker-kills", "0", "--partitions", "1", "--seed", "2"], set(), set()),
        (kills.run, kills.parse, ["--engine", "ride:pipeline", "--kills", "4", "--broker-kills", "0", "--partitions", "1", "--seed", "4"], set(),
         set()),
    ])
