"""Go on with a run from its last checkpoint, to its goal or for more steps."""

import argparse

from workbench.commands.care import CARE, arguments
from workbench.commands.settings import add_flags, from_flags, option

SETTINGS = (
    option("steps", int, "environment steps to add; left out, the run goes on to its goal", low=1),
    option("target_return", float, "stop once the mean episode return reaches this; left out, the run's own"),
    *CARE,
)


def configure(parser: argparse.ArgumentParser, given: list[str]) -> None:
    """Add the arguments of `resume`."""
    parser.add_argument("path", metavar="RUN", help="a run directory or one of its checkpoints")
    add_flags(parser, SETTINGS)


def run(options: argparse.Namespace) -> int:
    """Resume; see `running.follow` for the exit code."""
    settings = from_flags(SETTINGS, options, "resume")
    import workbench as wb
    from workbench.commands.running import follow

    trainer = wb.load(options.path, **arguments(settings))
    steps = settings["steps"] or trainer.goal - trainer.steps
    target = trainer.target_return if settings["target_return"] is None else settings["target_return"]
    return follow(trainer, steps, target, as_json=options.json)
