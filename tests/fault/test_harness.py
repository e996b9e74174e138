# ride-test: timeout=900
# ride-test: waits
# ride-test: release-only (a broker and a stand-in: nothing of ours but the generator runs)
"""The fault tests are tests: with a stand-in for the engine that does what was promised they pass, with one that has a fault they
do not."""
import cases
import kills
import rebalance

KILLS = ["--kills", "5", "--broker-kills", "0", "--per-phase", "1", "--rate", "1500"]
REBALANCES = ["--rounds", "5", "--rate", "1500"]
# The stand-in's phases are short, and it stores at once: a kill may well change nothing.
NO_HIT = {"nothing_hit", "rarely_consumed", "rarely_scored", "rarely_produced", "rarely_delivered"}

if __name__ == "__main__":
    cases.main([
        (kills.run, kills.parse, [*KILLS, "--engine", "relay"], set(), NO_HIT),
        (kills.run, kills.parse, [*KILLS, "--engine", "relay:early"], {"lost"}, NO_HIT),
        (kills.run, kills.parse, [*KILLS, "--kills", "8", "--engine", "relay:state"], {"changed", "wrong"}, NO_HIT),
        (kills.run, kills.parse, [*KILLS, "--engine", "relay:twist"], {"wrong"}, NO_HIT),
        (rebalance.run, rebalance.parse, [*REBALANCES, "--engine", "relay"], set(), set()),
        (rebalance.run, rebalance.parse, [*REBALANCES, "--engine", "relay:skip"], {"lost"}, set()),
    ])
