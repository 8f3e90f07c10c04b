"""A policy and several action values that know nothing of each other, evaluated together. N: rows, E: critics."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from workbench.networks.distributions import Distribution
from workbench.networks.encoder import Encoder
from workbench.networks.layers import ACTIVATIONS, GAINS, dense, linear


class Ensemble(nn.Module):
    """E multilayer perceptrons of one shape: a batched product a layer instead of E products.

    Weights are orthogonal, with the gain of the activation, and 1 in the last layer.

    Args:
        members: E.
        sizes: Units of each layer, the inputs first.
        activation: A name in `ACTIVATIONS`.
        generator: The source of the initial weights.
    """

    def __init__(self, members: int, sizes: list[int], activation: str, generator: torch.Generator) -> None:
        super().__init__()
        self._members, self._activation = members, ACTIVATIONS[activation]
        gains = [GAINS[activation]] * (len(sizes) - 2) + [1.0]
        layers = [
            [linear(*pair, gain, generator) for _ in range(members)]
            for pair, gain in zip(pairwise(sizes), gains, strict=True)
        ]
        stacked = (torch.stack([layer.weight.detach().T for layer in same]) for same in layers)
        self.weight = nn.ParameterList(nn.Parameter(x.contiguous()) for x in stacked)
        self.bias = nn.ParameterList(nn.Parameter(torch.zeros(members, 1, units)) for units in sizes[1:])
        # A ParameterList looks each of its items up by a name that it makes anew: a tenth of a small network's time.
        self._layers = list(zip(self.weight, self.bias, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return what each of the members makes of rows [N, F]: [E, N, outputs]."""
        x = x.expand(self._members, *x.shape)
        for weight, bias in self._layers[:-1]:
            x = self._activation(torch.baddbmm(bias, x, weight))
        weight, bias = self._layers[-1]
        return torch.baddbmm(bias, x, weight)


class Actor(nn.Module):
    """A policy on a multilayer perceptron. Weights are orthogonal; of the last layer small, for a near-uniform start.

    Args:
        encoder: Makes features [N, F] float32 of observations.
        policy: The head that makes a distribution of the last layer's numbers, as `head_for` builds it.
        width, depth: Units a hidden layer, and how many of them.
        activation: A name in `ACTIVATIONS`.
        generator: The source of the initial weights.
    """

    def __init__(
        self, encoder: Encoder, policy: Any, width: int, depth: int, activation: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.encoder, self.policy, self._activation = encoder, policy, ACTIVATIONS[activation]
        self.trunk = dense(encoder.features, width, depth, GAINS[activation], generator)
        self.head = linear(width, policy.outputs, 0.01, generator)

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Distribution:
        """Return the distribution of N actions, of observations [N, R] and what is legal [N, A] bool."""
        x = self.encoder(observation)
        for layer in self.trunk:
            x = self._activation(layer(x))
        distribution: Distribution = self.policy(self.head(x), mask)
        return distribution


class Critics(nn.Module):
    """Action values of E critics: of all choices, or of given numbers.

    Args:
        encoder: Makes features [N, F] float32 of observations.
        members: E.
        choices: A, or 0 where actions are numbers.
        numbers: K, components of an action of numbers, or 0.
        width, depth, activation, generator: As of `Actor`.
    """

    def __init__(
        self,
        encoder: Encoder,
        members: int,
        *,
        choices: int,
        numbers: int,
        width: int,
        depth: int,
        activation: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        sizes = [encoder.features + numbers] + [width] * depth + [choices or 1]
        self.ensemble = Ensemble(members, sizes, activation, generator)

    def forward(self, observation: Tensor, action: Tensor | None = None) -> Tensor:
        """Return [E, N, A] of observations [N, R], or [E, N] of observations and actions [N, K]."""
        x = self.encoder(observation)
        if action is None:
            values: Tensor = self.ensemble(x)
            return values
        value: Tensor = self.ensemble(torch.cat([x, action], -1)).squeeze(-1)
        return value
