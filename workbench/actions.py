"""A nested action space as what a policy chooses: discrete components counted from 0, and continuous ones.

D: discrete components, K: continuous ones.
"""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from workbench.errors import InputError
from workbench.spaces import Leaf, SpaceTree

CHOICES = 2**16
"""What a component of an integer Box may have; beyond this it is no choice but a quantity."""

Discrete = npt.NDArray[np.int64]
Continuous = npt.NDArray[np.float32]


class ActionHeads:
    """How a policy acts in a space: D choices and K numbers.

    Discrete, MultiDiscrete, MultiBinary and bounded Boxes of integers are discrete components, Boxes of floats are
    continuous ones; both in the order of the leaves of a `SpaceTree`.

    Args:
        space: What a `SpaceTree` takes.

    Attributes:
        original: The space as given.
        nvec: How many choices each discrete component has.
        low, high: [K] float32, the bounds of the continuous components, rounded to the inside.
        space: What a policy acts in: Discrete, MultiDiscrete, Box of float32, or a Dict of `discrete` (MultiDiscrete)
            and `continuous` (Box).

    Raises:
        InputError: If a part of `space` is of another kind, or has integers without bounds.
    """

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        self.original = space
        self._tree = SpaceTree(space, "action")
        starts: list[np.ndarray] = []
        nvec: list[int] = []
        bounds: list[tuple[np.ndarray, np.ndarray]] = []
        makers, first, second = [], 0, 0
        for leaf in self._tree.leaves:
            if leaf.dtype.kind == "f":
                low, high = _inside(leaf.space)
                bounds.append((low, high))
                makers.append(_continuous(leaf, slice(second, second + low.size), low, high))
                second += low.size
            else:
                start, counts = _choices(leaf)
                starts.append(start)
                nvec += counts
                makers.append(_discrete(leaf, slice(first, first + len(counts)), start))
                first += len(counts)
        self.nvec = tuple(nvec)
        self.low, self.high = (
            np.concatenate([np.empty(0, np.float32), *(pair[k] for pair in bounds)]) for k in range(2)
        )
        self._starts = starts
        self._make = _assembled(space, iter(makers))
        self.space = self._flat()

    def _flat(self) -> gymnasium.Space[Any]:
        box = gymnasium.spaces.Box(self.low, self.high, dtype=np.float32)
        if not self.nvec:
            return box
        if not len(self.low):
            one = len(self.nvec) == 1
            return gymnasium.spaces.Discrete(self.nvec[0]) if one else gymnasium.spaces.MultiDiscrete(list(self.nvec))
        return gymnasium.spaces.Dict(discrete=gymnasium.spaces.MultiDiscrete(list(self.nvec)), continuous=box)

    def decode(self, discrete: Discrete, continuous: Continuous) -> Any:
        """Make an action of the original space.

        Args:
            discrete: [D] int64, each from 0 to its `nvec` - 1.
            continuous: [K] float32, each within its `low` and `high`.

        Returns:
            Arrays of their own, and numpy scalars for Discrete, of the dtypes and the nesting that the space says.
        """
        return self._make(discrete, continuous)

    def encode(self, action: Any) -> tuple[Discrete, Continuous]:
        """Return the choices [D] int64 and the numbers [K] float32 that make `action`.

        Raises:
            InputError: If the action does not fit the space, or a choice is none of it.
        """
        row = self._tree.rows()
        self._tree.encode(action, row)
        parts = self._tree.parts(row)
        whole = [part.reshape(-1) for part in parts if part.dtype.kind != "f"]
        chosen = [_counted(part, start) for part, start in zip(whole, self._starts, strict=True)]
        discrete = np.concatenate([np.empty(0, np.int64), *chosen])
        if ((discrete < 0) | (discrete >= self.nvec)).any():
            raise InputError(f"action {action!r} lies outside {self.original!r}; choose within it.")
        numbers = [part.reshape(-1) for part in parts if part.dtype.kind == "f"]
        with np.errstate(over="ignore"):
            return discrete, np.concatenate([np.empty(0, np.float32), *numbers]).astype(np.float32)


