"""Statistics over a few training runs (Agarwal et al. 2021, arXiv:2108.13264). Importing this brings no torch."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def iqm(scores: Any, axis: int | None = None) -> Any:
    """Return the interquartile mean: the mean of what is left when the lowest and the highest quarter are cut off.

    Of n scores floor(n / 4) are cut off at each end. It is less moved by an outlier than the mean, and uses more of the
    scores than the median.

    Args:
        scores: Of any shape, at least one along `axis`.
        axis: Along which; all scores together if None.
    """
    x = np.asarray(scores, dtype=np.float64)
    x = x.reshape(-1) if axis is None else np.moveaxis(x, axis, -1)
    cut = x.shape[-1] // 4
    return np.sort(x, axis=-1)[..., cut : x.shape[-1] - cut].mean(axis=-1)


def resample(strata: Sequence[Any], seed: int = 0, *, resamples: int = 10_000) -> Float64:
    """Draw as many runs of every stratum as there are, with replacement, `resamples` times.

    Args:
        strata: What each run gave, [n_k, ...], alike in all but the first axis.
        seed: Of the draws.
        resamples: How many.

    Returns:
        [resamples, sum of n_k, ...] float64, the strata one after the other.
    """
    random = np.random.default_rng(seed)
    drawn = []
    for stratum in strata:
        scores = np.asarray(stratum, dtype=np.float64)
        drawn.append(scores[random.integers(len(scores), size=(resamples, len(scores)))])
    return drawn[0] if len(drawn) == 1 else np.concatenate(drawn, axis=1)


def stratified_bootstrap(
    strata: Sequence[Any],
    seed: int = 0,
    *,
    statistic: Callable[..., Any] = iqm,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> tuple[float, float]:
    """Return the percentile interval of a statistic over runs that are resampled within each stratum.

    A stratum is what was run several times, a task with its seeds: each resample draws as many runs of every task as
    there are, with replacement, and takes the statistic of them all together.

    Args:
        strata: The scores of each stratum, [n_k]; scores of several must be comparable.
        seed: Of the resamples.
        statistic: Called with scores [resamples, sum of n_k] and `axis=1`.
        confidence: Share of resamples inside, in (0, 1).
        resamples: How many.
    """
    found: Float64 = statistic(resample(strata, seed, resamples=resamples), axis=1)
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
