"""workbench/RandomWalk-v0: a chain along which chance alone moves (Sutton and Barto 2018, example 6.2).

State: the place, 0 and `states` + 1 being the ends.
Observation: [states], the place one-hot; all 0 at an end.
Actions: two, which do nothing: a step goes left or right with probability 1/2.
Reward: 1 on reaching the right end, else 0. End: at either end. Episodes start in the middle.

True values (undiscounted, of every policy): k / (states + 1) for place k from the left, as v(k) is the mean of its
neighbours' values and the ends' are 0 and 1. The optimal return is that of the middle, 1/2. With the -1 at the left
end that the book's 19 states have (example 7.1), values are 2 v - 1.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Line, Picture, Rectangle, Text
from workbench_kernels.rng import integer
from workbench_kernels.spaces import Box, Discrete

PLACE, STATES = range(2)


def reset(i, state, random):
    """Put lane `i` into the middle."""
    state[PLACE, i] = (state[STATES, i] + 1) >> 1


def step(i, state, action, reward, terminated, random):
    """Go left or right."""
    end = state[STATES, i] + 1
    place = state[PLACE, i] + 2 * integer(i, random, 2) - 1
    place = min(max(place, 0), end)
    state[PLACE, i] = place
    reward[i] = np.float32(place == end)
    terminated[i] = (place == 0) | (place == end)


def observe(i, state, observation):
    """Show the place."""
    for k in range(observation.shape[0]):
        observation[k, i] = np.float32(state[PLACE, i] == k + 1)


def values(states: int) -> list[float]:
    """Return the true values, from left to right."""
    return [k / (states + 1) for k in range(1, states + 1)]


def picture(states: int) -> Picture:
    """Draw the chain, its ends, and the walker."""
    apart = 180 / (states + 1)
    radius = min(8.0, 0.3 * apart)
    places = tuple(Circle(10 + apart * k, 40, radius, "#d0d0d0") for k in range(1, states + 1))
    ends = (Rectangle(10, 40, 2 * radius, 2 * radius, "#707070"), Rectangle(190, 40, 2 * radius, 2 * radius, "#5aa469"))
    words = (Text(7, 64, "0", 8, "#303030"), Text(187, 64, "1", 8, "#303030"))
    walker = Circle(f"10 + {apart} * place", 40, 1.2 * radius, "#4a7fc8")
    return Picture(width=200, height=80, shapes=(Line(10, 40, 190, 40, 1, "#a0a0a0"), *places, *ends, *words, walker))


def environment(*, states: int = 5) -> Environment:
    """Build the random walk.

    Args:
        states: Places that are not ends, odd, at least 3.

    Raises:
        ValueError: If the chain has no middle.
    """
    if states < 3 or states % 2 == 0:
        raise ValueError(f"states={states} has no middle to start in; pass an odd number of at least 3.")
    return Environment(
        id="workbench/RandomWalk-v0",
        state=("place",),
        observation=Box(0.0, 1.0, shape=(states,)),
        action=Discrete(2),
        # Still on the way by then with probability below 4/pi * cos(pi / (states + 1)) ** time_limit < 1e-200.
        time_limit=100 * (states + 1) ** 2,
        reset=reset,
        step=step,
        observe=observe,
        settings={"states": states},
        integer=True,
        picture=picture(states),
        optimal_return=0.5,
        options={"states": states},
    )
