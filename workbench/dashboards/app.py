"""The dashboard as a Panel viewer: it looks at the folder once a second, and hands on what a page asks."""

import asyncio
import functools
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import panel as pn

from workbench.analysis.runs import Run
from workbench.dashboards.batches import Batches
from workbench.dashboards.board import Board, Plots, RunPanel, change, on_command
from workbench.dashboards.comparison import Comparison
from workbench.dashboards.details import Details
from workbench.dashboards.folder import Entry, folder_at
from workbench.dashboards.recorded import Columns, View, about, hyperparameters, look, order
from workbench.training.overview import Curves, Overview
from workbench.training.status import ACTIVE
from workbench.ui.commands import notice_of
from workbench.ui.curves import AXES, chosen, pack

PERIOD = 1000
"""Milliseconds between two looks."""

FIRST, LATER = 1.0, 0.1
"""Seconds for the lines of returns in the table: before the first page, and at each look after it."""

OWN = ("dismiss", "window")
"""What a panel's page asks that its trainer need not hear of."""

ANALYSED = ("compare", "metric", "group")
"""What a page asks after which the comparison is another one."""

VIEWS_REMEMBERED = 16
MARKS = 200
"""Changes of hyperparameters that are marked on the curves, at most, the newest."""

WIDTH = 1120
"""Pixels across, at most."""


@dataclass(frozen=True)
class Focus:
    """The run whose panel is shown, as it was at the last look; of a branch, what was left where it began."""

    entry: Entry
    view: View
    course: Overview
    left: Curves


class Dashboard(pn.viewable.Viewer):  # type: ignore[misc]
    """The runs of a folder: a table, the comparison of those that are ticked, and the panel of the one in focus.

    Args:
        path: The folder, or a run, which is shown with its branches.
        batches: What may be executed from here; nothing if None.
    """

    def __init__(self, path: Path, batches: Batches | None = None) -> None:
        super().__init__()
        self._folder, self._batches = folder_at(path), batches
        told = {} if batches is None else batches.look()
        self._board = Board(folder=path.resolve().name or str(path), batches=told, sizing_mode="stretch_width")
        self._plots = pn.Column(sizing_mode="stretch_width", margin=0)
        self._place = pn.Column(sizing_mode="stretch_width", margin=0)
        parts = (self._board, self._plots, self._place)
        self._page = pn.Column(*parts, sizing_mode="stretch_width", max_width=WIDTH, styles={"margin": "12px auto"})
        self._wanted: str | None = None
        self._seen: set[str] = set()
        self._comparison, self._details = Comparison(), Details()
        self._last: Focus | None = None
        self._notice: dict[str, Any] | None = None
        self._noticed: str | None = None  # of which run
        self._acknowledged: dict[str, int] = {}
        self._asking = asyncio.Lock()
        self._ready = asyncio.Event()  # the page is whole: what changes before, Panel does not send
        self._folder.look(FIRST)
        self._follow()
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
        self._follow()
        self._show(await asyncio.to_thread(self._focus))
        if self._batches is not None:
            change(self._board, batches=await asyncio.to_thread(self._batches.look))
        await self._send_windows()

    def _follow(self) -> None:
        """Let the focus follow to the branch in which the run in focus goes on, when that appears."""
        entries = self._folder.entries
        new, self._seen = entries.keys() - self._seen, set(entries)
        left = entries.get(self._wanted or "")
        if left is not None and left.run.name not in new:
            branches = [name for name in new if _origin(entries[name].run) == left.run.path]
            self._wanted = next((name for name in reversed(entries) if name in branches), self._wanted)

    def _focus(self) -> Focus | None:
        """Look at the run in focus: the one that was chosen while it is there, else the first of the table."""
        entries = self._folder.entries
        name = self._wanted if self._wanted in entries else _first(entries)
        if name is None:
            return None
        entry, last = entries[name], self._last
        before = last.view if last is not None and last.entry is entry else None
        return Focus(entry, look(entry.run, entry.status, before), entry.course(), _left(entries, entry.run))

    def _show(self, focus: Focus | None) -> None:
        """Bring the page up to date with what was seen."""
        entries = self._folder.entries
        if self._wanted not in entries:  # from now on it stays in focus, whatever becomes of it
            self._wanted = None if focus is None else focus.entry.run.name
        elif focus is not None and focus.entry.run.name != self._wanted:
            return  # another one was chosen meanwhile
        outline, packed = _packed(self._comparison.curves(entries))
        choice = {
            "focus": None if focus is None else focus.entry.run.name,
            **self._comparison.choice(),
            "about": [] if focus is None else about(focus.entry.run, focus.entry.status, focus.view),
            "hyperparameters": [] if focus is None else hyperparameters(focus.entry.run, focus.view),
        }
        rows, sparks = self._folder.rows(), self._folder.sparks()
        change(self._board, runs=rows, sparks=sparks, choice=choice, outline=outline, curves=packed)
        self._show_plots(self._comparison.page)
        self._show_panel(focus)

    def _show_plots(self, page: dict[str, Any]) -> None:
        """Show the plots of an analysis: others for another one."""
        if [each.page for each in self._plots] != ([page] if page else []):
            self._plots[:] = [Plots(page=page, sizing_mode="stretch_width")] if page else []

    def _show_panel(self, focus: Focus | None) -> None:
        """Bring the panel up to date: a new one for another run, or where other things may be changed now."""
        last, self._last = self._last, focus
        if focus is None:
            self._place.clear()
            return
        same = last is not None and last.entry is focus.entry
        if self._noticed != focus.entry.run.name:
            self._notice = None
        columns = Columns(focus.course)
        outline, packed = pack(columns)
        left, left_packed = _packed(focus.left)
        state = {**focus.view.state, "notice": self._notice, "acknowledged": dict(self._acknowledged)}
        traits: dict[str, Any] = {"state": state, "outline": [list(each) for each in outline], "curves": packed}
        traits |= {"marks": columns.changes()[-MARKS:], "left": left, "left_curves": left_packed}
        if same and self._place[0].settings == focus.view.settings:
            change(self._place[0], **traits)
            return
        made = RunPanel(key=uuid.uuid4().hex, settings=focus.view.settings, sizing_mode="stretch_width", **traits)
        on_command(made, functools.partial(self._obey, focus.entry.run), self._ready)
        self._details.forget()
        self._place[:] = [made]

    async def _choose(self, command: dict[str, Any]) -> None:
        """Do what the table's page asks."""
        kind, focus, comparison = command.get("kind"), self._last, self._comparison
        if kind == "focus":
            self._wanted = str(command["run"])
            focus = await asyncio.to_thread(self._focus)
        elif kind == "compare":
            comparison.tick(command["runs"], bool(command["on"]))
        elif kind == "metric":
            comparison.choose(str(command["name"]))
        elif kind == "group":
            comparison.grouped = bool(command["on"])
        elif kind == "part":
            await self._send_part(float(command["low"]), float(command["high"]))
        elif self._batches is not None:
            await asyncio.to_thread(self._batches.obey, command)
            change(self._board, batches=await asyncio.to_thread(self._batches.look))
        asked = comparison.ask(self._folder.entries) if kind in ANALYSED else None
        self._show(focus)
        if asked is not None and comparison.grouped:
            await comparison.analyse(*asked)
            self._show(self._last)

    async def _obey(self, run: Run, command: dict[str, Any]) -> None:
        """Ask the trainer of `run` for what its panel's page asks; a refusal becomes the panel's notice."""
        if command["kind"] == "cost":  # of a drawing: a dashboard tells its pages seldom anyway
            return
        message = {key: value for key, value in command.items() if key not in ("view", "serial")}
        kind = message["kind"]
        async with self._asking:  # in the order in which they came
            done = (True, None) if kind in OWN else await asyncio.to_thread(order, run, message)
        if kind == "window":
            self._details.look_at(command["view"], command["low"], command["high"])
        elif kind == "rewind" and done[0]:
            await asyncio.to_thread(self._folder.look, LATER, search=True)
            self._follow()
        self._notice, self._noticed = notice_of(message, *done), self._wanted
        self._acknowledged.pop(command["view"], None)
        self._acknowledged[command["view"]] = command["serial"]
        for view in list(self._acknowledged)[:-VIEWS_REMEMBERED]:
            del self._acknowledged[view]
        self._show(await asyncio.to_thread(self._focus))
        if kind == "window":
            await self._send_windows()

    async def _send_windows(self) -> None:
        """Send the panel's views the parts that they look at in full."""
        if self._last is not None:
            await self._details.send(self._place[0], self._last.entry.run.path, self._last.view.state["steps"])

    async def _send_part(self, low: float, high: float) -> None:
        """Send the part of the compared curves that the page looks at in full."""
        metric = self._comparison.choice()["metric"]
        outline, packed = _packed(await self._comparison.parts(self._folder.entries, self._details, low, high))
        content = {"kind": "part", "low": low, "high": high, "metric": metric}
        self._board.send({**content, "outline": outline, "buffers": [packed]})


