"""Go on with a run from its last checkpoint, to its goal or for more steps."""

import argparse

from workbench.commands.settings import add_flags, from_flags, option
from workbench.errors import InputError

SETTINGS = (
    option("steps", int, "environment steps to add; left out, the run goes on to its goal", low=1),
    option("target_return", float, "stop once the mean episode return reaches this; left out, the run's own"),
)


def configure(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Add the arguments of `resume`."""
    parser.add_argument("path", metavar="RUN", help="a run directory or one of its checkpoints")
    add_flags(parser, SETTINGS)


def run(options: argparse.Namespace) -> int:
    """Resume; see `running.follow` for the exit code."""
    settings = from_flags(SETTINGS, options, "resume")
    import workbench as wb
    from workbench.commands.running import follow

    trainer = wb.load(options.path)
    steps = settings["steps"] or trainer.goal - trainer.steps
    if steps <= 0:
        trainer.close()
        raise InputError(
            f"RUN={options.path!r} has taken all its {trainer.steps:,} steps; pass --steps N to add N more."
        )
    target = trainer.target_return if settings["target_return"] is None else settings["target_return"]
    return follow(trainer, steps, target, as_json=options.json)
