"""The dashboard as a Panel viewer: it looks at the folder once a second, and hands on what a page asks."""

import asyncio
import math
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn

from workbench.analysis.runs import Run
from workbench.dashboards.board import Board, RunPanel, change, on_command
from workbench.dashboards.folder import Entry, curves_of, folder_at
from workbench.dashboards.recorded import Columns, about, look, order
from workbench.training.status import ACTIVE
from workbench.ui.curves import pack
from workbench.ui.state import State

PERIOD = 1000
"""Milliseconds between two looks."""

FIRST, LATER = 1.0, 0.1
"""Seconds for the lines of returns in the table: before the first page, and at each look after it."""

METRIC = "episode_return"
VIEWS_REMEMBERED = 16
WIDTH = 1120
"""Pixels across, at most."""


class Dashboard(pn.viewable.Viewer):  # type: ignore[misc]
    """The runs of a folder: a table, the curves of those that are compared, and the panel of the one in focus."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        pn.extension()
        self._folder = folder_at(path)
        self._board = Board(folder=str(path), sizing_mode="stretch_width")
        self._place = pn.Column(sizing_mode="stretch_width", margin=0)
        self._page = pn.Column(
            self._board, self._place, sizing_mode="stretch_width", max_width=WIDTH, styles={"margin": "12px auto"}
        )
        self._focus: str | None = None
        self._compared: list[str] = []
        self._metric = METRIC
        self._shown: Run | None = None
        self._notice: dict[str, Any] | None = None
        self._acknowledged: dict[str, int] = {}
        self._asking = asyncio.Lock()
        self._folder.look(FIRST)
        self._show_all(self._look_at_focus())
        on_command(self._board, self._choose)
        pn.state.add_periodic_callback(self._tick, period=PERIOD)

    def __panel__(self) -> Any:
        """Return the page."""
        return self._page

    async def _tick(self) -> None:
        await asyncio.to_thread(self._folder.look, LATER)
        self._show_all(await asyncio.to_thread(self._look_at_focus))

    def _look_at_focus(self) -> tuple[Entry, State, list[State], Any] | None:
        """Read the run in focus: its entry, the panel's state and settings, and its curves."""
        entries = self._folder.entries
        if self._focus not in entries:
            self._focus = _first(entries)
        if self._focus is None:
            return None
        entry = entries[self._focus]
        return entry, *look(entry.run, entry.status), curves_of(entry.run)

    def _show_all(self, focus: tuple[Entry, State, list[State], Any] | None) -> None:
        """Bring the page up to date."""
        entries = self._folder.entries
        self._compared = [name for name in self._compared if name in entries]
        curves = {name: curves_of(entries[name].run) for name in self._compared} if len(self._compared) > 1 else {}
        metrics = list(dict.fromkeys(name for each in curves.values() for name in each))
        if metrics and self._metric not in metrics:
            self._metric = METRIC if METRIC in metrics else metrics[0]
        outline, packed = _packed({name: each[self._metric] for name, each in curves.items() if self._metric in each})
        described = [] if focus is None else about(focus[0].run, focus[0].status)
        change(
            self._board,
            runs=self._folder.rows(),
            sparks=self._folder.sparks(),
            choice={
                "focus": self._focus,
                "compared": self._compared,
                "metric": self._metric,
                "metrics": metrics,
                "about": [list(pair) for pair in described],
                "hyperparameters": [] if focus is None else _hyperparameters(focus[0].run, focus[1]),
            },
            outline=outline,
            curves=packed,
        )
        self._show_panel(focus)

    def _show_panel(self, focus: tuple[Entry, State, list[State], Any] | None) -> None:
        """Bring the panel up to date: a new one of another run, or where other things may be changed now."""
        if focus is None:
            self._shown = None
            self._place.clear()
            return
        entry, state, settings, curves = focus
        outline, packed = pack(Columns(curves))
        traits = {
            "state": {**state, "notice": self._notice, "acknowledged": dict(self._acknowledged)},
            "outline": [list(each) for each in outline],
            "curves": packed,
        }
        if self._shown is entry.run and self._place[0].settings == settings:
            change(self._place[0], **traits)
            return
        if self._shown is not entry.run:
            self._notice = traits["state"]["notice"] = None
        self._shown = entry.run
        made = RunPanel(key=uuid.uuid4().hex, settings=settings, sizing_mode="stretch_width", **traits)
        on_command(made, self._obey)
        self._place[:] = [made]

    async def _choose(self, command: dict[str, Any]) -> None:
        """Do what the table's page asks."""
        kind = command.get("kind")
        if kind == "focus":
            self._focus = str(command["run"])
        elif kind == "compare":
            self._compared = [str(name) for name in command["runs"]]
        elif kind == "metric":
            self._metric = str(command["name"])
        self._show_all(await asyncio.to_thread(self._look_at_focus))

    async def _obey(self, command: dict[str, Any]) -> None:
        """Ask the trainer of the run in focus for what its panel's page asks; a refusal becomes the panel's notice."""
        run = self._shown
        if run is None:
            return
        message = {key: value for key, value in command.items() if key not in ("view", "serial")}
        async with self._asking:  # in the order in which they came
            text = None if message["kind"] == "dismiss" else await asyncio.to_thread(order, run, message)
        self._notice = None if text is None else {"name": message.get("name"), "text": text}
        self._acknowledged.pop(command["view"], None)
        self._acknowledged[command["view"]] = command["serial"]
        for view in list(self._acknowledged)[:-VIEWS_REMEMBERED]:
            del self._acknowledged[view]
        self._show_panel(await asyncio.to_thread(self._look_at_focus))


def _first(entries: dict[str, Entry]) -> str | None:
    """Return the run to look at first, which is the table's: the newest that trains, or is paused, or the newest."""
    by_state = {state: [name for name, each in entries.items() if each.status.state == state] for state in ACTIVE}
    return next(reversed(by_state["running"] or by_state["paused"] or list(entries)), None)


def _packed(curves: dict[str, tuple[Any, Any]]) -> tuple[list[list[str | int]], bytes]:
    """Pack curves as the panel's are: the outline, and float32 steps and values in turn."""
    outline: list[list[str | int]] = [[name, len(steps)] for name, (steps, _) in curves.items()]
    parts = [part.astype(np.dtype("<f4")).tobytes() for curve in curves.values() for part in curve]
    return outline, b"".join(parts)


def _hyperparameters(run: Run, state: State) -> list[list[str]]:
    """Return names and values: those in force, where they are known."""
    known = {**run.hyperparameters, **state["values"]}
    return [
        [name, f"{value:g}" if isinstance(value, float) and math.isfinite(value) else str(value)]
        for name, value in known.items()
    ]
