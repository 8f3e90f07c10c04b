"""What a sink is, and what it is told. K: bins of a histogram."""

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from workbench.errors import InputError

BINS = 64


@dataclass(frozen=True)
class Run:
    """What a sink is opened for.

    Attributes:
        directory: Of the run; sinks keep their files inside.
        description: What `run.json` says: environment, algorithm, hyperparameters, seed, versions.
        steps: Where training begins or goes on. What was told of later steps no longer counts.
    """

    directory: Path
    description: Mapping[str, Any]
    steps: int

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.directory.resolve().name

    @property
    def id(self) -> str:
        """The run's own for good, wherever it is moved and however often it goes on: 12 hexadecimal digits."""
        if "id" in self.description:
            return str(self.description["id"])
        # The run began with a version that gave none.
        birth = f"{self.description['created']} {self.description['env']} {self.description['seed']}"
        return hashlib.sha256(birth.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Histogram:
    """How many values lie between each two neighbouring edges.

    Attributes:
        counts: [K] int64.
        edges: [K + 1] float64, ascending.
    """

    counts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float64]

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> Self | None:
        """Count `values`, [...] of any numbers; those that are not finite are left out. None if there is none."""
        flat = np.asarray(values, np.float64).reshape(-1)
        flat = flat[np.isfinite(flat)]
        if not len(flat):
            return None
        low, high = float(flat.min()), float(flat.max())
        if not high - low > 1e-9 * max(abs(low), abs(high)):  # too close for edges between them
            middle = max(abs(low), abs(high), 1.0) * 1e-6
            low, high = low - middle, high + middle
        counts, edges = np.histogram(flat, BINS, (low, high))
        return cls(counts.astype(np.int64), edges)


@runtime_checkable
class Sink(Protocol):
    """Takes what a run tells. All calls come from one thread, in order; one that raises is the last one.

    `open` and `close` enclose each call of `train` or `start`, so a sink opens again when training goes on.
    """

    def open(self, run: Run) -> None:
        """Prepare to be told of `run`."""

    def scalars(self, steps: int, row: Mapping[str, float]) -> None:
        """Keep named numbers of the run at `steps` environment steps."""

    def histogram(self, steps: int, name: str, histogram: Histogram) -> None:
        """Keep a distribution."""

    def video(self, steps: int, name: str, path: Path) -> None:
        """Keep a moving picture: `path` is a GIF in the run directory."""

    def close(self, reason: str) -> None:
        """Write what is not written, and let go of everything. The reason is that of `workbench.events.Stopped`."""


def require(module: str, extra: str) -> Any:
    """Import `module`, which comes with an extra of this package.

    Raises:
        InputError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise InputError(f'the package {module} is missing; install it: pip install "rl-workbench[{extra}]".') from None
