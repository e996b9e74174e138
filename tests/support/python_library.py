"""libride for tests of the Python package: the build's own, unless the test runs over an installed wheel (RIDE_WHEEL_TEST). Ends the test (77) where there is none that a plain
Python can load, or no NumPy."""
import os
import re
import sys
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build/release"))
LIBRARY = BUILD / "lib/libride.so.0"

if not os.environ.get("RIDE_WHEEL_TEST"):  # set by tests/integration/test_wheel.py
    if not LIBRARY.exists() or re.search(r"^RIDE_SANITIZE:STRING=.+", (BUILD / "CMakeCache.txt").read_text(), re.M):
        print(f"no {LIBRARY} that a plain Python can load")
        sys.exit(77)
    os.environ["RIDE_LIBRARY"] = str(LIBRARY)
try:
    import numpy  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing} (scripts/setup)")
    sys.exit(77)
