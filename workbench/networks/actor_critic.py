"""A multilayer perceptron that acts and judges: one trunk, one head for the policy's logits and the value."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

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
        observations: O.
        actions: A.
        width, depth: Units a hidden layer, and how many of them.
        activation: A name in `ACTIVATIONS`.
        generator: The source of the initial weights.
    """

    def __init__(
        self, observations: int, actions: int, *, width: int, depth: int, activation: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        sizes = [observations] + [width] * depth
        self.trunk = nn.ModuleList(
            linear(inputs, outputs, math.sqrt(2.0), generator) for inputs, outputs in pairwise(sizes)
        )
        self.head = linear(width, actions + 1, 0.01, generator)
        with torch.no_grad():
            self.head.weight[-1] *= 100.0
        self._activation = ACTIVATIONS[activation]

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities [N, A], in nats, and values [N] for `observation` [N, O] float32."""
        x = observation
        for layer in self.trunk:
            x = self._activation(layer(x))
        out = self.head(x)
        return torch.log_softmax(out[:, :-1], -1), out[:, -1]
