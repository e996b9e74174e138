"""scripts/gpu-check: see --help and docs/gpu.md."""
import argparse
import datetime
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import device as machine  # noqa: E402
import read  # noqa: E402
import table  # noqa: E402
from runner import TOP, Failed, OutOfTime, Skipped, Steps  # noqa: E402

BUNDLES = TOP / "tests/golden/bundles"
METRICS = ("gpu__time_duration.sum", "dram__bytes_read.sum", "dram__bytes_write.sum", "sm__inst_executed.sum", "sm__cycles_elapsed.max",
           "launch__registers_per_thread")
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
HELP = """\
Builds the minimal tree with the CUDA plugin for the GPU of this machine, and on it
  conformance   every backend test on the hardware, as many random rounds as the time allows
  floors        launches, graphs, copies, memory, atomics
  crossover     rows a second of cpu and cuda by batch size, and that both give the same bytes
  kernels       time of each kernel beside its limit by bytes and by instructions (Nsight Compute, where it is installed)
  memcheck …    compute-sanitizer's four tools on a short set
  lock          kernels/cuda/kernels.lock: the kernels that conformance executed here and that passed
Writes PREFIX.json and PREFIX.md (default bench/results/gpu-DEVICE). A step that fails is told there and the others go on.
Exit code 0: nothing failed, or there is no device (SKIP); 1: a step failed or ran out of time."""


