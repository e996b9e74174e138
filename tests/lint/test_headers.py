"""Headers stand alone: those that kernels share are C17 and C++17 at once, without any extension; every other public
header compiles as the first include of a C17 file, those of kernels/cuda as that of a CUDA
file where nvcc is, those of kernels/emu as that of a C++17 file."""
import concurrent.futures
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lintlib import TOP, finish, skip, tracked

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
INCLUDES = ["-I", ".", "-I", "host", "-I", "host/include"]
SHARED = ("kernels/layout/", "kernels/row/")  # and what they include of host/base
STRICT = ["-Wpedantic", "-Wshadow"]


def compile_header(job):
    """Compiles a file that only includes the header; returns a finding or None."""
    header, label, command, ending = job
    language = {".c": "c", ".cc": "c++", ".cu": "cu"}[ending]
    with tempfile.NamedTemporaryFile("w", suffix=ending) as file:
        file.write(f'#include "{header}"\n#include "{header}"\n')  # twice: the guard is tested too
        file.flush()
        run = subprocess.run([*command, *INCLUDES, "-x", language, file.name],
                             cwd=TOP, capture_output=True, text=True, check=False)
    return None if run.returncode == 0 else f"{header}: not {label}:\n{run.stderr.strip()}"


gcc, gxx, clang, clangxx = (shutil.which(name) for name in ("gcc", "g++", "clang-14", "clang++-14"))
if gcc is None or gxx is None:
    skip("gcc or g++ is missing: scripts/setup")
roots = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda", TOP / ".deps/cuda/nvidia/cu13"]
nvcc = next((f"{root}/bin/nvcc" for root in roots if root and Path(root, "bin/nvcc").exists()), None)
if nvcc is None:
    print("kernels/cuda: not compiled, there is no nvcc (scripts/setup --cuda)")
jobs = []
for path in tracked(".h"):
    name = str(path)
    if name.startswith(SHARED):
        for compiler, language, standard, ending in ((gcc, "C17", "c17", ".c"), (gxx, "C++17", "c++17", ".cc"),
                                                     (clang, "C17", "c17", ".c"), (clangxx, "C++17", "c++17", ".cc")):
            if compiler:
                jobs.append((name, f"{language} with {Path(compiler).name}",
                             [compiler, f"-std={standard}", *WARNINGS, *STRICT], ending))
    elif name.startswith("kernels/cuda/"):
        if nvcc:
            jobs.append((name, "a CUDA header that stands alone",
                         [nvcc, "-std=c++17", "-arch=sm_90", "-Werror", "all-warnings", "-Xcompiler=-Wall,-Wextra", "-c",
                          "-o", os.devnull], ".cu"))
    elif name.startswith("kernels/emu/") and name != "kernels/emu/emu.h":
        jobs.append((name, "a C++17 header that stands alone",
                     [gxx, "-std=gnu++17", "-D_GNU_SOURCE", *WARNINGS, "-Wshadow"], ".cc"))
    elif name.startswith(("host/", "io/", "models/", "scheduler/", "kernels/")):
        extra = ["-mavx2"] if name.startswith("kernels/cpu") else []
        jobs.append((name, "a header that stands alone", [gcc, "-std=gnu17", "-D_GNU_SOURCE", *extra, *WARNINGS], ".c"))
with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
    findings = [f for f in pool.map(compile_header, jobs) if f]
finish(findings, len(jobs))
