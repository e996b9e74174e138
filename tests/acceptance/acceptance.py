"""What the acceptance scripts share: numbered claims, each shown by tests of the release build or by a command of its own.

Run by scripts/test, a script finds what the tests gave in $RIDE_TEST_RESULTS and does not run them again; run by hand, it
runs them. A claim is printed as `N. shown|not shown|skipped TEXT`, with the command that repeats it."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build/release"


def long_run(name, figures=()):
    """(outcome, reason) of a script of tests/long in the last long run, which is committed; figures: (name, least)."""
    path = TOP / "tests/long/last.json"
    rows = {row["name"]: row for row in json.loads(path.read_text())["results"]} if path.exists() else {}
    if name not in rows:
        return "skipped", f"tests/long/{name}.sh is not in tests/long/last.json yet: scripts/test --long"
    row = rows[name]
    if row["outcome"] != "passed":
        return row["outcome"], f"tests/long/{name}.sh: {row['outcome']} {row['reason']}".strip()
    for figure, least in figures:
        found = row["figures"].get(figure, {}).get("value", 0)
        if found < least:
            return "failed", f"tests/long/{name}.sh on record has {figure} {found:g}, not {least:g}"
    return "passed", ""


class Claims:
    def __init__(self):
        self.failed = False
        path = os.environ.get("RIDE_TEST_RESULTS")
        self.results = json.loads(Path(path).read_text())["results"] if path else None

    def say(self, number, outcome, text):
        print(f"{number}. {outcome:<9} {text}", flush=True)
        self.failed = self.failed or outcome == "not shown"

    def tests(self, names):
        """(outcome, reason) of ctest tests by name: the worst of them."""
        if self.results is not None:
            rows = [r for r in self.results if r["suite"] == "release" and r["name"].split(" ")[0] in names]
            missing = [n for n in names if n not in {r["name"].split(" ")[0] for r in rows}]
            failed = [r for r in rows if r["outcome"] == "failed"]
            # no claim here is about hardware CUDA, whose absence is a case of its own; any other backend's absence counts
            skipped = [r for r in rows if r["outcome"] == "skipped" and not r["name"].endswith(" backend::cuda")]
            if failed or missing:
                return "failed", ", ".join([f"{r['name']}: {r['reason']}" for r in failed] + [f"{n} was not run" for n in missing])
            return ("skipped", skipped[0]["reason"]) if skipped else ("passed", "")
        pattern = "^(" + "|".join(map(re.escape, names)) + ")$"
        done = subprocess.run(["ctest", "--test-dir", BUILD, "-R", pattern, "--no-tests=error", "--output-on-failure"], cwd=TOP,
                              capture_output=True, text=True, check=False)
        skips = re.findall(r"\(Skipped\)", done.stdout)
        if done.returncode != 0:
            return "failed", next((line for line in reversed(done.stdout.splitlines()) if "Failed" in line), "ctest failed").strip()
        return ("skipped", f"{len(skips)} of its tests could not run here: {self.command(names)}") if skips else ("passed", "")

    def suites(self, names):
        """The same for whole steps of scripts/test, known only from its results."""
        if self.results is None:
            return "skipped", "scripts/test runs the " + " and ".join(names) + " builds"
        for name in names:
            rows = [r for r in self.results if r["suite"] == name]
            bad = [r["name"] for r in rows if r["outcome"] == "failed"]
            if bad or not rows:
                return "failed", f"{name}: {', '.join(bad) or 'was not run'}"
        return "passed", ""

    @staticmethod
    def command(names):
        return f"ctest --test-dir build/release -R '{'|'.join(names)}'"

    def claim(self, number, text, names, *more):
        """Shown when all of `names` and what `more` holds ((outcome, reason) pairs) passed."""
        outcomes = [self.tests(names), *more]
        for outcome, word in (("failed", "not shown"), ("skipped", "skipped")):
            for found, reason in outcomes:
                if found == outcome:
                    self.say(number, word, f"{text}: {reason}" if word == "not shown" else f"({reason}) {text}")
                    return
        self.say(number, "shown", f"{text} ({self.command(names)})")

    def close(self):
        sys.exit(1 if self.failed else 0)
