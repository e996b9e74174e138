"""scripts/test: see --help. Its parts: steps.py runs things, report.py counts them, long.py is --long."""
import argparse
import os
import sys

import long
from report import Report
from steps import EMULATED, LOGS, acceptance, build, ctest, kernel_status, pytest, say

STEPS = ("release", "asan", "tsan", "python", "acceptance")
PYTHON_TESTS = ("python", "bench/harness", "bench/gpu", "tests/runner", "tests/python")
HELP = """\
Builds what it needs and runs every test:
  release   all tests: unit, conformance, stress, fuzz corpora, integration, lint
  asan      all of them but lint under AddressSanitizer and UndefinedBehaviorSanitizer
  tsan      tests/stress and tests/conformance under ThreadSanitizer
  python    pytest over python/, bench/harness, bench/gpu, tests/runner
  acceptance  tests/acceptance: each numbered promise, shown, not shown or skipped
Closes with one line "N passed, N failed, N skipped"; exit 1 when something failed. Logs are in out/test.
A test that cannot run here exits 77 with the reason on its last line and is listed as skipped.
examples:
  scripts/test
  scripts/test --only release -R lint
  scripts/test --long"""


def main():
    parser = argparse.ArgumentParser(prog="scripts/test", description=HELP,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=STEPS, help="this step only (can be given again)")
    parser.add_argument("-R", "--match", metavar="REGEX", help="only tests whose name matches")
    parser.add_argument("-j", "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="default: cores")
    parser.add_argument("--long", action="store_true", help="run tests/long instead, and record the outcome")
    parser.add_argument("--no-setup", action="store_true", help="do not run scripts/setup --dev --cuda first")
    options = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    report = Report()
    # The CUDA plugin is compiled and loaded wherever the tests run; without setup only where a toolkit happens to be.
    release = ("-DRIDE_CUDA=" + ("AUTO" if options.no_setup else "ON"),)
    if options.long:
        if build(report, "release", options.jobs, options=release):
            long.run(report, options.match)
        return report.close(LOGS / "results-long.json")
    steps = options.only or STEPS
    EMULATED.unlink(missing_ok=True)
    if "release" in steps and build(report, "release", options.jobs, options=release):
        ctest(report, "release", options.jobs, pattern=options.match)
    if "asan" in steps and build(report, "asan", options.jobs):
        ctest(report, "asan", options.jobs, ("unit", "conformance", "stress", "fuzz", "integration"), options.match)
    if "tsan" in steps and build(report, "tsan", options.jobs, targets=("stress_programs", "conformance_programs", "ride_cuda_emu")):
        ctest(report, "tsan", options.jobs, ("stress", "conformance"), options.match)
    if {"release", "asan"} & set(steps):
        kernel_status()
    if "python" in steps:
        pytest(report, PYTHON_TESTS, options.match)
    if "acceptance" in steps:
        acceptance(report, complete=set(STEPS) == set(steps) and not options.match)
    long.print_last()
    return report.close(LOGS / "results.json")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
