"""The tree stands alone and stays readable: no path of somebody's machine, files short enough for one sitting, scripts
that can be executed and parsed, no note to self left in the sources."""
import ast
import os
import re
import stat
import subprocess

from lintlib import TOP, finish, text_of, tracked

LINES_MAX = 600
CODE = (".c", ".h", ".cc", ".cu", ".cuh", ".py", ".sh", ".cmake")
# Homes, mounts and work folders of one machine. Written in pieces so that this file does not match itself.
MACHINE = re.compile(r"(?<![\w.~$}/-])/(?:" + "|".join(("home/" + r"\w", "root/", "work/", "Users/" + r"\w", "tmp/" + "tools",
                                                       "tmp/" + "w/", "opt/" + "wheels")) + ")")
DESIGN = re.compile("shared" + "/design|shared" + "/prototypes")
NOTE = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + r"X)\b")
findings, checked = [], 0
for path in tracked():
    name, text = str(path), text_of(path)
    checked += 1
    mode = os.stat(TOP / path).st_mode
    if text is None:
        continue
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if MACHINE.search(line):
            findings.append(f"{name}:{number}: names a path of one machine: {line.strip()[:100]}")
        if DESIGN.search(line):
            findings.append(f"{name}:{number}: names a page that is not in the tree")
        if name.endswith(CODE) and NOTE.search(line):
            findings.append(f"{name}:{number}: a note to self: do it, or file it")
    if name.endswith(CODE) and len(lines) - 1 > LINES_MAX:
        findings.append(f"{name}: {len(lines) - 1} lines, {LINES_MAX} at most: it has found a second subject")
    if name.endswith(CODE) and text and not text.endswith("\n"):
        findings.append(f"{name}: no newline at its end")
    script = text.startswith("#!") and not name.startswith("tests/fuzz/corpus/")
    if script and not mode & stat.S_IXUSR:
        findings.append(f"{name}: starts with #! but is not executable")
    if name.startswith("tests/acceptance/") and "." not in path.name and not script:
        findings.append(f"{name}: an acceptance script needs a #! line")
    if name.startswith("tests/acceptance/") and path.suffix in ("", ".sh") and not mode & stat.S_IXUSR:
        findings.append(f"{name}: not executable")
    if name.endswith(".py") or (script and "python" in lines[0]):
        try:
            ast.parse(text, name)
        except SyntaxError as error:
            findings.append(f"{name}:{error.lineno}: {error.msg}")
    elif name.endswith(".sh") or (script and "sh" in lines[0]):
        run = subprocess.run(["bash", "-n", TOP / path], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            findings.append(f"{name}: {run.stderr.strip()}")
finish(findings, checked)
