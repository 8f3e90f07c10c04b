"""Play episodes with the agent of a run and report their returns."""

import argparse

from workbench.commands.output import print_json, print_pairs
from workbench.commands.settings import add_flags, from_flags, option

SETTINGS = (option("episodes", int, "episodes to play to their end", default=100, low=1),)


def configure(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Add the arguments of `eval`."""
    parser.add_argument("path", metavar="RUN", help="a run directory, one of its checkpoints, or what save() wrote")
    add_flags(parser, SETTINGS)


def run(options: argparse.Namespace) -> int:
    """Evaluate; return 0."""
    settings = from_flags(SETTINGS, options, "eval")
    import workbench as wb

    trainer = wb.load(options.path)
    try:
        result = trainer.evaluate(episodes=settings["episodes"])
        returns, lengths = [float(value) for value in result.returns], [int(value) for value in result.lengths]
        summary = {"mean": float(result.mean), "std": float(result.std), "min": min(returns), "max": max(returns)}
        if options.json:
            record = {"run": str(options.path), "steps": trainer.steps, "episodes": len(returns), **summary}
            print_json({**record, "returns": returns, "lengths": lengths})
        else:
            print_pairs(
                {
                    "run": options.path,
                    "trained for": f"{trainer.steps:,} steps",
                    "episodes": len(returns),
                    "return": f"{summary['mean']:.2f} ± {summary['std']:.2f}  (mean ± standard deviation)",
                    "range": f"{summary['min']:g} to {summary['max']:g}",
                    "length": f"{sum(lengths) / len(lengths):.1f} steps on average",
                }
            )
    finally:
        trainer.close()
    return 0
