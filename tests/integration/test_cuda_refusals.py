#!/usr/bin/env python3
# ride-test: timeout=600
"""Every way in which CUDA cannot run has its own words and advice, and needs no GPU to be shown: the plugin's file (none, cut short, no
library, another ABI), the driver (none, old, stub, no device, …, by a driver that only refuses), the device (too old, by a fake
runtime below the plugin's own probe) and the optional libraries. A backend asked for by name is then an error, `auto` goes on."""
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
RIDE = os.environ.get("RIDE_BIN") or str(BUILD / "bin/ride")
PLUGIN = BUILD / "bin/libride_cuda.so"
INCLUDES = ["-I", TOP, "-I", TOP / "host", "-I", TOP / "host/include"]
shown = 0


def check(condition, what, *output):
    global shown
    shown += 1
    if not condition:
        print(f"FAILED: {what}", *output, sep="\n")
        sys.exit(1)


def ride(*args, env=None):
    return subprocess.run([RIDE, *map(str, args)], env=dict(os.environ, **(env or {})), capture_output=True, text=True, timeout=120, check=False)


def compile_with(compiler, *args):
    subprocess.run([compiler, *map(str, args)], check=True)


def doctor_says(what, advice, env=None, version=None):
    """`ride doctor` passes CUDA over with these words, and still takes the CPU."""
    told = ride("doctor", env=env)
    lines = [line.strip() for line in told.stdout.splitlines()]
    check(told.returncode == 0 and any(line.startswith("backend cpu") and "auto takes it" in line for line in lines), "doctor takes the cpu", told.stdout)
    cuda = next(line for line in lines if line.startswith("backend cuda"))
    check(cuda.endswith("cannot run: " + what), f"doctor says: {what}", told.stdout)
    check(not advice or f"advice: {advice}" in lines, f"doctor advises: {advice}", told.stdout)
    check(f"file: {PLUGIN}" in lines, "doctor names the file", told.stdout)
    if version:
        check(any(line.startswith("CUDA runtime ") and line.endswith(version) for line in lines), f"doctor tells {version}", told.stdout)


def example(folder, name, *more):
    """The example's configuration over a small stream, decisions into `name`."""
    settings = [f"inputs.tx.path={folder}/tx.csv", f"outputs.decisions.path={folder}/{name}", f"outputs.rejects.path={folder}/rejects",
                f"outputs.late.path={folder}/late", f"outputs.summary.path={folder}/summary", *more]
    return ["--config", TOP / "examples/card-fraud/ride.yaml", *[word for s in settings for word in ("--set", s)]]


def run_arguments(folder, name, *more):
    return ["run", "--quiet", *example(folder, name, *more)]


def one_symbol():
    names = subprocess.run(["nm", "-D", "--defined-only", PLUGIN], capture_output=True, text=True, check=True).stdout.split("\n")
    names = [line.split()[-1] for line in names if line]
    check(names == ["ride_backend_entry"], "one exported symbol", names)
    needed = subprocess.run(["readelf", "-d", PLUGIN], capture_output=True, text=True, check=True).stdout
    check("libcuda" not in needed and "cublas" not in needed and "nccl" not in needed, "linked with nothing of CUDA", needed)
    check("RPATH" not in needed and "RUNPATH" not in needed, "no run path", needed)


def other_program():
    """The plugin refuses a program of another ABI by itself, before that program looks at its table."""
    text = ("import ctypes, sys\nentry = ctypes.CDLL(sys.argv[1]).ride_backend_entry\nentry.restype = ctypes.c_void_p\n"
            "err = ctypes.create_string_buffer(4096)\ntable = entry(9999, None, err)\n"
            "print(table, err.raw[4:144].split(b'\\0')[0].decode())\n")
    told = subprocess.run([sys.executable, "-c", text, PLUGIN], capture_output=True, text=True, check=False)
    check(told.returncode == 0 and told.stdout.startswith("None ") and "ABI" in told.stdout and "9999" in told.stdout, "another ABI", told)