def _origin(run: Run) -> Path | None:
    """Return the run directory that a branch comes from; None of a run that is no branch."""
    origin = run.description.get("branched_from")
    return run.path.with_name(str(origin["run"])) if isinstance(origin, dict) and "run" in origin else None


def _left(entries: dict[str, Entry], run: Run) -> Curves:
    """Return the curves that were left where a run branched off, from there on; none of a run that is no branch."""
    origin = next((entry for entry in entries.values() if entry.run.path == _origin(run)), None)
    if origin is None:
        return {}
    curves, steps = origin.course().curves, run.description["branched_from"].get("steps", 0)
    names = [name for name in (*chosen(list(curves)), *AXES) if name in curves]
    return {
        name: (curves[name][0][after], curves[name][1][after]) for name in names for after in [curves[name][0] >= steps]
    }


def _first(entries: dict[str, Entry]) -> str | None:
    """Return the run to look at first, which is the table's: the newest that trains, or is paused, or the newest."""
    by_state = {state: [name for name, each in entries.items() if each.status.state == state] for state in ACTIVE}
    return next(reversed(by_state["running"] or by_state["paused"] or list(entries)), None)


def _packed(curves: Curves) -> tuple[list[list[str | int]], bytes]:
    """Pack curves as the panel's are: the outline, and float32 steps and values in turn."""
    outline: list[list[str | int]] = [[name, len(steps)] for name, (steps, _) in curves.items()]
    parts = [part.astype("<f4").tobytes() for curve in curves.values() for part in curve]
    return outline, b"".join(parts)
