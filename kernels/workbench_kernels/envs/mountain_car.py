"""MountainCar-v0: rock an underpowered car out of a valley (Moore 1990), step for step Gymnasium's.

State and observation: position, its velocity [per step]. The road's height is 0.45 * sin(3 * position) + 0.55.
Actions: push to the left (0), not at all (1), to the right (2). Reward: -1 a step, the last one included.
End: position 0.5 is reached with at least the goal velocity. Option: `goal_velocity`.
"""

import math

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.mathematics import cosine
from workbench_kernels.pictures import Circle, Line, Picture, Polygon, Rectangle
from workbench_kernels.rng import uniform
from workbench_kernels.spaces import Box, Discrete

POSITION, VELOCITY, GOAL_VELOCITY = range(3)
FORCE = np.float32(0.001)
GRAVITY = np.float32(0.0025)
SPEED_LIMIT = np.float32(0.07)
LEFT_END = np.float32(-1.2)
RIGHT_END = np.float32(0.6)
GOAL = np.float32(0.5)
ZERO = np.float32(0.0)
ONE = np.float32(1.0)
THREE = np.float32(3.0)
SPREAD = np.float32(0.2)
START = np.float32(-0.6)


def reset(i, state, random):
    """Start lane `i` at rest, at a position uniform on [-0.6, -0.4)."""
    state[POSITION, i] = uniform(i, random) * SPREAD + START
    state[VELOCITY, i] = ZERO


def drive(i, state, push):
    """Move the car of lane `i` by one step under the acceleration `push` and gravity; return its position and velocity.

    The left end of the road stops the car.
    """
    position = state[POSITION, i]
    velocity = state[VELOCITY, i] + (push - GRAVITY * cosine(THREE * position))
    velocity = min(max(velocity, -SPEED_LIMIT), SPEED_LIMIT)
    position = min(max(position + velocity, LEFT_END), RIGHT_END)
    velocity = ZERO if (position <= LEFT_END) & (velocity < ZERO) else velocity
    state[POSITION, i] = position
    state[VELOCITY, i] = velocity
    return position, velocity


def step(i, state, action, reward, terminated, random):
    """Advance lane `i` by one step."""
    position, velocity = drive(i, state, (np.float32(action[i]) - ONE) * FORCE)
    terminated[i] = (position >= GOAL) & (velocity >= state[GOAL_VELOCITY, i])
    reward[i] = -ONE


def observe(i, state, observation):
    """Show position and velocity."""
    observation[0, i] = state[POSITION, i]
    observation[1, i] = state[VELOCITY, i]


def check_goal_velocity(goal_velocity: float) -> None:
    """Raise ValueError if the car cannot be as fast as `goal_velocity`."""
    if not abs(goal_velocity) <= 0.07:
        raise ValueError(f"goal_velocity={goal_velocity} is beyond the car's speed; pass -0.07 to 0.07.")


def picture(goal: float) -> Picture:
    """Draw the road, the car and a flag at the position `goal`."""
    scale = 300 / 1.8

    def across(position: float) -> float:
        return (position + 1.2) * scale

    def down(position: float) -> float:
        return 200 - (0.45 * math.sin(3 * position) + 0.55) * scale

    def on_car(along: float, above: float) -> tuple[str, str]:
        """Return the point `along` the car and `above` its foot; the car is turned by cos(3 * position)."""
        x, y = f"{scale} * (position + 1.2)", f"{195 - 0.55 * scale} - {0.45 * scale} * sin(3 * position)"
        tilt = "cos(3 * position)"
        return (
            f"{x} + {along} * cos({tilt}) - {above} * sin({tilt})",
            f"{y} - {along} * sin({tilt}) - {above} * cos({tilt})",
        )

    road = np.linspace(-1.2, 0.6, 37)
    foot, top = down(goal), down(goal) - 25
    return Picture(
        width=300,
        height=200,
        shapes=(
            *(
                Line(across(a), down(a), across(b), down(b), 0.5, "#000000")
                for a, b in zip(road[:-1].tolist(), road[1:].tolist(), strict=True)
            ),
            Rectangle(*on_car(0, 5), 20, 10, "#000000", angle="-cos(3 * position)"),
            Circle(*on_car(5, 0), 4, "#808080"),
            Circle(*on_car(-5, 0), 4, "#808080"),
            Line(across(goal), foot, across(goal), top, 0.5, "#000000"),
            Polygon(((across(goal), top), (across(goal), top + 5), (across(goal) + 12.5, top + 2.5)), "#cccc00"),
        ),
    )


def environment(*, goal_velocity: float = 0.0) -> Environment:
    """Build MountainCar-v0.

    Args:
        goal_velocity: The least velocity that counts as an arrival.

    Raises:
        ValueError: If the car cannot be as fast.
    """
    check_goal_velocity(goal_velocity)
    return Environment(
        id="MountainCar-v0",
        state=("position", "velocity"),
        settings={"goal_velocity": goal_velocity},
        observation=Box(low=(-1.2, -0.07), high=(0.6, 0.07)),
        action=Discrete(3),
        time_limit=200,
        reset=reset,
        step=step,
        observe=observe,
        picture=picture(0.5),
        options={"goal_velocity": goal_velocity},
    )
