"""A multilayer perceptron that acts and judges: one trunk, one head for the policy's logits and the value."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from workbench.functional import split_log_softmax
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
    """Log-probabilities and value from a shared trunk.

    Gains are sqrt(2) in the trunk, 0.01 for the policy (a near-uniform start) and 1 for the value (Andrychowicz et al.
    2021).

    Args:
        encoder: Makes features [N, F] float32 of observations.
        nvec: How many choices each component of an action has, A altogether.
        width, depth: Units a hidden layer, and how many of them.
        activation: A name in `ACTIVATIONS`.
        generator: The source of the initial weights.
    """

    def __init__(
        self,
        encoder: Flatten,
        nvec: tuple[int, ...],
        *,
        width: int,
        depth: int,
        activation: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.nvec = nvec
        sizes = [encoder.features] + [width] * depth
        self.trunk = nn.ModuleList(
            linear(inputs, outputs, math.sqrt(2.0), generator) for inputs, outputs in pairwise(sizes)
        )
        self.head = linear(width, sum(nvec) + 1, 0.01, generator)
        with torch.no_grad():
            self.head.weight[-1] *= 100.0
        self._activation = ACTIVATIONS[activation]

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return log-probabilities [N, A], in nats, component by component, and values [N].

        Args:
            observation: [N, R], rows as the encoder takes them.
            mask: [N, A] bool, which actions are legal; all if None.
        """
        x = self.encoder(observation)
        for layer in self.trunk:
            x = self._activation(layer(x))
        out = self.head(x)
        return split_log_softmax(out[:, :-1], self.nvec, mask), out[:, -1]
