"""The runner's steps: configure, build, ctest, sanitizer reports, pytest. Each writes its whole output under the log
folder and prints only progress, failures and times."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from pathlib import Path

from report import add_program, last_line

TOP = Path(__file__).resolve().parents[2]
LOGS = TOP / "out" / "test"
PROGRESS = re.compile(r"^\s*(\d+)/(\d+) Test\s+#\d+: (\S+) \.*\s*(.*?)\s+([0-9.]+) sec")
TAIL_LINES = 60


def say(text):
    print(text, flush=True)


def run_logged(command, log, env=None, on_line=None):
    """Runs a command in the repository root with its output in `log`; on_line sees each line. Returns exit code, seconds."""
    started = time.monotonic()
    with open(log, "w", encoding="utf-8", errors="replace") as file:
        file.write("$ " + " ".join(map(str, command)) + "\n")
        file.flush()
        with subprocess.Popen(list(map(str, command)), cwd=TOP, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as child:
            for line in child.stdout:
                file.write(line)
                if on_line is not None:
                    on_line(line)
        file.write(f"[exit {child.returncode}]\n")
    return child.returncode, time.monotonic() - started


def tail(log, lines=TAIL_LINES):
    return "\n".join(Path(log).read_text(errors="replace").splitlines()[-lines:])


def build(report, preset, jobs, targets=(), options=()):
    """Configures and builds build/PRESET. True on success; a failure counts as one failed test."""
    LOGS.mkdir(parents=True, exist_ok=True)
    say(f"== build {preset}")
    log = LOGS / f"build-{preset}.log"
    code, configure_s = run_logged(["cmake", "--preset", preset, *options], log)
    if code == 0:
        if preset == "release":  # the table of what is on and what is missing, once
            table = re.search(r"-- RIDE .*?(?=-- Configuring)", Path(log).read_text(), re.S)
            if table:
                say(re.sub(r"^-- ", "   ", table.group(0).rstrip(), flags=re.M))
        log = LOGS / f"build-{preset}-ninja.log"
        code, build_s = run_logged(["cmake", "--build", f"build/{preset}", "-j", str(jobs),
                                    *(["--target", *targets] if targets else [])], log)
    else:
        build_s = 0.0
    if code != 0:
        say(tail(log))
        report.add("build", preset, "failed", f"does not build, see {log}", configure_s + build_s)
        return False
    say(f"   built in {configure_s + build_s:.0f} s")
    report.add("build", preset, "passed", "", configure_s + build_s)
    return True


def sanitizer_environment(preset):
    """The environment of a sanitizer build's tests. Reports go to a folder: Criterion only prints a leak in a test's
    process and exits 0, so any file found there afterwards is a failure."""
    env = dict(os.environ)
    folder = LOGS / f"{preset}-reports"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    common = f"log_path={folder}/report:log_exe_name=1"
    env["ASAN_OPTIONS"] = f"{common}:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:" \
                          "allocator_may_return_null=1"
    env["UBSAN_OPTIONS"] = f"{common}:print_stacktrace=1:halt_on_error=1"
    env["TSAN_OPTIONS"] = f"{common}:second_deadlock_stack=1:halt_on_error=0"
    return env, folder


def tsan_prefix(report, env):
    """TSan needs its own address layout: some kernels randomise more bits than it can take, then `setarch -R` helps."""
    probe = LOGS / "tsan-probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    program = LOGS / "tsan-probe"
    made = subprocess.run(["gcc", "-fsanitize=thread", str(probe), "-o", str(program)], capture_output=True, check=False)
    for prefix in ([], ["setarch", os.uname().machine, "-R"]):
        if made.returncode == 0 and subprocess.run([*prefix, str(program)], env=env, capture_output=True,
                                                   check=False).returncode == 0:
            return prefix
    report.add("tsan", "start", "failed", "a program built with -fsanitize=thread does not start on this machine")
    return None


EMULATED = LOGS / "emulated-kernels.txt"  # every kernel that a test has run in the emulator adds its name


def kernel_status():
    """Prints where each CUDA kernel has been seen to work."""
    run = subprocess.run([sys.executable, TOP / "cmake/kernel_status.py", "--emulated", EMULATED], capture_output=True, text=True, check=False)
    say("== CUDA kernels")
    for line in (run.stdout + run.stderr).splitlines():
        say("   " + line)


def ctest(report, preset, jobs, labels=None, pattern=None):
    """Runs a build's tests (those with the labels, those whose name matches) and adds every one to the report."""
    log, junit = LOGS / f"ctest-{preset}.log", LOGS / f"ctest-{preset}.xml"
    env, folder = dict(os.environ), None
    prefix = []
    if preset in ("asan", "tsan"):
        env, folder = sanitizer_environment(preset)
        if preset == "tsan":
            prefix = tsan_prefix(report, env)
            if prefix is None:
                return
    env["RIDE_EMU_EXECUTED"] = str(EMULATED)
    # twice as many: a test takes two, one that mostly waits takes one (cmake/RideTests.cmake)
    command = [*prefix, "ctest", "--test-dir", f"build/{preset}", "-j", str(2 * jobs), "--output-junit", junit,
               "--test-output-size-passed", "262144", "--test-output-size-failed", "1048576",
               "--test-output-truncation", "head", "--no-tests=ignore", "--output-on-failure"]
    if labels:
        command += ["-L", "^(" + "|".join(labels) + ")$"]
    if pattern:
        command += ["-R", pattern]
    say(f"== test {preset}" + (f" ({', '.join(labels)})" if labels else ""))

    def progress(line):
        match = PROGRESS.match(line)
        if match:
            number, total, name, outcome, seconds = match.groups()
            outcome = re.sub(r"^\.*\s*|\**", "", outcome).strip().lower()
            say(f"   {number:>3}/{total} {name:<44} {outcome:<10} {seconds:>7} s")

    junit.unlink(missing_ok=True)
    _, seconds = run_logged(command, log, env, progress)
    say(f"   {preset} tests took {seconds:.0f} s")
    if not junit.exists():
        say(tail(log))
        report.add(preset, "ctest", "failed", f"gave no results, see {log}")
        return
    for case in xml.parse(junit).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        failure, status = case.find("failure"), case.get("status")
        if status == "disabled":
            outcome = "skipped"
        elif case.find("skipped") is not None:
            outcome = "skipped" if "SKIP_RETURN_CODE" in (case.find("skipped").get("message") or "") else "failed"
        else:
            outcome = "failed" if failure is not None or status != "run" else "passed"
        name = case.get("name")
        added = add_program(report, preset, name, outcome, float(case.get("time") or 0), output)
        for result in added:
            if result.outcome == "failed":
                if failure is not None and failure.get("message") not in (None, "", "Failed"):
                    result.reason = f"{failure.get('message')}; {result.reason}"
                say(f"-- {preset} {name} failed:\n" + "\n".join(result.output.splitlines()[-TAIL_LINES:]))
    if folder is not None:
        for path in sorted(folder.iterdir()):
            text = path.read_text(errors="replace")
            summary = [line for line in text.splitlines() if line.startswith("SUMMARY:") or "runtime error:" in line]
            say(f"-- {preset} sanitizer report {path.name}:\n" + "\n".join(text.splitlines()[:TAIL_LINES]))
            report.add(preset, f"sanitizer report {path.name}", "failed", summary[0] if summary else last_line(text))


