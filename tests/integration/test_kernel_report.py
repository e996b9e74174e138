#!/usr/bin/env python3
"""cmake/kernel_report.py: it sees a planted spill, a planted FMA and a changed budget, takes a division for what it is, and finds the
plugin's own kernels as kernels/cuda/kernels.budget has them.
# ride-test: release-only (it reads what the device's compiler made)"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
KERNELS = """
extern "C" __global__ void ride_plain(const double *a, double *b) { b[threadIdx.x] = a[threadIdx.x] * b[threadIdx.x] + 1.5; }
extern "C" __global__ void ride_counts(unsigned *a) {
    __shared__ unsigned sum[64];
    sum[threadIdx.x] = a[threadIdx.x];
    __syncthreads();
    atomicAdd(a, __shfl_down_sync(0xffffffffu, sum[63 - threadIdx.x], 1));
}
__global__ void of_another_library(int *a) { *a = 1; }
"""
DIVIDES = 'extern "C" __global__ void ride_divides(const double *a, double *b) { b[threadIdx.x] = a[threadIdx.x] / b[threadIdx.x]; }\n'
FUSES = 'extern "C" __global__ void ride_fuses(const float *a, float *b) { b[threadIdx.x] = fmaf(a[threadIdx.x], b[threadIdx.x], 1.5f); }\n'
SPILLS = """extern "C" __global__ void __launch_bounds__(1024) ride_spills(float *at) {
    float kept[200];
#pragma unroll
    for (int i = 0; i < 200; i++) kept[i] = at[i * 1024 + threadIdx.x];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 200; i++) at[i * 1024 + threadIdx.x] = kept[199 - i] * kept[i] + kept[(i * 7) % 200];
}
"""


def fail(what, output=""):
    print(f"FAILED: {what}\n{output}")
    sys.exit(1)


class Case:
    """A build folder with a plugin of made-up kernels."""

    def __init__(self, folder, facts):
        self.folder, self.facts = folder, facts
        self.budget = folder / "kernels.budget"
        (folder / "cuda").mkdir()

    def compile(self, text, *options, machines=(80, 90, 100)):
        source, plugin = self.folder / "k.cu", self.folder / "k.so"
        source.write_text(text)
        flags = [word for a in machines for word in ("-gencode", f"arch=compute_{a},code=sm_{a}")] + ["-gencode", "arch=compute_90,code=compute_90"]
        root = self.facts["root"]
        subprocess.run([f"{root}/bin/nvcc", f"-L{root}/lib", f"-L{root}/lib64", *flags, *options, "-w", "-shared", "-Xcompiler=-fPIC", "-o", plugin, source], check=True)
        self.tell(version="13.0.88", architectures=["80-real", "90-real", "100-real", "90-virtual"], plugin=str(plugin))

    def tell(self, **changes):
        self.facts.update(changes)
        (self.folder / "cuda/build.json").write_text(json.dumps(self.facts))

    def report(self, option, code, *words):
        run = subprocess.run([sys.executable, TOP / "cmake/kernel_report.py", self.folder, option], env=dict(os.environ, RIDE_KERNEL_BUDGET=str(self.budget)),
                             capture_output=True, text=True, check=False)
        if run.returncode != code or any(word not in run.stdout + run.stderr for word in words):
            fail(f"{option} gives {run.returncode}, not {code} with {words}", run.stdout + run.stderr)

    def mix(self, kernel, machine):
        lines = (self.folder / "cuda/report.txt").read_text().splitlines()[1:]
        row = next((line.split() for line in lines if line.split()[:2] == [machine, kernel]), None)
        return dict(zip(lines[0].split(), row)) if row else fail(f"no row {machine} {kernel}", "\n".join(lines))


def self_test(facts):
    with tempfile.TemporaryDirectory() as name:
        case = Case(Path(name), dict(facts))
        case.compile(KERNELS + DIVIDES, "--fmad=false")
        case.report("--update", 0, "9 rows in ")  # three kernels, three machines: another library's is left out
        case.report("--check", 0, "9 rows as in the budget")
        mix = case.mix("ride_counts", "sm_90")
        if any(mix[what] == "0" for what in ("load", "shared", "atomic", "barrier", "warp")) or mix["local"] != "0" or int(mix["shared_bytes"]) < 256:
            fail("the mix of ride_counts", mix)
        if case.mix("ride_plain", "sm_90")["fma"] != "0" or case.mix("ride_divides", "sm_90")["fma"] == "0":
            fail("FMAs of a sum and of a division")
        if case.mix("ride_counts", "sm_100")["load"] != "-":
            fail("instructions that were not counted")
        case.report("--brief", 0)
        if case.mix("ride_plain", "sm_90")["all"] != "-":
            fail("--brief disassembles")
        rows = case.budget.read_text()
        case.budget.write_text(rows.replace("sm_90 ride_plain ", "sm_90 ride_plain 1"))  # other registers
        case.report("--check", 1, "-sm_90 ride_plain 1", "+sm_90 ride_plain ", "kernel_report.py", "--update")
        case.budget.write_text("".join(line for line in rows.splitlines(True) if "ride_divides" not in line))
        case.report("--check", 1, "+sm_80 ride_divides", "+sm_100 ride_divides")
        case.budget.write_text(rows)
        case.tell(version="13.1.80")
        case.report("--check", 77, "the budget is for CUDA 13.0.88")
        case.report("--update", 1, "the budget is for CUDA 13.0.88")

        case.compile(KERNELS, machines=(90,))  # without --fmad=false
        case.report("--check", 1, "ride_plain: 1 fma in its PTX", "ride_plain on sm_90: 1 FMAs, and it does not divide")
        case.compile(KERNELS + FUSES + SPILLS, "--fmad=false", machines=(90,))
        case.report("--check", 1, "ride_fuses: 1 fma in its PTX", "+sm_90 ride_spills")
        spilled = case.mix("ride_spills", "sm_90")
        if spilled["local"] == "0" or spilled["stack"] == "0":
            fail("a spill is not seen", spilled)


def main():
    facts = BUILD / "cuda/build.json"
    if not facts.exists():
        print("this build has no CUDA plugin: scripts/setup --cuda, then cmake -DRIDE_CUDA=ON")
        return 77
    facts = json.loads(facts.read_text())
    if not all(Path(facts["root"], "bin", tool).exists() for tool in ("cuobjdump", "nvdisasm")):
        print(f"{facts['root']} has no cuobjdump and nvdisasm")
        return 77
    self_test(facts)
    run = subprocess.run([sys.executable, TOP / "cmake/kernel_report.py", BUILD, "--check"], check=False)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
