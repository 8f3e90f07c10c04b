"""What plots show, without how they are drawn: the same panels become live plots and still pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.analysis.measures import Task
from workbench.analysis.statistics import Estimate

if TYPE_CHECKING:
    from workbench.analysis.compare import Comparison

Float64 = npt.NDArray[np.float64]

LIGHT = (
    *("#4269d0", "#2f9e77", "#9a5cf0", "#ef5f4c", "#d99a06"),
    *("#1596b3", "#c9478f", "#75832b", "#8d6546", "#667085"),
)
DARK = (
    *("#7c9cff", "#4fc79a", "#b78bff", "#ff8474", "#efb945"),
    *("#4cc3dd", "#ee7fbb", "#b3c25c", "#c79c7a", "#a4acba"),
)
"""The panel's curves (extensions/panel/src/panel.css), and five more in their manner."""


@dataclass(frozen=True)
class Line:
    """A curve [N] with its band, in the colour of its number."""

    label: str
    colour: int
    x: Float64
    y: Float64
    low: Float64
    high: Float64


@dataclass(frozen=True)
class Lines:
    """Curves over a common axis.

    Args:
        title, x, y: What it shows, and along the axes.
        lines: The curves.
        linked: Panels that share this name zoom their y together.
        y_limits: Of the y axis, if they are fixed.
        mark: A value of x to mark.
        log: Whether x is logarithmic.
    """

    title: str
    x: str
    y: str
    lines: list[Line]
    linked: str = ""
    y_limits: tuple[float, float] | None = None
    mark: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Row:
    """A number with its interval; `points` are what it was made of, `group` whose it is."""

    label: str
    colour: int
    value: float
    low: float
    high: float
    points: list[float] = field(default_factory=list)
    group: str = ""


@dataclass(frozen=True)
class Rows:
    """Numbers one above the other, along a common axis.

    Args:
        title, x: What it shows, and along the axis.
        rows: From the top.
        limits: Of the axis; by the rows if None.
        mark: A value to compare with.
        empty: What to say where there are no rows.
    """

    title: str
    x: str
    rows: list[Row]
    limits: tuple[float, float] | None = None
    mark: float | None = None
    empty: str = ""


@dataclass(frozen=True)
class Paths:
    """Parallel coordinates: an axis for each setting, a line for each run.

    Args:
        title: What it shows.
        names: Of the axes, the last one the score's.
        places: Where each run crosses each axis, [runs, axes] in 0..1.
        ticks: For each axis the places and texts of its ticks.
        scores: Of each run, which give its colour.
        labels: Of the runs.
    """

    title: str
    names: list[str]
    places: Float64
    ticks: list[list[tuple[float, str]]]
    scores: Float64
    labels: list[str]


Panel = Lines | Rows | Paths


def panels(comparison: "Comparison") -> list[Panel]:
    """Return the panels of a comparison: three for each environment, then three on all of them."""
    found: list[Panel] = []
    for task in comparison.tasks:
        found += _environment(comparison, task)
    return [*found, _scores(comparison), _profiles(comparison), _improvements(comparison)]


def spoken(metric: str) -> str:
    """Write a column's name as words."""
    return metric.replace("_", " ")


def _environment(comparison: "Comparison", task: Task) -> list[Panel]:
    metric = spoken(comparison.metric)
    name = f"{task.environment}: " if len(comparison.tasks) > 1 else ""
    colour = comparison.groups.index

    def lines(x: Float64, attribute: str) -> list[Line]:
        return [line(label, colour(label), x, getattr(result, attribute)) for label, result in task.results.items()]

    return [
        Lines(
            f"{name}{metric} over steps",
            "environment steps",
            metric,
            lines(task.steps, "by_steps"),
            linked=task.environment,
        ),
        Lines(
            f"{name}{metric} over time",
            "training time (s)",
            metric,
            lines(task.seconds, "by_seconds"),
            linked=task.environment,
        ),
        Lines(
            f"{name}steps until a return is reached",
            metric,
            "environment steps",
            lines(task.levels, "reach"),
            mark=task.target,
        ),
    ]


