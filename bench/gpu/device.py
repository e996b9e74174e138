"""Which GPU, driver and tools this machine has, without any library."""
import os
import re
import shutil
import subprocess
from pathlib import Path

PLACES = ("/usr/local/cuda/bin", "/usr/local/nvidia/bin", "/opt/cuda/bin", "/usr/local/cuda/compute-sanitizer")


def tool(name):
    """The path of a tool, on the PATH or where CUDA puts it; None when there is none."""
    found = shutil.which(name)
    if found:
        return found
    places = [Path(p) for p in PLACES] + sorted(Path("/opt/nvidia").glob("nsight-compute/*"), reverse=True)
    if os.environ.get("CUDA_HOME"):
        places.insert(0, Path(os.environ["CUDA_HOME"]) / "bin")
    return next((str(place / name) for place in places if os.access(place / name, os.X_OK)), None)


def output_of(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)


def find():
    """(device, None), or (None, why there is none). device: name, driver, compute_cap, memory, devices_count."""
    program = tool("nvidia-smi")
    if program is None:
        return None, "nvidia-smi is not installed"
    code, text = output_of([program, "--query-gpu=name,driver_version,compute_cap,memory.total,clocks.max.sm", "--format=csv,noheader"])
    rows = [line.split(", ") for line in text.splitlines() if line.count(", ") == 4]
    if code != 0 or not rows:
        return None, text.splitlines()[0] if text else "nvidia-smi finds none"
    name, driver, compute, memory, clock = rows[0]
    return {"name": name, "driver": driver, "compute_cap": compute, "memory": memory, "clock_max": clock, "devices_count": len(rows)}, None


def nvcc():
    """The compiler's version, or None."""
    program = tool("nvcc")
    version = re.search(r"release [^,]*, V([\d.]+)", output_of([program, "--version"])[1]) if program else None
    return version[1] if version else None


def slug(name):
    """NVIDIA H200 -> h200"""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"^nvidia\s+", "", name.lower())).strip("-")


def commit(top):
    code, text = output_of(["git", "-C", str(top), "rev-parse", "HEAD"])
    if code != 0:
        return "unknown", False
    return text, output_of(["git", "-C", str(top), "status", "--porcelain", "--untracked-files=no"])[1] != ""
