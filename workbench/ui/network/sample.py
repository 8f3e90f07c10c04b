"""What must be taken between two iterations to look at a network in peace afterwards. N: observations."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.networks.inspection import Layer, inspect, learned
from workbench.ui.scene.moment import copied

OBSERVATIONS = 256
"""Of the lanes, at most, that are put through the network."""


@dataclass(frozen=True)
class Sample:
    """A copy of what is looked at.

    Attributes:
        algorithm: With weights of its own.
        steps: That it had learned from.
        gradients: L2 norms of the newest update's gradient, by parameter.
        shown: The observations [N, R] of lanes, with what else the policy is given: carry, mask, first; or None each.
        seconds: Of a core, that training waited for it; 0 where it rested.
    """

    algorithm: Any
    steps: int
    gradients: dict[str, float]
    shown: tuple[Any, Any, Any, Any]
    seconds: float

    def layers(self) -> tuple[Layer, ...]:
        """Look at it, on any thread."""
        return inspect(networks_of(self.algorithm), self.gradients, self._think)

    def _think(self) -> Any:
        """Put the observations through the networks, drawing nothing."""
        observation, carry, mask, first = self.shown
        if hasattr(self.algorithm, "outlook"):
            return self.algorithm.outlook(observation, carry, mask, first)
        return self.algorithm.act(observation, carry, "greedy", mask, first)


def networks_of(algorithm: Any) -> dict[str, torch.nn.Module]:
    """Return those parts of an algorithm that learn, of what it saves."""
    parts = {name: getattr(algorithm, name) for name in algorithm.saved}
    return {
        name: part
        for name, part in parts.items()
        if isinstance(part, torch.nn.Module) and any(x.requires_grad for x in part.parameters())
    }


def sample_of(trainer: Any) -> Sample:
    """Take a sample, on training's thread between two iterations; nothing is changed or drawn."""
    started = time.thread_time()
    norms = trainer.loop.learner.gradient_norms()
    named = learned(networks_of(trainer.algorithm))
    gradients = {name: norms[parameter] for name, parameter in named if parameter in norms}
    shown = _shown(trainer)
    algorithm = copied(trainer.algorithm)
    seconds = time.thread_time() - started if trainer.status == "running" else 0.0
    return Sample(algorithm, trainer.steps, gradients, shown, seconds)


def _shown(trainer: Any) -> tuple[Any, Any, Any, Any]:
    env, source, device = trainer.env, trainer.loop.learner.source, trainer.device
    there = np.flatnonzero(env.active)
    rows = there[np.linspace(0, len(there) - 1, min(len(there), OBSERVATIONS)).astype(int)]

    def taken(x: Any) -> Any:
        if x is None or len(rows) == 0:
            return None
        x = torch.from_numpy(x) if isinstance(x, np.ndarray) else x
        return x[torch.from_numpy(rows).to(x.device)].to(device)

    carry, first = getattr(source, "carry", None), getattr(source, "first", None)
    carry = taken(carry) if isinstance(carry, torch.Tensor) else None
    first = taken(first) if isinstance(first, torch.Tensor) else None
    observation = torch.from_numpy(env.observation[rows]).to(device)
    return observation, carry, taken(env.action_mask), first
