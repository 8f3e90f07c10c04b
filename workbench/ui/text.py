"""The trainer as text: the last resort of every front end, and what nbval compares."""

import math

from workbench.ui.subject import Subject


def describe(trainer: Subject) -> str:
    """Return a few lines on `trainer`: no addresses and no times, so the same training gives the same text."""
    lines = [f"Trainer: {type(trainer.algorithm).__name__} on {trainer.id}"]
    if trainer.status == "new":
        return f"{lines[0]}\nnew: nothing trained yet"
    progress = f"{trainer.status} at {trainer.steps:,}"
    lines.append(f"{progress} of {trainer.goal:,} steps" if trainer.goal > 0 else f"{progress} steps")
    episode_return = trainer.metrics.last("episode_return", math.nan)
    if math.isfinite(episode_return):
        lines.append(f"mean episode return {episode_return:.1f}")
    if trainer.error is not None:
        lines.append(failure(trainer.error))
    return "\n".join(lines)


def failure(error: BaseException) -> str:
    """Return one line on `error`."""
    return f"{type(error).__name__}: {error}"
