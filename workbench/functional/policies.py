"""Policies and their gradients."""

import torch
from torch import Tensor

from workbench.processes import drawn


def standardise(x: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Return `x` [N] with mean 0 and standard deviation 1 (the biased estimate, so that N = 1 is defined)."""
    variance, mean = torch.var_mean(x, correction=0)
    return (x - mean) / (variance.sqrt() + epsilon)


def sample_categorical(log_probs: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one action [B] int64 from each row of `log_probs` [B, A], normalised, by inverting the distribution.

    What rounding leaves of the unit interval is nobody's: an action of probability 0 is never drawn.
    """
    uniform = drawn(torch.rand, (log_probs.shape[0], 1), generator, log_probs)
    cumulative = log_probs.exp().cumsum(-1)
    return (cumulative[:, :-1] <= uniform * cumulative[:, -1:]).sum(-1)


def split_log_softmax(logits: Tensor, nvec: tuple[int, ...], mask: Tensor | None = None) -> Tensor:
    """Normalise the logits of each component of a multi-discrete action.

    Args:
        logits: [N, sum(nvec)], the components side by side.
        nvec: How many choices each component has.
        mask: [N, sum(nvec)] bool, what is legal; everything if None. An illegal choice gets probability 0.

    Returns:
        Log-probabilities [N, sum(nvec)], in nats.
    """
    if mask is not None:
        # Finite, so that p log p is 0 and not a NaN where p is 0.
        logits = logits.masked_fill(~mask, -1e9)
    if len(nvec) == 1:
        return torch.log_softmax(logits, -1)
    return torch.cat([torch.log_softmax(part, -1) for part in logits.split(nvec, -1)], -1)


def sample_categoricals(log_probs: Tensor, nvec: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw each component [B, D] int64 of actions from `log_probs` [B, sum(nvec)]; see `sample_categorical`."""
    return torch.stack([sample_categorical(part, generator) for part in log_probs.split(nvec, -1)], -1)


def likeliest(log_probs: Tensor, nvec: tuple[int, ...]) -> Tensor:
    """Return the likeliest choice [B, D] int64 of each component."""
    return torch.stack([part.argmax(-1) for part in log_probs.split(nvec, -1)], -1)


def log_prob(log_probs: Tensor, nvec: tuple[int, ...], action: Tensor) -> Tensor:
    """Return the log-probability [N] of `action` [N, D], whose components are independent."""
    parts = log_probs.split(nvec, -1)
    return torch.stack([x.gather(-1, action[:, k : k + 1]) for k, x in enumerate(parts)]).sum(0).squeeze(-1)


def explained_variance(prediction: Tensor, target: Tensor) -> Tensor:
    """Return 1 - Var(target - prediction) / Var(target).

    1 is perfect, 0 no better than the mean; nan or -inf for a constant target.
    """
    return 1.0 - (target - prediction).var(correction=0) / target.var(correction=0)
