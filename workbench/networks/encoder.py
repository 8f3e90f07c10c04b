"""Observations of any space as features of a network."""
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn


class Flatten(nn.Module):
    def __init__(self, tree):
        super().__init__()
        self.tree = tree
        self.features = sum(int(l.space.n) if isinstance(l.space, spaces.Discrete) else int(np.prod(l.shape)) for l in tree.leaves)
        self.plain = tree.storage == np.float32

    def forward(self, rows: Tensor) -> Tensor:
        if self.plain:
            return rows
        out = []
        for l, x in zip(self.tree.leaves, self.tree.parts(rows)):
            if isinstance(l.space, spaces.Discrete):
                out.append(nn.functional.one_hot(x - int(l.space.start), int(l.space.n)).float())
            else:
                out.append(x.float().reshape(len(rows), int(np.prod(l.shape))))
        return torch.cat(out, -1)