class Check:
    def __init__(self, options, device):
        self.options, self.device, self.rehearse = options, device, options.rehearse
        self.steps = Steps(options.budget)
        self.build = Path(options.build).resolve()
        self.plugin = self.build / ("emu" if self.rehearse else "bin") / "libride_cuda.so"
        self.backend = "cuda_emulated" if self.rehearse else "cuda"
        self.executed = self.build / "gpu-check-executed.txt"
        self.timing = self.build / "gpu-check-timing.txt"
        self.numbers = {}

    # ---- steps ----

    def do_build(self):
        cache = self.build / "CMakeCache.txt"
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DRIDE_MINIMAL=ON", "-DRIDE_WERROR=OFF"]
        if shutil.which("ninja") and not cache.exists():
            options += ["-G", "Ninja"]
        if self.rehearse:
            options += ["-DRIDE_CUDA=OFF"]
        else:
            options += ["-DRIDE_CUDA=ON", f"-DCMAKE_CUDA_ARCHITECTURES={self.device['compute_cap'].replace('.', '')}-real"]
            nvcc = machine.tool("nvcc")
            if nvcc and not os.environ.get("CUDA_HOME"):
                options += [f"-DCUDAToolkit_ROOT={Path(nvcc).resolve().parents[1]}"]
        configure = self.steps.run(["cmake", "-S", TOP, "-B", self.build, *options])
        targets = ["conformance_programs", "gpu_programs", "ride_cuda_emu" if self.rehearse else "ride_cuda"]
        begin = time.monotonic()
        self.steps.run(["cmake", "--build", self.build, "-j", str(len(os.sched_getaffinity(0))), "--target", *targets])
        note = re.search(r"--\s+CUDA plugin\s+(.*)", configure)
        return {"cuda_plugin": note[1].strip() if note else "", "compile_s": round(time.monotonic() - begin, 1)}

    def programs(self):
        found = sorted((self.build / "tests").glob("conformance_*_test"))
        if not found:
            raise Failed("there is no conformance program")
        return found

    def environment(self, **more):
        return dict({"RIDE_CONFORMANCE_BACKENDS": self.backend, "RIDE_SOURCE_DIR": str(TOP)}, **more)

    def conformance(self):
        programs, numbers, wrong, output = self.programs(), {}, [], ""
        self.executed.unlink(missing_ok=True)
        seconds = max(1, int((self.steps.deadline - time.monotonic()) * 0.7 / len(programs)))
        rounds = {} if self.rehearse and not self.options.rounds else {"RIDE_CONFORMANCE_ROUNDS": str(self.options.rounds or 1000000)}
        for program in programs:
            try:
                text = self.steps.run([program], ok=range(-64, 256), limit_s=3 * seconds + 20,
                                      environment=self.environment(RIDE_CONFORMANCE_SECONDS=str(seconds), RIDE_CUDA_EXECUTED=str(self.executed), **rounds))
            except OutOfTime as why:
                wrong.append(str(why))
                output += why.output
                continue
            came = read.conformance(text)
            numbers[program.name] = came
            if came is None or came["failing"] or came["crashing"]:
                wrong.append(program.name + (": no closing line" if came is None else f": {came['failing']} failing, {came['crashing']} crashing"))
                output += text
            elif unable := [why for why in came["skips"].values() if not read.LACKS.match(why)]:
                wrong.append(f"{program.name}: {'; '.join(unable)}")
        if wrong:
            raise Failed(", ".join(wrong), output, numbers)
        if not sum(came["passing"] for came in numbers.values()):
            raise Failed("no case was run", output, numbers)
        return numbers

    def floors(self):
        if self.rehearse:
            raise Skipped("an emulator has none")
        figures = read.figures(self.steps.run([self.build / "bench/gpu/floors"]))
        if "device_read" not in figures:
            raise Failed("no figures")
        self.numbers["floors"] = figures
        return figures

    def crossover_command(self, seconds, *sizes):
        return [self.build / "bench/gpu/crossover", BUNDLES / "card-fraud.bundle", BUNDLES / "card-fraud.rows", "cpu", self.plugin,
                str(seconds), *sizes]

    def crossover(self):
        if self.rehearse:
            command = self.crossover_command(0, "1", "64", "512")
        else:
            command = self.crossover_command(int((self.steps.deadline - time.monotonic()) * 0.5))
        text = self.steps.run(command)
        numbers = read.crossover(text)
        if numbers["different"] or not numbers["sizes"]:
            raise Failed(f"cpu and cuda give different bytes in batches of {numbers['different']}", text, numbers)
        return numbers

    def kernels(self):
        """Times and limits of each kernel, in batches of 4096 rows."""
        command, why = self.crossover_command(0, "64" if self.rehearse else "4096"), "ncu is not installed"
        program = machine.tool("ncu")
        if program and not self.rehearse:
            try:
                text = self.steps.run([program, "--csv", "--print-units", "base", "--target-processes", "all", "--launch-count", "300",
                                       "--metrics", ",".join(METRICS), *command], limit_s=self.options.limit("kernels") * 0.7)
                floors = self.numbers.get("floors", {})
                found = read.kernels(read.ncu(text), floors, floors.get("multiprocessors", {}).get("value"))
                if found:
                    return {"source": "Nsight Compute, clocks locked by it", "kernels": found}
                why = f"ncu gave nothing: {text.strip().splitlines()[-1] if text.strip() else ''}"
            except Failed as failed:
                why = f"ncu: {failed}: {failed.output.strip().splitlines()[-1] if failed.output.strip() else ''}"
        self.timing.unlink(missing_ok=True)
        self.steps.run(command, environment={"RIDE_CUDA_TIMING": str(self.timing)})
        found = read.timing(self.timing.read_text()) if self.timing.exists() else {}
        if not found:
            raise Skipped(f"{why}; the plugin wrote no times (RIDE_CUDA_TIMING)")
        return {"source": f"events of the plugin ({why})", "kernels": found}

    def sanitizer(self, name):
        program = machine.tool("compute-sanitizer")
        if self.rehearse:
            raise Skipped("an emulator has its own checks")
        if program is None:
            raise Skipped("compute-sanitizer is not installed")
        more = ["--leak-check", "full"] if name == "memcheck" else []
        short = self.environment(RIDE_CONFORMANCE_ROUNDS="1")
        for test in ("conformance_golden_test", "conformance_operations_test"):
            text = self.steps.run([program, "--tool", name, "--error-exitcode", "99", *more, self.build / "tests" / test],
                                  ok=range(-64, 256), environment=short)
            if "Device not supported" in text:
                raise Skipped("compute-sanitizer: Device not supported")
            summary = re.findall(r"ERROR SUMMARY: (\d+)", text)
            came = read.conformance(text)
            if not summary or any(int(count) for count in summary) or came is None or came["failing"] or came["crashing"]:
                raise Failed(f"{test}: {summary[-1] + ' errors' if summary else 'no summary'}", text)
        return {}

    def names_executed(self):
        """The kernels that a passing conformance ran on this device."""
        names = set(self.executed.read_text().split()) if self.executed.exists() else set()
        program = machine.tool("ncu")
        if not names and program and not self.rehearse:
            for test in ("conformance_golden_test", "conformance_operations_test"):
                text = self.steps.run([program, "--csv", "--metrics", METRICS[0], self.build / "tests" / test],
                                      environment=self.environment(RIDE_CONFORMANCE_ROUNDS="1"))
                came = read.conformance(text)
                if came is not None and came["passing"] and not came["failing"] and not came["skips"]:
                    names |= set(read.ncu(text))
        return sorted(name for name in names if name.startswith("ride_"))

    def lock(self, passed):
        if not passed:
            raise Skipped("conformance did not pass")
        names = self.names_executed()
        if self.rehearse:
            raise Skipped(f"a rehearsal verifies nothing ({len(names)} kernels were executed)")
        if not names:
            raise Skipped("nobody says which kernels ran: the plugin wrote no RIDE_CUDA_EXECUTED, and there is no ncu")
        self.executed.write_text("\n".join(names) + "\n")
        text = self.steps.run([sys.executable, TOP / "cmake/kernel_status.py", "--verify", self.executed, "--device",
                               self.device["name"], "--commit", machine.commit(TOP)[0]])
        shutil.copy(TOP / "kernels/cuda/kernels.lock", f"{self.options.output}.lock")
        return {"kernels": names, "says": text.strip().splitlines()[-1]}

    # ---- all of it ----

    def run(self):
        wanted = self.options.only

        def step(name, function):
            return not (wanted and name not in wanted) and self.steps.step(name, self.options.limit(name), function)

        if not step("build", self.do_build) and not (wanted and "build" not in wanted):
            return
        passed = step("conformance", self.conformance)
        step("floors", self.floors)
        step("crossover", self.crossover)
        step("kernels", self.kernels)
        for name in SANITIZERS:
            step(name, lambda name=name: self.sanitizer(name))
        step("lock", lambda: self.lock(passed))

    def result(self):
        commit, dirty = machine.commit(TOP)
        failed = [s["name"] for s in self.steps.results if s["status"] in ("failed", "timeout")]
        return {"what": "rehearsal, emulated" if self.rehearse else "gpu-check", "rehearsal": self.rehearse, "device": self.device,
                "driver": self.device.get("driver"), "cuda": machine.nvcc(), "commit": commit, "dirty": dirty,
                "command": "scripts/gpu-check " + " ".join(self.options.words), "date": datetime.datetime.now().isoformat(timespec="seconds"),
                "budget_s": self.options.budget, "seconds": round(time.monotonic() - self.steps.started, 1), "failed": failed,
                "steps": self.steps.results}


