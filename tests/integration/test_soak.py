# ride-test: timeout=900
# ride-test: serial
# ride-test: release-only (a sanitizer has its own malloc, which is counted here)
"""The soak of tests/long/soak.py for ten seconds: all of it works, nothing is lost, nothing of ours is allocated. How fast, and what memory does in an
hour, is not asked of ten seconds; what would be said of them is computed right."""
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "long"))
import soak  # noqa: E402


def computed():
    flat, grows = [(s, 100.0) for s in range(100)], [(s, 1e6 + 1e6 * 0.02 * s / 3600) for s in range(600)]
    assert soak.slope_per_hour(flat) == 0 and abs(soak.slope_per_hour(grows) - 0.02) < 1e-4
    before = {'f_bucket{le="0.001"}': 5, 'f_bucket{le="0.01"}': 5, 'f_bucket{le="+Inf"}': 5}
    after = {'f_bucket{le="0.001"}': 55, 'f_bucket{le="0.01"}': 105, 'f_bucket{le="+Inf"}': 105}
    assert soak.quantile(before, after, "f", 0.5) == 0.001 and abs(soak.quantile(before, after, "f", 0.75) - 0.0055) < 1e-9
    assert soak.quantile(after, after, "f", 0.99) == 0
    assert soak.total({'a{x="1"}': 1, "a": 2, "ab": 4}, "a") == 3


class Told:
    """An engine that says what it is given."""

    def __init__(self, **counts):
        self.counts = {"ride_events_received_total": 12, "ride_events_total": 12, "ride_events_in_flight": 0, "ride_kafka_delivered_total": 12, **counts}

    def metrics(self):
        return self.counts


def accounted():
    topics, ends = soak.Topics(), soak.ends
    try:
        soak.ends = lambda broker, topic: 12
        assert not soak.account(None, Told(), topics, 10, 2)
        assert set(soak.account(None, Told(), topics, 11, 2)) == {"lost_or_repeated", "results_missing"}
        assert set(soak.account(None, Told(ride_events_total=11), topics, 10, 2)) == {"unaccounted"}
        assert set(soak.account(None, Told(ride_events_total=11, ride_events_in_flight=1), topics, 10, 2)) == {"unaccounted"}
        assert set(soak.account(None, Told(ride_kafka_delivered_total=13), topics, 10, 2)) == {"delivered_is_not_there"}
    finally:
        soak.ends = ends


def main():
    computed()
    accounted()
    done = subprocess.run([sys.executable, TOP / "tests/long/soak.py", "--seconds", "10", "--warm-up", "15", "--capacity-seconds", "6", "--slope", "none",
                           "--p99-ms", "inf"], check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
