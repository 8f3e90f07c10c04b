"""The course of a run at a glance: every column thinned, a few in all rows, in a file that is read in a millisecond.

`overview.safetensors` is written beside the metrics with each checkpoint. It says how far into the journal it reaches,
so that a reader takes the rows after it from there. It is derived: without it, or where it does not fit, the journal is
read instead.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from workbench.training import journal
from workbench.training.files import replace_file

FILE = "overview.safetensors"
VERSION = "2"
POINTS = 1000
"""Of a column, at most."""

WHOLE = ("steps", "seconds", "episode_return", "evaluation_return")
"""Columns that are kept in all rows besides: what runs are compared by."""

ROWS = "rows/"
"""Begins the names of those."""

DAMAGE = (OSError, SafetensorError, KeyError, ValueError, IndexError)
Float64 = NDArray[np.float64]
Curves = dict[str, tuple[Float64, Float64]]
"""By name, the environment steps [N] and the values [N], both float64."""


def thin(steps: Float64, values: Float64, points: int = POINTS) -> tuple[Float64, Float64]:
    """Keep the lowest and the highest point of each bucket, so that no spike is lost; leave out what is not finite.

    The bucket's width is a power of two, counted from the first point: buckets stand still while the curve grows.

    Args:
        steps, values: [N] float64, environment steps and the metric.
        points: The most points to keep, at least 4.
    """
    finite = np.isfinite(values)
    if not finite.all():
        steps, values = steps[finite], values[finite]
    if len(values) <= points:
        return steps, values
    width = 2
    while 2 * -(-len(values) // width) > points:
        width *= 2
    whole = len(values) // width * width
    buckets = values[:whole].reshape(-1, width)
    start = np.arange(0, whole, width)
    ends = np.stack([start + buckets.argmin(axis=1), start + buckets.argmax(axis=1)], axis=1)
    ends.sort(axis=1)
    kept = ends.reshape(-1)
    if whole < len(values):
        rest = values[whole:]
        kept = np.append(kept, sorted((whole + int(rest.argmin()), whole + int(rest.argmax()))))
    kept[-1] = len(values) - 1  # The newest point is always there.
    kept = np.unique(kept)
    return steps[kept], values[kept]


@dataclass(frozen=True)
class Overview:
    """What a run's overview holds.

    Attributes:
        curves: Every column, thinned.
        changes: The hyperparameters that changed, as `Metrics.changes`.
    """

    curves: Curves
    changes: list[dict[str, Any]]


def write(directory: Path, columns: Mapping[str, Float64], changes: list[dict[str, Any]]) -> None:
    """Write the overview of `directory`, whose journal holds exactly these rows.

    Args:
        directory: Of the run; its journal is written down to here.
        columns: [N] float64 by name, NaN where a row lacks one; `steps` among them.
        changes: As `Metrics.changes`.

    Raises:
        OSError: If it cannot be written.
    """
    number, offset = journal.position(directory)
    steps = columns["steps"]
    curves = {name: np.stack(thin(steps, values)) for name, values in columns.items() if name != "steps"}
    whole = {ROWS + name: columns[name] for name in WHOLE if name in columns}
    note = {
        "version": VERSION,
        "segment": str(number),
        "offset": str(offset),
        "steps": repr(float(steps[-1]) if len(steps) else 0.0),
        "changes": json.dumps(changes),
    }
    replace_file(directory / FILE, safetensors.numpy.save(curves | whole, note))


def read(directory: Path) -> Overview:
    """Read the course of a run, also while it is writing: the overview and the rows after it, or all rows.

    Raises:
        FileNotFoundError: If there are no metrics.
    """
    found = _read(directory)
    if found is not None:
        overview, steps, number, offset = found
        entries = journal.after(directory, number, offset)
        if entries is not None:
            return _extended(overview, steps, entries)
    if not journal.exists(directory):
        raise FileNotFoundError(f"{directory} holds no {journal.FILE}")
    return _extended(Overview({}, []), -math.inf, journal.read(directory))


def _read(directory: Path) -> tuple[Overview, float, int, int] | None:
    """Return the overview that was written, its last steps, and where in the journal they stand; None without one."""
    try:
        with safe_open(directory / FILE, framework="numpy") as file:
            note = file.metadata() or {}
            if note.get("version") != VERSION:
                return None
            names = [name for name in file.keys() if not name.startswith(ROWS)]  # noqa: SIM118
            curves = {name: (rows[0], rows[1]) for name in names for rows in [file.get_tensor(name)]}
        overview = Overview(curves, json.loads(note["changes"]))
        return overview, float(note["steps"]), int(note["segment"]), int(note["offset"])
    except DAMAGE:
        return None


def read_whole(directory: Path, names: Sequence[str]) -> tuple[dict[str, Float64], list[journal.Entry]] | None:
    """Return columns of `WHOLE` in all rows, [N] each, and the journal's entries after them; None without an overview.

    A column that nobody recorded is left out.
    """
    try:
        with safe_open(directory / FILE, framework="numpy") as file:
            note = file.metadata() or {}
            if note.get("version") != VERSION:
                return None
            present = set(file.keys())
            columns = {name: file.get_tensor(ROWS + name) for name in names if ROWS + name in present}
        entries = journal.after(directory, int(note["segment"]), int(note["offset"]))
    except DAMAGE:
        return None
    return None if entries is None else (columns, entries)


def _extended(overview: Overview, last: float, entries: Any) -> Overview:
    """Add the rows of the journal that come after an overview, and take back what they take back."""
    end, changes = last, list(overview.changes)
    rows: list[tuple[float, dict[str, Any]]] = []
    for entry in entries:
        if "resumed_at" in entry:
            mark = entry["resumed_at"]
            end = min(end, mark)
            rows = [row for row in rows if row[0] <= mark]
            changes = [change for change in changes if change["steps"] <= mark]
        elif "change" in entry:
            changes.append(entry["change"])
        else:
            rows.append((entry.pop("steps"), entry))
    curves: Curves = {}
    names = dict.fromkeys([*overview.curves, *(name for _, row in rows for name in row)])
    for name in names:
        steps, values = overview.curves.get(name, (np.empty(0), np.empty(0)))
        kept = int(np.searchsorted(steps, end, side="right"))
        new = [(at, row[name]) for at, row in rows if name in row]
        added = np.array(new, dtype=np.float64).reshape(-1, 2)
        joined = np.concatenate([steps[:kept], added[:, 0]]), np.concatenate([values[:kept], added[:, 1]])
        curves[name] = thin(*joined, 2 * POINTS) if kept else thin(*joined)
    return Overview({name: curve for name, curve in curves.items() if len(curve[0])}, changes)