class Options(argparse.Namespace):
    LIMITS = {"build": 200, "conformance": 110, "floors": 30, "crossover": 45, "kernels": 45, "lock": 30}

    def limit(self, name):
        return self.LIMITS.get(name, 30) * self.budget / 510


def main():
    parser = argparse.ArgumentParser(prog="scripts/gpu-check", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="the same steps against the emulated backend: tests this script, no GPU")
    parser.add_argument("--output", metavar="PREFIX", help="where PREFIX.json and PREFIX.md go")
    parser.add_argument("--build", metavar="FOLDER", help="build folder (default build/gpu, rehearsal: build/gpu-rehearsal)")
    parser.add_argument("--budget", type=float, default=510, metavar="SECONDS", help="for everything (default 510)")
    parser.add_argument("--rounds", type=int, metavar="N", help="random rounds per case at most")
    parser.add_argument("--only", action="append", metavar="STEP", help="this step only (can be given again)")
    options = parser.parse_args(namespace=Options())
    options.words = sys.argv[1:]
    device, why = ({"name": "emulator"}, None) if options.rehearse else machine.find()
    if device is None:
        print(f"SKIP no device: {why}")
        return 0
    options.build = options.build or TOP / ("build/gpu-rehearsal" if options.rehearse else "build/gpu")
    if options.output is None:
        options.output = Path(options.build) / "gpu-rehearsal" if options.rehearse else TOP / f"bench/results/gpu-{machine.slug(device['name'])}"
    options.output = Path(options.output).resolve()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    print("rehearsal, emulated: no figure means anything" if options.rehearse else f"{device['name']}, driver {device['driver']}", flush=True)
    check = Check(options, device)
    try:
        check.run()
    finally:
        result = check.result()
        Path(f"{options.output}.json").write_text(json.dumps(result, indent=1) + "\n")
        Path(f"{options.output}.md").write_text(table.page(result))
    print(f"{result['seconds']:.0f} s; {options.output}.json and .md; " + (f"FAILED: {', '.join(result['failed'])}" if result["failed"] else "nothing failed"))
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
