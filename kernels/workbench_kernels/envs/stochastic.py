"""workbench/Stochastic-v0: the absent-minded driver, whose best policy is mixed (Piccione and Rubinstein 1997).

A road has two exits that look alike. The first leads nowhere, the second home, and the road's end to a motel.

State: how many exits are passed, and whether the driver has left the road.
Observation: a constant 1: the exits cannot be told apart.
Actions: exit (0) or go on (1).
Reward: 0 at the first exit, 4 at the second, 1 at the end of the road. End: off the road, or behind the second exit.

Optimal return: 4/3, of the policies that see only the observation. Such a policy is one number, the probability p of
going on, and earns v(p) = 4 p (1 - p) + p**2 = 4 p - 3 p**2; v'(p) = 0 at p = 2/3, where v = 4/3. The two that are
deterministic earn v(0) = 0 and v(1) = 1, an undecided one v(1/2) = 5/4. All rewards but 0 fall on the second step, so
no discount moves the best p. (A policy that counts its steps is not absent-minded, and gets 4.)
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Line, Picture, Rectangle, Text
from workbench_kernels.spaces import Box, Discrete

PASSED, LEFT = range(2)
EXIT = 0
HOME, MOTEL, NOTHING, ONE = np.float32(4.0), np.float32(1.0), np.float32(0.0), np.float32(1.0)


def reset(i, state, random):
    """Put lane `i` before the first exit."""
    state[PASSED, i] = 0
    state[LEFT, i] = 0


def step(i, state, action, reward, terminated, random):
    """Exit or pass."""
    leaves = action[i] == EXIT
    second = state[PASSED, i] >= 1
    worth = HOME if leaves else MOTEL
    reward[i] = worth if second else NOTHING
    state[PASSED, i] += not leaves
    state[LEFT, i] = leaves
    terminated[i] = leaves | second


def observe(i, state, observation):
    """Show an exit, whichever it is."""
    observation[0, i] = ONE


PICTURE = Picture(
    width=200,
    height=80,
    shapes=(
        Line(10, 56, 190, 56, 12, "#b8b8b8"),
        Line(70, 56, 90, 24, 10, "#b8b8b8"),
        Line(130, 56, 150, 24, 10, "#b8b8b8"),
        Text(86, 12, "0", 9, "#303030"),
        Text(146, 12, "4", 9, "#303030"),
        Text(180, 38, "1", 9, "#303030"),
        Rectangle("where(left, 90 + 60 * passed, min(40 + 60 * passed, 180))", "56 - 32 * left", 18, 8, "#4a7fc8"),
    ),
)


def environment() -> Environment:
    """Build the absent-minded driver."""
    return Environment(
        id="workbench/Stochastic-v0",
        state=("passed", "left"),
        observation=Box((0.0,), (1.0,)),
        action=Discrete(2),
        time_limit=3,  # never reached: two steps end the episode
        reset=reset,
        step=step,
        observe=observe,
        integer=True,
        picture=PICTURE,
        optimal_return=4 / 3,
    )
