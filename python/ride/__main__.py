"""python -m ride train | evaluate | report | export"""
import argparse
import importlib
import sys

VERBS = ("train", "evaluate", "report", "export")


def main():
    parser = argparse.ArgumentParser(prog="python -m ride", description="Training, evaluation, the report and the exporter of RIDE.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in VERBS:
        try:
            module = importlib.import_module(f".{name}", __package__)
        except ImportError as missing:  # the exporter runs where a model was trained, with what is there
            verbs.add_parser(name, help=f"not here: {missing}")
            if sys.argv[1:2] == [name]:
                print(f"ride {name}: {missing} (python/requirements.txt)", file=sys.stderr)
                return 69
            continue
        verb = verbs.add_parser(name, help=module.__doc__.splitlines()[0], description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    arguments = parser.parse_args()
    try:
        return arguments.run(arguments)
    except (OSError, ValueError) as error:
        print(f"ride {arguments.verb}: {error}", file=sys.stderr)
        return 66 if isinstance(error, FileNotFoundError) else 65


if __name__ == "__main__":
    sys.exit(main())
