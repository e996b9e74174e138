#!/usr/bin/env python3
# ride-test: release-only
"""Loading a large model holds at most 2.5 times its file at once, in `ride_load` (parse, compile, engine) and in `ride score`: files of RIDE_LOAD_BYTES (64 MiB) of five
formats, written without their trainers (tests/support/large_models.py). tests/long/loads.sh asks for 1 GiB. Prints the peak, what stays, and the time."""
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("RIDE_BUILD_DIR", TOP / "build/release"))
RIDE = os.environ.get("RIDE_BIN", str(BUILD / "bin/ride"))
BYTES = int(os.environ.get("RIDE_LOAD_BYTES", 64 << 20))
FACTOR = 2.5
sys.path.insert(0, str(TOP / "tests/support"))


def memory(name):
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))


def load(path):
    """In a process of its own: one load by the library."""
    os.environ["RIDE_LIBRARY"] = str(BUILD / "lib/libride.so.0")
    sys.path.insert(0, str(TOP / "python"))
    from ride import native
    context, model, size = native.context(1), ctypes.c_void_p(), os.path.getsize(path)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, begin = memory("VmRSS"), time.perf_counter()
    if native.lib.ride_load(context.handle, os.fsencode(path), None, ctypes.byref(model)) != 0:
        print(native.lib.ride_context_error(context.handle).decode())
        return 1
    print(time.perf_counter() - begin, (memory("VmHWM") - before) / size, (memory("VmRSS") - before) / size)
    return 0


def peak_of(*command):
    """(exit code, bytes) of a program."""
    code = ("import resource, subprocess, sys\ndone = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
            "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)")
    told = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True).stdout
    return tuple(int(word) for word in told.split())


def score(path, folder):
    """What the program takes beyond what it takes without a model."""
    rows = folder / "rows.csv"
    rows.write_text(",".join(f"c{k}" for k in range(32)) + "\n" + ",".join(["0.5"] * 32) + "\n")
    returned, peak = peak_of(RIDE, "score", "--model", path, "--input", rows, "--output", "-")
    if returned != 0:
        raise SystemExit(f"{path.name}: ride score ends with {returned}")
    return (peak - peak_of(RIDE, "--help")[1]) / path.stat().st_size


def main():
    if len(sys.argv) > 1:
        return load(sys.argv[1])
    if not (BUILD / "lib/libride.so.0").exists():
        print("this build has no libride.so")
        return 77
    import large_models
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for form in large_models.FORMATS:
            path = Path(folder) / f"{form}.model"
            large_models.write(form, path, BYTES)
            told = subprocess.run([sys.executable, __file__, path], capture_output=True, text=True, check=False).stdout.split()
            if len(told) != 3:
                raise SystemExit(f"{form}: {' '.join(told)}")
            seconds, peak, kept = map(float, told)
            scored = score(path, Path(folder))
            print(f"{form}: {path.stat().st_size / 1e6:.0f} MB in {seconds:.1f} s, at most {peak:.2f} of the file at once, {kept:.2f} kept; ride score {scored:.2f}", flush=True)
            for name, value in (("peak", peak), ("score_peak", scored), ("kept", kept)):
                print(f"figure: load_{form.replace('-', '_')}_{name} {value:.2f} of_file")
            print(f"figure: load_{form.replace('-', '_')}_time {seconds:.2f} s")
            bad += peak > FACTOR or scored > FACTOR
            path.unlink()
    if bad:
        print(f"{bad} formats take more than {FACTOR} times the file")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
