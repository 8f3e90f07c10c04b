"""The dashboard as a Panel viewer: it looks at the folder once a second, and hands on what a page asks."""

import asyncio
import functools
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import panel as pn

from workbench.analysis.runs import Run
from workbench.dashboards.board import Board, RunPanel, change, on_command
from workbench.dashboards.folder import Entry, folder_at
from workbench.dashboards.recorded import Columns, View, about, hyperparameters, look, order
from workbench.training.overview import Curves, Overview
from workbench.training.status import ACTIVE
from workbench.ui.commands import notice_of
from workbench.ui.curves import pack

PERIOD = 1000
"""Milliseconds between two looks."""

FIRST, LATER = 1.0, 0.1
"""Seconds for the lines of returns in the table: before the first page, and at each look after it."""

METRIC = "episode_return"
MOST = 10
"""Runs that are compared, at most: each has a colour."""

OWN = ("dismiss", "window")
"""What a panel's page asks that its trainer need not hear of."""

VIEWS_REMEMBERED = 16
MARKS = 200
"""Changes of hyperparameters that are marked on the curves, at most, the newest."""

WIDTH = 1120
"""Pixels across, at most."""


@dataclass(frozen=True)
class Focus:
    """The run whose panel is shown, as it was at the last look."""

    entry: Entry
    view: View
    course: Overview


class Dashboard(pn.viewable.Viewer):  # type: ignore[misc]
    """The runs of a folder: a table, the curves of those that are compared, and the panel of the one in focus."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._folder = folder_at(path)
        self._board = Board(folder=path.resolve().name or str(path), sizing_mode="stretch_width")
        self._place = pn.Column(sizing_mode="stretch_width", margin=0)
        self._page = pn.Column(
            self._board, self._place, sizing_mode="stretch_width", max_width=WIDTH, styles={"margin": "12px auto"}
        )
        self._wanted: str | None = None
        self._compared: list[str] = []
        self._metric = METRIC
        self._last: Focus | None = None
        self._notice: dict[str, Any] | None = None
        self._acknowledged: dict[str, int] = {}
        self._asking = asyncio.Lock()
        self._ready = asyncio.Event()  # the page is whole: what changes before, Panel does not send
        self._folder.look(FIRST)
        self._show(self._focus())
        on_command(self._board, self._choose, self._ready)
        pn.state.onload(self._begin)

    def __panel__(self) -> Any:
        """Return the page."""
        return self._page

    def _begin(self) -> None:
        self._ready.set()
        pn.state.add_periodic_callback(self.look, period=PERIOD)

    async def look(self) -> None:
        """Bring the page up to date."""
        await asyncio.to_thread(self._folder.look, LATER)
        self._show(await asyncio.to_thread(self._focus))

    def _focus(self) -> Focus | None:
        """Look at the run in focus: the one that was chosen while it is there, else the first of the table."""
        entries = self._folder.entries
        name = self._wanted if self._wanted in entries else _first(entries)
        if name is None:
            return None
        entry, last = entries[name], self._last
        before = last.view if last is not None and last.entry is entry else None
        return Focus(entry, look(entry.run, entry.status, before), entry.course())

    def _show(self, focus: Focus | None) -> None:
        """Bring the page up to date with what was seen."""
        entries = self._folder.entries
        if self._wanted not in entries:  # from now on it stays in focus, whatever becomes of it
            self._wanted = None if focus is None else focus.entry.run.name
        elif focus is not None and focus.entry.run.name != self._wanted:
            return  # another one was chosen meanwhile
        self._compared = [name for name in self._compared if name in entries]
        curves = {name: entries[name].course().curves for name in self._compared} if len(self._compared) > 1 else {}
        metrics = list(dict.fromkeys(name for each in curves.values() for name in each))
        if metrics and self._metric not in metrics:
            self._metric = METRIC if METRIC in metrics else metrics[0]
        outline, packed = _packed({name: each[self._metric] for name, each in curves.items() if self._metric in each})
        choice = {
            "focus": None if focus is None else focus.entry.run.name,
            "compared": list(self._compared),
            "metric": self._metric,
            "metrics": metrics,
            "about": [] if focus is None else about(focus.entry.run, focus.entry.status, focus.view),
            "hyperparameters": [] if focus is None else hyperparameters(focus.entry.run, focus.view),
        }
        rows, sparks = self._folder.rows(), self._folder.sparks()
        change(self._board, runs=rows, sparks=sparks, choice=choice, outline=outline, curves=packed)
        self._show_panel(focus)

    def _show_panel(self, focus: Focus | None) -> None:
        """Bring the panel up to date: a new one for another run, or where other things may be changed now."""
        last, self._last = self._last, focus
        if focus is None:
            self._place.clear()
            return
        same = last is not None and last.entry is focus.entry
        if not same:
            self._notice = None
        columns = Columns(focus.course)
        outline, packed = pack(columns)
        state = {**focus.view.state, "notice": self._notice, "acknowledged": dict(self._acknowledged)}
        traits: dict[str, Any] = {"state": state, "outline": [list(each) for each in outline], "curves": packed}
        traits["marks"] = columns.changes()[-MARKS:]
        if same and self._place[0].settings == focus.view.settings:
            change(self._place[0], **traits)
            return
        made = RunPanel(key=uuid.uuid4().hex, settings=focus.view.settings, sizing_mode="stretch_width", **traits)
        on_command(made, functools.partial(self._obey, focus.entry.run), self._ready)
        self._place[:] = [made]

    async def _choose(self, command: dict[str, Any]) -> None:
        """Do what the table's page asks."""
        kind, focus = command.get("kind"), self._last
        if kind == "compare":
            name = str(command["run"])
            others = [each for each in self._compared if each != name]
            self._compared = [*others, name][-MOST:] if command["on"] else others
        elif kind == "metric":
            self._metric = str(command["name"])
        elif kind == "focus":
            self._wanted = str(command["run"])
            focus = await asyncio.to_thread(self._focus)
        self._show(focus)

    async def _obey(self, run: Run, command: dict[str, Any]) -> None:
        """Ask the trainer of `run` for what its panel's page asks; a refusal becomes the panel's notice."""
        if command["kind"] == "cost":  # of a drawing: a dashboard tells its pages seldom anyway
            return
        message = {key: value for key, value in command.items() if key not in ("view", "serial")}
        async with self._asking:  # in the order in which they came
            asked = message["kind"] not in OWN
            done = await asyncio.to_thread(order, run, message) if asked else (True, None)
        self._notice = notice_of(message, *done)
        self._acknowledged.pop(command["view"], None)
        self._acknowledged[command["view"]] = command["serial"]
        for view in list(self._acknowledged)[:-VIEWS_REMEMBERED]:
            del self._acknowledged[view]
        self._show(await asyncio.to_thread(self._focus))


def _first(entries: dict[str, Entry]) -> str | None:
    """Return the run to look at first, which is the table's: the newest that trains, or is paused, or the newest."""
    by_state = {state: [name for name, each in entries.items() if each.status.state == state] for state in ACTIVE}
    return next(reversed(by_state["running"] or by_state["paused"] or list(entries)), None)


def _packed(curves: Curves) -> tuple[list[list[str | int]], bytes]:
    """Pack curves as the panel's are: the outline, and float32 steps and values in turn."""
    outline: list[list[str | int]] = [[name, len(steps)] for name, (steps, _) in curves.items()]
    parts = [part.astype("<f4").tobytes() for curve in curves.values() for part in curve]
    return outline, b"".join(parts)
