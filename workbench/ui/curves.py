"""Curves, thinned for the screen and packed for the wire. N: points of a curve."""

import math

import numpy as np
from numpy.typing import NDArray

from workbench.training.overview import thin
from workbench.ui.subject import Metrics

SMALL_MULTIPLES = 4
SMOOTHING = 1 / 40  # of a curve: the time constant of its smoothing


def chosen(names: list[str]) -> list[str]:
    """Choose the curves worth showing: the return, the speed, the losses, the entropy."""
    wanted = ["episode_return", "steps_per_second", *(name for name in names if name.endswith("_loss")), "entropy"]
    return [name for name in wanted if name in names][: 1 + SMALL_MULTIPLES]


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
