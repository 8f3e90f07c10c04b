"""workbench/ContextualBandit-v0: pull one of several arms, where a context decides how well each pays.

State: the context, the arm that is best in it, the arm pulled, -1 before, and whether it paid.
Observation: the context, one-hot, [contexts].
Actions: `arms` arms. In context c the best is c mod arms; an arm k pays with probability (rank + 1) / (arms + 1),
rank = (k - c - 1) mod arms.
Reward: 1 or 0. End: after one pull. The context of an episode is uniform.

Optimal return: arms / (arms + 1), the mean of the best arm in every context. Where arms divides contexts, each arm
has each rank equally often: without looking at the context, all policies earn 1/2.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Picture, Rectangle, Text
from workbench_kernels.rng import draw, integer, low_integer
from workbench_kernels.spaces import Box, Discrete

CONTEXT, BEST, ARM, WON, ARMS, CONTEXTS = range(6)


def reset(i, state, random):
    """Choose a context for lane `i`."""
    context = integer(i, random, state[CONTEXTS, i])
    state[CONTEXT, i] = context
    state[BEST, i] = context % state[ARMS, i]
    state[ARM, i] = -1
    state[WON, i] = 0


def step(i, state, action, reward, terminated, random):
    """Pull an arm: it pays where one of `arms` + 1 equally likely numbers is at most its rank."""
    arms, arm = state[ARMS, i], action[i]
    ahead = arm - state[BEST, i] - 1
    rank = ahead + arms if ahead < 0 else ahead
    won = low_integer(draw(i, random), arms + 1) <= rank
    state[ARM, i] = arm
    state[WON, i] = won
    reward[i] = np.float32(won)
    terminated[i] = True


def observe(i, state, observation):
    """Show the context."""
    for k in range(observation.shape[0]):
        observation[k, i] = np.float32(state[CONTEXT, i] == k)


def picture(contexts: int, arms: int) -> Picture:
    """Draw the contexts above the arms: the context in orange, the arm pulled in blue, the best one underlined."""
    across, along = 160 / contexts, 160 / arms
    above = tuple(
        Circle(20 + across * (c + 0.5), 30, min(12, 0.4 * across), ("#e0e0e0", "#e08a3c"), index=f"context == {c}")
        for c in range(contexts)
    )
    below = tuple(
        Rectangle(20 + along * (k + 0.5), 70, 0.8 * along, 24, ("#e0e0e0", "#4a7fc8"), index=f"arm == {k}")
        for k in range(arms)
    )
    best = Rectangle(f"20 + {along} * (best + 0.5)", 87, 0.8 * along, 4, "#303030")
    reward = Text(20, 106, "reward {}", 8, "#303030", value="won", visible="arm >= 0")
    return Picture(width=200, height=120, shapes=(*above, *below, best, reward))


def environment(*, contexts: int = 4, arms: int = 4) -> Environment:
    """Build the contextual bandit.

    Args:
        contexts: How many contexts there are, at least 2.
        arms: How many arms there are, at least 2.

    Raises:
        ValueError: If there is no choice or nothing to tell apart.
    """
    if contexts < 2:
        raise ValueError(f"contexts={contexts} tells nothing; pass at least 2.")
    if arms < 2:
        raise ValueError(f"arms={arms} leaves no choice; pass at least 2.")
    return Environment(
        id="workbench/ContextualBandit-v0",
        state=("context", "best", "arm", "won"),
        observation=Box(0.0, 1.0, shape=(contexts,)),
        action=Discrete(arms),
        time_limit=2,  # never reached: one pull ends the episode
        reset=reset,
        step=step,
        observe=observe,
        settings={"arms": arms, "contexts": contexts},
        integer=True,
        picture=picture(contexts, arms),
        optimal_return=arms / (arms + 1),
        options={"contexts": contexts, "arms": arms},
    )
