"""What a user interface sees of a trainer: the part of `workbench.Trainer` that the panel and the picture use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.events import Event


class Columns(Protocol):
    """Curves by name."""

    def names(self) -> list[str]:
        """Return the names of the metrics recorded so far."""

    def series(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the environment steps and the values of one metric."""


class Metrics(Columns, Protocol):
    """The rows of metrics so far, readable from any thread."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def changes(self) -> list[dict[str, Any]]:
        """Return the hyperparameters that changed while training: {"steps", "name", "old", "new"}, oldest first."""

    def last(self, name: str, default: float = ...) -> float:
        """Return the newest value of one metric."""


class Subject(Protocol):
    """A trainer, as shown."""

    @property
    def id(self) -> str:
        """The environment's id."""

    @property
    def algorithm(self) -> Any:
        """The `configurable` algorithm."""

    @property
    def steps(self) -> int:
        """Environment steps trained so far."""

    @property
    def goal(self) -> int:
        """The step count at which the present or last call ends; 0 before the first."""

    @property
    def target_return(self) -> float | None:
        """The return at which the present or last call ends early."""

    @property
    def seconds(self) -> float:
        """Training time, in seconds."""

    @property
    def status(self) -> str:
        """One of new, running, paused, stopped, failed."""

    @property
    def error(self) -> BaseException | None:
        """What ended a failed run."""

    @property
    def run_dir(self) -> Path:
        """Where the run is kept."""

    @property
    def metrics(self) -> Metrics:
        """The metrics so far."""

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with each event; return the function that ends it."""

    def start(self, steps: int, target_return: float | None = None, *, paused: bool = False) -> Any:
        """Train in a thread."""

    def step(self, iterations: int = 1) -> None:
        """Take one iteration, then wait."""

    def save(self) -> Path:
        """Write a checkpoint that stays, and return its folder."""

    def rewind(self, to: int | str) -> None:
        """Go back to a checkpoint, and on from there in another folder."""

    def pause(self) -> None:
        """Hold training at the next iteration."""

    def resume(self) -> None:
        """Go on after a pause."""

    def stop(self) -> None:
        """End training at the next iteration."""
