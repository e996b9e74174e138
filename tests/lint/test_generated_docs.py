"""What is generated is what its generator writes: docs/CONFIGURATION.md is `ride config reference`, docs/metrics.md `ride metrics reference`,
deploy/grafana/ride.json what make_dashboard.py makes of its table of panels."""
import difflib
import os
import subprocess
import sys
from pathlib import Path

from lintlib import TOP, finish, skip

ride = Path(os.environ.get("RIDE_BIN", TOP / "build/release/bin/ride"))
PAGES = {"docs/CONFIGURATION.md": (ride, "config", "reference"), "docs/metrics.md": (ride, "metrics", "reference"),
         "deploy/grafana/ride.json": (sys.executable, TOP / "deploy/grafana/make_dashboard.py")}
if not ride.exists():
    skip(f"{ride.name} is not built in this configuration")
findings, checked = [], 0
for page, command in PAGES.items():
    told = " ".join(Path(word).name for word in command)
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        findings.append(f"{told}: exit {run.returncode}: {run.stderr.strip()}")
        continue
    lines = run.stdout.splitlines()
    findings += difflib.unified_diff((TOP / page).read_text().splitlines(), lines, page, told, lineterm="", n=1)
    checked += len(lines)
finish(findings, checked)
