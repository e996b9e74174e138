"""tests/golden/bundles is what `ride compile`, the engine and the golden tables give today, byte for byte."""
# ride-test: release-only (the same bytes from every build; the conformance suite reads them in all)
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
BUNDLES = TOP / "tests/golden/bundles"

for needed in (BUILD / "bin/ride", BUILD / "record/libride_cuda.so"):
    if not needed.exists():
        print(f"{needed.name} is not built")
        sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, BUNDLES / "make.py", folder], check=True, env=dict(os.environ, RIDE_BUILD_DIR=str(BUILD)))
    names = sorted(path.name for path in Path(folder).iterdir())
    stale = [name for name in names if not (BUNDLES / name).exists() or (Path(folder) / name).read_bytes() != (BUNDLES / name).read_bytes()]
committed = sorted(path.name for path in BUNDLES.iterdir() if path.suffix in (".bundle", ".rows", ".expected"))
print(f"{len(names)} files made, {len(stale)} of them other than in the tree {stale or ''}")
if stale or names != committed or not names:
    print("scripts/python tests/golden/bundles/make.py makes them anew; say in the commit why they changed")
    sys.exit(1)
