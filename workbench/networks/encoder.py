"""Rows of any space as features of a network. N: rows, R: components of a row, F: features."""

import math
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from workbench.networks.images import Convolutions, image_of
from workbench.networks.normalisation import ObservationNormaliser
from workbench.spaces import Leaf, SpaceTree


class Flatten(nn.Module):
    """What `gymnasium.spaces.flatten` makes of an observation, for all rows at once and as float32.

    Discrete and MultiDiscrete are one-hot, counted from their start; a value that is none of them is all zeros. Box and
    MultiBinary are numbers. It learns nothing.

    Args:
        tree: The layout of the rows.
        leaves: Which of the tree's leaves; all if None.

    Attributes:
        features: F.
        numbers: [F] bool, which features are numbers and not choices.
    """

    def __init__(self, tree: SpaceTree, leaves: Sequence[int] | None = None) -> None:
        super().__init__()
        self._tree = tree
        self._leaves = range(len(tree.leaves)) if leaves is None else leaves
        chosen = [tree.leaves[k] for k in self._leaves]
        self._plain = len(chosen) == len(tree.leaves) and (
            all(isinstance(leaf.space, gymnasium.spaces.Box) for leaf in chosen) and tree.storage == np.float32
        )
        # Gymnasium brings all leaves to one dtype first: beside others an int64 is rounded to float64, then to float32.
        common = np.result_type(*(leaf.space.dtype for leaf in tree.leaves)) if tree.leaves else tree.storage
        self._twice = common == np.float64
        numbers = [torch.zeros(0, dtype=torch.bool)]
        for k, leaf in zip(self._leaves, chosen, strict=True):
            counts = _counts(leaf)
            if counts is None:
                numbers.append(torch.ones(math.prod(leaf.shape), dtype=torch.bool))
                continue
            starts = np.reshape(leaf.space.start, -1).astype(np.int64)  # type: ignore[attr-defined]
            ranges = [np.arange(count) + start for count, start in zip(counts, starts, strict=True)]
            owner, choice = np.repeat(np.arange(len(counts)), counts), np.concatenate([np.empty(0, np.int64), *ranges])
            self.register_buffer(f"owner{k}", torch.as_tensor(owner), persistent=False)
            self.register_buffer(f"choice{k}", torch.as_tensor(choice), persistent=False)
            numbers.append(torch.zeros(len(owner), dtype=torch.bool))
        self.numbers = torch.cat(numbers)
        self.features = len(self.numbers)

    def forward(self, rows: Tensor) -> Tensor:
        """Return features [N, F] float32 for `rows` [N, R]; the rows themselves if they are all numbers of float32."""
        if self._plain:
            return rows
        parts = self._tree.parts(rows)
        empty = rows.new_empty((len(rows), 0), dtype=torch.float32)
        return torch.cat([empty, *(self._features(k, parts[k]) for k in self._leaves)], 1)

    def _features(self, k: int, values: Tensor) -> Tensor:
        values = values.reshape(len(values), math.prod(values.shape[1:]))
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


class Encoder(nn.Module):
    """An observation as a network sees it: each image through convolutions, and the rest flattened, side by side.

    Args:
        tree: The layout of the rows.
        normalise: Whether the numbers among the rest are brought to mean 0 and standard deviation 1.
        images: Whether images are seen as such, and not flattened.
        activation: Of the convolutions.
        generator: The source of their initial weights.

    Attributes:
        features: F.
        normaliser: None if nothing is normalised.
    """

    def __init__(
        self, tree: SpaceTree, *, normalise: bool, images: bool, activation: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        found = {k: image_of(leaf) if images else None for k, leaf in enumerate(tree.leaves)}
        self._tree = tree
        self._images = [k for k, image in found.items() if image is not None]
        self.images = nn.ModuleList(Convolutions(x, activation, generator) for x in found.values() if x is not None)
        self.rest = Flatten(tree, [k for k, image in found.items() if image is None])
        numbers = self.rest.numbers
        self.normaliser = ObservationNormaliser(len(numbers), numbers) if normalise and numbers.any() else None
        self.features = self.rest.features + sum(network.features for network in self.images)  # type: ignore[misc]

    def forward(self, rows: Tensor) -> Tensor:
        """Return features [N, F] float32 for `rows` [N, R]."""
        rest: Tensor = self.rest(rows)
        if self.normaliser is not None:
            rest = self.normaliser(rest)
        if not self.images:
            return rest
        parts = self._tree.parts(rows)
        return torch.cat([rest, *(network(parts[k]) for k, network in zip(self._images, self.images, strict=True))], 1)

    def observe(self, rows: Tensor, valid: Tensor | None = None) -> None:
        """Count observations [..., R] in what they are normalised by, where `valid` [...] bool."""
        if self.normaliser is not None:
            rows = rows.flatten(0, -2)
            self.normaliser.update(self.rest(rows), None if valid is None else valid.flatten())
