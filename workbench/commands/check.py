"""Examine an environment: is it sound, how fast is it, and which settings suit it.

The exit code is 1 if it has errors.
"""

import argparse
import contextlib
import sys

from workbench.commands.output import print_json
from workbench.commands.settings import add_flags, flag, from_flags, option

SETTINGS = (
    option("steps", int, "random steps to play", default=1000, low=1),
    option("seed", int, "of the environment and the actions", default=0, low=0),
    option("max_agents", int, "how many may be alive at once; by default, all that are listed", low=1),
    option("tune_seconds", float, "time that --tune may take", default=20.0, low=0.001),
)


def configure(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Add the arguments of `check`."""
    parser.add_argument("environment", metavar="ENV", help="an id, or module:factory")
    parser.add_argument(flag("tune"), action="store_true", help="measure vectorised settings and print the fastest")
    add_flags(parser, SETTINGS)


def run(options: argparse.Namespace) -> int:
    """Examine and report; return 1 if there are errors."""
    settings = from_flags(SETTINGS, options, "check")
    from workbench.checking import check

    # Environments print; standard output is for the report.
    with contextlib.redirect_stdout(sys.stderr):
        report = check(options.environment, tune=options.tune, **settings)
    if options.json:
        print_json(report.as_dict())
    else:
        print(report)
    return 0 if report.ok else 1
