"""Reset noise: every lane draws from a counter-based stream of its own, so threads and other lanes change nothing."""

from typing import Any

import numpy as np
import numpy.typing as npt

from workbench_kernels import rng

TO_UNIT = 2.0**-53
SPARE = np.uint64(11)


class Noise:
    """The streams of some lanes, drawn from together: row i of every draw belongs to `lanes[i]`.

    Args:
        random: [3, B] uint32, as `rng.seed_lanes` starts it; every draw is counted there.
        lanes: [n] int, each at most once.
    """

    def __init__(self, random: npt.NDArray[np.uint32], lanes: npt.NDArray[Any]) -> None:
        self._random = random
        self.lanes = lanes

    def of(self, chosen: npt.NDArray[np.bool_]) -> "Noise":
        """Return the streams of the lanes where `chosen` [n] is true."""
        return Noise(self._random, self.lanes[chosen])

    def bits(self, k: int) -> npt.NDArray[np.uint64]:
        """Return the next `k` draws of every lane, [n, k]: those of `rng.draw`, one after the other."""
        random: npt.NDArray[np.uint64] = self._random[:, self.lanes, None].astype(np.uint64)
        counts = (random[rng.COUNT] + np.arange(k, dtype=np.uint64)) & rng.MASK
        self._random[rng.COUNT, self.lanes] += np.uint32(k)
        drawn: npt.NDArray[np.uint64] = rng.philox(counts, random[rng.STREAM], random[rng.KEY])
        return drawn

    def _unit(self, k: int) -> npt.NDArray[np.float64]:
        return (self.bits(k) >> SPARE).astype(np.float64) * TO_UNIT

    def uniform(self, low: float, high: float, k: int) -> npt.NDArray[np.float64]:
        """Return [n, k] float64, uniform on [low, high) with 53 bits."""
        return low + (high - low) * self._unit(k)

    def normal(self, k: int) -> npt.NDArray[np.float64]:
        """Return [n, k] float64, standard normal, of 2 k draws (Box and Muller 1958)."""
        first, second = np.split(self._unit(2 * k), 2, axis=1)
        values: npt.NDArray[np.float64] = np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)
        return values
