"""What a page, a dashboard or another process may ask of a trainer: one small message each."""

import logging
import math
from typing import Any

from workbench.errors import InputError, WorkbenchError
from workbench.hyperparameters import changeable
from workbench.ui.subject import Subject
from workbench.ui.text import failure

STEPS_WITHOUT_GOAL = 1_000_000
LOGGER = logging.getLogger(__name__)


def refusal(trainer: Subject, message: dict[str, Any]) -> str | None:
    """Do what one message asks for, and return None; or why it was not done, whatever was raised."""
    try:
        carry_out(trainer, message)
    except WorkbenchError as error:
        return str(error)
    except Exception as error:  # Whatever a run raises belongs before whoever asked: nobody reads this process's log.
        LOGGER.exception("%s failed", message.get("kind"))
        return failure(error)
    return None


def carry_out(trainer: Subject, message: dict[str, Any]) -> None:
    """Do what one message asks for: its `kind` says what.

    Raises:
        WorkbenchError: If the trainer refuses it.
    """
    kind, active = message.get("kind"), trainer.status in ("running", "paused")
    if kind == "set":
        _set(trainer.algorithm, str(message.get("name")), message.get("value"))
    elif kind == "start" and not active:
        _go_on(trainer)
    elif kind == "pause" and active:
        trainer.pause()
    elif kind == "resume" and active:
        trainer.resume()
    elif kind == "stop" and active:
        trainer.stop()
    elif kind not in ("start", "pause", "resume", "stop", "dismiss"):
        raise InputError(f"message kind={kind!r} is unknown; send start, pause, resume, stop, set or dismiss.")


def _go_on(trainer: Subject) -> None:
    """Start towards the last call's goal, or for a million steps; drop a target return that is already reached."""
    left, target = trainer.goal - trainer.steps, trainer.target_return
    if left <= 0 or (target is not None and trainer.metrics.last("episode_return", math.nan) >= target):
        target = None
    trainer.start(left if left > 0 else STEPS_WITHOUT_GOAL, target)


def _set(algorithm: Any, name: str, value: Any) -> None:
    live = changeable(algorithm)
    if name not in live:
        raise InputError(f"{type(algorithm).__name__}.{name} is not live; change one of: {', '.join(live)}.")
    if isinstance(value, str) and live[name].kind is not str:
        value = live[name].parse(value, type(algorithm).__name__)
    setattr(algorithm, name, value)
