"""Panels as live plots: HoloViews elements of the bokeh backend, with hover and linked zoom, and no global state."""

from collections.abc import Callable
from typing import Any

import holoviews as hv
import holoviews.plotting.bokeh
import numpy as np
from bokeh.core.properties import value
from bokeh.models import CustomJSTickFormatter, FixedTicker

from workbench.analysis.panels import INK, Line, Lines, Panel, Paths, Row, Rows, colour, ramp

COLUMNS = 3
HEIGHT = 270
ROW = 46
BORDER = 62  # left of every plot, so that those below each other are aligned
FONT = "system-ui"
SHORT = """
const size = Math.abs(tick);
for (const [least, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
  if (size >= least) return String(Number((tick / least).toPrecision(4))) + unit;
return String(Number(tick.toPrecision(4)));
"""
Hook = Callable[[Any, Any], None]


def layout(shown: list[Panel], dark: bool = False) -> Any:
    """Return panels as a HoloViews layout."""
    return hv.Layout([element(panel, dark) for panel in shown]).cols(COLUMNS)


def figures(shown: list[Panel], dark: bool = False) -> list[Any]:
    """Return a bokeh figure for each panel; those that are linked share their y range."""
    renderer = hv.Store.renderers["bokeh"].instance()
    made: list[Any] = []
    ranges: dict[str, Any] = {}
    for panel in shown:
        figure = renderer.get_plot(element(panel, dark)).state
        if isinstance(panel, Lines) and panel.linked:
            figure.y_range = ranges.setdefault(panel.linked, figure.y_range)
        made.append(figure)
    return made


def element(panel: Panel, dark: bool = False) -> Any:
    """Return one panel as a HoloViews element."""
    if isinstance(panel, Lines):
        return _lines(panel, dark)
    return _rows(panel, dark) if isinstance(panel, Rows) else _paths(panel, dark)


def _lines(panel: Lines, dark: bool) -> Any:
    bands, curves = [], []
    for each in panel.lines:
        ink = colour(each.colour, dark)
        if np.isfinite(each.low).any():
            band = hv.Area((each.x, each.low, each.high), ("x", panel.x), [("low", panel.y), "high"], label=each.label)
            bands.append(band.opts(backend="bokeh", color=ink, alpha=0.16, line_alpha=0, hooks=[_tagged(each.label)]))
        curves.append(_curve(panel, each, ink))
    marks = []
    if panel.mark is not None:
        marks = [hv.VLine(panel.mark).opts(backend="bokeh", color=INK[dark]["muted"], line_dash="dotted", line_width=1)]
    limits = {} if panel.y_limits is None else {"ylim": panel.y_limits}
    return hv.Overlay([*bands, *marks, *curves]).opts(
        backend="bokeh",
        **_common(panel, HEIGHT),
        **limits,
        logx=panel.log,
        xlabel=panel.x,
        ylabel=panel.y,
        hooks=[_finish(dark)],
    )


def _curve(panel: Lines, each: Line, ink: str) -> Any:
    table = {"x": each.x, "y": each.y, "low": each.low, "high": each.high, "group": [each.label] * len(each.x)}
    tips = [("", "@group")] if each.label else []
    tips += [(panel.x, "@x{0,0.[0000]}"), (panel.y, "@y{0,0.[00]}")]
    if np.isfinite(each.low).any():
        tips.append(("interval", "@low{0,0.[00]} to @high{0,0.[00]}"))
    drawn = hv.Curve(table, ("x", panel.x), [("y", panel.y), "low", "high", "group"], label=each.label)
    return drawn.opts(
        backend="bokeh",
        color=ink,
        line_width=2,
        tools=["hover"],
        hover_tooltips=tips,
        hover_mode="vline",
        hooks=[_tagged(each.label)],
    )


def _rows(panel: Rows, dark: bool) -> Any:
    """Draw each row's label above its number, where it has the panel's whole width."""
    ink = INK[dark]
    low, high = _limits(panel)
    parts: list[Any] = []
    if panel.mark is not None:
        line = hv.VLine(panel.mark)
        parts.append(line.opts(backend="bokeh", color=ink["muted"], line_dash="dotted", line_width=1))
    owners: dict[str, list[tuple[float, Row]]] = {}
    for place, row in enumerate(panel.rows):
        owners.setdefault(row.group or row.label, []).append((-float(place), row))
    for owner, placed in owners.items():
        parts += _owned(panel, owner, placed, low, dark)
    if not panel.rows:
        text = hv.Text((low + high) / 2, 0.0, panel.empty)
        parts.append(text.opts(backend="bokeh", color=ink["muted"], text_font_size="12px", text_font=value(FONT)))
    return hv.Overlay(parts).opts(
        backend="bokeh",
        **_common(panel, max(HEIGHT, 70 + ROW * len(panel.rows))),
        xlabel=panel.x,
        ylabel="",
        yaxis=None,
        xlim=(low, high),
        ylim=(0.5 - max(len(panel.rows), 3), 0.75),
        hooks=[_finish(dark, level=False)],
    )


