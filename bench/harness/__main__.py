"""bench/harness: the one way to compare speed. See bench/README.md, or `python3 bench/harness --help`."""
import argparse
import datetime
import json
import sys
import tempfile
from pathlib import Path

import machine
import stats
from measure import Case, Refused, measure, parse_cores

TOP = Path(__file__).resolve().parents[2]
SCHEMA = 1


def pair(text):
    name, separator, value = text.partition("=")
    if not separator or not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=… is wanted")
    return name, value


def command_run(options):
    if len(options.case) < 2 or len({name for name, _ in options.case}) != len(options.case):
        raise Refused("two or more cases with different names are needed: --case NAME=COMMAND")
    if options.rounds < 5:
        raise Refused("five rounds at least: fewer give no interval worth printing")
    metrics = dict(options.metric)
    if options.equal == "none" or not (options.equal in ("out", "stdout") or options.equal.startswith(("text:", "none:"))):
        raise Refused("--equal: out, stdout, text:REGEX or none:REASON")
    cores = parse_cores(options.cores)
    commit, dirty = machine.revision(TOP)
    started = datetime.datetime.now(datetime.timezone.utc)
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        cases = [Case(name, command, scratch) for name, command in options.case]
        equality, runs = measure(cases, metrics, options.equal, options.check, options.rounds, options.warmup, cores,
                                 options.max_other_load, options.timeout, lambda text: print(text, file=sys.stderr))
    document = {
        "schema": SCHEMA, "name": options.name, "note": options.note,
        "date": started.strftime("%Y-%m-%dT%H:%M:%SZ"), "commit": commit, "dirty": dirty,
        "machine": machine.describe(), "cores": cores,
        "cases": [{"name": name, "command": command} for name, command in options.case],
        "metrics": metrics, "higher_is_better": options.higher, "rounds": options.rounds, "warmup": options.warmup,
        "equal": equality, "runs": runs,
    }
    text = json.dumps(document, indent=1)
    if options.out:
        Path(options.out).write_text(text + "\n", encoding="utf-8")
        print(f"wrote {options.out}", file=sys.stderr)
    return show(document, options.case[0][0], None, [])


def series(document, case, metric):
    """A case's figures in round order."""
    rows = sorted((r for r in document["runs"] if r["case"] == case), key=lambda r: r["round"])
    return [r["metrics"][metric] if metric in r["metrics"] else r[metric] for r in rows]


def show(document, base, metric, bars):
    """Prints a comparison; returns 1 when a bar is missed."""
    names = [case["name"] for case in document["cases"]]
    if base not in names:
        raise Refused(f"no case {base}: there are {', '.join(names)}")
    for name, _ in bars:
        if name not in names:
            raise Refused(f"no case {name}: there are {', '.join(names)}")
    dirty = " with uncommitted changes" if document["dirty"] else ""
    print(f"{document['name']}: {document['date']}, commit {document['commit'][:12]}{dirty}")
    print(f"{document['machine']['cpu']}, {document['machine']['cores']} cores, pinned to {document['cores'] or 'none'}, "
          f"{document['rounds']} rounds; results equal by {document['equal']['check'] or document['equal']['by']}")
    missed = 0
    for what in [metric] if metric else [*document["metrics"], "seconds"]:
        higher = what in document["higher_is_better"]
        print(f"\n{what} ({'higher' if higher else 'lower'} is better)")
        first = series(document, base, what)
        for name in names:
            values = series(document, name, what)
            spread = (stats.quantile(values, 0.75) - stats.quantile(values, 0.25)) / stats.median(values)
            line = f"  {name:<24} median {stats.median(values):<12.6g} min {min(values):<12.6g} spread {spread:6.1%}"
            if name != base:
                ratio, low, high = stats.compare(first, values)
                line += f"   {ratio:.3f} x {base} [{low:.3f}, {high:.3f}]"
                for case, bar in bars:
                    if case == name and what == (metric or next(iter(document["metrics"]), "seconds")):
                        said = stats.verdict(1 / high, 1 / low, 1 / float(bar)) if higher else stats.verdict(low, high, float(bar))
                        line += f"   bar {bar}: {said}"
                        missed += said == "missed"
            print(line)
    loads = [r["other_load"]["pinned" if document["cores"] else "all"] for r in document["runs"]]
    everywhere = [r["other_load"]["all"] for r in document["runs"]]
    print(f"\nother load: {stats.median(loads):.2f} cores on the pinned ones (worst {max(loads):.2f}), "
          f"{stats.median(everywhere):.2f} on the machine (worst {max(everywhere):.2f})")
    return 1 if missed else 0


def command_compare(options):
    document = json.loads(Path(options.file).read_text(encoding="utf-8"))
    if document.get("schema") != SCHEMA:
        raise Refused(f"{options.file}: schema {document.get('schema')}, not {SCHEMA}")
    return show(document, options.base or document["cases"][0]["name"], options.metric, options.bar)


def main():
    parser = argparse.ArgumentParser(prog="bench/harness", description="The one way to compare speed (bench/README.md).")
    verbs = parser.add_subparsers(required=True)
    run = verbs.add_parser("run", help="measure cases against each other, interleaved and pinned")
    run.set_defaults(verb=command_run)
    run.add_argument("--name", required=True, help="of the comparison")
    run.add_argument("--case", type=pair, action="append", default=[], metavar="NAME=COMMAND",
                     help="two or more; the first is the base. {out} in it is a file of the case's own")
    run.add_argument("--metric", type=pair, action="append", default=[], metavar="NAME=REGEX|json:PATH",
                     help="a figure in the program's output; seconds of the whole command are always measured")
    run.add_argument("--higher", action="append", default=[], metavar="NAME", help="this metric is better when higher")
    run.add_argument("--equal", required=True, metavar="HOW",
                     help="how results are found equal: out, stdout, text:REGEX, or none:REASON")
    run.add_argument("--check", metavar="COMMAND", help="must exit 0 after each case ran once; {out:NAME} are their files")
    run.add_argument("--rounds", type=int, default=15)
    run.add_argument("--warmup", type=int, default=1, help="rounds that do not count")
    run.add_argument("--cores", default="last", help="to pin to: last, none, 3 or 0-1 (default last)")
    run.add_argument("--max-other-load", type=float, metavar="CORES", help="repeat a round in which others used more")
    run.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="of one run")
    run.add_argument("--scratch", help="folder for {out} files")
    run.add_argument("--note", default="", help="kept with the result")
    run.add_argument("--out", help="JSON file, bench/results/… when it is to stay")
    compare = verbs.add_parser("compare", help="print a result: ratios of medians with 95 %% intervals")
    compare.set_defaults(verb=command_compare)
    compare.add_argument("file")
    compare.add_argument("--base", help="case to divide by (default: the first)")
    compare.add_argument("--metric", help="this one only")
    compare.add_argument("--bar", type=pair, action="append", default=[], metavar="CASE=RATIO",
                         help="exit 1 when the ratio of CASE is surely above RATIO (below, where higher is better)")
    options = parser.parse_args()
    try:
        return options.verb(options)
    except Refused as why:
        print(f"bench/harness: {why}", file=sys.stderr)
        return 65


if __name__ == "__main__":
    sys.exit(main())
