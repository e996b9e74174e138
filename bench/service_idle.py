#!/usr/bin/env python3
"""What a service costs that does nothing, on this machine: seconds from its start to ready, CPU while it waits, memory.

    scripts/python bench/service_idle.py [--starts N] [--seconds N] [--events N] [--output FILE]

HTTP alone, the card-fraud example with its model. start: from exec to the first 200 of /readyz. idle: CPU time of all threads as a share of one
core over so many seconds (and seconds of CPU that a start takes; what others used meanwhile is told, and on a busy machine seconds of the clock mean
nothing). memory: resident after the start, and at its highest once N events were scored by requests of 1,000; beside the sum of
bounds that the service says at its start ("memory at most"). Prints one JSON object; exit 1 when a bar is missed: 1 s, 1 %, 64 MiB
resident over the sum of bounds (and, idle, resident at all)."""
import argparse
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "bench" / "harness"))
import machine  # noqa: E402

RIDE = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build" / "release")) / "bin" / "ride"
EXAMPLE = TOP / "examples" / "card-fraud"
BARS = {"start_s": 1.0, "idle_cpu": 0.01, "over_budget_mib": 64, "idle_mib": 64}
LINES = 1000


class Service:
    def __init__(self, folder):
        (folder / "ride.yaml").write_text(f"spec: {folder}/features.yaml\nmodel: {TOP}/tests/golden/card-fraud/model.json\nhttp: '127.0.0.1:0'\n"
                                          "admin: '127.0.0.1:0'\nlog: {format: json}\nbackend: {name: cpu, memory: 256MiB}\n")
        self.began = time.monotonic()
        self.process = subprocess.Popen([RIDE, "run", "--config", folder / "ride.yaml", "--quiet"], stderr=subprocess.PIPE, text=True)
        self.told = {}
        while "ready" not in self.told:
            line = json.loads(self.process.stderr.readline())
            key = "ready" if line["message"] == "ready" and line["ride.part"] == "state" else line["message"]
            self.told[key] = line
        self.admin = self.told["metrics and health"]["ride.listen"]
        self.http = self.told["HTTP scores"]["ride.listen"]
        while self.ask("/readyz") != 200:
            time.sleep(0.001)
        self.start_s = time.monotonic() - self.began
        self.start_cpu_s = self.cpu_s()

    def ask(self, path):
        connection = http.client.HTTPConnection(self.admin)
        connection.request("GET", path)
        return connection.getresponse().status

    def status(self, name):
        return int(re.search(rf"^{name}:\s*(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text(), re.M).group(1)) * 1024

    def cpu_s(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def score(self, lines):
        connection = http.client.HTTPConnection(self.http)
        for first in range(0, len(lines), LINES):
            connection.request("POST", "/v1/score", "".join(lines[first:first + LINES]), {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait()
        assert code == 0, f"exit {code}"


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--starts", type=int, default=10)
    words.add_argument("--seconds", type=float, default=20)
    words.add_argument("--events", type=int, default=100000)
    words.add_argument("--output", type=Path)
    options = words.parse_args()
    told = {"command": "scripts/python " + " ".join(sys.argv), "machine": machine.describe(), "commit": machine.revision(TOP)[0]}
    mib = 1 << 20
    with tempfile.TemporaryDirectory(prefix="ride-bench-") as name:
        folder = Path(name)
        (folder / "features.yaml").write_text((EXAMPLE / "features.yaml").read_text().replace("format: csv", "format: json"))
        subprocess.run([RIDE, "generate", "--events", str(options.events), "--output", folder / "events.ndjson", "--format", "ndjson"], check=True, stderr=subprocess.DEVNULL)
        lines = (folder / "events.ndjson").read_text().splitlines(keepends=True)
        starts, start_cpu = [], []
        before, began = machine.parse_stat(machine.read("/proc/stat")), time.monotonic()
        for _ in range(options.starts):
            service = Service(folder)
            starts.append(round(service.start_s, 4))
            start_cpu.append(service.start_cpu_s)
            service.end()
        after = machine.parse_stat(machine.read("/proc/stat"))
        others = machine.other_load(before, after, time.monotonic() - began, 2 * sum(start_cpu), None, os.sysconf("SC_CLK_TCK"))
        service = Service(folder)
        time.sleep(1)
        cpu, at = service.cpu_s(), time.monotonic()
        time.sleep(options.seconds)
        idle = (service.cpu_s() - cpu) / (time.monotonic() - at)
        resident = service.status("VmRSS")
        service.score(lines)
        highest = service.status("VmHWM")
        budget = service.told["memory at most"]["ride.bytes"]
        service.end()
    told["start_s"] = {"median": statistics.median(starts), "all": starts, "cpu": statistics.median(start_cpu), "others_cores": others["all"]}
    told["idle_cpu"] = round(idle, 5)
    told["memory_mib"] = {"idle": round(resident / mib, 1), "events": len(lines), "highest": round(highest / mib, 1), "bounds": round(budget / mib, 1),
                          "over_bounds": round(max(0, highest - budget) / mib, 1)}
    told["missed"] = [bar for bar, value in (("start_s", statistics.median(starts)), ("idle_cpu", idle), ("over_budget_mib", told["memory_mib"]["over_bounds"]),
                                             ("idle_mib", told["memory_mib"]["idle"])) if value >= BARS[bar]]
    print(json.dumps(told, indent=1))
    if options.output:
        options.output.write_text(json.dumps(told, indent=1) + "\n")
    return 1 if told["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
