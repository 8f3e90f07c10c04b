"""What a policy's last layer means: distributions over the actions of a space. N: rows, A: choices, K: numbers.

A head says how many numbers it wants of a network, makes a distribution of them, and says what of a sampled action the
environment gets. It computes in float32 whatever the network computed in.
"""

import math
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

import workbench.functional as F
from workbench.errors import InputError
from workbench.networks.distributions import Categoricals, Mixed, Normal, SquashedNormal

LOG_STD = -5.0, 2.0
"""What the log_std of a squashed normal distribution stays between."""


def full(out: Tensor) -> Tensor:
    """Return `out` in float32 at least."""
    return out.to(torch.promote_types(out.dtype, torch.float32))


class CategoricalHead(nn.Module):
    """Choices: Discrete and MultiDiscrete."""

    def __init__(self, space: Any) -> None:
        super().__init__()
        self._single = isinstance(space, gymnasium.spaces.Discrete)
        self.nvec = (int(space.n),) if self._single else tuple(map(int, space.nvec))
        self.outputs = sum(self.nvec)

    def forward(self, out: Tensor, mask: Tensor | None = None) -> Categoricals:
        """Make a distribution of logits [N, A]; `mask` [N, A] bool says which choices are legal."""
        return Categoricals(F.split_log_softmax(full(out), self.nvec, mask), self.nvec, self._single)

    def outward(self, action: Tensor) -> Tensor:
        """Return what the environment gets: the choices themselves."""
        return action


class Bounds(nn.Module):
    """Between units in which bounded components have the bounds [-1, 1], and those of a Box; others are left alone.

    Args:
        space: A Box of K components.
    """

    low: Tensor
    high: Tensor
    centre: Tensor
    scale: Tensor

    def __init__(self, space: Any) -> None:
        super().__init__()
        low, high = (np.asarray(x, np.float32).reshape(-1) for x in (space.low, space.high))
        bounded = np.isfinite(low) & np.isfinite(high)
        inner, outer = np.where(bounded, low, -1), np.where(bounded, high, 1)
        centre = (inner / 2 + outer / 2).astype(np.float32)
        scale = (outer / 2 - inner / 2).astype(np.float32)
        named = {"low": low, "high": high, "centre": centre, "scale": scale}
        for name, x in named.items():
            self.register_buffer(name, torch.from_numpy(x.copy()), persistent=False)

    def forward(self, action: Tensor) -> Tensor:
        """Return [N, K] float32 in the bounds of the Box."""
        return (self.centre + self.scale * action.float()).clamp(self.low, self.high)


class NormalHead(nn.Module):
    """Numbers: a Box, by normal distributions whose spread the state has no say in (Schulman et al. 2015).

    Samples are in units in which the bounds are [-1, 1], and may lie beyond them: what the environment gets is clipped,
    what is kept and judged is not. Components that lack a bound are in units of their own.

    Args:
        space: The Box.
        initial_std: Of each component, in those units.
    """

    def __init__(self, space: Any, initial_std: float = 1.0) -> None:
        super().__init__()
        self.outputs = math.prod(space.shape)
        self.log_std = nn.Parameter(torch.full((self.outputs,), math.log(initial_std)))
        self.outward = Bounds(space)

    def forward(self, out: Tensor, mask: Tensor | None = None) -> Normal:  # noqa: ARG002
        """Make a distribution of means [N, K]."""
        mean = full(out)
        return Normal(mean, self.log_std.expand_as(mean))


class SquashedNormalHead(nn.Module):
    """Numbers: a Box with bounds, by the tanh of normal distributions (Haarnoja et al. 2018, arXiv:1801.01290).

    Samples lie in [-1, 1]. A network that puts out zeros explores nearly uniformly.

    Args:
        space: The Box.
        owner: Who asks, for the error.
        initial_std: About what the normal distributions begin with, before the tanh.

    Raises:
        InputError: If a component lacks a bound.
    """

    def __init__(self, space: Any, owner: str = "SquashedNormalHead", initial_std: float = 1.0) -> None:
        super().__init__()
        open_ended = ~(np.isfinite(space.low) & np.isfinite(space.high)).reshape(-1)
        if open_ended.any():
            raise InputError(
                f"action space {space} has no bounds for component {int(open_ended.argmax())}; {owner} squashes "
                f"actions into their bounds, so give it a finite low and high."
            )
        self.outputs = 2 * math.prod(space.shape)
        self.outward = Bounds(space)
        self._first = math.log(initial_std)

    def forward(self, out: Tensor, mask: Tensor | None = None) -> SquashedNormal:  # noqa: ARG002
        """Make a distribution of `out` [N, 2 K]: means, then log_stds before a smooth bound that leaves 0 near 0."""
        mean, spread = full(out).chunk(2, -1)
        spread = spread + self._first
        middle, half = sum(LOG_STD) / 2, (LOG_STD[1] - LOG_STD[0]) / 2
        return SquashedNormal(mean, middle + half * torch.tanh((spread - middle) / half))


class MixedHead(nn.Module):
    """Choices and numbers: a Dict of `discrete` and `continuous`; one float32 row [N, D + K] a sample, choices first.

    Args:
        space: The Dict.
        continuous: The head of the numbers.
    """

    def __init__(self, space: Any, continuous: Any) -> None:
        super().__init__()
        self.discrete = CategoricalHead(space["discrete"])
        self.continuous = continuous
        self.outputs = self.discrete.outputs + self.continuous.outputs

    def forward(self, out: Tensor, mask: Tensor | None = None) -> Mixed:
        """Make a distribution of logits [N, A] and what the head of the numbers takes, side by side.

        `mask` [N, A] bool says which choices are legal.
        """
        logits, numbers = out.split([self.discrete.outputs, self.continuous.outputs], -1)
        return Mixed(self.discrete(logits, mask), self.continuous(numbers), len(self.discrete.nvec))

    def outward(self, action: Tensor) -> dict[str, Tensor]:
        """Return what the environment gets: choices [N, D] int64 and numbers [N, K] float32."""
        choices = len(self.discrete.nvec)
        return {"discrete": action[:, :choices].long(), "continuous": self.continuous.outward(action[:, choices:])}


def head_for(space: Any, owner: str, squashed: bool = False, initial_std: float = 1.0) -> Any:
    """Build the head for a flat action space (`workbench.actions.ActionHeads.space`).

    Args:
        space: Discrete, MultiDiscrete, Box, or a Dict of `discrete` (MultiDiscrete) and `continuous` (Box).
        owner: Who asks, for the error.
        squashed: Whether numbers are squashed into their bounds, and not clipped.
        initial_std: Of numbers, before they are squashed if they are; see `NormalHead`.

    Raises:
        InputError: If there is none for it, or numbers to be squashed lack a bound.
    """
    if isinstance(space, gymnasium.spaces.Discrete | gymnasium.spaces.MultiDiscrete):
        return CategoricalHead(space)
    if isinstance(space, gymnasium.spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return SquashedNormalHead(space, owner, initial_std) if squashed else NormalHead(space, initial_std)
    if isinstance(space, gymnasium.spaces.Dict) and set(space.spaces) == {"discrete", "continuous"}:
        return MixedHead(space, head_for(space["continuous"], owner, squashed, initial_std))
    raise InputError(
        f"action space {space} has no head; {owner} needs Discrete, MultiDiscrete, a Box of floats, or a Dict of "
        f"`discrete` and `continuous`, as workbench.actions.ActionHeads makes them."
    )
