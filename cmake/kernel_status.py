#!/usr/bin/env python3
"""Which CUDA kernels have been seen to work, and where: in the emulator (kernels/emu, no GPU), on hardware, or never.

  kernel_status.py [--brief] [--emulated FILE]      one line per kernel, then "K of M kernels verified on hardware"
  kernel_status.py --verify FILE --device NAME --commit HASH [--date YYYY-MM-DD]
                                                    writes kernels/cuda/kernels.lock: what FILE names passed on that device

FILE has a kernel's name on each line (the emulator appends to the one that RIDE_EMU_EXECUTED names). kernels.lock keeps, for each
kernel, the hash of its sources: the .cu file that defines it and all of ours that it includes, without comments. A kernel whose sources
have changed since is not verified any more."""
import argparse
import datetime
import hashlib
import json
import os
import re
import sys
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[1])
CUDA = "kernels/cuda"
COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
KERNEL = re.compile(r"__global__\s+(?:[\w\s]|__launch_bounds__\s*\([^()]*\))*?\b(\w+)\s*\((?:[^()]|\([^()]*\))*\)\s*\{")


def text_of(path):
    """A source without comments, with one blank for many: what can change what it does."""
    bare = COMMENT.sub(lambda found: found[0] if found[0][0] in "\"'" else " ", (TOP / path).read_text())
    return "\n".join(line for line in (" ".join(line.split()) for line in bare.splitlines()) if line)


def kernels():
    """{name: the .cu file that defines it}, in the order of the files; ValueError for a kernel that the others could not tell apart."""
    found = {}
    for path in sorted((TOP / CUDA).glob("*.cu")):
        for name in KERNEL.findall(text_of(path)):
            if not name.startswith("ride_"):
                raise ValueError(f"{path.name}: the kernel {name} is not called ride_…")
            if name in found:
                raise ValueError(f"{name} is defined in {found[name]} and in {path.name}")
            found[name] = f"{CUDA}/{path.name}"
    return found


def sources(path):
    """The file and all of ours that it includes, directly or not."""
    known, todo = set(), [path]
    while todo:
        path = todo.pop()
        if path in known:
            continue
        known.add(path)
        for name in INCLUDE.findall(text_of(path)):
            places = [os.path.normpath(os.path.join(base, name)) for base in (os.path.dirname(path), "", "host", "host/include")]
            todo += [place for place in places if (TOP / place).is_file()][:1]
    return sorted(known)


def digest(path):
    whole = hashlib.sha256()
    for name in sources(path):
        whole.update(f"{name}\n{text_of(name)}\n".encode())
    return whole.hexdigest()[:32]


def names_in(path):
    """The names in a file, each once; none when there is no such file."""
    try:
        return {line.strip() for line in Path(path).read_text().splitlines() if line.strip()}
    except FileNotFoundError:
        return set()


def status(found, lock, emulated):
    """Rows (kernel, file, executed by, verified)."""
    rows = []
    for name, path in found.items():
        entry, words = lock.get(name), []
        verified = entry is not None and entry["sources"] == digest(path)
        if entry is not None:
            words.append(f"hardware ({entry['device']}, {entry['commit'][:10]}, {entry['date']}{'' if verified else '; its sources have changed since'})")
        if name in emulated:
            words.append("emulator")
        rows.append((name, path, ", ".join(words) or "never", verified))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--emulated", default=os.environ.get("RIDE_EMU_EXECUTED", ""))
    parser.add_argument("--verify", metavar="FILE")
    parser.add_argument("--device")
    parser.add_argument("--commit")
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    options = parser.parse_args()
    path = TOP / CUDA / "kernels.lock"
    try:
        found = kernels()
        lock = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        sys.exit(f"kernel_status: {error}")
    if options.verify:
        names = names_in(options.verify)
        if not options.device or not options.commit:
            parser.error("--verify needs --device and --commit")
        if not names or names - found.keys():
            sys.exit(f"kernel_status: {options.verify} names {', '.join(sorted(names - found.keys())) or 'nothing'}: no kernel of {CUDA}")
        lock.update({name: {"sources": digest(found[name]), "device": options.device, "commit": options.commit, "date": options.date} for name in names})
        lock = {name: entry for name, entry in sorted(lock.items()) if name in found}
        path.write_text("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in lock.items()) + "\n}\n")
    rows = status(found, lock, names_in(options.emulated) if options.emulated else set())
    width = max([len(row[0]) for row in rows], default=0)
    for name, _, words, _ in () if options.brief else rows:
        print(f"{name.ljust(width)}  executed by: {words}")
    print(f"{sum(row[3] for row in rows)} of {len(rows)} kernels verified on hardware")
    return 0


if __name__ == "__main__":
    sys.exit(main())
