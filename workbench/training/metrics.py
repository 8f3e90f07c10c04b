"""The record of a run: rows of numbers in memory, and on disk as `workbench.training.journal` keeps them.

When training goes on from a checkpoint, an entry `{"resumed_at": steps}` takes back the rows after it.
"""

import contextlib
import math
import threading
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.errors import RunDirectoryError
from workbench.training import journal, overview
from workbench.training.rows import Table, coalesced

if TYPE_CHECKING:
    import pandas

Float64 = npt.NDArray[np.float64]

MOST_ROWS = 1 << 14
"""Rows in memory before their resolution is halved, all along the run; on disk are more."""

MOST_CHANGES = 4096
"""Changes of hyperparameters in memory before each two of one become one."""


class Metrics:
    """Rows of named numbers, each with the environment steps it was taken at; safe to read from any thread.

    However long the run, memory holds its whole course, the last of it in every row.

    Args:
        limit: Bytes of the files of a run, about.
    """

    def __init__(self, limit: int = journal.LIMIT) -> None:
        self._lock = threading.Lock()
        self._table = Table()
        self._stride = 1
        self._merged = 0  # rows at the beginning, each made of `_stride`
        self._changes: list[dict[str, Any]] = []
        self._journal = journal.Journal(limit)
        self._directory: Path | None = None  # of what is on disk
        self._unwritten: int | None = None  # the first change after what was read, until that is written to

    def __len__(self) -> int:
        return len(self._table)

    def names(self) -> list[str]:
        """Return the names of the columns, `steps` first."""
        with self._lock:
            return list(self._table.columns)

    def series(self, name: str) -> tuple[Float64, Float64]:
        """Return (steps, values) of one column, without the rows that lack it; both empty for a name never seen."""
        with self._lock:
            steps = np.array(self._table.columns["steps"])
            values = np.array(self._table.columns.get(name, array("d")))
        known = ~np.isnan(values)
        return steps[: len(values)][known], values[known]

    def last(self, name: str, default: float = math.nan) -> float:
        """Return the newest value of one column."""
        with self._lock:
            for value in reversed(self._table.columns.get(name, array("d"))):
                if not math.isnan(value):
                    return value
        return default

    def changes(self) -> list[dict[str, Any]]:
        """Return the hyperparameters that changed while training: {"steps", "name", "old", "new"}, oldest first."""
        with self._lock:
            return list(self._changes)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows as a DataFrame: one column a metric, nan where a row lacks it."""
        import pandas

        with self._lock:
            return pandas.DataFrame({name: np.array(values) for name, values in self._table.columns.items()})

    def append(self, steps: int, row: dict[str, float]) -> None:
        """Add a row, in memory and on disk; values that are not finite are left out."""
        row = {name: value for name, value in row.items() if math.isfinite(value)}
        self._keep(steps, row)
        self._journal.write({"steps": steps, **row})

    def append_change(self, steps: int, name: str, old: object, new: object) -> None:
        """Record that a hyperparameter changed."""
        change = {"steps": steps, "name": name, "old": old, "new": new}
        self._keep_change(change)
        self._journal.write({"change": change})

    def _keep(self, steps: float, row: dict[str, float]) -> None:
        with self._lock:
            self._table.append(steps, row)
            if len(self._table) - self._merged == 2 * self._stride:  # half of them stay, so that the newest row is one
                self._merge()

    def _merge(self) -> None:
        """Make one row of the oldest `_stride` that are whole; halve the resolution of all when that is too many."""
        width = self._stride
        while width > 1:
            self._table.halve(self._merged, self._merged + width)
            width //= 2
        self._merged += 1
        if self._merged == MOST_ROWS:
            self._table.halve(0, MOST_ROWS)
            self._merged, self._stride = MOST_ROWS // 2, 2 * self._stride

    def _keep_change(self, change: dict[str, Any]) -> None:
        with self._lock:
            self._changes.append(change)
            if len(self._changes) > MOST_CHANGES:
                self._changes = coalesced(self._changes)

    def rewind(self, steps: float) -> None:
        """Take back the rows after `steps`."""
        with self._lock:
            self._table.rewind(steps)
            self._merged = min(self._merged, len(self._table))
            self._changes = [change for change in self._changes if change["steps"] <= steps]

    def open(self, directory: Path) -> None:
        """Write every further row to `directory`.

        Raises:
            RunDirectoryError: If the file cannot be written.
        """
        self._journal.open(directory)
        self._directory = directory

    def resume(self, directory: Path, steps: int) -> None:
        """Go on writing to `directory`, whose rows after `steps` no longer count."""
        self.rewind(steps)
        self._go_on(self._journal, directory, steps)
        self._directory, self._unwritten = directory, None

    def _go_on(self, writer: journal.Journal, directory: Path, steps: int) -> None:
        """Let `writer` append to what was read from `directory`, or to a copy of it."""
        writer.open(directory)
        writer.write({"resumed_at": steps})
        if self._unwritten is not None:
            for change in self._changes[self._unwritten :]:
                writer.write({"change": change})

    def take_back(self, steps: int) -> None:
        """Let the rows after `steps` count no longer, in memory and on disk."""
        self.rewind(steps)
        self._journal.write({"resumed_at": steps})

    def go_back(self, steps: int) -> None:
        """Hold the rows up to `steps` alone, as if they had just been read; what is on disk stays as it is."""
        self.rewind(steps)
        self._unwritten = len(self._changes)

    def read(self, directory: Path, steps: float = math.inf) -> None:
        """Read the rows of `directory`, as its run left them, up to `steps`."""
        for entry in journal.read(directory):
            if "resumed_at" in entry:
                self.rewind(entry["resumed_at"])
            elif "change" in entry:
                self._keep_change(entry["change"])
            else:
                self._keep(entry.pop("steps"), entry)
        self.rewind(steps)
        self._directory, self._unwritten = directory, len(self._changes)

    def sync(self) -> None:
        """Bring everything written down to the disk, and write its overview."""
        self._journal.sync()
        if self._directory is None or self._unwritten is not None:
            return
        with self._lock:
            columns = {name: np.array(values) for name, values in self._table.columns.items()}
        with contextlib.suppress(OSError):  # it can do without
            overview.write(self._directory, columns, self.changes())

    def copy_to(self, target: Path, steps: int) -> None:
        """Copy the files of the run into another folder; rows after `steps` do not count there."""
        if self._directory is None:
            return
        journal.copy(self._directory, target)
        if self._unwritten is not None:
            copied = journal.Journal(self._journal.limit)
            self._go_on(copied, target, steps)
            copied.close()

    def close(self) -> None:
        """Close the file; the rows stay readable."""
        self._journal.close()


def read_metrics(directory: str | Path) -> Metrics:
    """Read the metrics of a run directory, also while its run is writing.

    Raises:
        RunDirectoryError: If there are none.
    """
    if not journal.exists(Path(directory)):
        raise RunDirectoryError(f"directory={str(directory)!r} holds no {journal.FILE}; pass a run directory.")
    metrics = Metrics()
    metrics.read(Path(directory))
    return metrics
