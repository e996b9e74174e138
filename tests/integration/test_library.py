"""libride as somebody installs it: what the shared library needs and shows, what the archive leaves global, and examples/embed.c built against the
installed header with pkg-config (shared and static) and with CMake (both), from a tree that was moved; its results are those of `ride score`.
ride-test: release-only (sanitized libraries are for nobody)"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

top = Path(os.environ.get("RIDE_SOURCE_DIR", Path(__file__).resolve().parents[2]))
build = Path(os.environ.get("RIDE_BUILD_DIR", top / "build/release"))
golden = top / "tests/golden/models"
if not (build / "lib/libride.so").exists():
    print("this build has no lib/libride.so")
    sys.exit(77)


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def names_of(*command):
    return {re.sub("@.*", "", line.split()[-1]) for line in run(*command).splitlines() if re.search(r" [TDBRVW] ", line)}


def check_surface(shared, archive):
    header = (top / "host/include/ride/ride.h").read_text()
    wanted = set(re.findall(r"RIDE_API [^;{]*?\b(ride_\w+)\(", header))
    assert len(wanted) > 20, wanted
    listed = set(re.findall(r"^    (ride_\w+);", (top / "cmake/libride.map").read_text(), re.M))
    assert listed == wanted, f"cmake/libride.map and ride.h differ in {listed ^ wanted}"
    shown = names_of("nm", "-D", "--defined-only", shared)
    assert shown == wanted, f"the library shows {shown - wanted}, lacks {wanted - shown}"
    left = names_of("nm", "-g", "--defined-only", archive)
    assert left == wanted, f"the archive leaves {left - wanted} global, lacks {wanted - left}"
    soname = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", shared)).group(1)
    assert soname == "libride.so.0", soname
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", shared)))
    assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}, needed
    assert "not found" not in run("ldd", shared)
    assert not re.search("R(UN)?PATH", run("readelf", "-d", shared))
    print(f"{len(wanted)} functions, and nothing but {', '.join(sorted(needed))}")


def rows_of(name, columns):
    lines = (golden / f"{name}.csv").read_text().splitlines()[1:]
    return [line.split(",")[:columns] for line in lines]


def check_results(program, environment):
    for model, columns, kind in (("xgboost-3.2.0-plain.json", 4, "%.9g"), ("xgboost-3.2.0-multi.json", 4, "%.9g"),
                                 ("lightgbm-4.6.0-binary.txt", 4, "%.17g")):
        stem = model.rsplit(".", 1)[0]
        rows = rows_of(stem, columns)
        text = "".join(" ".join(cell or "nan" for cell in row) + "\n" for row in rows)
        got = run(program, golden / model, input=text, env=environment).splitlines()
        for raw, half in ((True, 0), (False, 1)):
            want = run(build / "bin/ride", "score", "--model", golden / model, "--input", golden / f"{stem}.csv", "--output", "-",
                       *(["--raw"] if raw else [])).splitlines()
            assert len(got) == len(want) == 60
            for line, expected in zip(got, want):
                values = line.split()
                outputs = len(values) // 2
                mine = [kind % float(v) for v in values[half * outputs:(half + 1) * outputs]]
                assert mine == [kind % float(v) for v in expected.split(",")], (model, raw, line, expected)
    bad = subprocess.run([program, "/nowhere.json"], capture_output=True, text=True, env=environment)
    assert bad.returncode == 1 and "/nowhere.json" in bad.stderr, bad.stderr


def check_environment(program, environment, folder):
    """One variable is asked for."""
    (folder / "asked.c").write_text('#include <stdio.h>\nchar *getenv(const char *name) { fprintf(stderr, "asked: %s\\n", name); return 0; }\n')
    run("cc", "-shared", "-fPIC", "-o", folder / "asked.so", folder / "asked.c")
    done = subprocess.run([program, golden / "xgboost-3.2.0-plain.json"], input="0 0 0 0\n", capture_output=True, text=True, check=True,
                          env=dict(environment, LD_PRELOAD=str(folder / "asked.so")))
    assert set(re.findall("asked: (.*)", done.stderr)) == {"RIDE_CPU_ISA"}, done.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        run("cmake", "--install", build, "--prefix", folder / "first", "--component", "library")
        prefix = folder / "a moved tree"
        shutil.move(folder / "first", prefix)
        shared = next(prefix.rglob("libride.so.0"))
        lib = shared.parent
        check_surface(shared, lib / "libride.a")
        environment = dict(os.environ, PKG_CONFIG_PATH=str(lib / "pkgconfig"), LD_LIBRARY_PATH=str(lib))
        assert run("pkg-config", "--modversion", "ride", env=environment).strip() == run(build / "bin/ride", "version").split()[1]
        strict = "-std=c99 -pedantic -Wall -Wextra -Werror"  # the header is no burden on a program's own settings
        source = top / "examples/embed.c"
        compiler = f"cc {strict} -o '{folder}/%s' '{source}'"
        run("sh", "-c", f"{compiler % 'shared'} '-I{prefix}/include' '-L{lib}' -lride", env=environment)
        check_results(folder / "shared", environment)
        check_environment(folder / "shared", environment, folder)
        plain = dict(environment)
        del plain["LD_LIBRARY_PATH"]
        run("sh", "-c", f"{compiler % 'static'} '-I{prefix}/include' '{lib}/libride.a' -lstdc++ -lm -lpthread", env=environment)
        check_results(folder / "static", plain)
        straight = folder / "straight"  # pkg-config's words are for paths without blanks
        shutil.copytree(prefix, straight, symlinks=True)
        words = dict(environment, PKG_CONFIG_PATH=str(straight / lib.relative_to(prefix) / "pkgconfig"))
        run("sh", "-c", f"{compiler % 'by_pc'} $(pkg-config --cflags --libs ride)", env=words)
        check_results(folder / "by_pc", dict(environment, LD_LIBRARY_PATH=str(straight / lib.relative_to(prefix))))
        project = folder / "project"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.16)\nproject(embed C CXX)\nfind_package(Ride 0.1 REQUIRED)\n"
            f"add_executable(dynamic \"{source}\")\ntarget_link_libraries(dynamic Ride::ride)\n"
            f"add_executable(fixed \"{source}\")\ntarget_link_libraries(fixed Ride::ride_static)\n")
        run("cmake", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
        run("cmake", "--build", project / "build")
        for name in ("dynamic", "fixed"):
            check_results(project / "build" / name, plain)
        print("embed.c: shared, static, pkg-config and CMake builds give the margins and answers of `ride score`")


main()