def _owned(panel: Rows, owner: str, placed: list[tuple[float, Row]], left: float, dark: bool) -> list[Any]:
    """Draw the rows of one group, [(y, row)], together: each element takes its time."""
    ink, hooks = colour(placed[0][1].colour, dark), [_tagged(owner)]
    texts = hv.Labels([(left, y + 0.36, row.label) for y, row in placed], ["x", "y"], "text")
    parts = [
        texts.opts(
            backend="bokeh",
            text_align="left",
            text_font_size="12px",
            text_font=value(FONT),
            text_color=INK[dark]["muted"],
            hooks=hooks,
        )
    ]
    points = [(point, y) for y, row in placed for point in row.points]
    if points:
        dots = hv.Scatter(points, "x", "y")
        parts.append(dots.opts(backend="bokeh", color=ink, alpha=0.35, size=5, hooks=hooks))
    bands = [(row.low, y, row.high, y) for y, row in placed if np.isfinite(row.low)]
    if bands:
        band = hv.Segments(bands, ["x0", "y0", "x1", "y1"])
        parts.append(band.opts(backend="bokeh", color=ink, line_width=7, alpha=0.32, line_cap="round", hooks=hooks))
    values = [(row.value, y, row.label, row.low, row.high) for y, row in placed]
    tips = [("", "@label"), (panel.x, "@x{0,0.[000]}")]
    if bands:
        tips.append(("interval", "@low{0,0.[000]} to @high{0,0.[000]}"))
    middle = hv.Scatter(values, "x", ["y", "label", "low", "high"])
    parts.append(middle.opts(backend="bokeh", color=ink, size=10, tools=["hover"], hover_tooltips=tips, hooks=hooks))
    return parts


def _paths(panel: Paths, dark: bool) -> Any:
    places = np.arange(len(panel.names), dtype=np.float64)
    parts: list[Any] = [
        hv.VLine(float(place)).opts(backend="bokeh", color=INK[dark]["muted"], line_width=1) for place in places
    ]
    lines = [
        {
            "place": places,
            "value": panel.places[number],
            "run": panel.labels[number],
            "score": float(panel.scores[number]),
        }
        for number in np.argsort(panel.scores)  # the best above the others
    ]
    drawn = hv.Contours(lines, ["place", "value"], ["score", "run"])
    parts.append(
        drawn.opts(
            backend="bokeh",
            color="score",
            cmap=ramp(dark),
            colorbar=False,
            line_width=1.5,
            line_alpha=0.85,
            tools=["hover"],
            hover_tooltips=[("", "@run"), (panel.names[-1], "@score{0,0.[000]}")],
            hover_line_color=colour(3, dark),
            hover_line_alpha=1.0,
        )
    )
    for place, ticks in enumerate(panel.ticks):
        labels = hv.Labels([(place, at, text) for at, text in ticks], ["x", "y"], "text")
        parts.append(
            labels.opts(
                backend="bokeh",
                text_align="left",
                text_font_size="11px",
                text_font=value(FONT),
                text_color=INK[dark]["text"],
                xoffset=0.012,
                hooks=[_backed(dark)],
            )
        )

    def axes(plot: Any, _element: Any) -> None:
        figure = plot.state
        figure.xaxis.ticker = FixedTicker(ticks=[float(place) for place in places])
        figure.xaxis.major_label_overrides = dict(zip(map(int, places), panel.names, strict=True))

    options = _common(panel, 360)
    del options["xformatter"], options["show_grid"]
    return hv.Overlay(parts).opts(
        backend="bokeh",
        **options,
        xlabel="",
        ylabel="",
        yaxis=None,
        show_grid=False,
        xlim=(-0.15, len(panel.names) - 0.55),
        ylim=(-0.06, 1.06),
        hooks=[axes, _finish(dark, level=False)],
    )


def _limits(panel: Rows) -> tuple[float, float]:
    if panel.limits is not None:
        return panel.limits
    numbers = [part for row in panel.rows for part in (row.value, row.low, row.high, *row.points) if np.isfinite(part)]
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _common(panel: Panel, height: int) -> dict[str, Any]:
    return {
        "title": panel.title,
        "responsive": True,
        "height": height,
        "show_legend": False,
        "show_frame": False,
        "show_grid": True,
        "xformatter": CustomJSTickFormatter(code=SHORT),
        "yformatter": CustomJSTickFormatter(code=SHORT),
        "active_tools": [],
        "default_tools": ["pan", "box_zoom", "wheel_zoom", "reset", "save"],
    }


def _tagged(label: str) -> Hook:
    """Mark what is drawn as a group's, so that a page can hide it."""

    def hook(plot: Any, _element: Any) -> None:
        plot.handles["glyph_renderer"].tags = [{"group": label}]

    return hook


def _backed(dark: bool) -> Hook:
    """Put paper behind a text, so that it reads above lines."""

    def hook(plot: Any, _element: Any) -> None:
        glyph = plot.handles["glyph"]
        glyph.background_fill_color, glyph.background_fill_alpha = INK[dark]["paper"], 0.85
        glyph.padding = 2

    return hook


def _finish(dark: bool, *, level: bool = True) -> Hook:
    """Give a figure the panel's looks; `level` lines where its y axis tells something."""
    ink = INK[dark]

    def hook(plot: Any, _element: Any) -> None:
        figure = plot.state
        figure.background_fill_color = figure.border_fill_color = None
        figure.outline_line_color = None
        figure.title.text_font, figure.title.text_font_size = FONT, "13px"
        figure.title.text_font_style, figure.title.text_color = "normal", ink["text"]
        figure.toolbar.autohide = True
        figure.toolbar.logo = None
        figure.grid.grid_line_color = ink["grid"]
        figure.ygrid.visible = level
        figure.min_border_left = BORDER
        for axis in figure.axis:
            axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = None
            axis.axis_label_text_font = axis.major_label_text_font = FONT
            axis.axis_label_text_font_size, axis.major_label_text_font_size = "12px", "11px"
            axis.axis_label_text_font_style = "normal"
            axis.axis_label_text_color = axis.major_label_text_color = ink["muted"]

    return hook
