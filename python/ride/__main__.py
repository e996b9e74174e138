"""python -m ride train | evaluate | report | export"""
import argparse
import sys

from . import evaluate, export, report, train


def main():
    parser = argparse.ArgumentParser(prog="python -m ride", description="Training, evaluation and the report of RIDE.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for module in (train, evaluate, report, export):
        verb = verbs.add_parser(module.__name__.rsplit(".", 1)[-1], help=module.__doc__.splitlines()[0],
                                description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
