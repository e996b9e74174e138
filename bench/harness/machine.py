"""What a figure was measured on, and what else the machine did meanwhile."""
import os
import re
import subprocess
from pathlib import Path


def read(path):
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def first(pattern, text, default="unknown"):
    match = re.search(pattern, text, re.M)
    return match.group(1).strip() if match else default


def output(*command, cwd=None):
    try:
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def describe():
    """The machine, in words and figures that matter to a reader of a result."""
    cpuinfo = read("/proc/cpuinfo")
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = {"Instruction": "i", "Data": "d"}.get(read(index / "type"), "")
        caches[f"L{read(index / 'level')}{kind}"] = read(index / "size")
    return {
        "cpu": first(r"^model name\s*:\s*(.+)$", cpuinfo, os.uname().machine),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)),
        "virtual": " hypervisor" in cpuinfo,
        "caches": caches,
        "memory_gib": round(int(first(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), "0")) / 2**20, 1),
        "kernel": os.uname().release,
        "system": first(r'^PRETTY_NAME="(.+)"', read("/etc/os-release")),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown",
        "compiler": output("gcc", "--version").splitlines()[0] if output("gcc", "--version") else "unknown",
    }


def revision(folder):
    """The commit of a checkout and whether it has uncommitted changes."""
    return output("git", "rev-parse", "HEAD", cwd=folder) or "unknown", \
        bool(output("git", "status", "--porcelain", "-uno", cwd=folder))


def parse_stat(text):
    """/proc/stat: {"cpu" or core number: (busy ticks, stolen ticks)}."""
    cores = {}
    for line in text.splitlines():
        match = re.match(r"cpu(\d*)\s+(.*)", line)
        if match:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, match.group(2).split()[:8])
            key = int(match.group(1)) if match.group(1) else "cpu"
            cores[key] = (user + nice + system + irq + softirq, steal)
    return cores


def other_load(before, after, elapsed_s, own_cpu_s, cores, ticks_per_s):
    """What others used between two parse_stat() snapshots: cores busy with other work on the whole machine, on the pinned
    cores (None when not pinned), and cores stolen by the hypervisor. The tick is coarse: never below 0."""
    def used(keys, index):
        return sum(after[k][index] - before[k][index] for k in keys if k in before and k in after) / ticks_per_s

    def share(value):
        return round(max(0.0, value) / elapsed_s, 3) if elapsed_s > 0 else 0.0

    return {"all": share(used(["cpu"], 0) - own_cpu_s),
            "pinned": share(used(cores, 0) - own_cpu_s) if cores else None,
            "stolen": share(used(["cpu"], 1))}
