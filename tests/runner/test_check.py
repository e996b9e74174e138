"""tests/support/check.h: cases pass, fail, skip and crash; seeds repeat; and the runner counts what it prints."""
import os
import subprocess
from pathlib import Path

import pytest
from report import Report, add_program

TOP = Path(__file__).resolve().parents[2]
PROGRAM = r"""
#include "tests/support/check.h"
static void good(const void *argument) { CHECK(*(const int *)argument == 7, "never"); }
static void bad(const void *argument) { CHECK(argument != NULL, "a text and %d", 42); }
static void rounds(const void *argument) {
    (void)argument;
    for (uint64_t seed; check_rounds(5, &seed);) CHECK(seed != 4, "seed is %d", (int)seed);
}
static void skipped(const void *argument) { check_skip("not%shere", argument != NULL ? "" : "\n"); }
static void crash(const void *argument) { if (argument == NULL) abort(); }
int main(int argc, char **argv) {
    static const int seven = 7;
    check_add("a", "good, over 2", good, &seven);
    check_add("a", "bad", bad, NULL);
    check_add("b", "rounds", rounds, NULL);
    check_add("b", "skipped", skipped, NULL);
    check_add("c", "crash", crash, NULL);
    check_add("c", "after", good, &seven);
    return check_main(argc, argv);
}
"""


@pytest.fixture(scope="module", name="run")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    (folder / "program.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-I", TOP, folder / "program.c", "-o",
                    folder / "program"], check=True)

    def run(*arguments, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("RIDE_CONFORMANCE_")}
        return subprocess.run([folder / "program", *arguments], capture_output=True, text=True, check=False,
                              env=dict(clean, **environment))
    return run


def counts(done):
    report = Report()
    outcome = {0: "passed", 77: "skipped"}.get(done.returncode, "failed")
    add_program(report, "release", "conformance/a", outcome, 1.0, done.stdout)
    return tuple(report.count(o) for o in ("passed", "failed", "skipped"))


def test_a_failing_case_does_not_stop_the_others(run):
    done = run("a::", "b::")
    assert done.returncode == 1 and counts(done) == (1, 2, 1)
    assert "program.c:4: a text and 42" in done.stdout
    assert "[PASS] a::good__over_2 (" in done.stdout


def test_the_seed_of_a_failure_is_told_and_repeats_it(run):
    done = run("rounds")
    assert "RIDE_CONFORMANCE_SEED=4 RIDE_CONFORMANCE_ROUNDS=1" in done.stdout and "4 rounds" in done.stdout
    assert run("rounds", RIDE_CONFORMANCE_SEED="4", RIDE_CONFORMANCE_ROUNDS="1").returncode == 1
    assert run("rounds", RIDE_CONFORMANCE_ROUNDS="3").returncode == 0
    assert run("rounds", RIDE_CONFORMANCE_SEED="5").returncode == 0


def test_only_skips_are_a_skip_with_a_reason(run):
    done = run("skipped")
    assert done.returncode == 77 and counts(done) == (0, 0, 1)
    assert done.stdout.splitlines()[-1].endswith("not here")
    both = run("skipped", "good")
    assert both.returncode == 0 and counts(both) == (1, 0, 1)


def test_a_crash_names_its_case_and_counts(run):
    done = run("good", "crash", "after")
    assert done.returncode != 0 and "crashed (or aborted) in c::crash" in done.stdout
    assert counts(done) == (1, 1, 0)


def test_list_and_patterns(run):
    assert run("--list", "a::").stdout.splitlines() == ["a::good__over_2", "a::bad"]
    assert run("nothing").returncode == 2
    assert run("--what").returncode == 2