def pytest(report, folders, pattern=None):
    """Runs the Python tests below the folders that exist."""
    folders = [f for f in folders if any((TOP / f).rglob("test_*.py"))]
    if not folders:
        return
    say(f"== test python ({', '.join(folders)})")
    log, junit = LOGS / "pytest.log", LOGS / "pytest.xml"
    junit.unlink(missing_ok=True)
    env = dict(os.environ, RIDE_SOURCE_DIR=str(TOP), RIDE_BUILD_DIR=str(TOP / "build/release"),
               RIDE_BIN=str(TOP / "build/release/bin/ride"), PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={junit}", *folders]
    if pattern:
        command += ["-k", pattern]
    _, seconds = run_logged(command, log, env)
    if not junit.exists():
        say(tail(log))
        report.add("python", "pytest", "failed", f"gave no results, see {log}")
        return
    count = failed = 0
    for case in xml.parse(junit).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        count += 1
        if bad is not None:
            failed += 1
            report.add("python", name, "failed", (bad.get("message") or "").splitlines()[0] if bad.get("message") else "")
        elif skipped is not None:
            report.add("python", name, "skipped", skipped.get("message") or "")
        else:
            report.add("python", name, "passed", "", float(case.get("time") or 0))
    if failed:
        say(tail(log))
    say(f"   {count} Python tests, {failed} failed, {seconds:.0f} s")


CLAIM = re.compile(r"^(\d+)\. (shown|not shown|skipped)\s+(.*)$")


def acceptance(report, complete):
    """Runs every script of tests/acceptance and counts its claims. complete: all tests were run before, so what they gave is
    taken from the report, and the scripts run side by side; otherwise they run what they need themselves, one after the other."""
    env = dict(os.environ)
    env.pop("RIDE_TEST_RESULTS", None)
    if complete:
        env["RIDE_TEST_RESULTS"] = str(report.save(LOGS / "results-so-far.json"))
    scripts = [s for s in sorted((TOP / "tests/acceptance").iterdir()) if s.is_file() and os.access(s, os.X_OK)]

    def told(script):
        claims = []

        def heard(line):
            match = CLAIM.match(line)
            if match:
                claims.append(match.groups())
        return (claims, *run_logged([script], LOGS / f"acceptance-{script.name}.log", env, heard))
    with concurrent.futures.ThreadPoolExecutor(len(scripts) if complete else 1) as pool:
        ends = list(pool.map(told, scripts))
    for script, (claims, code, seconds) in zip(scripts, ends):
        say(f"== acceptance: {script.name}, {seconds:.0f} s")
        for number, outcome, text in claims:
            say(f"   {number}. {outcome:<9} {text}")
        for number, outcome, text in claims:
            outcome = {"shown": "passed", "not shown": "failed"}.get(outcome, "skipped")
            report.add("acceptance", f"{script.name} {number}", outcome, text if outcome != "passed" else "", seconds / len(claims))
        if not claims or (code != 0 and not any(outcome == "not shown" for _, outcome, _ in claims)):
            report.add("acceptance", script.name, "failed", f"ended with {code}, see its log")
            say(tail(LOGS / f"acceptance-{script.name}.log", 20))