def files(folder):
    """A plugin's file that is wrong, named by backend.path, each with its own words; exit 69, and 65 for another version."""
    whole = PLUGIN.read_bytes()
    place = folder / "plugins"
    place.mkdir()
    target = place / "libride_cuda.so"

    def refused(words, code=69):
        told = ride(*run_arguments(folder, "x.csv", "backend.name=cuda", f"backend.path={place}"))
        check(told.returncode == code and words in told.stderr, f"exit {code}: {words}", told.returncode, told.stderr)
        told = ride(*run_arguments(folder, "x.csv", "backend.name=auto", f"backend.path={place}"))
        check(told.returncode == 0, "auto goes on", told.stderr)

    for bytes_count in (0, 1, 63, 64, 100, 4096, len(whole) // 4, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        target.write_bytes(whole[:bytes_count])
        refused("it is not a shared library" if bytes_count < 64 else f"it is cut short, {bytes_count} of {len(whole)} bytes")
    target.write_bytes(b"MZ" + whole[2:])
    refused("it is not a shared library")
    target.write_bytes(whole[:18] + b"\xb7\0" + whole[20:])  # another machine's
    refused("it cannot be loaded: ")
    source = folder / "plugin.c"
    for body, words, code in (
            ("int nothing;", "it is no RIDE backend: it has no ride_backend_entry", 69),
            ("int somewhere_else(void);\nint ride_backend_entry(void) { return somewhere_else(); }", "somewhere_else", 69),
            ("static unsigned table[512] = {1, sizeof table};\nvoid *ride_backend_entry(void) { return table; }", "its table has ABI 1, ", 65)):
        target.unlink()  # never over one that may still be mapped
        source.write_text(body)
        compile_with("cc", "-shared", "-fPIC", "-o", target, source)
        refused(words, code)


def drivers(folder):
    """What the runtime makes of a driver that refuses, through the plugin as it is shipped."""
    fake = folder / "driver"
    fake.mkdir()
    compile_with("cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wl,-soname,libcuda.so.1", "-o", fake / "libcuda.so.1", TOP / "tests/support/fake_driver.c")
    none = "there is no NVIDIA driver (libcuda.so.1 cannot be loaded)"
    for answer, what, advice, version in (
            ("12040 0", "the NVIDIA driver is for CUDA 12.4, this plugin needs one for 13.0", "update the NVIDIA driver (580 or newer)", "driver for CUDA 12.4"),
            ("13000 100", "the NVIDIA driver finds no device", "does nvidia-smi list one? containers: --gpus", "driver for CUDA 13.0"),
            ("0 34", "libcuda.so.1 is the toolkit's stub, not a driver", "take the stubs folder off LD_LIBRARY_PATH", "driver none"),
            ("13000 803", "the NVIDIA driver's kernel module and its libraries are of different versions", "reboot after a driver update", None),
            ("13000 802", "the NVIDIA driver waits for its fabric manager or another service", "systemctl status nvidia-fabricmanager", None),
            ("13000 804", "the cuda-compat driver libraries do not support this device", "remove cuda-compat, update the NVIDIA driver", None),
            ("13000 304", "the NVIDIA driver cannot use its device files", "may this user open /dev/nvidia*? containers: --gpus", None),
            ("13000 999", "the NVIDIA driver fails and gives no reason", "is nvidia_uvm loaded? see lsmod and dmesg", None)):
        doctor_says(what, advice, {"LD_LIBRARY_PATH": str(fake), "RIDE_FAKE_DRIVER": answer}, version)
    hidden = {"LD_LIBRARY_PATH": str(fake), "RIDE_FAKE_DRIVER": "13000 100", "CUDA_VISIBLE_DEVICES": "7"}
    doctor_says("the NVIDIA driver finds no device", "CUDA_VISIBLE_DEVICES is set: does it name one?", hidden)
    try:
        ctypes.CDLL("libcuda.so.1")
        print(f"not shown, this machine has a driver: {none}")
    except OSError:
        doctor_says(none, "install the NVIDIA driver, 580 or newer", version="driver none")
    return {"LD_LIBRARY_PATH": str(fake), "RIDE_FAKE_DRIVER": "13000 100"}


def choice(folder, env):
    """By name it is an error, with exit 69; auto answers with the CPU's bytes and says once in the log why."""
    for command in (run_arguments(folder, "x.csv", "backend.name=cuda"),
                    ["features", "run", "--spec", TOP / "examples/card-fraud/features.yaml", "--input", folder / "tx.csv", "--output", folder / "x", "--backend", "cuda"],
                    ["config", "check", *example(folder, "x.csv", "backend.name=cuda")]):
        told = ride(*command, env=env)
        check(told.returncode == 69 and "the NVIDIA driver finds no device" in told.stderr + told.stdout, f"{command[0]}: cuda by name", told.returncode, told.stderr, told.stdout)
    check(ride(*run_arguments(folder, "cpu.csv", "backend.name=cpu"), env=env).returncode == 0, "cpu by name")
    told = ride(*run_arguments(folder, "auto.csv", "backend.name=auto", "log.format=json"), env=env)
    lines = [json.loads(line) for line in told.stderr.splitlines() if line.startswith("{")]
    passed = [line for line in lines if "no device" in json.dumps(line)]
    check(told.returncode == 0 and len(passed) == 1 and passed[0].get("ride.name") == "cuda", "auto tells once why not cuda", told.stderr)
    check((folder / "auto.csv").read_bytes() == (folder / "cpu.csv").read_bytes() != b"", "auto gives the cpu's bytes")


def devices(folder, root):
    """The plugin's probe over a runtime that finds devices: which are used, what is told of them and of the libraries."""
    program = folder / "probe"
    sources = [TOP / "kernels/cuda/probe.cu", TOP / "kernels/cuda/libraries.cu", TOP / "tests/support/fake_runtime.cc"]
    compile_with("c++", "-std=gnu++17", "-Wall", "-Wextra", "-Werror", *INCLUDES, "-isystem", Path(root) / "include", "-x", "c++", *sources,
                 "-x", "none", BUILD / "libride_core.a", "-ldl", "-lpthread", "-lm", "-o", program)

    def probe(**env):
        told = subprocess.run([program], env=dict(os.environ, LD_LIBRARY_PATH="", **env), capture_output=True, text=True, timeout=60, check=False)
        return told.returncode, told.stdout

    code, text = probe(RIDE_FAKE_DEVICES="61 Old card,75 Newer card")
    check(code == 69 and "E_UNAVAILABLE|Old card has compute capability 6.1, this plugin has code for sm80 sm90 sm100 ptx90|" in text and "|8.0 (A100) or newer" in text, "too old", text)
    check("tells device 1: Newer card, compute capability 7.5, 1.5 GiB (not used: no code for it)" in text, "each device is told", text)
    code, text = probe(RIDE_FAKE_DEVICES="61 Old card,90 H200,86 A10,103 B300,120 RTX")
    check(code == 0 and [line for line in text.splitlines() if line.startswith("usable")] ==
          ["usable 1 90 H200", "usable 2 86 A10", "usable 3 103 B300", "usable 4 120 RTX"], "the usable ones, by CUDA's own numbers", text)
    check(probe(RIDE_FAKE_DEVICES="")[1].startswith("E_UNAVAILABLE|the NVIDIA driver finds no device|"), "a driver that counts none")
    check(probe(RIDE_FAKE_ANSWER="805")[1].startswith("E_UNAVAILABLE|the MPS server cannot be reached|"), "MPS")
    check(probe(RIDE_FAKE_ANSWER="35")[1].startswith("E_UNAVAILABLE|the NVIDIA driver lacks what this plugin needs|"), "a driver with holes")
    check("|CUDA does not start: cudaErrorOfTheTest (777)|" in probe(RIDE_FAKE_ANSWER="777")[1], "an answer that nobody knows")
    seen = {probe(RIDE_FAKE_ANSWER=str(n))[1].split("|")[1] for n in (2, 3, 34, 46, 100, 304, 800, 802, 803, 804, 805, 806, 808, 999)}
    check(len(seen) == 14, "each answer has its own words", sorted(seen))

    # The optional libraries: missing is told and refuses nothing; one of another kind is not taken for cuBLAS.
    one = {"RIDE_FAKE_DEVICES": "90 H200"}
    folder = folder / "libraries"
    folder.mkdir()
    if subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout.count("libcublas.so.13") == 0:
        code, text = probe(**one)
        check(code == 0 and "tells cuBLAS is missing: libcublas.so.13: cannot open shared object file" in text and "(optional; install cuBLAS 13" in text, "no cuBLAS", text)
    else:
        print("not shown, this machine has one: no cuBLAS")

    def library(file, body):
        (folder / "library.c").write_text(body)
        (folder / file).unlink(missing_ok=True)
        compile_with("cc", "-shared", "-fPIC", f"-Wl,-soname,{file}", "-o", folder / file, folder / "library.c")

    library("libcublas.so.13", "int cublasGetProperty(int kind, int *value) { *value = 13 + kind; return 0; }")
    library("libnccl.so.2", "int ncclGetVersion(int *value) { *value = 22809; return 0; }")
    told = subprocess.run([program], env=dict(os.environ, LD_LIBRARY_PATH=str(folder), **one), capture_output=True, text=True, check=False).stdout
    check("tells cuBLAS 13.14.15\n" in told and "tells NCCL 2.28.9\n" in told, "both found", told)
    library("libcublas.so.13", "int something_else;")
    library("libnccl.so.2", "int ncclGetVersion(int *value) { return 3; }")
    told = subprocess.run([program], env=dict(os.environ, LD_LIBRARY_PATH=str(folder), **one), capture_output=True, text=True, check=False)
    check(told.returncode == 0 and "tells cuBLAS does not work: libcublas.so.13 is another library (optional" in told.stdout and
          "tells NCCL does not work: libnccl.so.2 does not tell its version" in told.stdout, "neither works", told.stdout)


def main():
    if not PLUGIN.exists():
        print("this build has no CUDA plugin: scripts/setup --cuda, then cmake -DRIDE_CUDA=ON")
        return 77
    if shutil.which("nm") is None or shutil.which("readelf") is None:
        print("nm or readelf is missing (binutils)")
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([RIDE, "generate", "--events", "2000", "--customers", "50", "--terminals", "20", "--seed", "5", "--output", folder / "tx.csv"],
                       check=True, stderr=subprocess.DEVNULL)
        one_symbol()
        other_program()
        env = drivers(folder)
        choice(folder, env)
        os.environ.update(env)  # a machine with a GPU must refuse too
        files(folder)
        devices(folder, json.loads((BUILD / "cuda/build.json").read_text())["root"])
    print(f"{shown} things shown")
    return 0


if __name__ == "__main__":
    sys.exit(main())
