"""Policies and their gradients."""

import torch
from torch import Tensor


def standardise(x: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Return `x` [N] with mean 0 and standard deviation 1 (the biased estimate, so that N = 1 is defined)."""
    variance, mean = torch.var_mean(x, correction=0)
    return (x - mean) / (variance.sqrt() + epsilon)


def clipped_surrogate(ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """Return PPO's policy loss, to be minimised (Schulman et al. 2017, eq. 7).

    Args:
        ratio: [N], pi(a|s) / pi_old(a|s).
        advantage: [N].
        clip: Half-width of the trusted interval around 1.
    """
    return -torch.min(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage).mean()


def sample_categorical(log_probs: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one action [B] int64 from each row of `log_probs` [B, A], normalised, by inverting the distribution.

    The last action takes what rounding leaves of the unit interval, so every draw is valid.
    """
    uniform = torch.rand(log_probs.shape[0], 1, generator=generator, device=log_probs.device, dtype=log_probs.dtype)
    return (log_probs.exp().cumsum(-1)[:, :-1] <= uniform).sum(-1)


def explained_variance(prediction: Tensor, target: Tensor) -> Tensor:
    """Return 1 - Var(target - prediction) / Var(target).

    1 is perfect, 0 no better than the mean; nan or -inf for a constant target.
    """
    return 1.0 - (target - prediction).var(correction=0) / target.var(correction=0)
