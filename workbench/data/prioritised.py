"""Which remembered transitions to learn from: in proportion to priorities, by a sum tree on the CPU's kernels."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from workbench_kernels import sumtree
from workbench_kernels.targets import cpu

Slots = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


@functools.cache
def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    return cpu.scan(function, reverse=False)


class Priorities:
    """How much slots are to be drawn, 0 at first (Schaul et al. 2016, arXiv:1511.05952, the proportional variant).

    Args:
        slots: How many there are.

    Attributes:
        tree: The sums, see `workbench_kernels.sumtree`.
        greatest: The greatest priority so far, which newcomers get.
    """

    saved = ("tree", "greatest")

    def __init__(self, slots: int) -> None:
        self.tree = np.zeros(2 * sumtree.leaves(slots))
        self.greatest = 1.0

    def write(self, slot: Slots, priority: Weights) -> None:
        """Give slots [N] their priorities [N], at least 0; of one slot twice, the last stands."""
        _kernel(sumtree.write)(slot[None], priority[None], self.tree)

    def welcome(self, slot: Slots) -> None:
        """Give new slots [N] the greatest priority so far, so that each is soon seen."""
        self.write(slot, np.full(len(slot), self.greatest))

    def learn(self, slot: Slots, priority: Weights) -> None:
        """Give slots [N] that were learned from their new priorities [N], greater than 0."""
        self.greatest = max(self.greatest, float(priority.max()))
        self.write(slot, priority)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Slots, Weights]:
        """Draw slots in proportion to their priorities.

        Returns:
            The slots [N], and their probabilities [N].
        """
        uniform: Any = torch.rand((1, count), generator=generator, dtype=torch.float64).numpy()
        slot = np.empty((1, count), np.int64)
        _kernel(sumtree.draw)(uniform, self.tree, slot)
        return slot[0], self.tree[len(self.tree) // 2 + slot[0]] / self.tree[1]
