"""What a policy gradient with a trusted region minimises, row by row. N: transitions of a minibatch."""

import torch
from torch import Tensor


def clipped_surrogate(ratio: Tensor, advantage: Tensor, clip: float, dual_clip: float = 0.0) -> Tensor:
    """Return PPO's policy loss [N], to be minimised in the mean (Schulman et al. 2017, eq. 7).

    Where the advantage is negative, the loss grows with the ratio without bound. The dual clip (Ye et al. 2020,
    arXiv:1912.09729, eq. 5) bounds it by -dual_clip * advantage, beyond which there is no gradient.

    Args:
        ratio: [N], pi(a|s) / pi_old(a|s).
        advantage: [N].
        clip: Half-width of the trusted interval around 1.
        dual_clip: More than 1, 3 in the paper; 0 leaves it out.
    """
    gain = torch.min(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage)
    if dual_clip > 0.0:
        gain = torch.where(advantage < 0.0, torch.max(gain, dual_clip * advantage), gain)
    return -gain


def squared_error(value: Tensor, target: Tensor, old: Tensor, clip: float = 0.0) -> Tensor:
    """Return half the squared error [N] of a value; or the greater one of it and of the value kept near the old one.

    The second is OpenAI Baselines' clipping: there is no gradient where a value has left the interval towards its
    target.

    Args:
        value, target: [N], discounted return.
        old: [N], the value when the transition was collected.
        clip: Half-width of the interval around `old`; 0 leaves it out.
    """
    error = (value - target).square()
    if clip > 0.0:
        error = torch.max(error, (old + (value - old).clamp(-clip, clip) - target).square())
    return 0.5 * error


def kl_estimate(log_ratio: Tensor) -> Tensor:
    """Return the estimates [N] of KL(pi_old || pi) in nats, for actions that pi_old drew (Schulman 2020).

    ratio - 1 - log(ratio) is never negative; its mean and the gradient of that are unbiased.

    Args:
        log_ratio: [N], log pi(a|s) - log pi_old(a|s).
    """
    return log_ratio.exp() - 1.0 - log_ratio
