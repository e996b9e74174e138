"""The pages that the program prints: docs/CONFIGURATION.md is `ride config reference`, docs/metrics.md `ride metrics reference`. The
tables in the program are the one source."""
import difflib
import os
import subprocess
from pathlib import Path

from lintlib import TOP, finish, skip

PAGES = {"docs/CONFIGURATION.md": ("config", "reference"), "docs/metrics.md": ("metrics", "reference")}
ride = Path(os.environ.get("RIDE_BIN", TOP / "build/release/bin/ride"))
if not ride.exists():
    skip(f"{ride.name} is not built in this configuration")
findings, checked = [], 0
for page, words in PAGES.items():
    told = "ride " + " ".join(words)
    run = subprocess.run([ride, *words], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        findings.append(f"{told}: exit {run.returncode}: {run.stderr.strip()}")
        continue
    lines = run.stdout.splitlines()
    findings += difflib.unified_diff((TOP / page).read_text().splitlines(), lines, page, told, lineterm="", n=1)
    checked += len(lines)
finish(findings, checked)
