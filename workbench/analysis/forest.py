"""A random forest for settings, and the variance of its predictions taken apart (Hutter, Hoos, Leyton-Brown 2014).

n: runs, d: settings, L: levels of one setting. A setting's values are numbered levels, so that neither its scale nor
its kind matters; a tree's leaf holds a set of levels of each setting. Predictions are averaged over the product of the
settings' own distributions among the runs: over a full grid that is the classical analysis of variance.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Leaf:
    """A prediction, and the levels of each setting for which it is made, d arrays [L]."""

    value: float
    levels: list[Bool]


@dataclass(frozen=True)
class Decomposition:
    """The variance of one tree's predictions.

    Attributes:
        total: Of all settings together.
        single: What each setting explains alone, [d]; what is missing to `total` is of several together.
        effects: The mean prediction at each level of each setting, d arrays [L].
    """

    total: float
    single: Float64
    effects: list[Float64]


def grow(x: Int64, y: Float64, ordered: list[bool], sizes: list[int], least: int = 2) -> list[Leaf]:
    """Grow a regression tree and return its leaves.

    Args:
        x: Levels, [n, d].
        y: Scores, [n].
        ordered: For each setting, whether its levels have an order; others are split by their mean scores.
        sizes: L of each setting.
        least: Runs that a leaf needs at least to be split.
    """
    leaves: list[Leaf] = []
    pending = [(np.arange(len(y)), [np.ones(size, dtype=bool) for size in sizes])]
    while pending:
        rows, levels = pending.pop()
        best = _best_split(x[rows], y[rows], levels, ordered) if len(rows) >= least else None
        if best is None:
            leaves.append(Leaf(float(y[rows].mean()), levels))
            continue
        setting, left = best
        for side in (left, levels[setting] & ~left):
            narrowed = [*levels[:setting], side, *levels[setting + 1 :]]
            pending.append((rows[side[x[rows, setting]]], narrowed))
    return leaves


def _best_split(x: Int64, y: Float64, levels: list[Bool], ordered: list[bool]) -> tuple[int, Bool] | None:
    """Return the setting and the levels of one side that leave the least variance; None where nothing can be split."""
    if np.ptp(y) == 0.0:
        return None
    best: tuple[float, int, Bool] | None = None
    for setting in np.flatnonzero(np.ptp(x, axis=0) > 0):
        gain, left = _split(x[:, setting], y, levels[setting], ordered[setting])
        if best is None or gain > best[0]:
            best = (gain, int(setting), left)
    return None if best is None else best[1:]


def _split(x: Int64, y: Float64, levels: Bool, ordered: bool) -> tuple[float, Bool]:
    """Return by how much the best cut of one setting lowers the sum of squares, and the levels left of it.

    A level that none of these runs has goes with its neighbours: half of those between two that are cut apart to each.
    """
    counts = np.bincount(x, minlength=len(levels)).astype(np.float64)
    sums = np.bincount(x, weights=y, minlength=len(levels))
    present = np.flatnonzero(counts)
    if not ordered:
        present = present[np.argsort(sums[present] / counts[present], kind="stable")]
    n, s = np.cumsum(counts[present])[:-1], np.cumsum(sums[present])[:-1]
    gains = s**2 / n + (y.sum() - s) ** 2 / (len(y) - n) - y.sum() ** 2 / len(y)
    cut = int(gains.argmax())
    left = np.zeros(len(levels), dtype=bool)
    if ordered:
        left[: (present[cut] + present[cut + 1]) // 2 + 1] = True
        left &= levels
    else:
        left[present[: cut + 1]] = True
    return float(gains[cut]), left


def predicted(leaves: list[Leaf], x: Int64) -> Float64:
    """Return a tree's predictions for runs with the levels `x` [n, d], [n]."""
    found = np.full(len(x), np.nan)
    for leaf in leaves:
        inside = np.ones(len(x), dtype=bool)
        for setting, levels in enumerate(leaf.levels):
            inside &= levels[x[:, setting]]
        found[inside] = leaf.value
    return found


def decomposed(leaves: list[Leaf], shares: list[Float64]) -> Decomposition:
    """Take the variance of a tree's predictions apart.

    Args:
        leaves: Of the tree.
        shares: How often each level of each setting is, d arrays [L] that sum to one.
    """
    values = np.array([leaf.value for leaf in leaves])
    weights = np.array(
        [[share[levels].sum() for share, levels in zip(shares, leaf.levels, strict=True)] for leaf in leaves]
    )
    volume = weights.prod(axis=1)
    mean = float(volume @ values)
    total = float(volume @ values**2) - mean**2
    single, effects = np.zeros(len(shares)), []
    for setting, share in enumerate(shares):
        inside = np.array([leaf.levels[setting] for leaf in leaves], dtype=np.float64)
        others = np.delete(weights, setting, axis=1).prod(axis=1)
        effect = (others * values) @ inside
        single[setting] = share @ (effect - mean) ** 2
        effects.append(effect)
    return Decomposition(max(total, 0.0), single, effects)
