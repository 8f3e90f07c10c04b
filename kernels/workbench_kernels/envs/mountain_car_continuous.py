"""MountainCarContinuous-v0: rock an underpowered car out of a valley with little force, step for step Gymnasium's.

State, observation and road: as in MountainCar-v0. Action: the force, from -1 to 1. Reward: -0.1 * force**2 a step, and
100 for the one that ends the episode. End: position 0.45 is reached with at least the goal velocity.
Option: `goal_velocity`.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.envs.mountain_car import GOAL_VELOCITY, check_goal_velocity, drive, observe, picture, reset
from workbench_kernels.spaces import Box

POWER = np.float32(0.0015)
GOAL = np.float32(0.45)
ZERO = np.float32(0.0)
ONE = np.float32(1.0)
EFFORT_COST = np.float32(0.1)
PRIZE = np.float32(100.0)


def step(i, state, action, reward, terminated, random):
    """Advance lane `i` by one step. A force out of bounds is clipped, and paid for as asked."""
    asked = action[0, i]
    position, velocity = drive(i, state, min(max(asked, -ONE), ONE) * POWER)
    arrived = (position >= GOAL) & (velocity >= state[GOAL_VELOCITY, i])
    terminated[i] = arrived
    reward[i] = (PRIZE if arrived else ZERO) - asked * asked * EFFORT_COST


def environment(*, goal_velocity: float = 0.0) -> Environment:
    """Build MountainCarContinuous-v0.

    Args:
        goal_velocity: The least velocity that counts as an arrival.

    Raises:
        ValueError: If the car cannot be as fast.
    """
    check_goal_velocity(goal_velocity)
    return Environment(
        id="MountainCarContinuous-v0",
        state=("position", "velocity"),
        settings={"goal_velocity": goal_velocity},
        observation=Box(low=(-1.2, -0.07), high=(0.6, 0.07)),
        action=Box(low=(-1.0,), high=(1.0,)),
        time_limit=999,
        reset=reset,
        step=step,
        observe=observe,
        picture=picture(0.45),
        options={"goal_velocity": goal_velocity},
    )
