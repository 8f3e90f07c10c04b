"""The still picture of a training, drawn with matplotlib's objects: pyplot's global state does not suit threads."""

import io
import math
import threading
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from workbench.training.overview import thin
from workbench.ui.curves import FEW, chosen, smooth
from workbench.ui.subject import Subject

WIDTH, HEIGHT = 8.4, 4.3  # inches, of 96 pixels each on a page
TEXT, MUTED, RULE, PAPER = "#16181d", "#6f7580", "#e6e8ec", "#ffffff"
COLOURS = ("#4269d0", "#2f9e77", "#9a5cf0", "#ef5f4c", "#d99a06")
FONT = "DejaVu Sans"

LOCK = threading.Lock()  # matplotlib's font cache is shared by all figures.


def picture(trainer: Subject, dots_per_inch: int = 96) -> bytes:
    """Return a PNG of the curves and the last figures of `trainer`, on white paper so that any page can carry it."""
    with LOCK:
        figure = Figure(figsize=(WIDTH, HEIGHT), dpi=dots_per_inch, facecolor=PAPER)
        FigureCanvasAgg(figure)
        _headline(figure, trainer)
        _curves(figure, trainer)
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=dots_per_inch, facecolor=PAPER, metadata={"Software": None})
    return target.getvalue()


def _headline(figure: Figure, trainer: Subject) -> None:
    last = trainer.metrics.last
    write: dict[str, Any] = {"family": FONT, "va": "baseline"}
    figure.text(
        0.035, 0.925, f"{trainer.id} · {type(trainer.algorithm).__name__}", size=11, color=TEXT, weight="bold", **write
    )
    progress = f"{trainer.status}   {short(trainer.steps)}"
    progress += f" of {short(trainer.goal)} steps" if trainer.goal > 0 else " steps"
    speed = last("steps_per_second", math.nan)
    progress += f"   {short(speed)} steps/s" if math.isfinite(speed) else ""
    figure.text(0.965, 0.925, f"{progress}   {trainer.seconds:.1f} s", size=9, color=MUTED, ha="right", **write)


def _curves(figure: Figure, trainer: Subject) -> None:
    names = chosen(trainer.metrics.names(), FEW)
    others = [name for name in names if name != "episode_return"]
    rows = figure.add_gridspec(
        2, max(1, len(others)), left=0.07, right=0.965, bottom=0.085, top=0.84, height_ratios=(2.1, 1)
    )
    rows.update(hspace=0.42, wspace=0.36)
    _curve(figure.add_subplot(rows[0, :]), trainer, "episode_return", COLOURS[0], large=True)
    for column, name in enumerate(others):
        _curve(figure.add_subplot(rows[1, column]), trainer, name, COLOURS[1 + column % 4], large=False)


def _curve(axes: Axes, trainer: Subject, name: str, colour: str, large: bool) -> None:
    _clear(axes, large)
    value = trainer.metrics.last(name, math.nan)
    label = "mean episode return" if large else name.replace("steps_per_second", "steps/s").replace("_", " ")
    axes.set_title(label, loc="left", size=8.5, color=MUTED, family=FONT, pad=5)
    if math.isfinite(value):
        axes.set_title(
            short(value), loc="right", size=13 if large else 8.5, color=colour if large else TEXT, family=FONT, pad=5
        )
    if name not in trainer.metrics.names():
        return
    steps, values = thin(*trainer.metrics.series(name))
    if large:
        axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.4, solid_joinstyle="round")
        values = smooth(values)
    axes.plot(steps, values, color=colour, linewidth=1.8 if large else 1.0, solid_joinstyle="round")
    if len(steps):
        axes.plot(
            steps[-1:],
            values[-1:],
            "o",
            color=colour,
            markersize=5 if large else 3,
            markeredgecolor=PAPER,
            clip_on=False,
        )
        axes.set_xlim(0, float(steps[-1]) * 1.01 or 1)
    if large and len(steps):
        axes.fill_between(steps, values, axes.get_ylim()[0], color=colour, alpha=0.08, linewidth=0)
        axes.margins(y=0)


def _clear(axes: Axes, large: bool) -> None:
    axes.set_facecolor(PAPER)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.grid(True, color=RULE, linewidth=0.7, linestyle="-")
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=7.5, labelcolor=MUTED, labelfontfamily=FONT)
    for axis, ticks in ((axes.xaxis, 6 if large else 2), (axes.yaxis, 4 if large else 3)):
        axis.set_major_locator(MaxNLocator(ticks))
        axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def short(value: float) -> str:
    """Write a number in three or four digits, with k, M or G: 2.91M, 482k, 0.0231."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"
