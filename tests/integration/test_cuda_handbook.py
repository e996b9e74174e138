#!/usr/bin/env python3
"""ride-test: timeout=1800 (under sanitizers the emulator takes minutes)
The handbook's features on the emulated CUDA backend: the published values of all 67,001 public rows, and the CPU's bytes in every row up
to the last of them. `--all` (tests/long/cuda_handbook.sh): all 1.75 million rows."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "reference"))
import handbook  # noqa: E402
from check import features_run, ride, shared_data, skip  # noqa: E402

SPEC = TOP / "examples/handbook/features.yaml"


def main():
    ride()
    build = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build/release"))
    plugin = build / "emu/libride_cuda.so"
    if not plugin.exists():
        skip(f"{plugin} is not built")
    if shutil.which("zstd") is None:
        skip("zstd is missing: scripts/setup")
    data, published = shared_data("handbook-transactions.csv.zst"), shared_data("handbook-features-public.csv.gz")
    wanted = handbook.ROWS if "--all" in sys.argv else handbook.ROWS_UP_TO_PUBLISHED
    if "asan" in build.name or "tsan" in build.name:
        wanted = 20000
    with tempfile.TemporaryDirectory() as scratch:
        part, cpu, cuda = (Path(scratch, name) for name in ("part.csv", "cpu.csv", "cuda.csv"))
        with subprocess.Popen(["zstd", "-dc", data], stdout=subprocess.PIPE) as whole, open(part, "wb") as out:
            for number, line in enumerate(whole.stdout):
                if number > wanted:
                    break
                out.write(line)
            whole.kill()
        features_run(SPEC, [part], cpu, "--backend", "cpu", "--quiet")
        features_run(SPEC, [part], cuda, "--backend", "cuda", "--backend-path", plugin, "--quiet")
        if cpu.read_bytes() != cuda.read_bytes():
            print("the CPU's bytes and the emulated CUDA backend's differ")
            return 1
        if wanted < handbook.ROWS_UP_TO_PUBLISHED:
            print(f"{wanted} rows: the emulated CUDA backend's bytes are the CPU's")
            return 0
        rows, published_rows, wrong = handbook.differences(published, cuda)
    for line in wrong[:20]:
        print(line)
    print(f"{rows} rows with the CPU's bytes, {published_rows} published rows compared, {len(wrong)} differences")
    return 1 if wrong or (published_rows, rows) != (handbook.ROWS_PUBLISHED, wanted) else 0


if __name__ == "__main__":
    sys.exit(main())
