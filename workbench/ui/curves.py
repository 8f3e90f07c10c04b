"""Curves, thinned for the screen and packed for the wire. N: points of a curve."""

import math

import numpy as np
from numpy.typing import NDArray

from workbench.ui.subject import Metrics

POINTS = 1000  # Points of a curve on the screen, at most.
SMALL_MULTIPLES = 4
SMOOTHING = 1 / 40  # of a curve: the time constant of its smoothing


def chosen(names: list[str]) -> list[str]:
    """Choose the curves worth showing: the return, the speed, the losses, the entropy."""
    wanted = ["episode_return", "steps_per_second", *(name for name in names if name.endswith("_loss")), "entropy"]
    return [name for name in wanted if name in names][: 1 + SMALL_MULTIPLES]


def thin(
    steps: NDArray[np.float64], values: NDArray[np.float64], points: int = POINTS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep the lowest and the highest point of each bucket, so that no spike is lost; leave out what is not finite.

    The bucket's width is a power of two, counted from the first point: buckets stand still while the curve grows.

    Args:
        steps, values: [N] float64, environment steps and the metric.
        points: The most points to keep, at least 4.
    """
    finite = np.isfinite(values)
    if not finite.all():
        steps, values = steps[finite], values[finite]
    if len(values) <= points:
        return steps, values
    width = 2
    while 2 * -(-len(values) // width) > points:
        width *= 2
    whole = len(values) // width * width
    buckets = values[:whole].reshape(-1, width)
    start = np.arange(0, whole, width)
    ends = np.stack([start + buckets.argmin(axis=1), start + buckets.argmax(axis=1)], axis=1)
    ends.sort(axis=1)
    kept = ends.reshape(-1)
    if whole < len(values):
        rest = values[whole:]
        kept = np.append(kept, sorted((whole + int(rest.argmin()), whole + int(rest.argmax()))))
    kept[-1] = len(values) - 1  # The newest point is always on the screen.
    kept = np.unique(kept)
    return steps[kept], values[kept]


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the exponential mean that `extensions/panel/src/curves.ts` draws too: it looks back only, without bias.

    Args:
        values: [N] float64, thinned. Its time constant is N / 40 points; a short curve stays as it is.
    """
    span = len(values) * SMOOTHING
    if span <= 1.5:
        return values
    keep = math.exp(-1 / span)
    smoothed, total, weight = np.empty_like(values), 0.0, 0.0
    for index, value in enumerate(values):
        total, weight = keep * total + value, keep * weight + 1.0
        smoothed[index] = total / weight
    return smoothed


def pack(metrics: Metrics) -> tuple[list[tuple[str, int]], bytes]:
    """Return the outline, (name, points) in order, and the float32 bytes: steps, then values, of each curve."""
    outline: list[tuple[str, int]] = []
    parts: list[bytes] = []
    for name in chosen(metrics.names()):
        steps, values = thin(*metrics.series(name))
        outline.append((name, len(steps)))
        parts += [steps.astype("<f4").tobytes(), values.astype("<f4").tobytes()]
    return outline, b"".join(parts)
