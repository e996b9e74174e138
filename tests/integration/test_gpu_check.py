"""scripts/gpu-check: SKIP without a device, the whole of it rehearsed against the emulated backend, and a GPU machine on which
nothing works told step by step."""
# ride-test: release-only (it makes builds of its own)
# ride-test: timeout=1800
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
LOCK = TOP / "kernels/cuda/kernels.lock"


def gpu_check(*arguments, path=None, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RIDE_CONFORMANCE_", "RIDE_EMU_", "CUDA_"))}
    if path:
        clean["PATH"] = f"{path}:{clean['PATH']}"
    done = subprocess.run([TOP / "scripts/gpu-check", *arguments], capture_output=True, text=True, check=False, env=dict(clean, **environment))
    print(done.stdout[-3000:] + done.stderr[-1000:])
    return done


def program(folder, name, text):
    file = Path(folder) / name
    file.write_text("#!/bin/sh\n" + text)
    file.chmod(0o755)


def no_device(folder):
    program(folder, "nvidia-smi", 'echo "No devices were found"\nexit 6\n')
    done = gpu_check(path=folder)
    assert done.returncode == 0 and done.stdout == "SKIP no device: No devices were found\n"


def rehearsal(folder):
    output, lock = Path(folder) / "rehearsed", LOCK.read_bytes() if LOCK.exists() else None
    done = gpu_check("--rehearse", "--budget", "1700", "--rounds", "2", "--build", BUILD / "gpu-rehearsal", "--output", output)
    assert done.returncode == 0
    result = json.loads(output.with_suffix(".json").read_text())
    statuses = {step["name"]: step["status"] for step in result["steps"]}
    assert result["rehearsal"] and result["what"] == "rehearsal, emulated" and not result["failed"]
    assert [name for name, status in statuses.items() if status == "passed"] == ["build", "conformance", "crossover", "kernels"], statuses
    assert all(step["reason"] for step in result["steps"] if step["status"] == "skipped"), "a skip without a reason"
    numbers = {step["name"]: step["numbers"] for step in result["steps"]}
    assert len(numbers["conformance"]) == len(list((TOP / "tests/conformance").glob("*_test.c")))
    for came in numbers["conformance"].values():  # what is left out is what the backend says it lacks
        assert (came["passing"] > 0 or came["skips"]) and all(" lacks " in why for why in came["skips"].values()), came
    assert sum(came["passing"] for came in numbers["conformance"].values()) > 20 and sum(len(came["skips"]) for came in numbers["conformance"].values()) < 6
    assert {"ride_rows_begin", "ride_windows_apply", "ride_forest_score"} <= numbers["kernels"]["kernels"].keys()
    lock_step = next(step for step in result["steps"] if step["name"] == "lock")
    assert re.search(r"rehearsal verifies nothing \(\d\d kernels", lock_step["reason"]), lock_step
    assert [row["same_bytes"] for row in numbers["crossover"]["sizes"]] == [True] * 3
    assert output.with_suffix(".md").read_text().startswith("# Rehearsal, emulated: no GPU was used")
    assert (LOCK.read_bytes() if LOCK.exists() else None) == lock and not output.with_suffix(".lock").exists()


def nothing_works(folder):
    """A GPU whose compiler is broken: the build fails with what the compiler said, and so does the whole."""
    program(folder, "nvidia-smi", 'echo "NVIDIA Test 1, 1.2.3, 9.0, 1 MiB, 1 MHz"\n')
    program(folder, "nvcc", "echo this compiler is broken\nexit 1\n")
    output = Path(folder) / "broken"
    done = gpu_check("--build", Path(folder) / "build", "--output", output, path=folder, CUDA_HOME=str(Path(folder) / "none"))
    result = json.loads(output.with_suffix(".json").read_text())
    assert done.returncode == 1 and result["failed"] == ["build"] and result["device"]["compute_cap"] == "9.0"
    assert result["steps"][0]["status"] == "failed" and "RIDE_CUDA=ON" in result["steps"][0]["output_tail"]


def main():
    for case in (no_device, nothing_works, rehearsal):
        with tempfile.TemporaryDirectory() as folder:
            case(folder)
        print(f"{case.__name__}: ok", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
