"""docs/errors.md is complete: every status of host/base/status.h with its text and exit code, every reason of io/decoder.h."""
import re

from lintlib import TOP, finish

LINE = r"^ *X\(([A-Z0-9_]+), \"([^\"]+)\", (.+?)\) *\\?$"


def rows(page, title, columns):
    """Cells of the tables under a heading that have that many columns, without their head."""
    part = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", page, re.M | re.S)
    cells = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in (part.group(1) if part else "").splitlines() if line.startswith("|")]
    return [[c.strip() for c in row] for row in cells if len(row) == columns and not set("".join(row)) <= {"-"}]


def compare(told, known, what, findings):
    for name in sorted(known.keys() - told.keys()):
        findings.append(f"docs/errors.md: {what} {name} is missing")
    for name in sorted(told.keys() - known.keys()):
        findings.append(f"docs/errors.md: there is no {what} {name}")
    findings += [f"docs/errors.md: {what} {name} is {told[name]!r}, the header says {known[name]!r}"
                 for name in sorted(told.keys() & known.keys()) if told[name] != known[name]]


page = (TOP / "docs/errors.md").read_text()
statuses = re.findall(LINE, (TOP / "host/base/status.h").read_text().replace("\t", " "), re.M)
reasons = re.findall(LINE, (TOP / "io/decoder.h").read_text(), re.M)
findings = []
if len(statuses) < 15 or len(reasons) < 20:
    findings.append(f"only {len(statuses)} statuses and {len(reasons)} reasons were found: the lists have another shape now")
compare({row[0].strip("`"): row[1] for row in rows(page, "Names", 4)[1:]}, {name: text for name, text, _ in statuses}, "status", findings)
compare({name: int(row[0]) for row in rows(page, "Exit codes", 4)[1:] for name in re.findall(r"`([A-Z_]+)`", row[1])},
        {name: int(rest.split(",")[1]) for name, _, rest in statuses}, "exit code of", findings)
compare({row[0].strip("`"): "" for row in rows(page, "Dead letters", 3)[1:]}, {word: "" for _, word, _ in reasons}, "reason", findings)
retryable = sorted({int(rest.split(",")[1]) for _, _, rest in statuses if rest.split(",")[0] == "true"} - {0})
sentence = re.search(r"After ([\d, and]+) the same command may succeed", page)
if not sentence or sorted(map(int, re.findall(r"\d+", sentence.group(1)))) != retryable:
    findings.append(f"docs/errors.md: the exit codes after which a command may succeed later are {retryable}")
finish(findings, len(statuses) + len(reasons))