Maker = Callable[[Discrete, Continuous], Any]


def _assembled(space: Any, makers: Iterator[Maker]) -> Maker:
    """Return what makes a nested value, from what makes its leaves."""
    if isinstance(space, gymnasium.spaces.Dict):
        named = {key: _assembled(part, makers) for key, part in space.spaces.items()}
        return lambda discrete, continuous: {key: make(discrete, continuous) for key, make in named.items()}
    if isinstance(space, gymnasium.spaces.Tuple):
        listed = [_assembled(part, makers) for part in space.spaces]
        return lambda discrete, continuous: tuple([make(discrete, continuous) for make in listed])
    return next(makers)


def _inside(space: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of a Box of floats, [K] float32 each and not beyond those of its own dtype."""
    low, high = space.low.reshape(-1), space.high.reshape(-1)
    with np.errstate(over="ignore"):
        inner, outer = low.astype(np.float32), high.astype(np.float32)
    inner = np.where(inner < low, np.nextafter(inner, np.float32(np.inf)), inner)
    outer = np.where(outer > high, np.nextafter(outer, np.float32(-np.inf)), outer)
    # Between bounds closer than float32 can tell there may be no number of it.
    return np.minimum(inner, outer), np.maximum(inner, outer)


def _choices(leaf: Leaf) -> tuple[np.ndarray, list[int]]:
    """Return where each component of an integer leaf starts [D], of its dtype, and how many choices it has."""
    space: Any = leaf.space
    if isinstance(space, gymnasium.spaces.Box):
        counts = [int(high) - int(low) + 1 for low, high in zip(space.low.flat, space.high.flat, strict=True)]
        if max(counts, default=1) > CHOICES:
            raise InputError(
                f"action{''.join(f'[{step!r}]' for step in leaf.path)} is {space!r} with {max(counts)} choices for one "
                f"component; bound it to at most {CHOICES}, or make it a Box of floats."
            )
        start = space.low
    elif isinstance(space, gymnasium.spaces.MultiBinary):
        start, counts = np.zeros(space.shape), [2] * int(np.prod(space.shape))
    else:
        counts = [int(space.n)] if isinstance(space, gymnasium.spaces.Discrete) else space.nvec.reshape(-1).tolist()
        start = space.start
    return np.reshape(start, -1).astype(leaf.dtype), counts


def _unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which components count up from their start: overflow wraps around and comes out right."""
    return np.dtype(f"u{dtype.itemsize}")


def _discrete(leaf: Leaf, place: slice, start: np.ndarray) -> Maker:
    counting = _unsigned(leaf.dtype)
    origin = start.view(counting)
    if isinstance(leaf.space, gymnasium.spaces.Discrete):
        scalar, first, position = leaf.space.dtype.type, int(start[0]), place.start
        return lambda discrete, _: scalar(int(discrete[position]) + first)
    dtype, shape = leaf.space.dtype, leaf.shape

    def make(discrete: Discrete, _: Continuous) -> Any:
        values = (discrete[place].astype(counting) + origin).view(leaf.dtype)
        return values.astype(dtype, copy=False).reshape(shape)

    return make


def _counted(part: np.ndarray, start: np.ndarray) -> Discrete:
    counting = _unsigned(part.dtype)
    counted: Discrete = (part.view(counting) - start.view(counting)).astype(np.int64)
    return counted


def _continuous(leaf: Leaf, place: slice, low: np.ndarray, high: np.ndarray) -> Maker:
    space: Any = leaf.space
    dtype, shape = space.dtype, leaf.shape
    if ((low < space.low.reshape(-1)) | (high > space.high.reshape(-1))).any():
        return lambda _, continuous: np.asarray(
            np.clip(continuous[place].reshape(shape).astype(dtype), space.low, space.high)
        )

    if dtype == np.float32:
        return lambda _, continuous: continuous[place].reshape(shape).copy()

    def make(_: Discrete, continuous: Continuous) -> Any:
        with np.errstate(over="ignore"):
            return continuous[place].reshape(shape).astype(dtype)

    return make
