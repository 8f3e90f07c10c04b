"""workbench/ConstantReward-v0: a reward of 1 for whatever one does; only a time limit ends it.

State: the episode's age in steps.
Observation: the age as a fraction of `limit`, 0 to 1.
Actions: two, which do nothing. Reward: 1 a step. End: never terminated, truncated after `limit` steps.

Optimal return: `limit`, undiscounted, of every policy. The discounted value is 1 / (1 - gamma) at every age: a time
limit is not part of the task, and bootstraps from the state it cut off (Pardo et al. 2018, arXiv:1712.00378). An
algorithm that takes the truncation for a termination finds (1 - gamma**n) / (1 - gamma), n steps before the limit.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Picture, Rectangle, Text
from workbench_kernels.spaces import Box, Discrete

AGE, LIMIT = range(2)
ZERO, ONE = np.float32(0.0), np.float32(1.0)

PICTURE = Picture(
    width=200,
    height=60,
    shapes=(
        Rectangle(100, 20, 160, 12, "#e0e0e0"),
        Rectangle("20 + 80 * age / limit", 20, "160 * age / limit", 12, "#4a7fc8"),
        Text(20, 44, "return {}", 8, "#303030", value="age"),
    ),
)


def reset(i, state, random):
    """Make lane `i` new."""
    state[AGE, i] = ZERO


def step(i, state, action, reward, terminated, random):
    """Grow older."""
    state[AGE, i] = min(state[AGE, i] + ONE, state[LIMIT, i])
    reward[i] = ONE
    terminated[i] = False


def observe(i, state, observation):
    """Show the age."""
    observation[0, i] = state[AGE, i] / state[LIMIT, i]


def environment(*, limit: int = 5) -> Environment:
    """Build the constant reward.

    Args:
        limit: Steps after which an episode is truncated, 1 to 2**24.

    Raises:
        ValueError: If the limit is out of range.
    """
    if not 1 <= limit <= 2**24:
        raise ValueError(f"limit={limit} is out of range; pass 1 to 2**24.")
    return Environment(
        id="workbench/ConstantReward-v0",
        state=("age",),
        observation=Box((0.0,), (1.0,)),
        action=Discrete(2),
        time_limit=limit,
        reset=reset,
        step=step,
        observe=observe,
        settings={"limit": limit},
        picture=PICTURE,
        optimal_return=float(limit),
        options={"limit": limit},
    )
