"""Parts of runs in full detail, for pages that look at them: read one at a time, and never by the event loop."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.training import journal
from workbench.training.overview import thin
from workbench.ui.curves import pack

SHARE = 0.1
"""Of the time, at most, that reading anew takes a part that grows."""

Float64 = NDArray[np.float64]


class Rows:
    """Rows of a run, as the panel reads a trainer's metrics.

    Args:
        columns: [N] by name, nan where a row lacks one; `steps` among them.
    """

    def __init__(self, columns: dict[str, Float64]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns["steps"])

    def names(self) -> list[str]:
        """Return the names of the columns."""
        return list(self._columns)

    def series(self, name: str) -> tuple[Float64, Float64]:
        """Return the steps and the values of one column, without the rows that lack it."""
        values = self._columns.get(name, np.full(len(self), np.nan))
        known = ~np.isnan(values)
        return self._columns["steps"][known], values[known]

    def last(self, name: str, default: float = np.nan) -> float:
        """Return the newest value of one column."""
        _, values = self.series(name)
        return float(values[-1]) if len(values) else default


@dataclass(frozen=True)
class Window:
    """A part that one view of a run's panel looks at.

    Attributes:
        low, high: From which environment steps to which.
        end: The run's steps when it was read; below zero before.
        due: When it may be read anew, by the monotonic clock.
    """

    low: float
    high: float
    end: float = -1.0
    due: float = 0.0


class Details:
    """Reads parts of runs, one after the other: however many pages ask, one thread works for it."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        self._windows: dict[str, Window] = {}

    def look_at(self, view: str, low: Any, high: Any) -> None:
        """Note which part of the run in focus a view looks at; without ends, that it sees the whole again."""
        self._windows.pop(view, None)
        if low is not None and high is not None:
            self._windows[view] = Window(float(low), float(high))

    def forget(self) -> None:
        """Forget all views: another run is in focus."""
        self._windows.clear()

    async def send(self, component: Any, run_dir: Path, steps: float) -> None:
        """Send each view its part: when it asks, and while it grows.

        Args:
            component: The panel that the views show.
            run_dir: Of the run in focus.
            steps: Its steps now.
        """
        for view, window in list(self._windows.items()):
            if window.end >= min(window.high, steps) or time.monotonic() < window.due:
                continue
            began = time.monotonic()
            outline, packed = await self._alone(_panel, run_dir, window.low, window.high)
            if self._windows.get(view) is not window:
                continue  # it looks elsewhere meanwhile
            now = time.monotonic()
            self._windows[view] = Window(window.low, window.high, steps, now + (now - began) / SHARE)
            content = {"kind": "window", "view": view, "low": window.low, "high": window.high}
            component.send({**content, "outline": [list(each) for each in outline], "buffers": [packed]})

    async def curve(self, run_dir: Path, metric: str, low: float, high: float) -> tuple[Float64, Float64]:
        """Return a part of one curve, thinned for the screen: steps [N] and values [N]."""
        found: tuple[Float64, Float64] = await self._alone(_curve, run_dir, metric, low, high)
        return found

    async def _alone(self, read: Callable[..., Any], *given: Any) -> Any:
        async with self._reading:
            return await asyncio.to_thread(read, *given)


def _panel(run_dir: Path, low: float, high: float) -> tuple[list[tuple[str, int]], bytes]:
    return pack(Rows(journal.part(run_dir, low, high)), (low, high))


def _curve(run_dir: Path, metric: str, low: float, high: float) -> tuple[Float64, Float64]:
    return thin(*Rows(journal.part(run_dir, low, high)).series(metric))
