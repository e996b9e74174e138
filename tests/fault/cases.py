"""Runs scenarios one after another on one broker, each on topics of its own, and says which of them found what they should."""
import json
import sys
import tempfile
from pathlib import Path

from harness import Broker, Topics


def run(cases):
    """cases: (function, its module's parse, options, findings that there must be, others that there may be). Exit code."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "broker") as broker:
        for number, (scenario, parse, options, found, allowed) in enumerate(cases):
            given = parse([*options, "--folder", f"{folder}/{number}"])
            Path(given.folder).mkdir()
            report = scenario(broker, given, Topics(f"tx-{number}", f"decisions-{number}", f"rejects-{number}"))
            good = found <= set(report["findings"]) <= found | allowed
            failed += not good
            name = f"{scenario.__module__}.{scenario.__name__} {' '.join(options)}"
            told = {key: value for key, value in report.items() if key != "told" or not good}
            print(f"{'ok' if good else 'FAILED'} {name}: {json.dumps(told)}", flush=True)
    return 1 if failed else 0


def main(cases):
    sys.exit(run(cases))


def alone(run, parse):
    """A scenario as a program: on a broker of its own, its report printed; exit 1 when something was found."""
    options = parse()
    with tempfile.TemporaryDirectory() as made:
        options.folder = options.folder or made
        with Broker(Path(options.folder) / "broker") as broker:
            report = run(broker, options)
    print(json.dumps(report, indent=1))
    sys.exit(1 if report["findings"] else 0)
