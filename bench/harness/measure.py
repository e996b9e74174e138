"""Runs the cases of a comparison: first once each, to see that they give the same result; then in rounds A B A B, pinned."""
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from pathlib import Path

import machine


class Refused(Exception):
    """The comparison cannot be made; the text says why."""


def parse_cores(text):
    """"none", "last", "3" or "0-1,4" as a sorted list of cores (empty: not pinned)."""
    usable = sorted(os.sched_getaffinity(0))
    if text == "none":
        return []
    if text == "last":
        return usable[-1:]
    cores = set()
    for part in text.split(","):
        low, _, high = part.partition("-")
        cores.update(range(int(low), int(high or low) + 1))
    if not cores or not cores <= set(usable):
        raise Refused(f"cores {text}: usable here are {usable}")
    return sorted(cores)


def parse_metric(spec, text):
    """A figure out of a program's output. spec is a regular expression whose first group is the number (last match
    counts) or json:PATH into output that is one JSON document."""
    if spec.startswith("json:"):
        value = json.loads(text)
        for key in spec[5:].split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
        return float(value)
    found = re.findall(spec, text, re.M)
    if not found:
        raise Refused(f"no {spec!r} in the output:\n{text[-800:]}")
    value = found[-1]
    return float((value[0] if isinstance(value, tuple) else value).replace(",", ""))


class Case:
    """One command. {out} in it is a file of the case's own, {out:NAME} the file of another case."""

    def __init__(self, name, command, scratch):
        self.name, self.command, self.scratch = name, command, Path(scratch)
        self.out = self.scratch / f"{name}.out"

    def line(self, command=None):
        text = (command or self.command).replace("{out}", shlex.quote(str(self.out)))
        return re.sub(r"\{out:([\w.-]+)\}", lambda m: shlex.quote(str(self.scratch / f"{m.group(1)}.out")), text)

    def run(self, cores, timeout_s):
        """Runs it once; returns what was measured and its output. A failing command ends the comparison."""
        self.out.unlink(missing_ok=True)
        ticks = os.sysconf("SC_CLK_TCK")
        log = self.scratch / f"{self.name}.log"

        def pin():
            if cores:
                os.sched_setaffinity(0, cores)

        with open(log, "wb") as file:
            before = machine.parse_stat(machine.read("/proc/stat"))
            started = time.monotonic()
            with subprocess.Popen(["bash", "-c", self.line()], stdin=subprocess.DEVNULL, stdout=file,
                                  stderr=subprocess.STDOUT, preexec_fn=pin, start_new_session=True) as child:
                killer = threading.Timer(timeout_s, os.killpg, (child.pid, signal.SIGKILL))
                killer.start()
                _, status, usage = os.wait4(child.pid, 0)  # this child's usage, and no polling that would blur the time
                killer.cancel()
                child.returncode = os.waitstatus_to_exitcode(status)
            elapsed = time.monotonic() - started
            after = machine.parse_stat(machine.read("/proc/stat"))
        text = log.read_text(errors="replace")
        if elapsed >= timeout_s and child.returncode == -signal.SIGKILL:
            raise Refused(f"{self.name}: not finished within {timeout_s} s")
        if child.returncode != 0:
            raise Refused(f"{self.name}: exit {child.returncode}\n{text[-2000:]}")
        own = usage.ru_utime + usage.ru_stime
        return {"case": self.name, "seconds": round(elapsed, 6), "user_s": round(usage.ru_utime, 4),
                "system_s": round(usage.ru_stime, 4), "max_rss_kib": usage.ru_maxrss,
                "other_load": machine.other_load(before, after, elapsed, own, cores, ticks)}, text


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def result_of(case, text, equal):
    """What must be the same in every case: a hash, or a text that the programs print."""
    if equal == "out":
        if not case.out.exists():
            raise Refused(f"{case.name}: wrote no {{out}} file: {case.line()}")
        return sha256(case.out)
    if equal == "stdout":
        return hashlib.sha256(text.encode()).hexdigest()
    if equal.startswith("text:"):
        found = re.findall(equal[5:], text, re.M)
        if not found:
            raise Refused(f"{case.name}: no {equal[5:]!r} in its output:\n{text[-800:]}")
        return str(found[-1])
    return None


def measure(cases, metrics, equal, check, rounds, warmup, cores, other_max, timeout_s, say):
    """The comparison itself: returns (equality record, runs). `equal` is out, stdout, text:REGEX or none:REASON; `check` a
    command that must exit 0 after every case ran once, or None."""
    results = {}
    for case in cases:  # first of all: is it the same work?
        _, text = case.run(cores, timeout_s)
        results[case.name] = result_of(case, text, equal)
    if not equal.startswith("none:") and len(set(results.values())) != 1:
        raise Refused("results differ, so the figures would not be of the same work:\n" +
                      "\n".join(f"  {name}: {value}" for name, value in results.items()))
    if check is not None:
        run = subprocess.run(["bash", "-c", cases[0].line(check)], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise Refused(f"results differ: {check}\n{(run.stdout + run.stderr)[-2000:]}")
    say("results are equal" if not equal.startswith("none:") or check else f"results not compared: {equal[5:]}")
    runs, repeated = [], 0
    for number in range(-warmup, rounds):
        order = [cases[(number + i) % len(cases)] for i in range(len(cases))]  # nobody is always first
        while True:
            this_round = []
            for position, case in enumerate(order):
                row, text = case.run(cores, timeout_s)
                if equal.startswith("text:") and result_of(case, text, equal) != results[case.name]:
                    raise Refused(f"{case.name}: another result in round {number}")
                row.update(round=number, position=position,
                           metrics={name: parse_metric(spec, text) for name, spec in metrics.items()})
                this_round.append(row)
            busiest = max(row["other_load"]["pinned" if cores else "all"] for row in this_round)
            if other_max is None or busiest <= other_max or repeated >= rounds:
                break
            repeated += 1
            say(f"round {number} again: {busiest:.2f} cores busy with other work")
        if number >= 0:
            runs += this_round
            say(f"round {number + 1}/{rounds}: " + "  ".join(f"{r['case']} {r['seconds']:.4f} s" for r in
                                                             sorted(this_round, key=lambda r: r["case"])))
    return {"by": equal, "check": check, "results": results, "rounds_repeated": repeated}, runs
