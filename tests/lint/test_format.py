"""Every tracked C and C++ file is formatted as .clang-format says (clang-format 14: other versions differ in detail)."""
import shutil
import subprocess

from lintlib import TOP, finish, skip, tracked

tool = shutil.which("clang-format-14")
if tool is None:
    skip("clang-format-14 is missing: scripts/setup --dev")
files = [p for p in tracked(".c", ".h", ".cc", ".cu", ".cuh") if not str(p).startswith("bench/peers/")]
findings = []
for start in range(0, len(files), 50):
    run = subprocess.run([tool, "--dry-run", "-Werror", *map(str, files[start:start + 50])], cwd=TOP,
                         capture_output=True, text=True, check=False)
    wrong = sorted({line.split(":")[0] for line in run.stderr.splitlines() if "[-Wclang-format-violations]" in line})
    findings += [f"{name}: not formatted: clang-format-14 -i {name}" for name in wrong]
    if run.returncode != 0 and not wrong:
        findings.append(run.stderr.strip())
finish(findings, len(files))
