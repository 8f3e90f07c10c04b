"""What is compared: at once, the curves of runs over one axis; when asked for, groups of runs and their statistics."""

import asyncio
import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.dashboards.details import Details
from workbench.dashboards.folder import Entry
from workbench.errors import WorkbenchError
from workbench.training.overview import Curves
from workbench.ui.text import failure

METRIC = "episode_return"
MOST = 100
"""Runs that are compared, at most."""

DRAWN = 10
"""Runs whose curves are drawn over each other, at most, the last that were ticked: each has a colour."""

LOGGER = logging.getLogger(__name__)

_analysing = threading.Lock()
"""One analysis at a time, whoever asks: each takes a core, and holoviews is made for one thread."""


class Comparison:
    """The runs that are ticked on one page, and how they are looked at.

    Attributes:
        names: Which runs, in the order in which they were ticked.
        grouped: Whether groups of them are compared, as `wb.compare` does, and not their curves alone.
        remark: What there is to say of the analysis while there is none.
        page: What the plots of the analysis show, as `workbench.analysis.display.content`; empty without one.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.grouped = False
        self.remark: str | None = None
        self.page: dict[str, Any] = {}
        self._metric = METRIC
        self._metrics: list[str] = []
        self._asked = 0

    def tick(self, names: Iterable[str], on: bool) -> None:
        """Add runs to what is compared, or take them away."""
        named = list(dict.fromkeys(map(str, names)))
        others = [each for each in self.names if each not in named]
        self.names = ([*others, *named] if on else others)[-MOST:]

    def choose(self, metric: str) -> None:
        """Compare by another metric."""
        self._metric = metric

    def curves(self, entries: Mapping[str, Entry]) -> Curves:
        """Return the curves that are drawn, by run; none of fewer than two runs."""
        self.names = [name for name in self.names if name in entries]
        drawn = self.names[-DRAWN:] if len(self.names) > 1 else []
        found = {name: entries[name].course().curves for name in drawn}
        self._metrics = list(dict.fromkeys(name for each in found.values() for name in each))
        if self._metrics and self._metric not in self._metrics:
            self._metric = METRIC if METRIC in self._metrics else self._metrics[0]
        return {name: each[self._metric] for name, each in found.items() if self._metric in each}

    def choice(self) -> dict[str, Any]:
        """Return what the page is told of it."""
        return {
            "compared": list(self.names),
            "metric": self._metric,
            "metrics": self._metrics,
            "grouped": self.grouped,
            "remark": self.remark,
        }

    async def parts(self, entries: Mapping[str, Entry], details: Details, low: float, high: float) -> Curves:
        """Return the curves that are drawn, between two numbers of environment steps, in full."""
        metric = self._metric
        return {
            name: await details.curve(entries[name].run.path, metric, low, high)
            for name in self.names[-DRAWN:]
            if name in entries
        }

    def ask(self, entries: Mapping[str, Entry]) -> tuple[int, list[Path], str]:
        """Begin an analysis: return its number, the runs, and the metric; it takes the place of one that goes on."""
        self._asked += 1
        paths = [entries[name].run.path for name in self.names if name in entries]
        self.page = {}
        self.remark = f"Comparing {len(paths)} runs…" if self.grouped else None
        return self._asked, paths, self._metric

    async def analyse(self, number: int, paths: list[Path], metric: str) -> None:
        """Compare runs off the event loop, and keep what comes out unless something else was asked for meanwhile."""
        # Not asyncio.to_thread: the thread would inherit Panel's document, which holoviews would draw into.
        loop = asyncio.get_running_loop()
        page, remark = await loop.run_in_executor(None, self._analysis, number, paths, metric)
        if number == self._asked:
            self.page, self.remark = page, remark

    def _analysis(self, number: int, paths: list[Path], metric: str) -> tuple[dict[str, Any], str | None]:
        from workbench.analysis.compare import compare
        from workbench.analysis.display import content

        try:
            with _analysing:
                if number != self._asked:
                    return {}, None
                return content(compare(paths, metric=metric)), None
        except WorkbenchError as error:
            return {}, str(error)
        except Exception as error:  # whatever others' runs bring about belongs before whoever asked
            LOGGER.exception("runs cannot be compared: %s", paths)
            return {}, failure(error)
