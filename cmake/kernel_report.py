#!/usr/bin/env python3
"""What the compiler made of each kernel, read from the linked plugin: registers, stack, shared and local memory per machine, and the mix
of instructions on one of them. Kernels are the functions with C names; those of CUB, with C++ names, are left out.

  kernel_report.py BUILD            writes BUILD/cuda/report.txt
  kernel_report.py BUILD --brief    without the instructions: disassembling takes seconds
  kernel_report.py BUILD --check    also compares with kernels/cuda/kernels.budget and looks for contraction; exit 1, or 77 when this
                                    compiler or these machines are not the budget's
  kernel_report.py BUILD --update   writes the budget anew

Contraction: with --fmad=false no multiplication and addition become one FMA, so that every machine gives the CPU's bits. Seen in the
PTX, where an FMA that was not asked for would stand as `fma`. In the machine's code there are FMAs all the same where the PTX divides or
takes a root: that is how those are computed, rounded as IEEE asks."""
import collections
import difflib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
BUDGET_VERSION = "13.0.88"  # another ptxas allots registers differently
BUDGET_MACHINES = ["80-real", "90-real", "100-real", "90-virtual"]
HEAD = "# machine kernel registers stack shared local: kernel_report.py --update (ptxas 13.0.88). From sm_90 on 1,024 bytes of shared are the system's.\n"

# Instruction mix: column, and the instructions' names. load and store: global memory, or an address that could be any kind.
MIX = (("fma", r"FFMA|DFMA|FFMA2"), ("f64", r"D(?:ADD|MUL|FMA|SETP|MNMX)"), ("load", r"LDG|LD"), ("store", r"STG|ST"), ("shared", r"LDS|STS|LDSM|STSM"),
       ("atomic", r"ATOM|ATOMG|ATOMS|RED|REDG"), ("local", r"LDL|STL"), ("barrier", r"BAR|WARPSYNC|BSYNC"),
       ("warp", r"SHFL|VOTE|VOTEU|MATCH|REDUX"), ("branch", r"BRA|BRX|JMP"), ("call", r"CALL"))
INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+\{?\s*(?:@!?\w+\s+)?([A-Z][A-Z0-9]*)[. ;]")
PTX_FUNCTION = re.compile(r"^(?:\.\w+ )*\.(entry|func)\s+(?:\([^)]*\)\s*)?([\w$]+)")
DIVIDES = re.compile(r"^\s*(?:@!?%\w+ )?(?:div|rcp|sqrt|rsqrt|rem)\.")


def ours(name):
    return not name.startswith("_Z")


def cuobjdump(root, *args):
    env = dict(os.environ, PATH=f"{root}/bin:{os.environ.get('PATH', '')}")  # it calls nvdisasm
    run = subprocess.run([f"{root}/bin/cuobjdump", *map(str, args)], env=env, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"cuobjdump {args[0]}: {run.stderr.strip()[-500:]}")
    return run.stdout


def natural(row):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", row[0])], row[1]


def resources(text):
    """Rows (machine, kernel, registers, stack, shared, local) of cuobjdump --dump-resource-usage."""
    rows, machine, kernel = [], None, None
    for line in text.splitlines():
        if found := re.match(r"arch = (sm_\w+)", line):
            machine = found[1]
        elif found := re.match(r" Function ([\w$]+):", line):
            kernel = found[1]
        elif found := re.search(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)", line):
            if kernel and ours(kernel):
                rows.append((machine, kernel, *found.groups()))
            kernel = None
    return sorted(rows, key=natural)


def instructions(text):
    """{(machine, kernel): how often each instruction} of cuobjdump -sass."""
    mixes, machine, counter = {}, None, None
    for line in text.splitlines():
        if found := re.match(r"\s*code for (sm_\w+)", line):
            machine, counter = found[1], None
        elif found := re.match(r"\s*Function : ([\w$]+)", line):
            counter = mixes.setdefault((machine, found[1]), collections.Counter()) if ours(found[1]) else None
        elif counter is not None and (found := INSTRUCTION.match(line)) and found[1] != "NOP":
            counter[found[1]] += 1
    return mixes


def contractions(text, mixes):
    """Findings about FMAs that no division explains. CUB's functions are not ours to judge."""
    findings, kind, function, fused, divide = [], None, None, collections.Counter(), set()
    for line in text.splitlines():
        if found := PTX_FUNCTION.match(line):
            kind, function = found.groups()
        elif function and "3cub" not in function:
            fused[function] += bool(re.match(r"\s*(?:@!?%\w+ )?fma\.", line))
            if DIVIDES.match(line):
                divide.add(function if kind == "entry" else "any")  # whoever calls that function
    findings += [f"{name}: {count} fma in its PTX: --fmad=false is not in force, or it calls fma()" for name, count in fused.items() if count]
    return findings + [f"{kernel} on {machine}: {mix_of(mix)['fma']} FMAs, and it does not divide" for (machine, kernel), mix in mixes.items()
                       if mix_of(mix)["fma"] and not divide & {kernel, "any"}]


def mix_of(counter):
    return {column: sum(count for name, count in counter.items() if re.fullmatch(pattern, name)) for column, pattern in MIX}


def table(rows, mixes):
    columns = ["machine", "kernel", "registers", "stack", "shared_bytes", "local_bytes", "all", *(column for column, _ in MIX)]
    cells = [columns]
    for row in rows:
        counter = mixes.get(row[:2])
        mix = [sum(counter.values()), *mix_of(counter).values()] if counter else ["-"] * (len(MIX) + 1)
        cells.append([*row, *map(str, mix)])
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
                     for row in cells) + "\n"


