"""workbench/Bandit-v0: pull one of several arms, each of which pays 1 with a probability of its own (Robbins 1952).

State: the arm pulled, -1 before, and whether it paid.
Observation: a constant 1: there is nothing to see.
Actions: `arms` arms. Arm k pays with probability (rank + 1) / (arms + 1), rank = (k + (arms - 1) // 2) mod arms: with
four arms 2/5, 3/5, 4/5 and 1/5. The best is in the middle, so that neither the first nor the last arm is right.
Reward: 1 or 0. End: after one pull.

Optimal return: arms / (arms + 1), the mean of the best arm. An arm at random earns 1/2.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Picture, Rectangle, Text
from workbench_kernels.rng import draw, low_integer
from workbench_kernels.spaces import Box, Discrete

ARM, WON, ARMS, SHIFT = range(4)
ONE = np.float32(1.0)


def reset(i, state, random):
    """Forget the last pull of lane `i`."""
    state[ARM, i] = -1
    state[WON, i] = 0


def step(i, state, action, reward, terminated, random):
    """Pull an arm: it pays where one of `arms` + 1 equally likely numbers is at most its rank."""
    arms, arm = state[ARMS, i], action[i]
    shifted = arm + state[SHIFT, i]
    rank = shifted - arms if shifted >= arms else shifted
    won = low_integer(draw(i, random), arms + 1) <= rank
    state[ARM, i] = arm
    state[WON, i] = won
    reward[i] = np.float32(won)
    terminated[i] = True


def observe(i, state, observation):
    """Show nothing."""
    observation[0, i] = ONE


def means(arms: int) -> list[float]:
    """Return the probability that each arm pays."""
    return [((arm + (arms - 1) // 2) % arms + 1) / (arms + 1) for arm in range(arms)]


def picture(arms: int) -> Picture:
    """Draw the means as bars, the arm pulled in blue."""
    width = 160 / arms
    bars = tuple(
        Rectangle(
            20 + width * (arm + 0.5),
            90 - 35 * mean,
            0.8 * width,
            70 * mean,
            ("#c8c8c8", "#4a7fc8"),
            index=f"arm == {arm}",
        )
        for arm, mean in enumerate(means(arms))
    )
    reward = Text(20, 108, "reward {}", 8, "#303030", value="won", visible="arm >= 0")
    return Picture(width=200, height=120, shapes=(*bars, reward))


def environment(*, arms: int = 4) -> Environment:
    """Build the bandit.

    Args:
        arms: How many arms there are, at least 2.

    Raises:
        ValueError: If there is no choice.
    """
    if arms < 2:
        raise ValueError(f"arms={arms} leaves no choice; pass at least 2.")
    return Environment(
        id="workbench/Bandit-v0",
        state=("arm", "won"),
        observation=Box((0.0,), (1.0,)),
        action=Discrete(arms),
        time_limit=2,  # never reached: one pull ends the episode
        reset=reset,
        step=step,
        observe=observe,
        settings={"arms": arms, "shift": (arms - 1) // 2},
        integer=True,
        picture=picture(arms),
        optimal_return=arms / (arms + 1),
        options={"arms": arms},
    )
