"""What `train` and `resume` share: follow a trainer to its end, and say what came of it."""

import math
import sys
from typing import Any

from workbench.commands.output import INTERRUPTED, print_json, print_pairs, shown
from workbench.errors import InputError
from workbench.events import Stopped
from workbench.trainer import Trainer
from workbench.training.interrupts import stop_on_termination
from workbench.ui.terminal import TerminalProgress, duration, magnitude
from workbench.version import __version__

REASONS = {"steps": "all steps taken", "target": "target return reached", "stopped": "stopped", "failed": "failed"}


def report(trainer: Trainer, reason: str) -> dict[str, Any]:
    """Describe how training went, in values JSON can hold."""
    return {
        "run_dir": shown(trainer.run_dir),
        "environment": trainer.id,
        "algorithm": type(trainer.algorithm).__name__,
        "seed": trainer.seed,
        "reason": reason,
        "steps": trainer.steps,
        "goal": trainer.goal,
        "target_return": trainer.target_return,
        "seconds": trainer.seconds,
        "steps_per_second": trainer.steps / trainer.seconds if trainer.seconds > 0 else None,
        "episode_return": trainer.metrics.last("episode_return"),
        "version": __version__,
    }


def print_report(record: dict[str, Any]) -> None:
    """Print the report for a person, with the way to go on."""
    episode_return = record["episode_return"]
    rate = record["steps_per_second"]
    pairs = {
        "result": REASONS.get(record["reason"], record["reason"]),
        "episode return": "no episode has ended" if math.isnan(episode_return) else f"{episode_return:.4g}",
        "steps": f"{record['steps']:,}",
        "time": duration(record["seconds"]) + (f"  ({magnitude(rate)} steps/s)" if rate else ""),
        "run": record["run_dir"],
    }
    print_pairs(pairs)
    command = "resume" if record["reason"] == "stopped" else "eval"
    print(f"\n{'go on' if command == 'resume' else 'evaluate'} with: workbench {command} {record['run_dir']}")


def follow(trainer: Trainer, steps: int, target_return: float | None, *, as_json: bool) -> int:
    """Train for `steps` with progress on the terminal, then report; a SIGTERM ends the process after that.

    Returns:
        0 when training reached its end; 130 when Ctrl-C stopped it.

    Raises:
        InputError: If no steps are left to take.
    """
    with stop_on_termination(trainer.stop):
        return _follow(trainer, steps, target_return, as_json=as_json)


def _follow(trainer: Trainer, steps: int, target_return: float | None, *, as_json: bool) -> int:
    run = shown(trainer.run_dir)
    if steps <= 0:
        trainer.close()
        raise InputError(
            f"run {run!r} has taken all its {trainer.steps:,} steps; ask for more: `workbench resume {run} --steps N` "
            f"adds N."
        )
    reasons: list[str] = []
    trainer.on(Stopped, lambda event: reasons.append(event.reason))
    try:
        with TerminalProgress(trainer, quiet=as_json):
            trainer.train(steps, target_return=target_return)
        record = report(trainer, reasons[-1] if reasons else trainer.status)
    except KeyboardInterrupt:
        print(f"interrupted; go on from the last checkpoint: workbench resume {run}", file=sys.stderr)
        return INTERRUPTED
    finally:
        trainer.close()
    if as_json:
        print_json(record)
    else:
        print_report(record)
    return INTERRUPTED if record["reason"] == "stopped" else 0
