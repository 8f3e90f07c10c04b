"""What a few runs of several tasks tell, and how surely (Agarwal et al. 2021, arXiv:2108.13264).

Scores are `[runs, tasks]`, or a dictionary of each task's runs where tasks have different numbers of them. Every
function returns an `Estimate`: a value and its percentile interval over runs that are resampled within each task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.errors import InputError
from workbench.statistics import iqm, resample

Float64 = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A statistic and its interval, numbers or arrays [T]; `low` and `high` are nan where none was asked for."""

    value: Any
    low: Any
    high: Any


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Args:
        confidence: Share of the resamples inside, in (0, 1).
        resamples: How many.
        seed: Of the resamples.

    Raises:
        InputError: If `confidence` or `resamples` is out of range.
    """

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.confidence < 1.0:
            raise InputError(
                f"confidence={self.confidence!r} is out of range; choose one between 0 and 1, such as 0.95."
            )
        if self.resamples < 1:
            raise InputError(f"resamples={self.resamples!r} is out of range; choose at least 1, such as 2000.")

    def around(self, value: Any, found: Float64, *, discrete: bool = False) -> Estimate:
        """Return `value` with the percentile interval of the resampled statistics `found`, [resamples, ...].

        Args:
            value: The statistic of the runs themselves.
            found: May hold infinities if `discrete`.
            discrete: Whether the bounds have to be among `found`: between two of them nothing is interpolated.
        """
        bounds = ((1 - self.confidence) / 2, (1 + self.confidence) / 2)
        low, high = np.quantile(found, bounds, axis=0, method="inverted_cdf" if discrete else "linear")
        return Estimate(value, low, high)


NINETY_FIVE = Bootstrap()


def by_task(scores: Any, least: int = 1) -> list[Float64]:
    """Return the runs of each task, [n_k, ...] float64.

    Args:
        scores: [runs, tasks], or {task: [n_k, ...]}.
        least: Runs of every task, at least.

    Raises:
        InputError: If it is of another shape, has no scores or such as are not finite, or too few runs.
    """
    if isinstance(scores, Mapping):
        strata = {str(task): np.asarray(runs, dtype=np.float64) for task, runs in scores.items()}
    else:
        table = np.asarray(scores, dtype=np.float64)
        if table.ndim != 2:
            fix = "of one task are scores[:, None]" if table.ndim == 1 else "have two axes"
            raise InputError(f"scores of shape {table.shape} are not [runs, tasks]; runs {fix}.")
        strata = {str(task): column for task, column in enumerate(table.T)}
    if not strata or any(runs.ndim == 0 or runs.size == 0 for runs in strata.values()):
        raise InputError("scores are empty; pass at least one run of at least one task.")
    for task, runs in strata.items():
        if not np.isfinite(runs).all():
            raise InputError(f"the scores of task {task!r} are not all finite; leave out the runs that have none.")
        if len(runs) < least:
            raise InputError(
                f"task {task!r} has {len(runs)} run, and an interval needs {least} or more; run more seeds, or "
                "transpose scores if its runs lie along the second axis."
            )
    return list(strata.values())


def interquartile_mean(scores: Any, bootstrap: Bootstrap | None = NINETY_FIVE) -> Estimate:
    """Estimate the interquartile mean of all runs of all tasks together.

    Args:
        scores: As in `by_task`; several tasks must have comparable scores. With runs [n_k, T], T at once.
        bootstrap: How the interval is made; none if None.

    Raises:
        InputError: If `scores` are not as `by_task` says.
    """
    strata = by_task(scores, 1 if bootstrap is None else 2)
    value = iqm(np.concatenate(strata), axis=0)
    if bootstrap is None:
        return _bare(value)
    return bootstrap.around(value, iqm(resample(strata, bootstrap.seed, resamples=bootstrap.resamples), axis=1))


def median(scores: Any, bootstrap: Bootstrap | None = NINETY_FIVE) -> Estimate:
    """Estimate the median of one task's runs, which may hold infinities: whatever was never reached.

    Args:
        scores: [n, T] or [n].
        bootstrap: How the interval is made; none if None.
    """
    runs = np.asarray(scores, dtype=np.float64)
    if bootstrap is None:
        return _bare(np.median(runs, axis=0))
    drawn = resample([runs], bootstrap.seed, resamples=bootstrap.resamples)
    return bootstrap.around(np.median(runs, axis=0), np.median(drawn, axis=1), discrete=True)


def optimality_gap(scores: Any, goal: float = 1.0, bootstrap: Bootstrap | None = NINETY_FIVE) -> Estimate:
    """Estimate by how much runs fall short of `goal`, more than which counts as `goal`: mean over runs, then tasks.

    Args:
        scores: As in `by_task`.
        goal: A score that is good enough.
        bootstrap: How the interval is made; none if None.

    Raises:
        InputError: If `scores` are not as `by_task` says.
    """
    return _mean([goal - np.minimum(runs, goal) for runs in by_task(scores, 1 if bootstrap is None else 2)], bootstrap)


def performance_profile(scores: Any, thresholds: Any, bootstrap: Bootstrap | None = NINETY_FIVE) -> Estimate:
    """Estimate the share of runs that score more than each threshold: mean over runs, then tasks.

    Args:
        scores: As in `by_task`.
        thresholds: [T].
        bootstrap: How the interval is made, for each threshold alone; none if None.

    Returns:
        Arrays [T].

    Raises:
        InputError: If `scores` are not as `by_task` says.
    """
    at = np.asarray(thresholds, dtype=np.float64)
    strata = by_task(scores, 1 if bootstrap is None else 2)
    return _mean([(runs[:, None] > at).astype(np.float64) for runs in strata], bootstrap)


def probability_of_improvement(x: Any, y: Any, bootstrap: Bootstrap | None = NINETY_FIVE) -> Estimate:
    """Estimate how probably a run of `x` scores more than one of `y`.

    That is Mann and Whitney's U / (n m), in which ties count half; the mean over tasks.

    Args:
        x, y: As in `by_task`, of the same tasks; the numbers of runs may differ.
        bootstrap: How the interval is made, both resampled; none if None.

    Raises:
        InputError: If the tasks differ, or scores are not as `by_task` says.
    """
    least = 1 if bootstrap is None else 2
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        if set(x) != set(y):
            raise InputError(f"x has the tasks {sorted(x)} and y {sorted(y)}; pass runs of the same tasks.")
        y = {task: y[task] for task in x}
    ours, theirs = by_task(x, least), by_task(y, least)
    if len(ours) != len(theirs):
        raise InputError(f"x has {len(ours)} tasks and y {len(theirs)}; pass runs of the same tasks.")
    wins = [(a[:, None] > b).astype(np.float64) + 0.5 * (a[:, None] == b) for a, b in zip(ours, theirs, strict=True)]
    value = float(np.mean([won.mean() for won in wins]))
    if bootstrap is None:
        return _bare(value)
    random = np.random.default_rng(bootstrap.seed)
    found = np.zeros(bootstrap.resamples)
    for won in wins:
        n, m = won.shape
        drawn, against = _counts(n, random, bootstrap.resamples), _counts(m, random, bootstrap.resamples)
        found += ((drawn @ won) * against).sum(axis=1) / (n * m)
    return bootstrap.around(value, found / len(wins))


def _mean(strata: Sequence[Float64], bootstrap: Bootstrap | None) -> Estimate:
    """Estimate the mean over tasks of the mean over runs, of [n_k] or [n_k, T]."""
    value = np.mean([runs.mean(axis=0) for runs in strata], axis=0)
    if bootstrap is None:
        return _bare(value)
    random = np.random.default_rng(bootstrap.seed)
    found = np.zeros((bootstrap.resamples, *np.shape(value)))
    for runs in strata:
        found += _counts(len(runs), random, bootstrap.resamples) @ runs / len(runs)
    return bootstrap.around(value, found / len(strata))


def _counts(runs: int, random: np.random.Generator, resamples: int) -> Float64:
    """Return how often each run is in each resample, [resamples, runs]."""
    return random.multinomial(runs, np.full(runs, 1.0 / runs), size=resamples).astype(np.float64)


def _bare(value: Any) -> Estimate:
    unknown = np.full(np.shape(value), np.nan)[()]
    return Estimate(value, unknown, unknown)
