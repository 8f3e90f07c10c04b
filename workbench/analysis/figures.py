"""Panels as a still picture, drawn with matplotlib's objects: pyplot's global state does not suit threads."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from workbench.analysis.panels import INK, LIGHT, Lines, Panel, Paths, Rows, colour, described, ramp

if TYPE_CHECKING:
    from workbench.analysis.display import Shown

COLUMNS = 3
WIDTH, HEIGHT = 10.8, 2.75  # inches: of the picture, and of a row of panels
HEAD, CHIPS = 0.5, 0.35  # inches above the panels, and of the groups' names
TEXT, MUTED, RULE, PAPER = INK[False]["text"], INK[False]["muted"], INK[False]["grid"], "#ffffff"
FONT = "DejaVu Sans"


def draw(shown: "Shown") -> Figure:
    """Return what is shown on white paper, so that any page can carry it."""
    panels = shown.panels()
    wide = [panel for panel in panels if isinstance(panel, Paths)]
    rows = len(wide) + -(-(len(panels) - len(wide)) // COLUMNS)
    head = HEAD + (CHIPS if shown.groups else 0.0)
    height = head + rows * HEIGHT
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    _head(figure, shown, height)
    grid = figure.add_gridspec(
        rows,
        COLUMNS,
        left=0.06,
        right=0.985,
        bottom=0.52 / height,
        top=1 - (head + 0.22) / height,
        wspace=0.26,
        hspace=0.52,
    )
    row = column = 0
    for panel in panels:
        if isinstance(panel, Paths):
            row, column = row + (column > 0), 0
            _paths(figure.add_subplot(grid[row, :]), panel)
            row += 1
            continue
        _draw(figure.add_subplot(grid[row, column]), panel)
        row, column = (row, column + 1) if column + 1 < COLUMNS else (row + 1, 0)
    return figure


def _head(figure: Figure, shown: "Shown", height: float) -> None:
    title, subtitle = shown.headline
    write: dict[str, Any] = {"family": FONT, "va": "baseline"}
    figure.text(0.02, 1 - 0.3 / height, title, size=11, color=TEXT, weight="bold", **write)
    figure.text(0.985, 1 - 0.3 / height, subtitle, size=8.5, color=MUTED, ha="right", **write)
    dots = [
        Line2D([], [], marker="o", linestyle="", markersize=6, color=LIGHT[place % len(LIGHT)])
        for place in range(len(shown.groups))
    ]
    if dots:
        figure.legend(
            dots,
            shown.groups,
            loc="upper left",
            bbox_to_anchor=(0.012, 1 - 0.38 / height),
            ncols=min(len(dots), 4),
            frameon=False,
            handletextpad=0.1,
            columnspacing=1.4,
            prop={"family": FONT, "size": 8.5},
            labelcolor=MUTED,
        )


def _draw(axes: Axes, panel: Lines | Rows) -> None:
    _clear(axes, panel)
    if panel.mark is not None:
        axes.axvline(panel.mark, color=MUTED, linewidth=0.8, linestyle=":")
    if isinstance(panel, Lines):
        _lines(axes, panel)
    else:
        _rows(axes, panel)


def _lines(axes: Axes, panel: Lines) -> None:
    for each in panel.lines:
        ink = colour(each.colour)
        if np.isfinite(each.low).any():
            axes.fill_between(each.x, each.low, each.high, color=ink, alpha=0.16, linewidth=0)
        axes.plot(each.x, each.y, color=ink, linewidth=1.5, solid_joinstyle="round")
    if panel.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: described(value)))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylabel(panel.y, size=8, color=MUTED, family=FONT)
    if panel.y_limits is not None:
        axes.set_ylim(*panel.y_limits)


def _rows(axes: Axes, panel: Rows) -> None:
    axes.yaxis.set_visible(False)
    axes.set_ylim(0.5 - max(len(panel.rows), 3), 0.75)
    if panel.limits is not None:
        axes.set_xlim(*panel.limits)
    for place, row in enumerate(panel.rows):
        ink, y = colour(row.colour), -float(place)
        axes.plot(row.points, [y] * len(row.points), "o", color=ink, alpha=0.35, markersize=3.5, markeredgewidth=0)
        if np.isfinite(row.low):
            axes.plot([row.low, row.high], [y, y], color=ink, linewidth=5, alpha=0.32, solid_capstyle="round")
        axes.plot([row.value], [y], "o", color=ink, markersize=7, markeredgewidth=0, clip_on=False)
        axes.text(
            0.0,
            y + 0.24,
            row.label,
            size=7.5,
            color=MUTED,
            family=FONT,
            transform=axes.get_yaxis_transform(),
            va="bottom",
        )
    if not panel.rows:
        axes.text(0.5, 0.5, panel.empty, size=8, color=MUTED, family=FONT, transform=axes.transAxes, ha="center")


def _paths(axes: Axes, panel: Paths) -> None:
    _clear(axes, panel)
    axes.grid(False)
    places = np.arange(len(panel.names))
    shades = ramp()
    low, high = float(panel.scores.min()), float(panel.scores.max())
    for number in np.argsort(panel.scores):
        share = (panel.scores[number] - low) / (high - low or 1.0)
        axes.plot(
            places, panel.places[number], color=shades[round(share * (len(shades) - 1))], linewidth=1.1, alpha=0.85
        )
    for place, ticks in enumerate(panel.ticks):
        axes.axvline(place, color=MUTED, linewidth=0.8)
        for at, label in ticks:
            text = axes.text(place + 0.015, at, label, size=7, color=TEXT, family=FONT, va="center")
            text.set_path_effects([Stroke(linewidth=2.5, foreground=PAPER), Normal()])
    axes.set_xticks(places, panel.names)
    axes.yaxis.set_visible(False)
    axes.set_xlim(-0.1, len(panel.names) - 0.6)


def _clear(axes: Axes, panel: Panel) -> None:
    axes.set_facecolor(PAPER)
    axes.set_title(panel.title, loc="left", size=8.5, color=TEXT, family=FONT, pad=7)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.grid(True, color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=7.5, labelcolor=MUTED, labelfontfamily=FONT)
    if isinstance(panel, Paths):
        return
    axes.set_xlabel(panel.x, size=8, color=MUTED, family=FONT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: described(value)))
