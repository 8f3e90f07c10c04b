"""The panel's small state: one JSON object, ten times a second at most."""

import math
from pathlib import Path
from typing import Any

from workbench.hyperparameters import Hyperparameter, Value, changeable
from workbench.training.layout import best_of, checkpoints_of, kept_of, steps_of
from workbench.ui.subject import Subject
from workbench.ui.text import failure

State = dict[str, Any]


def settings(trainer: Subject) -> list[State]:
    """Return the declarations of the live hyperparameters."""
    return [_setting(each) for each in changeable(trainer.algorithm).values()]


def _setting(each: Hyperparameter) -> State:
    return {
        "name": each.name,
        "kind": each.kind.__name__,
        "low": 0.0 if each.off else each.low,
        "high": each.high,
        "default": each.default,
        "log": each.log,
        "choices": None if each.choices is None else list(each.choices),
        "help": each.help,
    }


def snapshot(trainer: Subject, steps_per_second: float) -> State:
    """Return what the panel shows besides the curves.

    Args:
        trainer: Whose state to read; it may change meanwhile.
        steps_per_second: Its recent speed, or NaN.
    """
    status, steps, goal = trainer.status, trainer.steps, trainer.goal
    left = max(0, goal - steps)
    remaining = left / steps_per_second if status == "running" and steps_per_second > 0 else math.nan
    return {
        "environment": trainer.id,
        "algorithm": type(trainer.algorithm).__name__,
        "status": status,
        "steps": steps,
        "goal": goal,
        "seconds": round(trainer.seconds, 1),
        "remaining": finite(round(remaining, 1)),
        "steps_per_second": finite(steps_per_second),
        "episode_return": finite(trainer.metrics.last("episode_return", math.nan)),
        "error": None if trainer.error is None else failure(trainer.error),
        "values": live_values(trainer),
    }


def checkpoints(run_dir: Path) -> list[State]:
    """Return the checkpoints of a run that can be gone back to, oldest first."""
    best, kept = best_of(run_dir), kept_of(run_dir)
    return [
        {
            "name": path.name,
            "steps": steps_of(path),
            "kept": path.name in kept,
            "best": best is not None and best["checkpoint"] == path.name,
        }
        for path in checkpoints_of(run_dir)
    ]


def live_values(trainer: Subject) -> dict[str, Value]:
    """Return the current values of the live hyperparameters."""
    algorithm = trainer.algorithm
    return {name: getattr(algorithm, name) for name in changeable(algorithm)}


def finite(value: float) -> float | None:
    """Return `value`, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None


def recent_speed(trainer: Subject) -> float:
    """Return the speed over the last few rows, in environment steps per second: one row alone jitters."""
    _, speeds = trainer.metrics.series("steps_per_second")
    return float(speeds[-8:].mean()) if len(speeds) else math.nan
