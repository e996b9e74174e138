"""What the lint scripts share: the files under version control and the way findings are told."""
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2]).resolve()
SKIP = 77


def tracked(*endings):
    """Files of the tree that git tracks or would add, as paths relative to TOP; those with the endings when given."""
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP,
                             capture_output=True, check=False)
    if listing.returncode != 0:
        skip("not a git checkout, or git is missing")
    names = sorted(set(os.fsdecode(name) for name in listing.stdout.split(b"\0") if name))
    return [Path(n) for n in names if (not endings or n.endswith(endings)) and (TOP / n).is_file()]


def text_of(path):
    """The file's text, or None when it is not text."""
    data = (TOP / path).read_bytes()
    if b"\0" in data[:8192]:
        return None
    return data.decode("utf-8", errors="replace")


def skip(reason):
    print(reason)
    sys.exit(SKIP)


def finish(findings, checked):
    """Prints findings ("file:line: what") and exits 1 when there is one, or when nothing was there to check."""
    for finding in findings:
        print(finding)
    if checked == 0:
        print("nothing was checked")
    print(f"{checked} checked, {len(findings)} findings")
    sys.exit(1 if findings or checked == 0 else 0)
