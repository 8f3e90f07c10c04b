"""Settings as coordinates: where a value lies on its axis, for parallel lines and for effects."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.analysis.grouping import short
from workbench.analysis.panels import Line, Lines, Panel, Paths, Row, Rows, described, spoken

if TYPE_CHECKING:
    from workbench.analysis.importance import Importance

Float64 = npt.NDArray[np.float64]

FEW = 6
"""Values that an axis names one by one."""

DECADES = 20.0
"""An axis whose values span more than this factor is logarithmic."""


def parallel(shown: "Importance") -> Paths:
    """Return all runs as lines across an axis for each hyperparameter, and one for the score."""
    from workbench.analysis.importance import levels

    places, ticks = [], []
    for column in zip(*shown.settings, strict=True):
        numbers, ordered, distinct = levels(column)
        axis, marks = _axis(distinct, ordered)
        places.append(axis[numbers])
        ticks.append(marks)
    low, high = float(shown.scores.min()), float(shown.scores.max())
    places.append((shown.scores - low) / (high - low or 1.0))
    ticks.append([((mark - low) / (high - low or 1.0), described(mark)) for mark in nice(low, high)])
    names = [*shown.names, spoken(shown.metric)]
    return Paths("all runs", names, np.stack(places, axis=1), ticks, shown.scores, [run.name for run in shown.runs])


def effect(shown: "Importance", place: int) -> Panel:
    """Return what the forest foretells at each value of one hyperparameter, the others as they are in the runs."""
    from workbench.analysis.importance import levels

    name, estimate = shown.names[place], shown.effects[place]
    _, ordered, distinct = levels([row[place] for row in shown.settings])
    title = f"effect of {name}"
    if not ordered or len(distinct) <= 2:
        rows = [
            Row(f"{name}={short(entry)}", 0, float(value), float(low), float(high))
            for entry, value, low, high in zip(distinct, *estimate, strict=True)
        ]
        return Rows(title, spoken(shown.metric), rows)
    x = np.array(distinct, dtype=np.float64)
    return Lines(title, name, spoken(shown.metric), [Line("", 0, x, *estimate)], log=_logarithmic(x))


def _axis(distinct: list[Any], ordered: bool) -> tuple[Float64, list[tuple[float, str]]]:
    """Return where the values of a setting lie on its axis, in 0..1, and its ticks."""
    if len(distinct) == 1 or not ordered:
        places = np.linspace(0.0, 1.0, len(distinct)) if len(distinct) > 1 else np.array([0.5])
        return places, [(float(at), short(entry)) for at, entry in zip(places, distinct, strict=True)]
    numbers = np.array(distinct, dtype=np.float64)
    scale = np.log if _logarithmic(numbers) else np.asarray
    first, last = scale(numbers[0]), scale(numbers[-1])
    marks = distinct if len(distinct) <= FEW else nice(numbers[0], numbers[-1], logarithmic=_logarithmic(numbers))
    ticks = [(float((scale(mark) - first) / (last - first)), short(mark)) for mark in marks]
    return (scale(numbers) - first) / (last - first), ticks


def _logarithmic(numbers: Float64) -> bool:
    return bool(numbers[0] > 0 and numbers[-1] / numbers[0] >= DECADES)


def nice(low: float, high: float, *, logarithmic: bool = False) -> list[float]:
    """Return a few round numbers between two."""
    if high <= low:
        return [low]
    if logarithmic:
        powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        return [10.0**power for power in powers]
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next(factor for factor in (5, 2, 1) if (high - low) / (factor * step) >= 2)
    return [round(step * number, 12) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
