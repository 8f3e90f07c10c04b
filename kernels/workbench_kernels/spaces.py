"""What an environment file says about its actions and observations, without depending on any library."""

from typing import NamedTuple


class Discrete(NamedTuple):
    """The integers 0 to n - 1."""

    n: int


class Box(NamedTuple):
    """Vectors of float32, bounded componentwise: `low[k] <= x[k] <= high[k]`."""

    low: tuple[float, ...]
    high: tuple[float, ...]


Space = Discrete | Box