def line(label: str, colour: int, x: Float64, estimate: Estimate) -> Line:
    """Make a curve of an estimate, where it is finite; bounds beyond are cut off at the highest that is."""
    known = np.isfinite(estimate.value)
    y, low, high = (np.asarray(part)[known] for part in estimate)
    if len(y):
        highest = np.max(np.concatenate([y, high[np.isfinite(high)]]))
        high = np.where(np.isinf(high), highest, high)
    return Line(label, colour, x[known], y, low, high)


def _unit(comparison: "Comparison") -> str:
    metric = spoken(comparison.metric)
    return f"normalised {metric}" if comparison.normalised else metric


def _scores(comparison: "Comparison") -> Rows:
    rows = []
    for colour, label in enumerate(comparison.groups):
        points = [
            float(point)
            for task in comparison.tasks
            if len(task.results) == len(comparison.groups)
            for scores in [task.results[label].scores]
            for point in (task.normalised(scores) if comparison.normalised else scores)
        ]
        rows.append(Row(label, colour, *comparison.summary[label], points=points, group=label))
    return Rows("score, interquartile mean", _unit(comparison), rows)


def _profiles(comparison: "Comparison") -> Lines:
    lines = [
        line(label, colour, comparison.thresholds, comparison.profiles[label])
        for colour, label in enumerate(comparison.groups)
    ]
    return Lines(
        "performance profile", f"{_unit(comparison)} τ", "share of runs above τ", lines, y_limits=(-0.03, 1.03)
    )


def _improvements(comparison: "Comparison") -> Rows:
    rows = [
        Row(
            f"{each.better}  >  {_differently(each.better, each.worse)}",
            comparison.groups.index(each.better),
            *each.probability,
            group=each.better,
        )
        for each in comparison.improvements
    ]
    empty = "there is but one group"
    return Rows("probability of improvement", "P(a run of the first scores more)", rows, (-0.03, 1.03), 0.5, empty)


INK = {
    False: {"text": "#16181d", "muted": "#535862", "grid": "#e6e8ec", "paper": "#ffffff"},
    True: {"text": "#f1f3f6", "muted": "#a9afb9", "grid": "#34373d", "paper": "#111111"},
}
RAMP = 16


def ramp(dark: bool = False) -> list[str]:
    """Return the colours of scores, from the lowest to the highest."""
    start, end = (np.array(_channels(code)) for code in (("#3a4152", DARK[0]) if dark else ("#d5dbe8", LIGHT[0])))
    shares = np.linspace(0.0, 1.0, RAMP)[:, None]
    return [
        f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.rint(start + shares * (end - start)).astype(int)
    ]


def shades() -> dict[str, str]:
    """Return the dark page's colour for each of the light one's."""
    pairs = [*zip(LIGHT, DARK, strict=True), *zip(ramp(), ramp(True), strict=True)]
    return dict([*pairs, *((INK[False][name], INK[True][name]) for name in INK[False])])


def _channels(code: str) -> list[int]:
    return [int(code[place : place + 2], 16) for place in (1, 3, 5)]


def _differently(first: str, second: str) -> str:
    """Write the second label without what it shares with the first: learning_rate=0.01 and learning_rate=0.1 as 0.1."""
    ours, theirs = first.split(" · "), second.split(" · ")
    if len(ours) != len(theirs):
        return second
    found = []
    for our, their in zip(ours, theirs, strict=True):
        name, _, value = their.rpartition("=")
        if our != their:
            found.append(value if name and our.rpartition("=")[0] == name else their)
    return " · ".join(found) or second


def colour(number: int, dark: bool = False) -> str:
    """Return the colour of a group's number."""
    palette: Sequence[str] = DARK if dark else LIGHT
    return palette[number % len(palette)]


def described(value: Any) -> str:
    """Write a number in three or four digits, with k, M or G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"
