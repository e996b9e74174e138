"""scripts/test --long: runs tests/long/*.sh, what is too long for every day, and keeps the outcome of each in
tests/long/last.json, which is committed. A script exits 0, 77 (skipped, reason on the last line) or anything else
(failed); each line `figure: NAME VALUE [UNIT]` that it prints is kept as a figure. With -R those that match are run, and
the others keep their rows: each says its commit and date."""
import datetime
import json
import os
import re
import subprocess

from report import add_program
from steps import LOGS, TOP, run_logged, say, tail

LAST = TOP / "tests" / "long" / "last.json"
FIGURE = re.compile(r"^figure: (\S+) ([-+0-9.eE]+)(?: (\S+))?\s*$", re.M)


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=TOP, capture_output=True, text=True, check=False).stdout.strip()


def machine():
    model = re.search(r"model name\s*:\s*(.+)", open("/proc/cpuinfo", encoding="utf-8").read())
    return f"{model.group(1) if model else os.uname().machine}, {os.cpu_count()} cores"


def rows_kept():
    """The rows on record, by name."""
    return {row["name"]: row for row in json.loads(LAST.read_text())["results"]} if LAST.exists() else {}


def keep(row):
    """Puts a row in the place of the one of before; those of scripts that are gone go."""
    rows = dict(rows_kept(), **{row["name"]: row})
    there = {script.stem for script in (TOP / "tests" / "long").glob("*.sh")}
    LAST.write_text(json.dumps({"results": [rows[name] for name in sorted(rows) if name in there]}, indent=1) + "\n")


def run(report, pattern=None):
    """Runs the scripts (those whose name matches) and keeps the outcome of each as soon as it is there."""
    chosen = [s for s in sorted((TOP / "tests" / "long").glob("*.sh")) if not pattern or re.search(pattern, s.stem)]
    env = dict(os.environ, RIDE_SOURCE_DIR=str(TOP), RIDE_BUILD_DIR=str(TOP / "build/release"),
               RIDE_BIN=str(TOP / "build/release/bin/ride"))
    commit, dirty = git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "-uno", "--", ":!tests/long/last.json"))
    for script in chosen:
        say(f"== long {script.stem}")
        log = LOGS / f"long-{script.stem}.log"
        code, seconds = run_logged(["bash", script], log, env, lambda line: say("   " + line.rstrip()))
        outcome = {0: "passed", 77: "skipped"}.get(code, "failed")
        text = log.read_text(errors="replace")
        body = re.sub(r"\A\$ .*\n|\[exit \d+\]\n\Z", "", text)
        added = add_program(report, "long", script.stem, outcome, seconds, body)
        if outcome == "failed":
            say(tail(log))
        figures = {name: {"value": float(value), "unit": unit} for name, value, unit in FIGURE.findall(text)}
        keep({"name": script.stem, "outcome": outcome, "reason": added[0].reason, "seconds": round(seconds, 1), "figures": figures,
              "commit": commit, "dirty": dirty, "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
              "machine": machine()})
    say(f"   {LAST.relative_to(TOP)} has the outcome: commit it" if chosen else "   no long test has that name")


def print_last():
    """Prints what the last long runs gave, and how old each is."""
    say("== last long runs (scripts/test --long)")
    rows = rows_kept()
    if not rows:
        say("   none is on record")
    for row in rows.values():
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(row["date"])
        behind = git("rev-list", "--count", f"{row['commit']}..HEAD") or "unknown"
        figures = ", ".join(f"{k} {v['value']:g}{' ' + v['unit'] if v['unit'] else ''}" for k, v in row["figures"].items())
        reason = f" ({row['reason']})" if row["reason"] else ""
        dirty = ", with uncommitted changes" if row["dirty"] else ""
        say(f"   {row['name']:<24} {row['outcome']}{reason}, {row['seconds']:.0f} s, {age.days} days ago, {behind} commits behind{dirty}"
            f"{'; ' + figures if figures else ''}")
