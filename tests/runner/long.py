"""scripts/test --long: runs tests/long/*.sh, what is too long for every day, and keeps the outcome in
tests/long/last.json, which is committed. A script exits 0, 77 (skipped, reason on the last line) or anything else
(failed); each line `figure: NAME VALUE [UNIT]` that it prints is kept as a figure."""
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


def run(report, pattern=None):
    """Runs the scripts (those whose name matches) and writes last.json when all were run."""
    scripts = sorted((TOP / "tests" / "long").glob("*.sh"))
    chosen = [s for s in scripts if not pattern or re.search(pattern, s.stem)]
    rows = []
    env = dict(os.environ, RIDE_SOURCE_DIR=str(TOP), RIDE_BUILD_DIR=str(TOP / "build/release"),
               RIDE_BIN=str(TOP / "build/release/bin/ride"))
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
        rows.append({"name": script.stem, "outcome": outcome, "reason": added[0].reason,
                     "seconds": round(seconds, 1), "figures": figures})
    if chosen != scripts or not scripts:
        say("   last.json is left as it is: " + ("not all scripts were run" if scripts else "there is no long test"))
        return
    LAST.write_text(json.dumps({
        "commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "-uno")),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": machine(), "results": rows}, indent=1) + "\n")
    say(f"   wrote {LAST.relative_to(TOP)}: commit it")


def print_last():
    """Prints what the last long run gave, and how old it is."""
    say("== last long run (scripts/test --long)")
    if not LAST.exists():
        say("   none is on record")
        return
    last = json.loads(LAST.read_text())
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(last["date"])
    behind = git("rev-list", "--count", f"{last['commit']}..HEAD") or "unknown"
    dirty = ", with uncommitted changes" if last["dirty"] else ""
    say(f"   {last['date']} ({age.days} days ago, {behind} commits behind{dirty}) on {last['machine']}")
    for row in last["results"]:
        figures = ", ".join(f"{k} {v['value']:g}{' ' + v['unit'] if v['unit'] else ''}" for k, v in row["figures"].items())
        reason = f" ({row['reason']})" if row["reason"] else ""
        say(f"   {row['name']:<24} {row['outcome']}{reason}, {row['seconds']:.0f} s{'; ' + figures if figures else ''}")
