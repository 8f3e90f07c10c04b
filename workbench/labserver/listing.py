"""The runs below a server's root, as the side panel shows them."""

import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.runs import Run, find_runs
from workbench.errors import InputError
from workbench.labserver.places import below, run_folders
from workbench.ui.steering import listens

MOST = 100
"""Runs in one answer: the newest."""

POINTS = 48
"""Of a sparkline."""

SEARCH_SECONDS = 10.0
"""How long a list of folders stays good."""

GROWING = ("metrics.jsonl", "overview.safetensors", "status.json")
"""The files by whose times and sizes a run is known to have changed."""

Float64 = NDArray[np.float64]
Record = dict[str, Any]


class Listing:
    """Reads the runs below `root`; what did not change is not read again. Safe to use from any thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._folders: dict[str, tuple[float, list[Path]]] = {}
        self._courses: dict[Path, tuple[object, Record]] = {}

    def read(self, folder: str) -> Record:
        """Return the newest `runs` that `folder` means, as `record` describes them, and how many there are in `total`.

        Raises:
            InputError: If `folder` leads out of the root.
        """
        with self._lock:
            runs = [run for place in self._places(folder) for run in _found(place)]
            runs.sort(key=lambda run: str(run.description.get("created") or ""), reverse=True)
            records = [self._record(run) for run in runs[:MOST]]
            shown = {run.path for run in runs[:MOST]}
            self._courses = {path: course for path, course in self._courses.items() if path in shown}
        records.sort(key=lambda each: each["state"] not in ("running", "paused"))
        return {"runs": records, "total": len(runs)}

    def _places(self, folder: str) -> list[Path]:
        now = time.monotonic()
        until, places = self._folders.get(folder, (0.0, []))
        if now >= until:
            places = run_folders(self._root, folder)
            self._folders = {folder: (now + SEARCH_SECONDS, places)}
        return places

    def _record(self, run: Run) -> Record:
        status, about = run.status(), run.description
        record = {
            "path": below(self._root, run.path),
            "name": run.name,
            "env": run.environment,
            "algorithm": run.algorithm,
            **{name: _if(int, about.get(name)) for name in ("seed", "lanes")},
            **{name: _if(str, about.get(name)) for name in ("created", "learner")},
            "revision": _revision(about.get("git")),
            "state": status.state,
            "steered": listens(run.path),
            "goal": status.goal,
            "error": run.error or _if(str, status.error),
            "notebook": below(self._root, status.notebook) if _is_file(status.notebook) else None,
            **self._course(run),
            **{name: value for name, value in _told(status).items() if value},
        }
        return {
            name: 0 if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in record.items()
        }

    def _course(self, run: Run) -> Record:
        """Return what the curves of a run tell; read anew when its files changed."""
        signature = tuple(_signature(run.path / name) for name in GROWING)
        known = self._courses.get(run.path)
        if known is None or known[0] != signature:
            known = (signature, course(run))
            self._courses[run.path] = known
        return known[1]


def course(run: Run) -> Record:
    """Return how far a run came: its last numbers, and its `curve` of the mean return as a sparkline."""
    names = ["episode_return", "steps_per_second", "seconds"]
    damage: Record = {}
    try:
        curves = run.curves(names)
    except (OSError, ValueError, KeyError, TypeError) as error:  # whatever its files hold
        curves, damage = {}, {"error": f"its metrics cannot be read: {error!r}"}
    last = {name: float(values[-1]) for name, (_, values) in curves.items() if len(values)}
    ends = [float(steps[-1]) for steps, _ in curves.values() if len(steps)]
    empty = np.empty(0)
    return {
        "steps": int(max(ends, default=0)),
        "seconds": last.get("seconds", 0.0),
        "steps_per_second": rounded(last.get("steps_per_second", math.nan)),
        "episode_return": rounded(last.get("episode_return", math.nan)),
        "curve": sparkline(*curves.get("episode_return", (empty, empty))),
        **damage,
    }


def sparkline(steps: Float64, values: Float64) -> dict[str, list[float]]:
    """Draw a curve in at most `POINTS` points: means over equal shares of its steps.

    Args:
        steps, values: [N] float64, ascending steps and the metric.

    Returns:
        `at`, where each point is from 0 to 1 along the steps, and `value`.
    """
    if len(steps) < 2 or steps[-1] <= steps[0]:
        return {"at": [], "value": []}
    shares = (steps - steps[0]) / (steps[-1] - steps[0])
    bucket = np.minimum((shares * POINTS).astype(np.int64), POINTS - 1)
    count = np.bincount(bucket, minlength=POINTS)
    held = count > 0
    at = np.bincount(bucket, shares, POINTS)[held] / count[held]
    value = np.bincount(bucket, values, POINTS)[held] / count[held]
    at[0], at[-1] = 0.0, 1.0
    return {"at": [round(float(each), 4) for each in at], "value": [rounded(float(each)) or 0.0 for each in value]}


def rounded(value: float) -> float | None:
    """Return `value` with five significant digits, or None if it is not finite: JSON knows no NaN."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _told(status: Any) -> Record:
    """Return what a run says of itself: newer than its metrics, and missing where nobody said anything."""
    return {
        "steps": status.steps,
        "seconds": status.seconds,
        "steps_per_second": status.steps_per_second and rounded(status.steps_per_second),
        "episode_return": status.episode_return and rounded(status.episode_return),
    }


def _found(place: Path) -> list[Run]:
    try:
        return find_runs(place)
    except InputError:  # it went since it was found
        return []


def _if(kind: type, value: Any) -> Any:
    """Return `value` if it is of that kind, else None: a file may hold anything."""
    return value if isinstance(value, kind) else None


def _revision(git: Any) -> str | None:
    """Return a short git revision, with a plus if files had changed."""
    revision = git.get("revision") if isinstance(git, dict) else None
    return f"{revision:.10}{'+' if git.get('dirty') else ''}" if isinstance(revision, str) else None


def _signature(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _is_file(path: Any) -> bool:
    return isinstance(path, str) and Path(path).is_file()
