"""Densities, entropies and divergences of a policy's actions, in nats. N: rows, A: choices, K: components.

Components are independent, so that what is of a row is a sum over them.
"""

import math

import torch
from torch import Tensor

LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def categorical_entropy(log_probs: Tensor) -> Tensor:
    """Return the entropies [N] of normalised `log_probs` [N, A], which are finite where the probability is 0."""
    return -(log_probs.exp() * log_probs).sum(-1)


def categorical_kl(p: Tensor, q: Tensor) -> Tensor:
    """Return KL(p || q) [N] of normalised log-probabilities [N, A], which are finite where the probability is 0."""
    return (p.exp() * (p - q)).sum(-1)


def normal_log_prob(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the log-density [N] of `x` [N, K] under normal distributions with `mean` and `log_std` [N, K]."""
    return (-0.5 * ((x - mean) * torch.exp(-log_std)).square() - log_std - LOG_ROOT_TWO_PI).sum(-1)


def normal_entropy(log_std: Tensor) -> Tensor:
    """Return the differential entropies [N] of normal distributions with `log_std` [N, K]."""
    return (log_std + (0.5 + LOG_ROOT_TWO_PI)).sum(-1)


def normal_kl(mean: Tensor, log_std: Tensor, other_mean: Tensor, other_log_std: Tensor) -> Tensor:
    """Return the divergence KL(self || other) [N] of normal distributions with means and log_stds [N, K]."""
    square = torch.exp(2.0 * (log_std - other_log_std)) + ((mean - other_mean) * torch.exp(-other_log_std)).square()
    return (other_log_std - log_std + 0.5 * (square - 1.0)).sum(-1)


def log_tanh_slope(u: Tensor) -> Tensor:
    """Return log(1 - tanh(u)^2), elementwise and without the cancellation (Haarnoja et al. 2018, appendix C)."""
    return 2.0 * (math.log(2.0) - u - torch.nn.functional.softplus(-2.0 * u))
