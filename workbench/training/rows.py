"""Rows of metrics: several iterations in one, and tables that keep their whole course in a bounded number of rows."""

import math
from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Columns = dict[str, "array[float]"]

TOTALS = ("steps", "episodes", "seconds")
"""Columns that count from the run's beginning, beside all that end in `_seconds`; of several rows, the last one's."""

MAX_RATE, MIN_RATE = 20.0, 5.0
"""Rows a second, at most and where that is possible at least."""

WINDOW = 32
"""Rows whose rate is looked at."""


class Means:
    """The means of named numbers over the iterations of a row; what is not finite is left out."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, numbers: dict[str, float], weight: int = 1) -> None:
        """Take further numbers, each `weight` times."""
        for name, value in numbers.items():
            if math.isfinite(value):
                self._sums[name] = self._sums.get(name, 0.0) + weight * float(value)
                self._counts[name] = self._counts.get(name, 0) + weight

    def take(self) -> dict[str, float]:
        """Return the means, and begin anew."""
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means


class Pace:
    """Decides how many iterations share a row: a power of two, so that the rows of different runs meet.

    One, until rows come faster than `MAX_RATE`.
    """

    def __init__(self) -> None:
        self.span = 1
        self._rows, self._since = 0, -1

    def due(self, iterations: int, now: int) -> bool:
        """Tell whether the row ends with this iteration, at `now` nanoseconds."""
        if iterations % self.span:
            return False
        if self._since < 0:
            self._since = now
        self._rows += 1
        if self._rows > WINDOW:
            elapsed = 1e-9 * (now - self._since)
            if elapsed * MAX_RATE < WINDOW:
                self.span *= 2
            elif elapsed * MIN_RATE > WINDOW:
                self.span = max(1, self.span // 2)
            self._rows, self._since = 0, -1
        return True


class Table:
    """Columns of numbers of equal length, nan where a row lacks one; `steps` rises."""

    def __init__(self) -> None:
        self.columns: Columns = {"steps": array("d")}

    def __len__(self) -> int:
        return len(self.columns["steps"])

    def append(self, steps: float, row: dict[str, Any]) -> None:
        """Add a row."""
        count = len(self)
        for name in row:
            if name not in self.columns:
                self.columns[name] = array("d", [math.nan]) * count
        for name, values in self.columns.items():
            values.append(steps if name == "steps" else row.get(name, math.nan))

    def rewind(self, steps: float) -> None:
        """Take back the rows after `steps`."""
        keep = int(np.searchsorted(np.frombuffer(self.columns["steps"]), steps, side="right")) if len(self) else 0
        for values in self.columns.values():
            del values[keep:]

    def halve(self, start: int, end: int) -> None:
        """Make one row of each two from `start` to before `end`; a last one without a partner stays."""
        part = {name: np.array(values[start:end]) for name, values in self.columns.items()}
        before = {name: values[start - 1] if start else math.nan for name, values in self.columns.items()}
        for name, merged in halved(part, before).items():
            self.columns[name][start:end] = array("d", merged.tobytes())


def is_total(name: str) -> bool:
    """Tell whether a column counts from the run's beginning."""
    return name in TOTALS or name.endswith("_seconds")


def halved(columns: dict[str, Float64], before: dict[str, float]) -> dict[str, Float64]:
    """Make one row of each two.

    Totals are the second row's, `iterations` are added up, and means are weighted: those of episodes by the episodes,
    the speed by the time, everything else by the iterations.

    Args:
        columns: [N] each.
        before: The row before the first; nan where there is none.

    Returns:
        Columns [ceil(N / 2)].
    """
    weights = {
        "episode_return": _increase("episodes", columns, before),
        "episode_length": _increase("episodes", columns, before),
        "steps_per_second": _increase("seconds", columns, before),
    }
    even = np.nan_to_num(columns.get("iterations", np.ones(len(columns["steps"]))), nan=1.0)
    merged = {}
    for name, values in columns.items():
        pairs = _pairs(values, math.nan)
        if is_total(name):
            merged[name] = np.where(np.isnan(pairs[:, 1]), pairs[:, 0], pairs[:, 1])
        elif name == "iterations":
            merged[name] = np.nansum(pairs, axis=1)
        else:
            merged[name] = _weighted(pairs, _pairs(weights.get(name, even), 0.0))
    return merged


def _increase(name: str, columns: dict[str, Float64], before: dict[str, float]) -> Float64:
    """Return by how much a total rises with each row; the first one as much as the next where nobody knows."""
    if name not in columns:
        return np.ones(len(columns["steps"]))
    increase = np.diff(columns[name], prepend=before.get(name, math.nan))
    if len(increase) > 1 and np.isnan(increase[0]):
        increase[0] = increase[1]
    return np.nan_to_num(increase, nan=1.0)


def _pairs(values: Float64, rest: float) -> Float64:
    odd = [rest] if len(values) % 2 else []
    return np.concatenate([values, odd]).reshape(-1, 2)


def _weighted(pairs: Float64, weights: Float64) -> Float64:
    known = ~np.isnan(pairs)
    weights = np.where(known, np.maximum(weights, 0.0), 0.0)
    weights = np.where(known & (weights.sum(axis=1, keepdims=True) == 0.0), 1.0, weights)
    total = weights.sum(axis=1)
    sums = (np.where(known, pairs, 0.0) * weights).sum(axis=1)
    return np.where(known.any(axis=1), sums / np.where(total == 0.0, 1.0, total), math.nan)


def coalesced(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make one change of each two of the same hyperparameter that follow one another."""
    kept: list[dict[str, Any]] = []
    waiting: dict[str, dict[str, Any]] = {}
    for change in changes:
        first = waiting.pop(change["name"], None)
        if first is None:
            waiting[change["name"]] = dict(change)
            kept.append(waiting[change["name"]])
        else:
            first["new"] = change["new"]
    return kept
