#!/usr/bin/env python3
"""cmake/kernel_status.py: it finds every kernel, knows a kernel's sources, and takes a kernel whose sources changed for unverified. At the end
it is run over our own kernels; its list is that of the plugin, where there is one."""
# ride-test: release-only (it is about the sources)
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
ONE = """#include "kernels/cuda/part.cuh"
/* __global__ void ride_in_a_comment(int *a) { } */
extern "C" __global__ void ride_declared(int *a);
extern "C" __global__ void ride_one(const int *a, int (*b)[2]) { b[0][0] = a[0]; }
extern "C" __global__ void __launch_bounds__(256, 2) ride_two(int *a) {
    const char *text = "// no comment, /* neither";
}
"""
FILES = {
    "kernels/cuda/one.cu": ONE,
    "kernels/cuda/two.cu": '#include <cuda_runtime.h>\nextern "C" {\n__global__ __launch_bounds__(64) void\nride_three(int a)\n{}\n}\n',
    "kernels/cuda/part.cuh": '#include "row/math.h"\n#include "ours.h"\n', "kernels/cuda/ours.h": "int ours;\n", "host/row/math.h": "int math;\n",
    "kernels/cuda/kernels.lock": "{}\n",
}
checked = 0


def check(condition, what, output=""):
    global checked
    checked += 1
    if not condition:
        print(f"FAILED: {what}\n{output}")
        sys.exit(1)


def tell(top, *args, code=0):
    env = {k: v for k, v in os.environ.items() if k != "RIDE_EMU_EXECUTED"}
    run = subprocess.run([sys.executable, TOP / "cmake/kernel_status.py", *args], env=dict(env, RIDE_SOURCE_DIR=str(top)), capture_output=True, text=True, check=False)
    check(run.returncode == code, f"{args}: exit {run.returncode}", run.stdout + run.stderr)
    return run.stdout + run.stderr


def self_test(top):
    for name, text in FILES.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    names, emulated = top / "names", top / "emulated"
    never = "ride_one    executed by: never\nride_two    executed by: never\nride_three  executed by: never\n0 of 3 kernels verified on hardware\n"
    check(tell(top) == never, "three kernels, none executed", tell(top))
    check(tell(top, "--brief") == never.splitlines()[-1] + "\n", "--brief")
    emulated.write_text("ride_two\nride_two\n\nride_gone\n")
    check("ride_two    executed by: emulator\n" in tell(top, "--emulated", str(emulated)), "the emulator's list")
    check(tell(top, "--emulated", str(top / "nowhere")) == never, "no list of the emulator's")

    names.write_text("ride_one\nride_three\n")
    verify = ("--verify", str(names), "--device", "H200", "--commit", "0123456789abcdef", "--date", "2026-01-02")
    text = tell(top, *verify, "--emulated", str(emulated))
    check("ride_one    executed by: hardware (H200, 0123456789, 2026-01-02)\nride_two    executed by: emulator\n" in text and text.endswith("2 of 3 kernels verified on hardware\n"), "verified", text)
    lock = (top / "kernels/cuda/kernels.lock").read_text()
    check(tell(top, *verify) and (top / "kernels/cuda/kernels.lock").read_text() == lock, "the same lock again")

    def changed(name, text, count):
        (top / name).write_text(text)
        check(tell(top).endswith(f"{count} of 3 kernels verified on hardware\n"), f"{name} changed: {count} are left", tell(top))
        (top / name).write_text(FILES[name])

    changed("kernels/cuda/ours.h", "int  ours; // a comment\n\n/* and\n more */", 2)
    changed("kernels/cuda/ours.h", "int theirs;\n", 1)
    changed("host/row/math.h", "int math2;\n", 1)
    changed("kernels/cuda/two.cu", FILES["kernels/cuda/two.cu"].replace("{}", "{ a++; }"), 1)
    changed("kernels/cuda/one.cu", ONE.replace("/* neither", "/* other"), 1)
    check("its sources have changed since" in (lambda: ((top / "host/row/math.h").write_text("x"), tell(top))[1])(), "a change is told")

    names.write_text("ride_nobody\n")
    check("ride_nobody" in tell(top, *verify, code=1), "a name that is none")
    names.write_text("")
    check("names nothing" in tell(top, *verify, code=1), "an empty list verifies nothing")
    tell(top, "--verify", str(names), code=2)
    (top / "kernels/cuda/two.cu").write_text("__global__ void other(int a) {}")
    check("the kernel other is not called ride_" in tell(top, code=1), "another name")
    (top / "kernels/cuda/two.cu").write_text("__global__ void ride_one(int a) {}")
    check("ride_one is defined in" in tell(top, code=1), "a name twice")


def main():
    with tempfile.TemporaryDirectory() as name:
        self_test(Path(name))
    text = tell(TOP)
    print(text, end="")
    report = BUILD / "cuda/report.txt"
    if report.exists():  # what the sources say is what the compiler saw
        compiled = {line.split()[1] for line in report.read_text().splitlines()[2:]}
        listed = set(re.findall(r"^(ride_\w+) +executed by", text, re.M))
        check(compiled == listed, "the plugin's kernels are those of the sources", compiled ^ listed)
    print(f"{checked} things checked")


if __name__ == "__main__":
    main()
