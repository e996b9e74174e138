#!/usr/bin/env python3
# ride-test: timeout=900
# ride-test: release-only (it makes builds of its own)
"""How the CUDA plugin comes into a build: AUTO, ON and OFF with and without a toolkit, each layout a toolkit has, the choice that is kept,
and the gate: a spill or a warning in a kernel stops the build. The builds are minimal ones of a copy of the tree, for one machine."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")
FOLDERS = ("cmake", "host/base", "host/backend", "host/include", "kernels")
NAMES = ("CUDA_HOME", "CUDA_PATH", "CUDAToolkit_ROOT", "CUDACXX", "CUDAFLAGS")
shown = 0


def check(condition, what, output=""):
    global shown
    shown += 1
    if not condition:
        print(f"FAILED: {what}\n{output}")
        sys.exit(1)


class Tree:
    """A copy of what a minimal build reads; of the plugin only the probe, since what is shown is the build."""

    def __init__(self, folder):
        self.top = folder
        folder.mkdir()
        shutil.copy(TOP / "CMakeLists.txt", folder)
        for name in FOLDERS:
            shutil.copytree(TOP / name, folder / name)
        for source in (folder / "kernels/cuda").glob("*.cu"):
            if source.name not in ("probe.cu", "libraries.cu"):
                source.unlink()
        (folder / "kernels/cuda/entry.cu").write_text('extern "C" __attribute__((visibility("default"))) void ride_backend_entry(void) {}\n')

    def configure(self, build, *options, env=None):
        clean = {k: v for k, v in os.environ.items() if k not in NAMES}
        run = subprocess.run(["cmake", "-G", "Ninja", "-S", self.top, "-B", self.top / build, "-DRIDE_MINIMAL=ON", "-DCMAKE_BUILD_TYPE=Release",
                              *options], env=dict(clean, **(env or {})), capture_output=True, text=True, check=False)
        text = " ".join((run.stdout + run.stderr).split())  # CMake breaks the lines of an error
        return run.returncode, text

    def build(self, build):
        run = subprocess.run(["cmake", "--build", self.top / build, "--target", "ride_cuda"], capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr


def compiler(place, script):
    """A made-up toolkit whose nvcc is that script."""
    shutil.rmtree(place, ignore_errors=True)
    (place / "bin").mkdir(parents=True)
    (place / "bin/nvcc").write_text("#!/bin/sh\n" + script)
    (place / "bin/nvcc").chmod(0o755)
    return place


def without_toolkit(tree):
    """The machine has none, or one that cannot be used: AUTO builds the rest and says why, ON stops, a name must work."""
    none = not Path("/usr/local/cuda").exists()
    if none:
        code, text = tree.configure("none")
        check(code == 0 and "CUDA plugin off no toolkit in /usr/local/cuda or .deps/cuda. scripts/setup --cuda gets the compiler" in text, "AUTO without", text)
        code, text = tree.configure("none-on", "-DRIDE_CUDA=ON")
        check(code != 0 and "RIDE_CUDA=ON, but the CUDA plugin cannot be built: no toolkit" in text and "scripts/setup --cuda" in text, "ON without", text)
    else:
        print("not shown, /usr/local/cuda exists: AUTO and ON without a toolkit")
    code, text = tree.configure("off", "-DRIDE_CUDA=OFF")
    check(code == 0 and "CUDA plugin off RIDE_CUDA=OFF" in text, "OFF", text)
    code, text = tree.configure("yes", "-DRIDE_CUDA=YES")
    check(code != 0 and "RIDE_CUDA is AUTO, ON or OFF, not YES" in text, "another word", text)
    code, text = tree.configure("san", "-DRIDE_SANITIZE=address")
    check(code == 0 and "CUDA plugin off not in sanitizer, coverage and fuzz builds" in text, "AUTO in a sanitizer build", text)
    code, text = tree.configure("san-on", "-DRIDE_SANITIZE=thread", "-DRIDE_CUDA=ON")
    check(code != 0 and "cannot be built: not in sanitizer" in text, "ON in a sanitizer build", text)
    code, text = tree.configure("wrong", env={"CUDA_HOME": "/nonexistent/cuda"})
    check(code != 0 and "CUDA was named as /nonexistent/cuda" in text and "has no bin/nvcc" in text, "a wrong CUDA_HOME", text)

    place = tree.top / ".deps/cuda/nvidia/cu13"
    version = 'case "$1" in --version) echo "Cuda compilation tools, release 13.0, V%s"; exit 0;; esac\n'
    for name, script, words in (("old", version % "12.4.131", "is CUDA 12.4.131, 13.0 is needed"), ("mute", "exit 1\n", "its nvcc does not run"),
                                ("bad", version % "13.0.88" + "echo 'no cicc; here' >&2; exit 1\n", "does not compile a kernel: no cicc  here")):
        compiler(place, script)
        if none:
            code, text = tree.configure(f"{name}", "-DRIDE_CUDA=AUTO")
            check(code == 0 and "CUDA plugin off" in text and " ".join(words.split()) in text, f"AUTO, {name} compiler", text)
        code, text = tree.configure(f"{name}-named", f"-DCUDAToolkit_ROOT={place}")
        check(code != 0 and "CUDA was named as" in text and " ".join(words.split()) in text, f"named, {name} compiler", text)
    shutil.rmtree(tree.top / ".deps")


def with_toolkit(tree, root):
    """The choice is kept, and each layout gives a plugin."""
    one = "-DCMAKE_CUDA_ARCHITECTURES=90-real"
    code, text = tree.configure("named", "-DRIDE_CUDA=ON", one, env={"CUDA_HOME": str(root)})
    check(code == 0 and "CUDA plugin on CUDA 13." in text and "for sm90 --" in text, "CUDA_HOME", text)
    code, text = tree.configure("named")
    check(code == 0 and f"in {root}, for sm90 --" in text, "kept without CUDA_HOME", text)
    code, text = tree.configure("named", "-DCUDAToolkit_ROOT=/somewhere/else")
    check(code != 0 and "was made with CUDA in" in text and "for /somewhere/else remove it" in text, "another toolkit for the same folder", text)
    tree.configure("named", "-DCUDAToolkit_ROOT=")
    code, text = tree.build("named")
    check(code == 0 and (tree.top / "named/bin/libride_cuda.so").exists(), "builds", text)

    if not (root / "lib64").exists():  # the wheels, seen as an installed toolkit
        installed = tree.top / "installed"
        (installed / "bin").mkdir(parents=True)  # a folder of its own: nvcc looks for bin/.. beside itself
        for program in (root / "bin").iterdir():
            (installed / "bin" / program.name).symlink_to(program)
        for name in ("include", "nvvm"):
            (installed / name).symlink_to(root / name)
        (installed / "lib64").symlink_to(root / "lib")
        code, text = tree.configure("lib64", "-DRIDE_CUDA=ON", one, f"-DCUDAToolkit_ROOT={installed}")
        check(code == 0 and f"in {installed}, for sm90 --" in text, "a toolkit with lib64", text)
        code, text = tree.build("lib64")
        check(code == 0, "builds with lib64", text)
        link = tree.top / "a space"
        link.symlink_to(root)
        code, text = tree.configure("space", f"-DCUDAToolkit_ROOT={link}")
        check(code != 0 and "a space in its name" in text, "the wheels in a folder with a space", text)
        shutil.rmtree(installed)
        code, text = tree.configure("lib64")
        check(code != 0 and "which is gone: bring it back or remove" in text, "a toolkit that went away", text)


SPILL = """extern "C" __global__ void __launch_bounds__(1024) planted(float *at) {
    float kept[200];
#pragma unroll
    for (int i = 0; i < 200; i++) kept[i] = at[i * 1024 + threadIdx.x];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 200; i++) at[i * 1024 + threadIdx.x] = kept[199 - i] * kept[i] + kept[(i * 7) % 200];
}
"""
PLANTED = {
    "a spill": (SPILL, "spill"),
    "an unused variable of a kernel": ('extern "C" __global__ void planted(int *at) { int unused; *at = 1; }\n', "unused"),
    "a warning of the host's compiler": ('int planted(int a, unsigned b) { return a < b; }\n', "sign"),
    "a name that is nowhere": ('extern "C" void nowhere(void);\nextern "C" void planted(void) { nowhere(); }\n', "nowhere"),
}


def gate(tree):
    """Each planted fault stops the build, and without it the build goes on."""
    source = tree.top / "kernels/cuda/planted.cu"
    for what, (text, word) in PLANTED.items():
        source.write_text(text)
        code, output = tree.build("named")
        check(code != 0 and "planted" in output and word in output.lower(), f"{what} stops the build", output[-3000:])
    source.unlink()
    code, output = tree.build("named")
    check(code == 0, "the build goes on without it", output[-3000:])


def main():
    with tempfile.TemporaryDirectory() as name:
        tree = Tree(Path(name) / "tree")
        without_toolkit(tree)
        facts = BUILD / "cuda/build.json"
        if not facts.exists():
            print(f"{shown} things shown; with a toolkit nothing: this build has no CUDA plugin (scripts/setup --cuda, then cmake -DRIDE_CUDA=ON)")
            return 77
        with_toolkit(tree, Path(json.loads(facts.read_text())["root"]))
        gate(tree)
    print(f"{shown} things shown")
    return 0


if __name__ == "__main__":
    sys.exit(main())
