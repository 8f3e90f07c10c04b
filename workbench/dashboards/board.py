"""The parts of the dashboard's page: the table of runs, and, each the notebook's own, plots and the panel of a run."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn
import param

from workbench import ui
from workbench.analysis.display import javascript, stylesheet

STATIC = Path(ui.__file__).parent / "static"


class Board(pn.custom.AnyWidgetComponent):  # type: ignore[misc]
    """The table of runs, and the curves of those that are compared; see `extensions/panel/src/dashboard/model.ts`."""

    _esm = (STATIC / "dashboard.js").read_text(encoding="utf-8")
    _stylesheets = [(STATIC / "dashboard.css").read_text(encoding="utf-8")]  # noqa: RUF012
    folder = param.String()
    runs = param.List()
    sparks = param.Dict(default={})
    choice = param.Dict(default={})
    outline = param.List()
    curves = param.Bytes(default=b"")
    batches = param.Dict(default={})
    spoken = param.Boolean(default=False)


class Plots(pn.custom.AnyWidgetComponent):  # type: ignore[misc]
    """The plots of an analysis, by the code of a notebook's, over the BokehJS that the page has."""

    _esm = javascript("this.Bokeh = globalThis.Bokeh;")
    _stylesheets = [stylesheet()]  # noqa: RUF012
    page = param.Dict(default={})


class RunPanel(pn.custom.AnyWidgetComponent):  # type: ignore[misc]
    """The panel of one run; see `workbench.ui.panel` for the traits."""

    _esm = (STATIC / "panel.js").read_text(encoding="utf-8")
    _stylesheets = [(STATIC / "panel.css").read_text(encoding="utf-8")]  # noqa: RUF012
    key = param.String()
    state = param.Dict(default={})
    settings = param.List()
    outline = param.List()
    curves = param.Bytes(default=b"")
    marks = param.List()
    left = param.List()
    left_curves = param.Bytes(default=b"")
    spoken = param.Boolean(default=False)


def change(component: Any, **traits: Any) -> None:
    """Set those traits that differ, all at once."""
    component.param.update(**{name: value for name, value in traits.items() if value != getattr(component, name)})


def on_command(component: Any, callback: Callable[[dict[str, Any]], Any], ready: asyncio.Event) -> None:
    """Call `callback` with each command of a page, in their order, from when it is `ready`."""

    async def heard(event: Any) -> None:
        await ready.wait()
        await callback(event.data)

    component.on_msg(heard)
