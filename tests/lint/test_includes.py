"""The include rule of ARCHITECTURE.md: dependencies point down only, and each third-party header has one home.

Every source folder has a level; a file may include its own folder and folders of lower levels, never its own level's
neighbours. kernels/* have a rule of their own (RULES), so that they build on a machine that has no library.
`--self-test` runs the rule over made-up files, good and bad."""
import os
import re
import sys
from pathlib import Path

from lintlib import TOP, finish, text_of, tracked

# Folder (longest prefix wins) -> level. A file may include strictly lower levels and its own folder.
LEVELS = {
    "host/base": 0,
    "host/lib": 1, "kernels/layout": 1, "kernels/row": 1, "host/include/ride": 2,
    "host/features": 3, "models": 3, "host/topo": 3, "host/generate": 3,
    "host/config": 4, "host/state": 4, "host/stats": 4, "host/backend": 4, "host/serve": 4, "io": 4, "scheduler": 4,
    "host/engine": 5, "host/api": 6, "host/cli": 7,
}
# Folders that do not follow the levels: what they may include, all of it.
BASE_LAYOUT_ROW = ("host/base", "kernels/layout", "kernels/row", "host/include/ride")
RULES = {
    "kernels/layout": ("host/base", "kernels/layout", "host/include/ride"),
    "kernels/row": ("host/base", "kernels/layout", "kernels/row"),
    "kernels/cpu": BASE_LAYOUT_ROW + ("kernels/cpu",),
    "kernels/reference": BASE_LAYOUT_ROW + ("kernels/reference",),
    "kernels/cuda": BASE_LAYOUT_ROW + ("kernels/cuda",),
    "kernels/emu": BASE_LAYOUT_ROW + ("kernels/emu", "kernels/cuda"),
    "host/include/ride": ("host/base", "kernels/layout", "host/include/ride"),
}
FREE = ("tests", "bench", "examples", "cmake")  # may include any of ours

# Third-party header (prefix) -> the one folder that may include it; WITNESSES: the folders whose programs may too, since what they say
# about ours (a floor to measure against, what a topic really holds, errors put into a broker's mouth) must not come from ours.
HOMES = {
    "yaml.h": "host/lib", "simdjson.h": "host/lib", "zstd.h": "host/lib", "zstd_errors.h": "host/lib",
    "zlib.h": "host/lib", "xxhash.h": "host/lib", "hwloc.h": "host/topo",
    "librdkafka/": "io", "microhttpd.h": "host/serve", "curl/": "host/lib",
    "cuda_runtime.h": "kernels/cuda", "cuda.h": "kernels/cuda", "nccl.h": "kernels/cuda", "cublas": "kernels/cuda", "cub/": "kernels/cuda",
    "criterion/": "tests", "benchmark/benchmark.h": "bench",
}
WITNESSES = {"librdkafka/": ("tests/kafka", "tests/unit", "bench"), "simdjson.h": ("bench",)}
# Headers of the language, POSIX, Linux and the compilers, allowed everywhere.
SYSTEM = set("""assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg
stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
aio dirent dlfcn fcntl fnmatch ftw getopt glob iconv langinfo libgen netdb poll pthread pwd regex sched search semaphore
spawn strings syslog termios unistd utime malloc execinfo endian byteswap alloca link mntent
immintrin x86intrin emmintrin cpuid arm_neon unwind ucontext sanitizer/asan_interface sanitizer/lsan_interface
sanitizer/tsan_interface""".split())
SYSTEM_FOLDERS = ("sys/", "netinet/", "arpa/", "net/", "linux/", "bits/")
CPP = re.compile(r"^[a-z_]+$")  # <charconv>, <string_view> …: only in C++ sources
CPP_FOLDERS = ("kernels/cuda", "kernels/emu")  # whose headers are C++ too
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
SOURCES = (".c", ".h", ".cc", ".cu", ".cuh", ".hh")


def folder_of(path):
    """The longest known folder that holds the path, or its top folder."""
    known = [f for f in (*LEVELS, *RULES, *FREE) if path == f or path.startswith(f + "/")]
    return max(known, key=len) if known else path.split("/")[0]


def resolve(name, source, exists):
    """The file of ours that an include names, relative to the tree, or None."""
    for base in (str(Path(source).parent), "", "host", "host/include"):
        candidate = os.path.normpath(os.path.join(base, name))
        if exists(candidate):
            return candidate
    return None


def may_include(user, used):
    """Why a file in folder `user` must not include one of folder `used`, or None when it may."""
    if user in FREE or user == used:
        return None
    if user in RULES:
        return None if used in RULES[user] else f"{user} includes only {', '.join(RULES[user])}"
    if user not in LEVELS:
        return f"{user} has no level: add it to LEVELS in tests/lint/test_includes.py"
    if used in RULES and used not in LEVELS:
        return f"nothing includes {used}: it is reached through the backend table"
    if used not in LEVELS:
        return f"{used} is not for {user}"
    if LEVELS[used] < LEVELS[user]:
        return None
    return f"{user} (level {LEVELS[user]}) must not include {used} (level {LEVELS[used]}): dependencies point down"


