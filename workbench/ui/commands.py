"""What a page, a dashboard or another process may ask of a trainer: one small message each."""

import logging
import math
from pathlib import Path
from typing import Any

from workbench.errors import InputError, WorkbenchError
from workbench.hyperparameters import changeable
from workbench.ui.subject import Subject
from workbench.ui.text import failure

STEPS_WITHOUT_GOAL = 1_000_000
KINDS = ("start", "pause", "resume", "step", "stop", "save", "rewind", "set", "dismiss")
LOGGER = logging.getLogger(__name__)


def answer(trainer: Subject, message: dict[str, Any]) -> tuple[bool, str | None]:
    """Do what one message asks for, whatever it raises.

    Returns:
        Whether it was done, and what there is to say: of it, or why not.
    """
    try:
        return True, carry_out(trainer, message)
    except WorkbenchError as error:
        return False, str(error)
    except Exception as error:  # Whatever a run raises belongs before whoever asked: nobody reads this process's log.
        LOGGER.exception("%s failed", message.get("kind"))
        return False, failure(error)


def notice_of(message: dict[str, Any], accepted: bool, text: str | None) -> dict[str, str | None] | None:
    """Return what a page shows of an `answer`: a refusal stands beside the hyperparameter that was meant."""
    if text is None:
        return None
    return {"name": None if accepted else message.get("name"), "text": text, "tone": "good" if accepted else "error"}


def carry_out(trainer: Subject, message: dict[str, Any]) -> str | None:
    """Do what one message asks for: its `kind` says what.

    Returns:
        What there is to say of it, in a sentence, if there is anything.

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
    elif kind == "step":
        if not active:
            _go_on(trainer, paused=True)
        trainer.step()
    elif kind == "save":
        return f"Saved after {trainer.steps:,} steps: {trainer.save().name}."
    elif kind == "rewind":
        left, to = trainer.run_dir.name, message.get("to")
        if isinstance(to, bool) or not isinstance(to, int | str) or Path(str(to)).name != str(to):
            raise InputError(f"to={to!r} names no checkpoint of this run; send its steps, its name, or 'best'.")
        trainer.rewind(to)
        return f"Back at {trainer.steps:,} steps. {left} stays as it is; training goes on in {trainer.run_dir.name}."
    elif kind not in KINDS:
        raise InputError(f"message kind={kind!r} is unknown; send one of: {', '.join(KINDS)}.")
    return None


def _go_on(trainer: Subject, paused: bool = False) -> None:
    """Start towards the last call's goal, or for a million steps; drop a target return that is already reached."""
    left, target = trainer.goal - trainer.steps, trainer.target_return
    if left <= 0 or (target is not None and trainer.metrics.last("episode_return", math.nan) >= target):
        target = None
    trainer.start(left if left > 0 else STEPS_WITHOUT_GOAL, target, paused=paused)


def _set(algorithm: Any, name: str, value: Any) -> None:
    live = changeable(algorithm)
    if name not in live:
        raise InputError(f"{type(algorithm).__name__}.{name} is not live; change one of: {', '.join(live)}.")
    if isinstance(value, str) and live[name].kind is not str:
        value = live[name].parse(value, type(algorithm).__name__)
    setattr(algorithm, name, value)
