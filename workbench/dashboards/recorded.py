"""What the panel shows of a run that is read from disk, and of its trainer where that listens."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.runs import Run
from workbench.training.overview import Overview
from workbench.training.status import ACTIVE, Status
from workbench.ui.state import State, checkpoints, finite
from workbench.ui.steering import SilentError, SteeringError, ask

PATIENCE = 2.0
"""Seconds to wait for a trainer to say how it is."""


class Columns:
    """The course of a run, as the panel reads a trainer's metrics."""

    def __init__(self, course: Overview) -> None:
        self._curves, self._changes = course.curves, course.changes

    def __len__(self) -> int:
        return max((len(steps) for steps, _ in self._curves.values()), default=0)

    def names(self) -> list[str]:
        """Return the names of the metrics."""
        return list(self._curves)

    def series(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the steps and the values of one metric."""
        return self._curves.get(name, (np.empty(0), np.empty(0)))

    def last(self, name: str, default: float = math.nan) -> float:
        """Return the newest value of one metric."""
        _, values = self.series(name)
        return float(values[-1]) if len(values) else default

    def changes(self) -> list[dict[str, Any]]:
        """Return the hyperparameters that changed, oldest first."""
        return self._changes


@dataclass(frozen=True)
class View:
    """What the panel shows of a run besides its curves.

    Attributes:
        state: As `workbench.ui.state.snapshot`, with `steerable`: whether a trainer listens.
        settings: The declarations of what may be changed now; none where nobody listens.
        unheard: Why nobody listens, in one sentence.
    """

    state: State
    settings: list[State]
    unheard: str | None = None


def look(run: Run, status: Status, before: View | None = None) -> View:
    """Ask the trainer of a run how it is; say what the run itself says, where nobody listens.

    Args:
        run: Which one.
        status: What it says of itself.
        before: What the last look at this run saw: it stays while the trainer is too busy to answer.
    """
    try:
        reply = ask(run.path, {"kind": "look"}, PATIENCE)
        if reply["accepted"]:
            return View({**reply["state"], "steerable": True}, reply["settings"])
        unheard = str(reply["notice"])
    except SilentError as error:
        if before is not None:
            return before
        unheard = str(error)
    except SteeringError as error:
        unheard = str(error)
    return View(state_of(run, status), [], unheard)


def state_of(run: Run, status: Status) -> State:
    """Return the panel's state of a run, from what it said of itself."""
    running = status.state == "running"
    speed = status.steps_per_second if running and status.steps_per_second else math.nan
    return {
        "environment": run.environment,
        "algorithm": title(run.algorithm),
        "status": status.state,
        "steps": status.steps,
        "goal": status.goal,
        "seconds": round(status.seconds, 1),
        "remaining": finite(round(max(0, status.goal - status.steps) / speed, 1)),
        "steps_per_second": status.steps_per_second,
        "episode_return": status.episode_return,
        "error": run.error or status.error,
        "values": {},
        "checkpoints": checkpoints(run.path),
        "steerable": False,
    }


def title(algorithm: str) -> str:
    """Write the name of an algorithm: those of a few letters are abbreviations."""
    return algorithm.upper() if len(algorithm) <= 4 else algorithm


def order(run: Run, message: dict[str, Any]) -> tuple[bool, str | None]:
    """Ask the trainer of a run to do something; return whether it did, and what there is to say of it."""
    try:
        reply = ask(run.path, message)
    except SteeringError as error:
        return False, str(error)
    return bool(reply["accepted"]), reply["notice"]


def about(run: Run, status: Status, view: View) -> list[list[str]]:
    """Return what a run is, as names and values."""
    described = run.description
    git = described.get("git") or {}
    revision = str(git.get("revision", ""))[:12] + (" (changed)" if git.get("dirty") else "")
    versions = described.get("versions") or {}
    facts = {
        "folder": str(run.path),
        "created": described.get("created"),
        "machine": status.host,
        "notebook": status.notebook,
        "learner": described.get("learner"),
        "lanes": described.get("lanes"),
        "seed": run.seed,
        "device": described.get("device"),
        "git": revision,
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "steering": view.unheard if status.state in ACTIVE else None,
    }
    return [[name, str(value)] for name, value in facts.items() if value not in (None, "")]


def hyperparameters(run: Run, view: View) -> list[list[str]]:
    """Return the names and values of a run's hyperparameters: those in force, where they are known."""
    known = {**run.hyperparameters, **view.state["values"]}
    return [[name, f"{value:g}" if isinstance(value, float) else str(value)] for name, value in known.items()]