def main():
    build, option = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    budget = Path(os.environ.get("RIDE_KERNEL_BUDGET") or TOP / "kernels/cuda/kernels.budget")
    facts = json.loads((build / "cuda/build.json").read_text())
    root, plugin = facts["root"], facts["plugin"]
    if not Path(root, "bin/cuobjdump").exists():
        print(f"{root} has no cuobjdump")
        return 77 if option else 0
    rows = resources(cuobjdump(root, "--dump-resource-usage", plugin))
    machines = sorted({row[0] for row in rows}, key=lambda name: name != "sm_90")
    disassemble = machines and option != "--brief" and Path(root, "bin/nvdisasm").exists()
    mixes = instructions(cuobjdump(root, "-sass", "-arch", machines[0], plugin)) if disassemble else {}
    (build / "cuda/report.txt").write_text(f"CUDA {facts['version']}, {len({row[1] for row in rows})} kernels; the columns from `all` on count instructions\n" + table(rows, mixes))
    text = HEAD + "".join(" ".join(row) + "\n" for row in rows)
    comparable = facts["version"] == BUDGET_VERSION and facts["architectures"] == BUDGET_MACHINES
    why = f"the budget is for CUDA {BUDGET_VERSION} and {' '.join(BUDGET_MACHINES)}, this build is for {facts['version']} and {' '.join(facts['architectures'])}"
    if option == "--update":
        if not comparable:
            sys.exit(why)
        budget.write_text(text)
        print(f"{len(rows)} rows in {budget}")
    elif option == "--check":
        findings = contractions(cuobjdump(root, "-ptx", plugin), mixes) if "90-virtual" in facts["architectures"] else []
        if comparable:
            findings += difflib.unified_diff(budget.read_text().splitlines(), text.splitlines(), "kernels.budget", "this build", lineterm="", n=0)
        for finding in findings:
            print(finding)
        if findings:
            print(f"{len(findings)} findings; the mix of instructions is in {build}/cuda/report.txt. If other resources are meant: cmake/kernel_report.py {build} --update")
            return 1
        if not comparable:
            print(why)
            return 77
        print(f"{len(rows)} rows as in the budget, no contraction")
    return 0


if __name__ == "__main__":
    sys.exit(main())
