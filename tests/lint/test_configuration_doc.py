"""docs/CONFIGURATION.md is what `ride config reference` prints: the option table is the one source."""
import difflib
import os
import subprocess
from pathlib import Path

from lintlib import TOP, finish, skip

ride, page = Path(os.environ.get("RIDE_BIN", TOP / "build/release/bin/ride")), TOP / "docs/CONFIGURATION.md"
if not page.exists():
    skip("docs/CONFIGURATION.md is not written yet (ride config reference > docs/CONFIGURATION.md)")
if not ride.exists():
    skip(f"{ride.name} is not built in this configuration")
run = subprocess.run([ride, "config", "reference"], capture_output=True, text=True, check=False)
if run.returncode != 0:
    finish([f"ride config reference: exit {run.returncode}: {run.stderr.strip()}"], 1)
difference = list(difflib.unified_diff(page.read_text().splitlines(), run.stdout.splitlines(), "docs/CONFIGURATION.md",
                                       "ride config reference", lineterm="", n=1))
finish(difference, len(run.stdout.splitlines()))
