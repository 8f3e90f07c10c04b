"""workbench/Identity-v0: answer with the number that is shown; the smallest task with continuous actions.

State: the numbers, and the action taken, 0 before.
Observation: the numbers, [components], each uniform on [-1, 1).
Actions: [components] from -1 to 1.
Reward: minus the squared distance between action and numbers. End: after one step.

Optimal return: 0, by the action that is the observation. Without looking, 0 is the best action and earns the numbers'
variance, -components / 3.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Line, Picture, Rectangle
from workbench_kernels.rng import uniform
from workbench_kernels.spaces import Box

ZERO, ONE, TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)


def reset(i, state, random):
    """Choose the numbers of lane `i`."""
    components = state.shape[0] // 2
    for k in range(components):
        state[k, i] = TWO * uniform(i, random) - ONE
        state[components + k, i] = ZERO


def step(i, state, action, reward, terminated, random):
    """Measure how far off the action is."""
    components = action.shape[0]
    distance = ZERO
    for k in range(components):
        difference = action[k, i] - state[k, i]
        distance += difference * difference
        state[components + k, i] = action[k, i]
    reward[i] = -distance
    terminated[i] = True


def observe(i, state, observation):
    """Show the numbers."""
    for k in range(observation.shape[0]):
        observation[k, i] = state[k, i]


def picture(components: int) -> Picture:
    """Draw a line for each component, the number grey and the action blue."""
    shapes: list[Line | Rectangle] = []
    apart = 80 / components
    for k in range(components):
        y = 10 + apart * (k + 0.5)
        shapes.append(Line(20, y, 180, y, 1, "#a0a0a0"))
        shapes.append(Rectangle(f"100 + 80 * number_{k}", y, 10, 0.8 * apart, "#b8b8b8"))
        shapes.append(Rectangle(f"100 + 80 * action_{k}", y, 4, 0.6 * apart, "#4a7fc8"))
    return Picture(width=200, height=100, shapes=tuple(shapes))


def environment(*, components: int = 1) -> Environment:
    """Build Identity.

    Args:
        components: Numbers to answer at once, at least 1.

    Raises:
        ValueError: If there is nothing to answer.
    """
    if components < 1:
        raise ValueError(f"components={components} leaves nothing to answer; pass at least 1.")
    numbers = tuple(f"number_{k}" for k in range(components))
    return Environment(
        id="workbench/Identity-v0",
        state=(*numbers, *(f"action_{k}" for k in range(components))),
        observation=Box(-1.0, 1.0, shape=(components,)),
        action=Box(-1.0, 1.0, shape=(components,)),
        time_limit=2,  # never reached: one action ends the episode
        reset=reset,
        step=step,
        observe=observe,
        picture=picture(components),
        optimal_return=0.0,
        options={"components": components},
    )
