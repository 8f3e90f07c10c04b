"""Curves, thinned for the screen and packed for the wire. N: points of a curve."""

import math

import numpy as np
from numpy.typing import NDArray

from workbench.training.overview import thin
from workbench.ui.subject import Columns

SMALL_MULTIPLES = 11
FEW = 5  # curves of a still picture
AXES = ("seconds", "episodes")  # what a curve may be drawn over, beside the steps
LATER = (  # curves that come after the losses
    "episode_length",
    "evaluation_return",
    "kl",
    "clip_fraction",
    "explained_variance",
    "temperature",
    "gradient_norm",
    "learning_rate",
)
SMOOTHING = 1 / 40  # of a curve: the time constant of its smoothing


def chosen(names: list[str], most: int = 1 + SMALL_MULTIPLES) -> list[str]:
    """Choose the curves worth showing, the return first; of fewer than there are, those that say most."""
    losses = [name for name in names if name.endswith("_loss")]
    wanted = ["episode_return", "steps_per_second", *losses, "entropy", *LATER]
    known = [name for name in wanted if name in names][:most]
    return sorted(known, key=lambda name: (name != "episode_return", name == "steps_per_second"))


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


def pack(metrics: Columns, window: tuple[float, float] | None = None) -> tuple[list[tuple[str, int]], bytes]:
    """Return the outline, (name, points) in order, and the float32 bytes: steps, then values, of each curve.

    Args:
        metrics: What to draw, and over what.
        window: The environment steps from which to which; all if None. A point beyond either end is there too.
    """
    outline: list[tuple[str, int]] = []
    parts: list[bytes] = []
    names = metrics.names()
    for name in (*chosen(names), *(axis for axis in AXES if axis in names)):
        steps, values = metrics.series(name)
        if window is not None:
            first = max(0, int(np.searchsorted(steps, window[0], side="left")) - 1)
            end = int(np.searchsorted(steps, window[1], side="right")) + 1
            steps, values = steps[first:end], values[first:end]
        steps, values = thin(steps, values)
        outline.append((name, len(steps)))
        parts += [steps.astype("<f4").tobytes(), values.astype("<f4").tobytes()]
    return outline, b"".join(parts)
