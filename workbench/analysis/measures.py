"""What is measured of groups of runs in one environment: courses, scores, and how soon a return is reached.

K: points of a grid, L: levels of return.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.analysis.alignment import Series, aligned, first_reach, grid, score
from workbench.analysis.runs import Run
from workbench.analysis.statistics import Bootstrap, Estimate, interquartile_mean, median

Float64 = npt.NDArray[np.float64]

LEVELS = 60
SHARE = 0.9
"""Of the way from the lowest value to the best group's score: the return whose first reach is told."""


@dataclass(frozen=True)
class Course:
    """A run's metric over steps and over training time."""

    run: Run
    steps: Series
    seconds: Series


@dataclass(frozen=True)
class Result:
    """One group of runs in one environment.

    Attributes:
        runs: Which ones, n of them.
        scores: Of each run, [n].
        score: Their interquartile mean.
        by_steps, by_seconds: The interquartile mean over the task's grids, [K]; nan where a run is missing.
        reach: Steps until each of the task's levels, the median of the runs, [L]; infinity where half never reach it.
        steps_to_target, seconds_to_target: Until the task's target, medians.
    """

    runs: list[Run]
    scores: Float64
    score: Estimate
    by_steps: Estimate
    by_seconds: Estimate
    reach: Estimate
    steps_to_target: Estimate
    seconds_to_target: Estimate


@dataclass(frozen=True)
class Task:
    """What was measured in one environment.

    Attributes:
        environment: Its id.
        budget: Steps at which runs are judged.
        steps, seconds: Grids, [K].
        levels: Returns, [L].
        target: A return whose first reach is told.
        bounds: Scores that count as 0 and as 1 where environments are averaged.
        results: By the groups' labels.
    """

    environment: str
    budget: float
    steps: Float64
    seconds: Float64
    levels: Float64
    target: float
    bounds: tuple[float, float]
    results: dict[str, Result]

    def normalised(self, scores: Any) -> Float64:
        """Return scores between the bounds as 0 to 1."""
        low, high = self.bounds
        return (np.asarray(scores, dtype=np.float64) - low) / (high - low)


def measured(
    environment: str,
    groups: Mapping[str, Sequence[Course]],
    bootstrap: Bootstrap,
    *,
    at: float | None = None,
    target: float | None = None,
    bounds: tuple[float, float] | None = None,
) -> Task:
    """Measure the groups of runs of one environment.

    Args:
        environment: Its id.
        groups: The courses of each group's runs, at least one value in each.
        bootstrap: How intervals are made.
        at: Steps at which runs are judged; the end of the shortest if None.
        target: A return; most of the way to the best group's score if None.
        bounds: As of a `Task`; the lowest and the highest point of all courses if None.
    """
    courses = [each for group in groups.values() for each in group]
    budget = at if at is not None else min(each.steps.end for each in courses)
    steps = grid(max(each.steps.end for each in courses))
    seconds = grid(max(each.seconds.end for each in courses))
    lines = {label: np.array([aligned(each.steps, steps) for each in group]) for label, group in groups.items()}
    timed = {label: np.array([aligned(each.seconds, seconds) for each in group]) for label, group in groups.items()}
    scores = {label: np.array([score(each.steps, budget) for each in group]) for label, group in groups.items()}
    estimates = {label: interquartile(found[:, None], bootstrap) for label, found in scores.items()}
    lowest = min(float(np.nanmin(found)) for found in lines.values())
    highest = max(float(np.nanmax(found)) for found in lines.values())
    best = max(float(found.value[0]) for found in estimates.values())
    aim = target if target is not None else lowest + SHARE * (best - lowest)
    levels = np.linspace(lowest, highest, LEVELS)
    results = {
        label: Result(
            runs=[each.run for each in group],
            scores=scores[label],
            score=Estimate(*(float(part[0]) for part in estimates[label])),
            by_steps=interquartile(lines[label], bootstrap),
            by_seconds=interquartile(timed[label], bootstrap),
            reach=_reach(lines[label], steps, levels, bootstrap),
            steps_to_target=_single(_reach(lines[label], steps, np.array([aim]), bootstrap)),
            seconds_to_target=_single(_reach(timed[label], seconds, np.array([aim]), bootstrap)),
        )
        for label, group in groups.items()
    }
    if bounds is None:
        bounds = (lowest, highest if highest > lowest else lowest + 1.0)
    return Task(environment, budget, steps, seconds, levels, aim, bounds, results)


def interquartile(curves: Float64, bootstrap: Bootstrap) -> Estimate:
    """Estimate the interquartile mean of curves [n, K] where all are known; without an interval if there is but one."""
    known = np.isfinite(curves).all(axis=0)
    found = Estimate(*(np.full(curves.shape[1], np.nan) for _ in Estimate._fields))
    if known.any():
        several = bootstrap if len(curves) > 1 else None
        for target, source in zip(found, interquartile_mean({"": curves[:, known]}, several), strict=True):
            target[known] = source
    return found


def _reach(curves: Float64, points: Float64, levels: Float64, bootstrap: Bootstrap) -> Estimate:
    reached = np.array([first_reach(curve, points, levels) for curve in curves])
    return median(reached, bootstrap if len(curves) > 1 else None)


def _single(estimate: Estimate) -> Estimate:
    return Estimate(*(float(part[0]) for part in estimate))
