"""The counting of scripts/test: what is passed, failed and skipped, and that nothing at all is a failure."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from report import Report, add_program  # noqa: E402
from steps import PROGRESS  # noqa: E402

GREEN = "\x1b[1;34m====\x1b[0m] \x1b[0;1mSynthesis: Tested: \x1b[1;34m{}\x1b[0m | Passing: {} | Failing: {} | Crashing: {} \x1b[0m\n"


def outcomes(report):
    return {o: report.count(o) for o in ("passed", "failed", "skipped")}


def test_criterion_programs_count_their_cases():
    report = Report()
    add_program(report, "release", "unit/a", "passed", 0.1, GREEN.format(7, 7, 0, 0))
    assert outcomes(report) == {"passed": 7, "failed": 0, "skipped": 0}
    add_program(report, "release", "unit/b", "failed", 0.1, GREEN.format(5, 2, 1, 2))
    assert outcomes(report) == {"passed": 9, "failed": 3, "skipped": 0}
    assert [r.reason for r in report.results if r.outcome == "failed"] == ["1 failing, 2 crashing of 5"]


def test_a_criterion_program_that_dies_after_its_cases_fails():
    report = Report()
    add_program(report, "asan", "unit/a", "failed", 0.1, GREEN.format(2, 2, 0, 0) + "double free\n")
    assert report.count("failed") == 1


def test_a_program_without_cases_fails():
    report = Report()
    add_program(report, "release", "unit/none", "passed", 0.1, GREEN.format(0, 0, 0, 0))
    assert outcomes(report) == {"passed": 0, "failed": 1, "skipped": 0}


def test_criterion_skips_carry_their_reason():
    report = Report()
    add_program(report, "release", "unit/a", "passed", 0.1, "[SKIP] suite::case: no shared data\n" + GREEN.format(1, 1, 0, 0))
    assert outcomes(report) == {"passed": 1, "failed": 0, "skipped": 1}
    assert report.results[0].reason == "no shared data"


def test_scripts_count_once_and_skip_with_their_last_line():
    report = Report()
    add_program(report, "release", "integration/a", "passed", 1, "fine\n")
    add_program(report, "release", "integration/b", "skipped", 1, "looked\nno shared data (RIDE_SHARED_DIR)\n\n")
    add_program(report, "release", "integration/c", "failed", 1, "row 3 differs\n")
    assert outcomes(report) == {"passed": 1, "failed": 1, "skipped": 1}
    assert [r.reason for r in report.results] == ["", "no shared data (RIDE_SHARED_DIR)", "row 3 differs"]


def test_closing_line_and_exit_code(tmp_path, capsys):
    report = Report()
    add_program(report, "release", "a", "passed", 1, "")
    add_program(report, "release", "b", "skipped", 1, "why not\n")
    assert report.close(tmp_path / "results.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 passed, 0 failed, 1 skipped"
    assert "  release b: why not" in lines
    assert len(json.loads((tmp_path / "results.json").read_text())["results"]) == 2
    add_program(report, "release", "c", "failed", 1, "broken\n")
    assert report.close(tmp_path / "results.json") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed, 1 skipped"


def test_running_nothing_is_a_failure(tmp_path, capsys):
    assert Report().close(tmp_path / "results.json") == 1
    assert "no test was run" in capsys.readouterr().out


def test_progress_lines_of_ctest_are_understood():
    for line, outcome in (("  1/12 Test  #3: unit/ring_test ...............   Passed    0.22 sec", "Passed"),
                          (" 2/12 Test #10: unit/a ......................***Failed    1.20 sec", "***Failed"),
                          ("12/12 Test #1: integration/x ................***Skipped   0.01 sec", "***Skipped")):
        match = PROGRESS.match(line)
        assert match and match.group(4).lstrip(".").strip() == outcome
