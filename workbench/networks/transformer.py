"""A small causal transformer as memory. L: steps, N: rows, W: width, K: context, C: numbers a carry holds."""

import math

import torch
from torch import Tensor, nn

from workbench.networks.heads import full
from workbench.networks.layers import linear

RESIDUAL = 0.1
"""Gain of what is added to the residual stream at first: nearly nothing, so that it starts as if without memory."""


class Block(nn.Module):
    """Attention to oneself and the past, then a dense layer (Vaswani et al. 2017), both behind a norm.

    How far back a step lies counts by a learned bias a head, and not by its number, so that no episode is too long.

    Args:
        width: W.
        heads: Of the attention.
        context: K, how many steps, its own included, a step looks at.
        generator: The source of the initial weights.
    """

    def __init__(self, width: int, heads: int, context: int, generator: torch.Generator) -> None:
        super().__init__()
        self.before_attention, self.before_dense = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = linear(width, width, 1.0, generator)
        self.source = linear(width, 2 * width, 1.0, generator)
        self.attended = linear(width, width, RESIDUAL, generator)
        self.inner = linear(width, 2 * width, math.sqrt(2.0), generator)
        self.outer = linear(2 * width, width, RESIDUAL, generator)
        self.distance = nn.Parameter(torch.zeros(heads, context))

    def forward(self, past: Tensor, x: Tensor, distance: Tensor, visible: Tensor) -> Tensor:
        """Return what becomes of `x`, [N, L, W].

        Args:
            past: [N, M, W], what came before.
            x: [N, L, W].
            distance: [L, M + L] int64, how many steps each of these lies back; between 0 and K - 1.
            visible: [N, L, M + L] bool, which of them a step looks at.
        """
        rows, steps, width = x.shape
        heads = self.distance.shape[0]
        sources = self.source(self.before_attention(torch.cat([past, x], 1)))
        key, value = sources.unflatten(-1, (2, heads, width // heads)).permute(2, 0, 3, 1, 4)
        query = self.query(self.before_attention(x)).unflatten(-1, (heads, width // heads)).transpose(1, 2)
        score = query @ key.transpose(-1, -2) * (width // heads) ** -0.5 + self.distance[:, distance]
        weight = score.masked_fill(~visible[:, None], -torch.inf).softmax(-1).to(value.dtype)
        x = x + self.attended((weight @ value).transpose(1, 2).reshape(rows, steps, width))
        out: Tensor = x + self.outer(torch.relu(self.inner(self.before_dense(x))))
        return out


class Transformer(nn.Module):
    """Blocks of which each looks at its inputs of the last K steps of the episode.

    The carry holds those inputs, the newest last, of one block after the other, and how many of them there are, as
    Dai et al. 2019 do (arXiv:1901.02860). So the last block knows of `layers * (K - 1)` steps back.

    Args:
        inputs: Numbers it takes a step.
        width: W, a multiple of `heads`.
        generator: The source of the initial weights.
        context: K.
        layers: How many blocks.
        heads: Of the attention.

    Attributes:
        carry_size: C.
    """

    def __init__(
        self, inputs: int, width: int, generator: torch.Generator, context: int = 16, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.embed = linear(inputs, width, 1.0, generator)
        self.blocks = nn.ModuleList(Block(width, heads, context, generator) for _ in range(layers))
        self._past = context - 1
        self.carry_size = layers * self._past * width + 1

    def forward(self, x: Tensor, carry: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return [L, N, W] for `x` [L, N, inputs], and the carry [N, C] after the last step."""
        x = full(self.embed(x.transpose(0, 1)))
        rows, steps, width = x.shape
        pasts = carry[:, :-1].view(rows, len(self.blocks), self._past, width)
        distance, visible, held = self._sight(carry[:, -1], first)
        after = []
        for k, block in enumerate(self.blocks):
            after.append(torch.cat([pasts[:, k], x], 1)[:, steps:])
            x = block(pasts[:, k], x, distance, visible)
        carry = torch.cat([torch.stack(after, 1).flatten(1), held[:, None]], 1)
        return x.transpose(0, 1), carry

    def _sight(self, held: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Say how far back things lie, which of them are seen, and how many are held after.

        Args:
            held: [N], how many inputs a carry holds.
            first: [L, N].

        Returns:
            Steps back [L, M + L], what is visible [N, L, M + L], and how many are held [N].
        """
        steps, past = len(first), self._past
        here = torch.arange(steps, device=first.device)
        # The step at which what is seen begins: of the episode, or of what is held of it from before.
        begins = torch.where(first, here[:, None], -past - 1).cummax(0).values.T
        begins = torch.maximum(begins, -held.long()[:, None])
        source = torch.arange(-past, steps, device=first.device)
        distance = here[:, None] - source
        visible = (distance >= 0) & (distance <= past) & (source >= begins[..., None])
        return distance.clamp(0, past), visible, (steps - begins[:, -1]).clamp(max=past).to(held.dtype)
