"""A multilayer perceptron that acts and judges: one trunk, one head for the policy's logits and the value."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from workbench.networks.distributions import Distribution
from workbench.networks.encoder import Flatten

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "silu": nn.functional.silu,
    "tanh": torch.tanh_,
}


def linear(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    """Build a dense layer with orthogonal weights (Saxe et al. 2014) of `gain`, and biases of zero."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


class ActorCritic(nn.Module):
    """A policy and its value from a shared trunk.

    Gains are sqrt(2) in the trunk, 0.01 for the policy (a near-uniform start) and 1 for the value (Andrychowicz et al.
    2021).

    Args:
        encoder: Makes features [N, F] float32 of observations.
        policy: The head that makes a distribution of A numbers, as `head_for` builds it.
        width, depth: Units a hidden layer, and how many of them.
        activation: A name in `ACTIVATIONS`.
        generator: The source of the initial weights.
    """

    def __init__(
        self,
        encoder: Flatten,
        policy: Any,
        *,
        width: int,
        depth: int,
        activation: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.policy = policy
        sizes = [encoder.features] + [width] * depth
        self.trunk = nn.ModuleList(
            linear(inputs, outputs, math.sqrt(2.0), generator) for inputs, outputs in pairwise(sizes)
        )
        self.head = linear(width, policy.outputs + 1, 0.01, generator)
        with torch.no_grad():
            self.head.weight[-1] *= 100.0
        self._activation = ACTIVATIONS[activation]

    def forward(
        self,
        observation: Tensor,
        mask: Tensor | None = None,
        carry: Any = None,
        first: Tensor | None = None,  # noqa: ARG002
    ) -> tuple[Distribution, Tensor, Any]:
        """Return the policy's distribution of N actions, values [N], and the carry for the next step.

        Args:
            observation: [N, R], rows as the encoder takes them.
            mask: [N, A] bool, which actions are legal; all if None.
            carry: [N, C] of the step before, zeros if None; a network without memory has none.
            first: [N] bool, where an episode begins, so that the carry counts as zero.
        """
        x = self.encoder(observation)
        for layer in self.trunk:
            x = self._activation(layer(x))
        out = self.head(x)
        return self.policy(out[:, :-1], mask), out[:, -1], carry
