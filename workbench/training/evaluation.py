"""Evaluation: complete episodes of the greedy policy, in lanes of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from workbench.data import as_numpy
from workbench.errors import InputError
from workbench.spec import VectorEnvironment

MAX_LANES = 256

PATIENCE = 100
"""Steps at least that lanes without an agent are waited for."""


@dataclass(frozen=True)
class Evaluation:
    """Undiscounted returns [episodes] float64 and lengths [episodes] int64 (steps) of complete episodes."""

    returns: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(self.returns.mean())

    @property
    def std(self) -> float:
        """The standard deviation of the returns (of this sample, ddof 0)."""
        return float(self.returns.std())

    def __repr__(self) -> str:
        return f"Evaluation(mean={self.mean:.1f}, std={self.std:.1f}, episodes={len(self.returns)})"


def lanes_for(episodes: Any) -> int:
    """Return how many lanes play `episodes` episodes, each lane nearly as many as the others.

    Raises:
        InputError: If `episodes` is not a positive integer.
    """
    if isinstance(episodes, bool) or not isinstance(episodes, int | np.integer) or episodes < 1:
        raise InputError(f"episodes={episodes!r} is not a number of episodes; pass an integer of at least 1.")
    return min(int(episodes), MAX_LANES)


@torch.inference_mode()
def evaluate(
    algorithm: Any,
    env: VectorEnvironment,
    episodes: int,
    seed: int,
    device: torch.device,
    watch: Callable[[], bool] = lambda: True,
) -> Evaluation:
    """Play `episodes` episodes greedily; `watch`, called before each step, says whether to go on.

    How many each lane plays is fixed beforehand: taking the first ones to end would favour short episodes. Each of
    several agents plays episodes of its own; a lane that has been without an agent for as long as everything before
    took is not waited for.
    """
    quota = np.full(env.lanes, episodes // env.lanes)
    quota[: episodes % env.lanes] += 1
    returns: list[float] = []
    lengths: list[int] = []
    running_return, running_length = np.zeros(env.lanes), np.zeros(env.lanes, dtype=np.int64)
    env.reset(seed=seed)
    carry: Any = None
    step, busy = 0, 0
    first = torch.ones(env.lanes, dtype=torch.bool, device=device)
    while quota.any() and watch():
        step += 1
        if (env.active & (quota > 0)).any():
            busy = step
        elif step > 2 * busy + PATIENCE:
            break
        observation = torch.from_numpy(env.observation).to(device)
        mask = None if env.action_mask is None else torch.from_numpy(env.action_mask).to(device)
        running_length += env.active
        before = carry
        action, carry, _ = algorithm.act(observation, before, "greedy", mask, first)
        if isinstance(carry, torch.Tensor) and isinstance(before, torch.Tensor) and not env.active.all():
            carry = torch.where(torch.from_numpy(env.active).to(device)[:, None], carry, before)
        waiting = first.cpu().numpy() & ~env.active
        env.step(as_numpy(action))
        running_return += env.reward
        ended = env.terminated | env.truncated
        first.copy_(torch.from_numpy(ended | waiting))
        counted = ended & (quota > 0)
        returns.extend(running_return[counted])
        lengths.extend(running_length[counted])
        quota -= counted
        running_return[ended] = 0.0
        running_length[ended] = 0
    return Evaluation(np.array(returns), np.array(lengths))
