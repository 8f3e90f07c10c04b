"""Rows of any space as features of a network. N: rows, R: components of a row, F: features."""

import math
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from workbench.spaces import Leaf, SpaceTree


class Flatten(nn.Module):
    """What `gymnasium.spaces.flatten` makes of an observation, for all rows at once and as float32.

    Discrete and MultiDiscrete are one-hot, counted from their start; a value that is none of them is all zeros. Box and
    MultiBinary are numbers. It learns nothing.

    Args:
        tree: The layout of the rows.

    Attributes:
        features: F.
    """

    def __init__(self, tree: SpaceTree) -> None:
        super().__init__()
        self._tree = tree
        self._plain = all(isinstance(leaf.space, gymnasium.spaces.Box) for leaf in tree.leaves) and (
            tree.storage == np.float32
        )
        # Gymnasium brings all leaves to one dtype first: beside others an int64 is rounded to float64, then to float32.
        common = np.result_type(*(leaf.space.dtype for leaf in tree.leaves)) if tree.leaves else tree.storage
        self._twice = common == np.float64
        self._sizes = [math.prod(leaf.shape) for leaf in tree.leaves]
        self.features = sum(self._sizes)
        for k, leaf in enumerate(tree.leaves):
            counts = _counts(leaf)
            if counts is None:
                continue
            starts = np.reshape(leaf.space.start, -1).astype(np.int64)  # type: ignore[attr-defined]
            ranges = [np.arange(count) + start for count, start in zip(counts, starts, strict=True)]
            owner, choice = np.repeat(np.arange(len(counts)), counts), np.concatenate([np.empty(0, np.int64), *ranges])
            self.register_buffer(f"owner{k}", torch.as_tensor(owner), persistent=False)
            self.register_buffer(f"choice{k}", torch.as_tensor(choice), persistent=False)
            self.features += len(owner) - self._sizes[k]

    def forward(self, rows: Tensor) -> Tensor:
        """Return features [N, F] float32 for `rows` [N, R]; the rows themselves if they are all numbers of float32."""
        if self._plain:
            return rows
        leaves = [part.reshape(len(rows), size) for part, size in zip(self._tree.parts(rows), self._sizes, strict=True)]
        empty = rows.new_empty((len(rows), 0), dtype=torch.float32)
        return torch.cat([empty, *(self._features(k, values) for k, values in enumerate(leaves))], 1)

    def _features(self, k: int, values: Tensor) -> Tensor:
        owner, choice = self._buffers.get(f"owner{k}"), self._buffers.get(f"choice{k}")
        if owner is not None and choice is not None:
            return values.to(torch.int64).index_select(1, owner).eq(choice).to(torch.float32)
        if self._twice and not values.dtype.is_floating_point:
            values = values.to(torch.float64)
        return values.to(torch.float32)


def _counts(leaf: Leaf) -> Any:
    """Return how many values each component of a leaf of choices has, None for one of numbers."""
    if isinstance(leaf.space, gymnasium.spaces.Discrete):
        return np.reshape(leaf.space.n, -1).astype(np.int64)
    return (
        leaf.space.nvec.reshape(-1).astype(np.int64) if isinstance(leaf.space, gymnasium.spaces.MultiDiscrete) else None
    )
