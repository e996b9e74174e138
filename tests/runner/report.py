"""What came of each test, in one list: the runner's steps add to it, the closing line counts it.

A result is (suite, name, outcome, reason, seconds, output); outcome is "passed", "failed" or "skipped". A program of test
cases (Criterion, or tests/support/check.h, which closes with the same line) counts as its cases, everything else as one.
"""
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field

COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
SYNTHESIS = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)")
CASE_SKIP = re.compile(r"^\[SKIP\]\s*(\w+::\w+)(?::[ \t]*(.*))?$", re.M)


@dataclass
class Result:
    suite: str
    name: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    cases: int = 1
    output: str = field(default="", repr=False)


class Report:
    def __init__(self):
        self.results = []
        self.started = time.monotonic()

    def add(self, *args, **kwargs):
        result = Result(*args, **kwargs)
        self.results.append(result)
        return result

    def count(self, outcome):
        return sum(r.cases for r in self.results if r.outcome == outcome)

    def save(self, path):
        """Writes the list so far as JSON; returns the path."""
        with open(path, "w", encoding="utf-8") as file:
            rows = [{k: v for k, v in asdict(r).items() if k != "output"} for r in self.results]
            json.dump({"seconds": round(time.monotonic() - self.started, 1), "results": rows}, file, indent=1)
            file.write("\n")
        return path

    def close(self, path):
        """Writes the list as JSON, prints skips, failures and the closing line; returns the exit code."""
        skipped = [r for r in self.results if r.outcome == "skipped"]
        failed = [r for r in self.results if r.outcome == "failed"]
        seconds = time.monotonic() - self.started
        self.save(path)
        if skipped:
            print("\nSkipped:")
            for r in skipped:
                print(f"  {r.suite} {r.name}: {r.reason or 'no reason given'}")
        if failed:
            print("\nFailed:")
            for r in failed:
                print(f"  {r.suite} {r.name}: {r.reason}")
        print(f"\nAll of it took {seconds / 60:.1f} min; results in {path.name}, logs beside it: {path.parent}")
        nothing = self.count("passed") == 0 and not failed
        if nothing:
            print("no test was run")
        print(f"{self.count('passed')} passed, {self.count('failed')} failed, {self.count('skipped')} skipped")
        sys.stdout.flush()
        return 1 if failed or nothing else 0


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def add_program(report, suite, name, outcome, seconds, output):
    """Adds what one test program said. A program of cases (known by its synthesis line) is counted by them; one that
    found no case has proved nothing and fails."""
    output = COLOURS.sub("", output)
    synthesis = SYNTHESIS.search(output)
    if synthesis is None or outcome == "skipped":
        reason = "" if outcome == "passed" else last_line(output)
        return [report.add(suite, name, outcome, reason, seconds, 1, output)]
    tested, passing, failing, crashing = map(int, synthesis.groups())
    added = []
    skips = CASE_SKIP.findall(output)
    for case, reason in skips:
        added.append(report.add(suite, f"{name} {case}", "skipped", reason))
    if tested == 0 and not skips:
        added.append(report.add(suite, name, "failed", "no test case in this program", seconds, 1, output))
    elif failing or crashing or outcome == "failed":
        text = f"{failing} failing, {crashing} crashing of {tested}" if failing or crashing else last_line(output)
        added.append(report.add(suite, name, "failed", text, seconds, max(1, failing + crashing), output))
        if passing:
            added.append(report.add(suite, f"{name} (others)", "passed", "", 0.0, passing))
    else:
        added.append(report.add(suite, name, "passed", "", seconds, max(1, passing), output))
    return added
