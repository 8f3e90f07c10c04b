"""Distributions over actions. N: rows, A: choices side by side, D: discrete components, K: continuous ones.

A sample is what log-probabilities are asked of, and what learners keep; what of it the environment gets, the head says
that made the distribution (`workbench.networks.heads`).
"""

from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

import workbench.functional as F
from workbench.processes import drawn


class Distribution(Protocol):
    """Of N actions, independent of each other."""

    def sample(self, generator: Any) -> Tensor:
        """Draw actions, [N] or one row each."""

    def mode(self) -> Tensor:
        """Return the likeliest actions."""

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the log-probability or log-density [N] of sampled actions, in nats."""

    def entropy(self) -> Tensor:
        """Return the entropies [N], in nats."""

    def kl(self, other: Any) -> Tensor:
        """Return the divergence KL(self || other) [N] from another distribution of the same head, in nats."""


class Categoricals:
    """Independent choices, one or several.

    Args:
        log_probs: [N, A] of all components side by side, normalised component by component.
        nvec: How many choices each component has.
        single: Whether an action is one choice [N], and not a row of D = 1.
    """

    def __init__(self, log_probs: Tensor, nvec: tuple[int, ...], single: bool) -> None:
        self.log_probs, self._nvec, self._single = log_probs, nvec, single

    def _shaped(self, action: Tensor) -> Tensor:
        return action.squeeze(-1) if self._single else action

    def sample(self, generator: Any) -> Tensor:
        """Draw actions, int64 [N] or [N, D]."""
        return self._shaped(F.sample_categoricals(self.log_probs, self._nvec, generator))

    def mode(self) -> Tensor:
        """Return the likeliest actions, int64 [N] or [N, D]."""
        return self._shaped(F.likeliest(self.log_probs, self._nvec))

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the log-probabilities [N] of actions."""
        return F.log_prob(self.log_probs, self._nvec, action[:, None] if self._single else action)

    def entropy(self) -> Tensor:
        """Return the entropies [N], summed over components."""
        return F.categorical_entropy(self.log_probs)

    def kl(self, other: "Categoricals") -> Tensor:
        """Return KL(self || other) [N], summed over components."""
        return F.categorical_kl(self.log_probs, other.log_probs)


class Normal:
    """Independent normal distributions of K components.

    Args:
        mean, log_std: [N, K].
    """

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.mean, self.log_std = mean, log_std

    def sample(self, generator: Any) -> Tensor:
        """Draw actions [N, K]; gradients flow into the parameters."""
        return self.mean + self.log_std.exp() * drawn(torch.randn, self.mean.shape, generator, self.mean)

    def mode(self) -> Tensor:
        """Return the means [N, K]."""
        return self.mean

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the log-densities [N] of actions [N, K]."""
        return F.normal_log_prob(action, self.mean, self.log_std)

    def entropy(self) -> Tensor:
        """Return the differential entropies [N]."""
        return F.normal_entropy(self.log_std)

    def kl(self, other: "Normal") -> Tensor:
        """Return KL(self || other) [N]."""
        return F.normal_kl(self.mean, self.log_std, other.mean, other.log_std)


class SquashedNormal:
    """The tanh of independent normal distributions: K components inside [-1, 1], and densities there.

    Args:
        mean, log_std: [N, K], before the tanh.
    """

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.base = Normal(mean, log_std)

    def sample(self, generator: Any) -> Tensor:
        """Draw actions [N, K]; gradients flow into the parameters."""
        return self.base.sample(generator).tanh()

    def rsample(self, generator: Any) -> tuple[Tensor, Tensor]:
        """Draw actions [N, K] with their log-densities [N]; gradients of both flow into the parameters.

        The densities are computed before the tanh, and so hold where it saturates.
        """
        u = self.base.sample(generator)
        return u.tanh(), self.base.log_prob(u) - F.log_tanh_slope(u).sum(-1)

    def mode(self) -> Tensor:
        """Return the tanh of the means [N, K], which are the medians."""
        return self.base.mean.tanh()

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the log-densities [N] of actions [N, K].

        An action that was rounded to a bound counts as the number next to it.
        """
        edge = 1.0 - torch.finfo(action.dtype).eps / 2.0
        u = torch.atanh(action.clamp(-edge, edge))
        return self.base.log_prob(u) - F.log_tanh_slope(u).sum(-1)

    def entropy(self) -> Tensor:
        """Return the differential entropies [N], at most K log 2, by Gauss-Hermite quadrature.

        It has no closed form. The error is below 1e-6 nats a component where std <= 1, 2e-4 up to 2, 0.1 up to e^2.
        """
        points, weights = (torch.as_tensor(x).to(self.base.mean) for x in hermite())
        u = self.base.mean[..., None] + self.base.log_std.exp()[..., None] * points
        return self.base.entropy() + (F.log_tanh_slope(u) * weights).sum((-2, -1))

    def kl(self, other: "SquashedNormal") -> Tensor:
        """Return KL(self || other) [N]: that before the tanh, which loses nothing."""
        return self.base.kl(other.base)


@cache
def hermite() -> tuple[Any, Any]:
    """Return 32 points and weights that integrate over a standard normal density."""
    points, weights = np.polynomial.hermite_e.hermegauss(32)
    return points, weights / weights.sum()


class Mixed:
    """Choices and numbers, independent of each other: rows of D choices and then K numbers, of the numbers' dtype.

    Args:
        discrete, continuous: The distributions of either.
        choices: D.
    """

    def __init__(self, discrete: Categoricals, continuous: Any, choices: int) -> None:
        self.discrete, self.continuous, self._choices = discrete, continuous, choices

    def _parts(self, action: Tensor) -> tuple[Tensor, Tensor]:
        return action[:, : self._choices].long(), action[:, self._choices :]

    def sample(self, generator: Any) -> Tensor:
        """Draw actions [N, D + K]."""
        return _row(self.discrete.sample(generator), self.continuous.sample(generator))

    def mode(self) -> Tensor:
        """Return the likeliest actions [N, D + K]."""
        return _row(self.discrete.mode(), self.continuous.mode())

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the sums [N] of log-probabilities and log-densities."""
        discrete, continuous = self._parts(action)
        total: Tensor = self.discrete.log_prob(discrete) + self.continuous.log_prob(continuous)
        return total

    def entropy(self) -> Tensor:
        """Return the sums [N] of entropies and differential entropies."""
        total: Tensor = self.discrete.entropy() + self.continuous.entropy()
        return total

    def kl(self, other: "Mixed") -> Tensor:
        """Return KL(self || other) [N]."""
        total: Tensor = self.discrete.kl(other.discrete) + self.continuous.kl(other.continuous)
        return total


def _row(choices: Tensor, numbers: Tensor) -> Tensor:
    return torch.cat([choices.to(numbers.dtype), numbers], -1)
