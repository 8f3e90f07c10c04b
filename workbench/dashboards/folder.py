"""The runs of a folder as they are now, read again only where something changed; all pages that show it share one."""

import dataclasses
import glob
import logging
import math
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from workbench.analysis.runs import Run, find_runs
from workbench.dashboards.recorded import title
from workbench.errors import InputError
from workbench.training.layout import RUN
from workbench.training.overview import Overview
from workbench.training.status import ACTIVE, FILE, Status

PERIOD = 0.9
"""Seconds between two looks at the runs, at least."""

SEARCH = 4.0
"""Seconds between two searches for new runs, at least."""

SPARK = 40
"""Points of the line that stands for a run's returns, at most."""

SPARK_PERIOD = 5.0
"""Seconds between two readings of the returns of a run that goes on, at least."""

LOGGER = logging.getLogger(__name__)
UNREADABLE = "unreadable"


@dataclasses.dataclass
class Entry:
    """What is known of one run.

    Attributes:
        run: Where it is, and what it said when it began.
        status: Where it was at the last look.
        stamp: By which a change of the status is recognised.
        spark: Its returns, from 0 to 100; `rows` says of which state of the metrics, `read` when they were read.
        kept: The course that was asked for last, and of which state of the metrics it is.
    """

    run: Run
    status: Status = dataclasses.field(default_factory=Status)
    stamp: int = -1
    spark: list[int] = dataclasses.field(default_factory=list)
    rows: tuple[int, int] = (-1, -1)
    read: float = -math.inf
    kept: tuple[tuple[int, int], Overview] | None = None

    def course(self) -> Overview:
        """Return its curves and changes, read again where the metrics changed; none of one that is damaged or gone."""
        rows, kept = _size(self.run.path), self.kept
        if kept is None or kept[0] != rows:
            kept = self.kept = rows, _course(self.run)
        return kept[1]

    def row(self) -> dict[str, Any]:
        """Return what the table says of it."""
        status, run = self.status, self.run
        return {
            "id": run.name,
            "environment": run.environment,
            "algorithm": title(run.algorithm),
            "seed": run.seed,
            "state": UNREADABLE if run.error else status.state,
            "steps": status.steps,
            "goal": status.goal,
            "steps_per_second": status.steps_per_second if status.state == "running" else None,
            "episode_return": status.episode_return,
            "heard": status.heard,
            "error": run.error or status.error,
        }


class Folder:
    """The runs at or under `path`; `look` brings them up to date, from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self._next_look = self._next_search = -math.inf

    def look(self, seconds: float, *, search: bool = False) -> None:
        """Bring the entries up to date.

        Args:
            seconds: To read the returns of runs in; it goes on with them next time.
            search: Whether to look for new runs now; else every few seconds.
        """
        with self._lock:
            now = time.monotonic()
            if search or now >= self._next_search:
                self._search()
                self._next_search = time.monotonic() + SEARCH
            if now >= self._next_look:
                for entry in self.entries.values():
                    _look(entry)
                self._next_look = time.monotonic() + PERIOD
            deadline = now + seconds
            for entry in reversed(self.entries.values()):  # the newest first
                if time.monotonic() > deadline:
                    break
                _read_spark(entry)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table, the oldest run first."""
        return [entry.row() for entry in list(self.entries.values())]

    def sparks(self) -> dict[str, list[int]]:
        """Return the returns of each run that has some."""
        return {name: entry.spark for name, entry in list(self.entries.items()) if entry.spark}

    def _search(self) -> None:
        try:
            found = [run for place in _family(self.path) for run in find_runs(place)]
        except (InputError, OSError):  # it went, or is not there yet
            found = []
        known = self.entries
        found.sort(key=lambda run: str(run.description.get("created")))
        self.entries = {run.name: _renewed(known.get(run.name), run) for run in found}


def _family(path: Path) -> list[Path]:
    """Return where to look for runs: in `path`, and if that is a run itself, in its branches beside it."""
    if not (path / RUN).is_file():
        return [path]
    stem = path.name.partition("@")[0]
    return [path, *(each for each in sorted(path.parent.glob(f"{glob.escape(stem)}@*")) if each != path)]


def _renewed(entry: Entry | None, run: Run) -> Entry:
    """Keep what is known of a run, unless it is another one now."""
    if entry is None or entry.run.description != run.description or entry.run.error != run.error:
        return Entry(run)
    return entry


def _look(entry: Entry) -> None:
    """Read the status, if it changed, or the process may be gone."""
    try:
        stamp = (entry.run.path / FILE).stat().st_mtime_ns
    except OSError:
        stamp = 0
    if stamp == entry.stamp and entry.status.state not in ACTIVE:
        return
    entry.stamp = stamp
    status = entry.run.status()
    if not status.heard and entry.status.steps:  # of a run that tells nothing: what its metrics said
        status = dataclasses.replace(entry.status, state=status.state)
    entry.status = status


def _read_spark(entry: Entry) -> None:
    """Read the returns of a run, if there are new ones."""
    now = time.monotonic()
    if now < entry.read + (SPARK_PERIOD if entry.status.state in ACTIVE else 0.0) or entry.run.error:
        return
    rows = _size(entry.run.path)
    if rows == entry.rows:
        return
    entry.rows, entry.read = rows, now
    curves = _course(entry.run).curves
    steps, values = curves.get("episode_return", (np.empty(0), np.empty(0)))
    entry.spark = spark(values)
    if not entry.status.heard and len(steps):
        entry.status = dataclasses.replace(entry.status, steps=int(steps[-1]), episode_return=float(values[-1]))


def _size(run_dir: Path) -> tuple[int, int]:
    """Return by what a change of the metrics is recognised."""
    try:
        found = (run_dir / "metrics.jsonl").stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _course(run: Run) -> Overview:
    try:
        return run.overview()
    except Exception:  # others' runs are shown all the same
        LOGGER.warning("the metrics of run %s cannot be read", run.path, exc_info=True)
        return Overview({}, [])


def spark(values: "np.ndarray[Any, np.dtype[np.float64]]") -> list[int]:
    """Return means of `values` [N] over at most `SPARK` stretches, from 0 at the lowest to 100 at the highest."""
    if len(values) < 2:
        return []
    count = min(SPARK, len(values))
    starts = np.arange(count) * len(values) // count
    means = np.add.reduceat(values, starts) / np.diff(starts, append=len(values))
    low, high = means.min(), means.max()
    return [round(100 * (mean - low) / (high - low)) if high > low else 50 for mean in means]


_shared: "weakref.WeakValueDictionary[Path, Folder]" = weakref.WeakValueDictionary()
_sharing = threading.Lock()


def folder_at(path: Path) -> Folder:
    """Return the folder at `path`, the same one for all who ask while somebody has it."""
    path = path.absolute()
    with _sharing:
        folder = _shared.get(path)
        if folder is None:
            folder = _shared[path] = Folder(path)
        return folder
