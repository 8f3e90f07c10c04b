"""What the panel shows of a run that is read from disk, and of its trainer where that listens."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.runs import Run
from workbench.training.overview import Curves
from workbench.training.status import Status
from workbench.ui.state import State, finite
from workbench.ui.steering import SteeringError, ask

PATIENCE = 2.0
"""Seconds to wait for a trainer to say how it is."""


class Columns:
    """The curves of a run, as the panel reads a trainer's metrics."""

    def __init__(self, curves: Curves) -> None:
        self._curves = curves

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


def look(run: Run, status: Status) -> tuple[State, list[State]]:
    """Return the panel's state of a run, and the declarations of what may be changed: nothing, if nobody listens."""
    try:
        reply = ask(run.path, {"kind": "look"}, PATIENCE)
    except SteeringError:
        return state_of(run, status), []
    if not reply["accepted"]:
        return state_of(run, status), []
    return {**reply["state"], "steerable": True}, reply["settings"]


def state_of(run: Run, status: Status) -> State:
    """Return the panel's state of a run, from what it said of itself."""
    running = status.state == "running"
    speed = status.steps_per_second if running and status.steps_per_second else math.nan
    return {
        "environment": run.environment,
        "algorithm": run.algorithm.upper(),
        "status": status.state,
        "steps": status.steps,
        "goal": status.goal,
        "seconds": round(status.seconds, 1),
        "remaining": finite(round(max(0, status.goal - status.steps) / speed, 1)),
        "steps_per_second": status.steps_per_second,
        "episode_return": status.episode_return,
        "error": run.error or status.error,
        "values": {},
        "steerable": False,
    }


def order(run: Run, message: dict[str, Any]) -> str | None:
    """Ask the trainer of a run to do something; return why it did not."""
    try:
        reply = ask(run.path, message)
    except SteeringError as error:
        return str(error)
    return None if reply["accepted"] else str(reply["notice"])


def about(run: Run, status: Status) -> list[tuple[str, str]]:
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
    }
    return [(name, str(value)) for name, value in facts.items() if value not in (None, "")]
