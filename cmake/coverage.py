"""Line coverage per folder from gcov's JSON: coverage.py BUILD SOURCE. Nothing but gcov is needed."""
import collections
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main():
    build, source = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    notes = sorted(str(p) for p in build.rglob("*.gcda"))
    if not notes:
        sys.exit("coverage: no .gcda file: run the tests of a coverage build first")
    lines = collections.defaultdict(dict)  # file -> line -> runs
    with tempfile.TemporaryDirectory() as scratch:
        for start in range(0, len(notes), 200):
            subprocess.run(["gcov", "--json-format", "--hash-filenames", *notes[start:start + 200]],
                           cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        for path in Path(scratch).glob("*.gcov.json.gz"):
            with gzip.open(path) as file:
                data = json.load(file)
            for unit in data["files"]:
                name = Path(os.path.normpath(os.path.join(data["current_working_directory"], unit["file"])))
                if not name.is_relative_to(source) or name.is_relative_to(build):
                    continue
                seen = lines[name.relative_to(source)]
                for line in unit["lines"]:
                    seen[line["line_number"]] = seen.get(line["line_number"], 0) + line["count"]
    folders = collections.defaultdict(lambda: [0, 0])
    for name, seen in lines.items():
        if name.parts[0] in ("tests", "bench"):
            continue
        hit = sum(1 for runs in seen.values() if runs)
        for key in (str(name), str(name.parent), "all"):
            folders[key][0] += hit
            folders[key][1] += len(seen)
    for key in sorted(folders, key=lambda k: (k == "all", k)):
        hit, total = folders[key]
        if total:
            print(f"{100 * hit / total:6.1f} %  {hit:>6} of {total:>6} lines  {key}")


if __name__ == "__main__":
    main()
