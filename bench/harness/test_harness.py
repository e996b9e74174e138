"""The statistics against scipy and against known truth; the runner end to end with small commands."""
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import machine  # noqa: E402
import measure  # noqa: E402
import stats  # noqa: E402


def noisy(source, n, centre, noise=0.05):
    return [centre * (1 + noise * source.expovariate(1.0)) for _ in range(n)]


def test_median_and_quantile_are_numpys():
    numpy = pytest.importorskip("numpy")
    source = random.Random(3)
    for n in (1, 2, 3, 10, 101):
        values = [source.random() for _ in range(n)]
        assert stats.median(values) == pytest.approx(float(numpy.median(values)), rel=1e-15)
        for q in (0, 0.025, 0.25, 0.5, 0.9, 1):
            assert stats.quantile(values, q) == pytest.approx(float(numpy.quantile(values, q)), rel=1e-12)


def test_interval_agrees_with_scipy():
    scipy_stats = pytest.importorskip("scipy.stats")
    numpy = pytest.importorskip("numpy")
    source = random.Random(7)
    base, other = noisy(source, 25, 1.0), noisy(source, 25, 0.8)
    ratio, low, high = stats.compare(base, other, resamples=9999)

    def statistic(a, b, axis):
        return numpy.median(b, axis=axis) / numpy.median(a, axis=axis)

    theirs = scipy_stats.bootstrap((base, other), statistic, paired=True, vectorized=True, method="percentile",
                                   n_resamples=9999, random_state=1).confidence_interval
    assert ratio == pytest.approx(numpy.median(other) / numpy.median(base))
    assert low == pytest.approx(theirs.low, abs=0.004)
    assert high == pytest.approx(theirs.high, abs=0.004)


def test_interval_covers_the_truth_as_often_as_it_says():
    source = random.Random(11)
    covered = 0
    for _ in range(200):
        disturbances = [1 + 0.2 * source.random() for _ in range(15)]  # of a round: both cases feel it
        base = [d * source.gauss(1.0, 0.03) for d in disturbances]
        other = [d * source.gauss(0.9, 0.03) for d in disturbances]
        _, low, high = stats.compare(base, other, resamples=400)
        covered += low <= 0.9 <= high
    assert 176 <= covered <= 200  # 95 % nominal; small samples fall a little short, never below 88 %


def test_same_numbers_give_the_same_interval():
    base, other = [1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4]
    assert stats.compare(base, other) == stats.compare(base, other)


def test_impossible_comparisons_are_refused():
    for base, other in (([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, 0.0], [1.0, 1.0]), ([], [])):
        with pytest.raises(ValueError):
            stats.compare(base, other)


def test_verdict_needs_the_whole_interval():
    assert stats.verdict(0.90, 0.99, 1.0) == "met"
    assert stats.verdict(0.95, 1.02, 1.0) == "undecided"
    assert stats.verdict(1.01, 1.20, 1.0) == "missed"


STAT = "cpu  {0} 0 0 1000 0 0 0 {1}\ncpu0 {2} 0 0 500 0 0 0 0\ncpu1 {3} 0 0 500 0 0 0 {1}\nintr 5\n"


def test_other_load_is_what_we_did_not_use():
    before = machine.parse_stat(STAT.format(1000, 10, 400, 600))
    after = machine.parse_stat(STAT.format(1350, 30, 650, 700))  # 3.5 s busy in all, 2.5 s on core 0
    load = machine.other_load(before, after, elapsed_s=2.0, own_cpu_s=1.5, cores=[0], ticks_per_s=100)
    assert load == {"all": 1.0, "pinned": 0.5, "stolen": 0.1}
    assert machine.other_load(before, after, 2.0, 9.0, [], 100) == {"all": 0.0, "pinned": None, "stolen": 0.1}


