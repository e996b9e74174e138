"""The Python package as pip makes and installs it: the wheel built by its back end without NumPy, its contents, and ride.Model's own test over it in a fresh
environment from which the source tree cannot be seen.
ride-test: release-only (packaging is the same in every build)"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

top = Path(os.environ.get("RIDE_SOURCE_DIR", Path(__file__).resolve().parents[2]))


def run(*command, skip=None, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode != 0 and skip:
        print(done.stdout[-2000:], done.stderr[-2000:])
        print(skip)
        sys.exit(77)
    assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def environment_at(folder):
    try:
        venv.create(folder, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"no environment can be made here: {error}")
        sys.exit(77)
    return folder / "bin/python"


def check_contents(wheel):
    with zipfile.ZipFile(wheel) as package:
        names, metadata = set(package.namelist()), None
        for name in names:
            if name.endswith("/METADATA"):
                metadata = package.read(name).decode()
        package.extract("ride/libride.so", wheel.parent)
    tracked = run("git", "-C", top, "ls-files", "python/ride").split()
    wanted = {name.removeprefix("python/") for name in tracked} | {"ride/libride.so"}
    packaged = {name for name in names if not re.match(r"ride-[0-9.]+\.dist-info/", name)}
    assert packaged == wanted, f"the wheel and the tree differ in {packaged ^ wanted}"
    assert {"ride/py.typed", "ride/__init__.pyi"} <= packaged
    assert re.search(r"^Requires-Dist: numpy", metadata, re.M) and re.search(r"^Requires-Python: >=3", metadata, re.M)
    assert wheel.name.split("-")[2:4] == ["py3", "none"], wheel.name  # of no Python's ABI
    library = wheel.parent / "ride/libride.so"
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", library)))
    assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}, needed
    shown = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--defined-only", library).splitlines() if " T " in line}
    listed = set(re.findall(r"^    (ride_\w+);", (top / "cmake/libride.map").read_text(), re.M))
    assert shown == listed, shown ^ listed
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size // 1024} KiB")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        tree = folder / "tree"
        for name in run("git", "-C", top, "ls-files", "CMakeLists.txt", "cmake", "host", "kernels", "models", "python", "pyproject.toml", "LICENSE",
                        "docs/python.md").split():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(top / name, tree / name)
        backend = environment_at(folder / "backend")
        run(backend, "-m", "pip", "install", "-q", "--require-hashes", "-r", top / "python/requirements-wheel.txt",
            skip="pip cannot get the back end of python/requirements-wheel.txt here")
        run(backend, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", folder / "made", tree,
            env=dict(os.environ, CCACHE_BASEDIR=str(tree), CCACHE_NOHASHDIR="1"))  # the folder has another name each time
        assert subprocess.run([backend, "-c", "import numpy"], capture_output=True).returncode != 0, "NumPy was there while it was built"
        wheel = next((folder / "made").glob("*.whl"))
        check_contents(wheel)
        fresh = environment_at(folder / "fresh")
        pins = re.split(r"\n(?=\w)", (top / "python/requirements.txt").read_text())
        (folder / "numpy.txt").write_text("".join(f"{pin}\n" for pin in pins if pin.startswith("numpy==")))
        run(fresh, "-m", "pip", "install", "-q", "--require-hashes", "-r", folder / "numpy.txt", skip="pip cannot get NumPy here")
        run(fresh, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel)
        plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "RIDE_LIBRARY")}
        where = run(fresh, "-c", "import ride.native as l; print(l.__file__, l.lib._name)", cwd=folder, env=plain).split()
        assert all(str(folder / "fresh") in place for place in where), where
        print(run(fresh, "-W", "error", top / "tests/integration/test_python_model.py", cwd=folder, env=dict(plain, RIDE_WHEEL_TEST="1")).strip())
        run(fresh, "-m", "pip", "uninstall", "-q", "-y", "ride")
        assert not list((folder / "fresh").rglob("libride.so")), "pip leaves the library behind"


main()
