"""What a policy's last layer means: distributions over the actions of a space. N: rows, A: choices, D: components.

A head says how many numbers it wants of a network, makes a distribution of them, and says what of a sampled action the
environment gets. A sample is what log-probabilities are asked of, and what learners keep.
"""

from collections.abc import Callable
from typing import Any, Protocol

import gymnasium
from torch import Tensor, nn

import workbench.functional as F
from workbench.errors import InputError


class Distribution(Protocol):
    """Of N actions, independent of each other."""

    def sample(self, generator: Any) -> Tensor:
        """Draw actions, [N] or [N, D]."""

    def mode(self) -> Tensor:
        """Return the likeliest actions."""

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the log-probability or log-density [N] of sampled actions, in nats."""

    def entropy(self) -> Tensor:
        """Return the entropies [N], in nats."""


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
        return -(self.log_probs.exp() * self.log_probs).sum(-1)


class CategoricalHead(nn.Module):
    """Choices: Discrete and MultiDiscrete."""

    def __init__(self, space: Any) -> None:
        super().__init__()
        self._single = isinstance(space, gymnasium.spaces.Discrete)
        self.nvec = (int(space.n),) if self._single else tuple(map(int, space.nvec))
        self.outputs = sum(self.nvec)

    def forward(self, out: Tensor, mask: Tensor | None = None) -> Categoricals:
        """Make a distribution of logits [N, A]; `mask` [N, A] bool says which choices are legal."""
        return Categoricals(F.split_log_softmax(out, self.nvec, mask), self.nvec, self._single)

    def outward(self, action: Tensor) -> Tensor:
        """Return what the environment gets: the choices themselves."""
        return action


HEADS: dict[type, Callable[[Any], nn.Module]] = {
    gymnasium.spaces.Discrete: CategoricalHead,
    gymnasium.spaces.MultiDiscrete: CategoricalHead,
}


def head_for(space: Any, owner: str) -> Any:
    """Build the head for a flat action space (`workbench.actions.ActionHeads.space`).

    Args:
        space: The space.
        owner: Who asks, for the error.

    Raises:
        InputError: If there is none for it.
    """
    if type(space) not in HEADS:
        raise InputError(f"action space {space} is not discrete; {owner} needs Discrete or MultiDiscrete.")
    return HEADS[type(space)](space)