def check(files, exists):
    """Findings over files: {path: text}."""
    findings, homes = [], {}
    for path, text in sorted(files.items()):
        user = folder_of(path)
        for match in INCLUDE.finditer(text):
            place = f"{path}:{text.count(chr(10), 0, match.start(1)) + 1}"
            quote, name = match.groups()
            target = resolve(name, path, exists)
            if target is not None:
                why = may_include(user, folder_of(target))
                if why:
                    findings.append(f"{place}: {name}: {why}")
                continue
            stem = name[:-2] if name.endswith(".h") else name
            home = next((h for prefix, h in HOMES.items() if name.startswith(prefix)), None)
            if home is not None:
                witness = next((w for prefix, w in WITNESSES.items() if name.startswith(prefix)), ())
                if path.startswith(tuple(f"{folder}/" for folder in witness)):
                    continue
                if not (path.startswith(home + "/")):
                    findings.append(f"{place}: <{name}> has its home in {home}")
                elif home not in FREE:
                    homes.setdefault(name, set()).add(path)
            elif quote == '"':
                findings.append(f'{place}: "{name}" is not a file of the tree')
            elif stem in SYSTEM or name.startswith(SYSTEM_FOLDERS):
                pass
            elif CPP.match(name) and (path.endswith((".cc", ".hh", ".cu", ".cuh")) or user in CPP_FOLDERS):
                pass
            else:
                findings.append(f"{place}: <{name}> is a header with no home: add it to HOMES in tests/lint/test_includes.py")
    for name, users in sorted(homes.items()):
        if len(users) > 1:
            findings.append(f"<{name}> is included by {len(users)} files ({', '.join(sorted(users))}): one shim is its home")
    return findings


GOOD = {
    "host/base/error.h": '#include "base/status.h"\n#include <stddef.h>\n', "host/base/status.h": "",
    "kernels/layout/plan.h": '#include "base/status.h"\n', "kernels/cpu/ring.c": '#include "kernels/layout/plan.h"\n',
    "host/lib/yaml.c": '#include "lib/yaml_shim.h"\n#include <yaml.h>\n', "host/lib/yaml_shim.h": '#include "base/error.h"\n',
    "io/file.c": '#include "lib/yaml_shim.h"\n#include "reader.h"\n#include <sys/stat.h>\n', "io/reader.h": "",
    "host/engine/run.c": '#include "io/reader.h"\n', "host/lib/text.cc": "#include <charconv>\n",
    "bench/micro_a.cc": "#include <benchmark/benchmark.h>\n#include <simdjson.h>\n",
    "tests/unit/a.c": '#include <criterion/criterion.h>\n#include "io/reader.h"\n',
    "io/kafka_one.h": "#include <librdkafka/rdkafka.h>\n", "tests/kafka/tool.c": "#include <librdkafka/rdkafka.h>\n",
}
BAD = {  # each must give exactly one finding
    "host/base/up.c": '#include "lib/yaml_shim.h"\n', "kernels/cpu/lib.c": '#include "lib/yaml_shim.h"\n',
    "io/yaml.c": "#include <yaml.h>\n", "host/config/io.c": '#include "io/reader.h"\n',
    "io/kernel.c": '#include "kernels/cpu/ring.h"\n', "host/base/none.c": '#include "base/none.h"\n',
    "host/base/foreign.c": "#include <glib.h>\n", "host/base/cpp.c": "#include <charconv>\n",
    "host/unknown/a.c": '#include "base/error.h"\n', "scheduler/top.c": '  #  include "../host/engine/run.h"\n',
    "tests/stress/kafka.c": "#include <librdkafka/rdkafka.h>\n",
    "host/features/bench.c": "#include <benchmark/benchmark.h>\n", "bench/yaml.c": "#include <yaml.h>\n",
}


def self_test():
    extra = {"kernels/cpu/ring.h": "", "host/engine/run.h": ""}
    good = dict(GOOD, **extra)
    assert check(good, good.__contains__) == [], check(good, good.__contains__)
    for path, text in BAD.items():
        files = dict(good, **{path: text})
        findings = check(files, files.__contains__)
        assert len(findings) == 1 and findings[0].startswith(path + ":1:"), (path, findings)
    twice = dict(good, **{"host/lib/other.c": "#include <yaml.h>\n"})
    assert len(check(twice, twice.__contains__)) == 1
    return len(GOOD) + len(BAD) + 1


def main():
    print(f"self-test: {self_test()} cases")
    files = {str(p): text_of(p) or "" for p in tracked(*SOURCES) if not str(p).startswith("bench/peers/")}
    finish(check(files, lambda name: (TOP / name).is_file()), len(files))


if __name__ == "__main__":
    sys.exit(main())
