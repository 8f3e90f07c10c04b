"""What an environment says about its actions and observations, without depending on any library."""

import math
from dataclasses import dataclass

import numpy as np

Bound = float | tuple[float, ...]


@dataclass(frozen=True)
class Discrete:
    """The integers 0 to n - 1."""

    n: int

    def __post_init__(self) -> None:
        """Check the number."""
        if isinstance(self.n, bool) or not isinstance(self.n, int | np.integer) or self.n < 1:
            raise ValueError(f"n={self.n!r} is no number of actions; pass an integer of at least 1.")


@dataclass(frozen=True)
class Box:
    """Arrays of numbers, bounded componentwise: `low[k] <= x[k] <= high[k]`.

    Attributes:
        low, high: A bound for each component, or one for all of them; infinite where there is none.
        shape: Of one array; the number of bounds if left out. Kernels address components in C order.
        dtype: "float32", "uint8" or "int32".
    """

    low: Bound
    high: Bound
    shape: tuple[int, ...] = ()
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Check that the bounds fit the shape."""
        for name in ("low", "high"):
            bound = np.asarray(getattr(self, name), np.float64)
            object.__setattr__(self, name, tuple(bound.ravel().tolist()) if bound.ndim else bound.item())
        if not self.shape:
            bounds = [len(bound) for bound in (self.low, self.high) if isinstance(bound, tuple)]
            object.__setattr__(self, "shape", (bounds[0] if bounds else 1,))
        for name in ("low", "high"):
            bound = getattr(self, name)
            if isinstance(bound, tuple) and len(bound) != self.size:
                raise ValueError(f"{name} has {len(bound)} components; pass {self.size}, as shape={self.shape} has.")
        if self.dtype not in ("float32", "uint8", "int32"):
            raise ValueError(f"dtype={self.dtype!r} is none of a box; choose 'float32', 'uint8' or 'int32'.")
        if not (np.asarray(self.low) <= np.asarray(self.high)).all():
            raise ValueError(f"low={self.low} is above high={self.high}, or not a number; exchange or mend them.")

    @property
    def size(self) -> int:
        """Return the number of components."""
        return math.prod(self.shape)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return `low` and `high` as arrays of the shape and dtype."""
        low, high = (np.asarray(bound, self.dtype) for bound in (self.low, self.high))
        if low.ndim and low.size == self.size:
            low = low.reshape(self.shape)
        if high.ndim and high.size == self.size:
            high = high.reshape(self.shape)
        return np.broadcast_to(low, self.shape).copy(), np.broadcast_to(high, self.shape).copy()


Space = Discrete | Box
