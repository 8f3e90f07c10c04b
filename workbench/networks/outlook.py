"""What a policy thinks of what it sees, in numbers that people can look at. N: rows, A: choices, K: numbers."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.networks.distributions import Categoricals, Mixed, SquashedNormal, hermite


@dataclass(frozen=True)
class Outlook:
    """What a policy makes of N observations.

    Attributes:
        policy: The distribution of the N actions.
        head: Made it, and makes what the environment gets of samples (`workbench.networks.heads`).
        value: [N], the expected discounted return.
        carry: What the next step is to be given.
    """

    policy: Any
    head: Any
    value: Tensor
    carry: Any = None

    @torch.inference_mode()
    def choose(self, mode: str, generator: torch.Generator | None = None) -> Any:
        """Return actions as the environment gets them: the likeliest ("greedy"), or drawn ("sample")."""
        return self.head.outward(self.policy.mode() if mode == "greedy" else self.policy.sample(generator))

    @torch.inference_mode()
    def numbers(self) -> Tensor:
        """Return the distribution as rows of numbers [N, A + 2 K].

        First the probabilities of the choices, component by component; then K means and K standard deviations in the
        environment's units. Of a squashed policy they are those of what the environment gets, by quadrature; of others
        those of what is sampled, before it is clipped to the bounds.
        """
        return torch.cat(_parts(self.policy, self.head), -1).float()


def _parts(policy: Any, head: Any) -> list[Tensor]:
    if isinstance(policy, Mixed):
        return [policy.discrete.log_probs.exp(), *_parts(policy.continuous, head.continuous)]
    if isinstance(policy, Categoricals):
        return [policy.log_probs.exp()]
    mean, std = _squashed(policy) if isinstance(policy, SquashedNormal) else (policy.mean, policy.log_std.exp())
    return [head.outward.centre + head.outward.scale * mean, head.outward.scale * std]


def _squashed(policy: SquashedNormal) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation [N, K] of the tanh of a normal distribution, by Gauss-Hermite quadrature."""
    points, weights = (torch.as_tensor(x).to(policy.base.mean) for x in hermite())
    drawn = torch.tanh(policy.base.mean[..., None] + policy.base.log_std.exp()[..., None] * points)
    mean = (drawn * weights).sum(-1)
    return mean, ((drawn - mean[..., None]).square() * weights).sum(-1).sqrt()
