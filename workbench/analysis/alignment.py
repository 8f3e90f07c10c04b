"""Runs side by side: each metric at common points of steps or of training time.

K: points of a grid. A grid's point stands for what came after the point before it, up to itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workbench.training.columns import Columns

Float64 = npt.NDArray[np.float64]

POINTS = 100
SCORED = 0.1
"""The last part of the budget, whose values are a run's score."""


@dataclass(frozen=True)
class Series:
    """One metric of one run.

    Args:
        at: Where each value was recorded, [N] ascending: environment steps, or seconds of training.
        values: [N], finite.
        end: How far the run came, whether or not the metric was recorded there.
    """

    at: Float64
    values: Float64
    end: float


def by_steps(columns: Columns, metric: str) -> Series:
    """Take one metric of a run over its environment steps."""
    steps, values = _known(columns, metric)
    return Series(steps, values, float(columns["steps"].max(initial=0.0)) if "steps" in columns else 0.0)


def by_seconds(columns: Columns, metric: str) -> Series:
    """Take one metric of a run over its training time: collecting and learning, nothing else."""
    steps, values = _known(columns, metric)
    taken, seconds = _known(columns, "seconds")
    if len(taken) == 0:
        return Series(np.empty(0), np.empty(0), 0.0)
    return Series(np.interp(steps, taken, seconds), values, float(seconds[-1]))


def _known(columns: Columns, name: str) -> tuple[Float64, Float64]:
    """Return the steps and the values of one column where a row has it."""
    if name not in columns:
        return np.empty(0), np.empty(0)
    known = ~np.isnan(columns[name])
    return columns["steps"][known], columns[name][known]


def grid(end: float, points: int = POINTS) -> Float64:
    """Return `points` evenly spaced points up to `end`, [K]."""
    return np.linspace(0.0, end, points + 1)[1:]


def aligned(series: Series, points: Float64) -> Float64:
    """Return a run's values at the points of a grid, [K].

    A point has the mean of what was recorded since the point before. Where nothing was, it lies on the line between its
    neighbours, or after the last value, until the run ends, at that. Before the first value and after the end of the
    run it is nan.
    """
    place = np.searchsorted(points, series.at)
    inside = place < len(points)
    counts = np.bincount(place[inside], minlength=len(points))
    sums = np.bincount(place[inside], weights=series.values[inside], minlength=len(points))
    found = np.full(len(points), np.nan)
    known = counts > 0
    if not known.any():
        return found
    found[known] = sums[known] / counts[known]
    first, last = np.flatnonzero(known)[0], np.searchsorted(points, series.end)
    reached = slice(first, last + 1)
    found[reached] = np.interp(points[reached], points[known], found[known])
    return found


def score(series: Series, budget: float) -> float:
    """Return what a run is judged by: the mean of the metric over the last tenth of the budget.

    If nothing was recorded there, as when the run ended before or evaluates rarely, it is the last value before.
    """
    before = series.at <= budget
    last = before & (series.at > (1 - SCORED) * budget)
    if last.any():
        return float(series.values[last].mean())
    return float(series.values[before][-1]) if before.any() else float("nan")


def first_reach(curve: Float64, points: Float64, levels: Float64) -> Float64:
    """Return the first of a grid's points at which a curve is at each level or above, [L]; infinity where it never is.

    Args:
        curve: [K], nan where it is not known.
        points: [K].
        levels: [L].
    """
    above = curve >= levels[:, None]
    return np.where(above.any(axis=1), points[above.argmax(axis=1)], np.inf)
