"""Runs as they lie on disk, finished or going on. Importing this brings no torch."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import machine
from workbench.errors import InputError, RunDirectoryError
from workbench.training import overview
from workbench.training.columns import Columns, read_columns
from workbench.training.layout import RUN, best_of, checkpoints_of
from workbench.training.metrics import Metrics, read_metrics
from workbench.training.overview import Curves, Overview
from workbench.training.status import Status, read_status

DEPTH = 4
"""Folders below the one that is searched in which runs are found."""

NEEDED = ("env", "algorithm")
Float64 = NDArray[np.float64]


class Run:
    """One run directory, read anew with every call: it may grow, and it may go.

    Args:
        path: The run directory.
        name: What to call it.

    Attributes:
        description: What `run.json` says; empty where it cannot be read, and then `error` says why.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path, self.name = path, name or path.name
        self.error: str | None = None
        self.description: dict[str, Any] = {}
        try:
            self.description = _described(path)
        except (OSError, ValueError) as error:
            self.error = f"cannot be read: {error}"

    def __repr__(self) -> str:
        what = self.error or f"{self.description['algorithm']} on {self.description['env']}"
        return f"<Run {self.name}: {what}>"

    @property
    def environment(self) -> str:
        """The environment's id."""
        return str(self.description.get("env", ""))

    @property
    def algorithm(self) -> str:
        """The algorithm's name."""
        return str(self.description.get("algorithm", ""))

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Every declared hyperparameter, as it was at the start."""
        return dict(self.description.get("hyperparameters", {}))

    @property
    def seed(self) -> int | None:
        """Of everything random."""
        return self.description.get("seed")

    def status(self) -> Status:
        """Return where the run is."""
        return read_status(self.path)

    def overview(self) -> Overview:
        """Return every column thinned, and the hyperparameters that changed; empty before the first row."""
        try:
            return overview.read(self.path)
        except FileNotFoundError:
            return Overview({}, [])

    def curves(self, names: list[str] | None = None) -> Curves:
        """Return columns by name: environment steps and values, thinned so that no spike is lost.

        Args:
            names: Which ones; all if None. One that was never recorded is left out.
        """
        curves = self.overview().curves
        return curves if names is None else {name: curves[name] for name in names if name in curves}

    def metrics(self) -> Metrics:
        """Return all rows.

        Raises:
            RunDirectoryError: If there are none.
        """
        return read_metrics(self.path)

    def columns(self, names: Sequence[str]) -> Columns:
        """Return `steps` and a few columns in all rows, [N] each and nan where a row lacks it; faster than `metrics`.

        Raises:
            RunDirectoryError: If there are none.
        """
        return read_columns(self.path, names)

    def checkpoints(self) -> list[Path]:
        """Return its checkpoints, oldest first."""
        return checkpoints_of(self.path)

    def best(self) -> dict[str, Any] | None:
        """Return what is known of its best checkpoint: `checkpoint`, `steps`, `mean_return`, `measured_by`."""
        return best_of(self.path)


def _described(path: Path) -> dict[str, Any]:
    """Read what a run was asked for.

    Raises:
        OSError, ValueError: If it cannot be read, or is of something else.
    """
    description = json.loads((path / RUN).read_text(encoding="utf-8"))
    if not (isinstance(description, dict) and all(isinstance(description.get(name), str) for name in NEEDED)):
        raise ValueError(f"its {RUN} describes no run")
    return description


def open_run(path: str | Path) -> Run:
    """Return the run at `path`.

    Raises:
        RunDirectoryError: If there is none, or it cannot be read.
    """
    run = Run(Path(path))
    if run.error is not None:
        raise RunDirectoryError(f"path={str(path)!r} {run.error}; pass a run directory.")
    return run


def find_runs(folder: str | Path) -> list[Run]:
    """Return the runs in `folder`, the oldest first; it may be one itself. One that cannot be read says why in `error`.

    Raises:
        InputError: If `folder` is not there.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"folder={str(folder)!r} is no folder; name one that holds runs, such as runs.")
    found = [Run(path, str(path.relative_to(root)) if path != root else path.name) for path in _folders(root, DEPTH)]
    return sorted(found, key=lambda run: (str(run.description.get("created")), run.name))


def columns_of(runs: Sequence[Run], names: Sequence[str]) -> list[Columns]:
    """Return `steps` and a few columns of each run in all rows; of one without metrics, none."""

    def read(run: Run) -> Columns:
        try:
            return run.columns(names)
        except RunDirectoryError:
            return {}

    with ThreadPoolExecutor(machine.processors()) as pool:
        return list(pool.map(read, runs))


def _folders(folder: Path, depth: int) -> list[Path]:
    """Return the run directories at or under `folder`; a run holds no others."""
    if (folder / RUN).is_file():
        return [folder]
    if depth == 0:
        return []
    try:
        inner = [each for each in folder.iterdir() if not each.name.startswith(".") and each.is_dir()]
    except OSError:  # it went, or is not ours to read
        return []
    return [path for each in inner for path in _folders(each, depth - 1)]
