"""The runner's step `acceptance`: its scripts run side by side where nothing else is left to run, and are told in their order."""
import steps
from report import Report

SCRIPT = """#!/bin/sh
touch {own}
for i in $(seq {tries}); do [ -e {other} ] && break; sleep 0.05; done
[ -e {other} ] && echo '1. shown     {name} saw the other' || echo '1. not shown {name} was alone'
echo '2. skipped   (because) {name}'
"""


def outcomes(folder, monkeypatch, capsys, complete, tries):
    (folder / "tests/acceptance").mkdir(parents=True)
    (folder / "tests/acceptance/shared.py").write_text("# no claims of its own")
    for name, other in (("one", "two"), ("two", "one")):
        script = folder / "tests/acceptance" / name
        script.write_text(SCRIPT.format(own=folder / name, other=folder / other, name=name, tries=tries))
        script.chmod(0o755)
    monkeypatch.setattr(steps, "TOP", folder)
    monkeypatch.setattr(steps, "LOGS", folder)
    report = Report()
    steps.acceptance(report, complete)
    said = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("   ")]
    return [(r.name, r.outcome) for r in report.results], said


def test_side_by_side_after_all_tests(tmp_path, monkeypatch, capsys):
    found, said = outcomes(tmp_path, monkeypatch, capsys, True, 400)
    assert found == [("one 1", "passed"), ("one 2", "skipped"), ("two 1", "passed"), ("two 2", "skipped")]
    assert said == ["1. shown     one saw the other", "2. skipped   (because) one", "1. shown     two saw the other", "2. skipped   (because) two"]


def test_one_after_the_other_when_they_run_tests_themselves(tmp_path, monkeypatch, capsys):
    found, _ = outcomes(tmp_path, monkeypatch, capsys, False, 4)
    assert found == [("one 1", "failed"), ("one 2", "skipped"), ("two 1", "passed"), ("two 2", "skipped")]
