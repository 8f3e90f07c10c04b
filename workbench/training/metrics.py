"""The record of a run: rows of numbers in memory, and in a file that only grows.

`metrics.jsonl` holds one JSON object a line, written and flushed as a whole: a kill loses at most the line being
written, and a reader ignores a torn last one. When training goes on from a checkpoint, a line `{"resumed_at": steps}`
takes back the rows after it.
"""

import json
import math
import threading
from array import array
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.errors import RunDirectoryError

if TYPE_CHECKING:
    import pandas

FILE = "metrics.jsonl"
Float64 = npt.NDArray[np.float64]


class Metrics:
    """Rows of named numbers, each with the environment steps it was taken at; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns: dict[str, array[float]] = {"steps": array("d")}
        self._changes: list[dict[str, Any]] = []
        self._file: IO[str] | None = None

    def __len__(self) -> int:
        return len(self._columns["steps"])

    def names(self) -> list[str]:
        """Return the names of the columns, `steps` first."""
        with self._lock:
            return list(self._columns)

    def series(self, name: str) -> tuple[Float64, Float64]:
        """Return (steps, values) of one column, without the rows that lack it; both empty for a name never seen."""
        with self._lock:
            steps = np.array(self._columns["steps"])
            values = np.array(self._columns.get(name, array("d")))
        known = ~np.isnan(values)
        return steps[: len(values)][known], values[known]

    def last(self, name: str, default: float = math.nan) -> float:
        """Return the newest value of one column."""
        values = self.series(name)[1]
        return float(values[-1]) if len(values) else default

    def changes(self) -> list[dict[str, Any]]:
        """Return the hyperparameters that changed while training: {"steps", "name", "old", "new"}, oldest first."""
        with self._lock:
            return list(self._changes)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows as a DataFrame: one column a metric, nan where a row lacks it."""
        import pandas

        with self._lock:
            return pandas.DataFrame({name: np.array(values) for name, values in self._columns.items()})

    def append(self, steps: int, row: dict[str, float]) -> None:
        """Add a row, in memory and on disk; values that are nan are left out."""
        row = {name: value for name, value in row.items() if not math.isnan(value)}
        self._keep(steps, row)
        self._write({"steps": steps, **row})

    def append_change(self, steps: int, name: str, old: object, new: object) -> None:
        """Record that a hyperparameter changed."""
        change = {"steps": steps, "name": name, "old": old, "new": new}
        with self._lock:
            self._changes.append(change)
        self._write({"change": change})

    def _keep(self, steps: float, row: dict[str, float]) -> None:
        with self._lock:
            count = len(self._columns["steps"])
            for name in row:
                self._columns.setdefault(name, array("d", [math.nan] * count))
            for name, values in self._columns.items():
                values.append(steps if name == "steps" else row.get(name, math.nan))

    def rewind(self, steps: int) -> None:
        """Take back the rows after `steps`."""
        with self._lock:
            keep = int(np.searchsorted(np.array(self._columns["steps"]), steps, side="right"))
            for values in self._columns.values():
                del values[keep:]
            self._changes = [change for change in self._changes if change["steps"] <= steps]

    def open(self, directory: Path) -> None:
        """Write every further row to `directory`.

        Raises:
            RunDirectoryError: If the file cannot be written.
        """
        path = directory / FILE
        try:
            torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
            self._file = path.open("a", encoding="utf-8")
            if torn:
                self._write_text("\n")
        except OSError as error:
            raise RunDirectoryError(f"metrics of run_dir={str(directory)!r} cannot be written: {error}.") from error

    def resume(self, directory: Path, steps: int) -> None:
        """Go on writing to `directory`, whose rows after `steps` no longer count."""
        self.open(directory)
        self._write({"resumed_at": steps})

    def read(self, directory: Path) -> None:
        """Read the rows of `directory`, as its run left them."""
        path = directory / FILE
        if not path.exists():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # torn by a kill
            if "resumed_at" in entry:
                self.rewind(entry["resumed_at"])
            elif "change" in entry:
                self._changes.append(entry["change"])
            else:
                self._keep(entry.pop("steps"), entry)

    def close(self) -> None:
        """Close the file; the rows stay readable."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, entry: dict[str, Any]) -> None:
        if self._file is not None:
            self._write_text(json.dumps(entry) + "\n")

    def _write_text(self, text: str) -> None:
        assert self._file is not None
        self._file.write(text)
        self._file.flush()


def read_metrics(directory: str | Path) -> Metrics:
    """Read the metrics of a run directory, also while its run is writing.

    Raises:
        RunDirectoryError: If there are none.
    """
    if not (Path(directory) / FILE).exists():
        raise RunDirectoryError(f"directory={str(directory)!r} holds no {FILE}; pass a run directory.")
    metrics = Metrics()
    metrics.read(Path(directory))
    return metrics