def test_metrics_are_read_from_text_and_json():
    text = "phase a 12.5 ns\nphase b 1,234.5 ns\n"
    assert measure.parse_metric(r"phase . ([0-9.,]+) ns", text) == 1234.5
    assert measure.parse_metric("json:benchmarks.1.cpu_time", '{"benchmarks": [{}, {"cpu_time": 2.5}]}') == 2.5
    with pytest.raises(measure.Refused):
        measure.parse_metric("nothing ([0-9]+)", text)


def harness(*arguments):
    return subprocess.run([sys.executable, str(HERE), *arguments], capture_output=True, text=True, check=False)


def run(tmp_path, *extra, rounds="5"):
    return harness("run", "--name", "test", "--rounds", rounds, "--out", str(tmp_path / "r.json"), *extra)


def test_a_comparison_end_to_end(tmp_path):
    done = run(tmp_path, "--case", "base=sleep 0.06; echo same >{out}; echo 6 units",
               "--case", "ours=sleep 0.03; echo same >{out}; echo 3 units", "--equal", "out", "--check",
               "cmp {out:base} {out:ours}", "--metric", r"units=(\d+) units")
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "r.json").read_text())
    assert [r["case"] for r in document["runs"]] == ["base", "ours", "ours", "base"] * 2 + ["base", "ours"]
    assert all(set(r["other_load"]) == {"all", "pinned", "stolen"} for r in document["runs"])
    assert document["cores"] == [max(os.sched_getaffinity(0))]
    assert document["machine"]["cpu"] and document["commit"] and document["date"].endswith("Z")
    assert "0.500 x base [0.500, 0.500]" in done.stdout
    assert harness("compare", str(tmp_path / "r.json"), "--bar", "ours=0.6").returncode == 0
    missed = harness("compare", str(tmp_path / "r.json"), "--bar", "ours=0.4")
    assert missed.returncode == 1 and "missed" in missed.stdout


def test_a_higher_metric_turns_the_bar_round(tmp_path):
    done = run(tmp_path, "--case", "base=echo 100 per s", "--case", "ours=echo 200 per s", "--equal", "none:figures only",
               "--metric", r"rate=(\d+) per s", "--higher", "rate")
    assert done.returncode == 0, done.stderr
    assert harness("compare", str(tmp_path / "r.json"), "--bar", "ours=1.5").returncode == 0
    assert harness("compare", str(tmp_path / "r.json"), "--bar", "ours=2.5").returncode == 1


def test_runs_are_pinned(tmp_path):
    core = str(max(os.sched_getaffinity(0)))
    show = f"{sys.executable} -c 'import os; print(sorted(os.sched_getaffinity(0)))' >{{out}}"
    done = run(tmp_path, "--case", f"a={show}", "--case", f"b={show}", "--equal", "out", "--check",
               f"test \"$(cat {{out:a}})\" = '[{core}]'", "--cores", core)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments, why", [
    (("--case", "a=echo 1 >{out}", "--case", "b=echo 2 >{out}", "--equal", "out"), "results differ"),
    (("--case", "a=echo sum 1", "--case", "b=echo sum 2", "--equal", "text:sum (.*)"), "results differ"),
    (("--case", "a=true", "--case", "b=true", "--equal", "none:not compared", "--check", "false"), "results differ"),
    (("--case", "a=true", "--case", "b=exit 3", "--equal", "stdout"), "exit 3"),
    (("--case", "a=true", "--case", "b=true", "--equal", "out"), "wrote no"),
    (("--case", "a=true", "--case", "b=sleep 9", "--equal", "stdout", "--timeout", "0.3"), "not finished"),
    (("--case", "a=true", "--equal", "stdout"), "two or more"),
    (("--case", "a=true", "--case", "b=true", "--equal", "none"), "--equal"),
    (("--case", "a=true", "--case", "b=true", "--equal", "stdout", "--cores", "9999"), "usable here"),
])
def test_what_is_no_comparison_is_refused(tmp_path, arguments, why):
    done = run(tmp_path, *arguments)
    assert done.returncode == 65 and why in done.stderr, done.stderr
    assert not (tmp_path / "r.json").exists()
