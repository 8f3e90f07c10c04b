"""Pendulum-v1: swing a pendulum up with little torque and hold it there, step for step Gymnasium's.

State: angle from upright [rad], its velocity [rad/s]. Observation: cosine and sine of the angle, the velocity.
Action: the torque, from -2 to 2 N m. Reward: -(angle**2 + 0.1 * velocity**2 + 0.001 * torque**2), of the state before
the step, the angle taken in [-pi, pi]. No end but the time limit. The pendulum is 1 m long and weighs 1 kg.
Option: `g`, the acceleration of gravity [m/s**2].
"""

import math

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.mathematics import sine, sine_cosine, wrap_angle
from workbench_kernels.pictures import Circle, Line, Picture
from workbench_kernels.rng import draw, high_uniform, low_uniform
from workbench_kernels.spaces import Box

THETA, THETA_DOT, GRAVITY = range(3)
TORQUE_LIMIT = np.float32(2.0)
SPEED_LIMIT = np.float32(8.0)
TAU = np.float32(0.05)
THREE_HALVES = np.float32(1.5)
THREE = np.float32(3.0)
SPEED_COST = np.float32(0.1)
TORQUE_COST = np.float32(0.001)
ONE = np.float32(1.0)
TWO = np.float32(2.0)
PI = np.float32(np.pi)


def reset(i, state, random):
    """Start lane `i` at an angle uniform on [-pi, pi) with a velocity uniform on [-1, 1)."""
    bits = draw(i, random)
    state[THETA, i] = (TWO * low_uniform(bits) - ONE) * PI
    state[THETA_DOT, i] = TWO * high_uniform(bits) - ONE


def step(i, state, action, reward, terminated, random):
    """Advance lane `i` by 0.05 s of semi-implicit Euler.

    The angle is kept in [-pi, pi], where the original's reward needs it; unwrapped it would grow, and lose digits.
    """
    theta, theta_dot = state[THETA, i], state[THETA_DOT, i]
    torque = min(max(action[0, i], -TORQUE_LIMIT), TORQUE_LIMIT)
    reward[i] = -(theta * theta + SPEED_COST * theta_dot * theta_dot + TORQUE_COST * torque * torque)
    theta_dot = theta_dot + (THREE_HALVES * state[GRAVITY, i] * sine(theta) + THREE * torque) * TAU
    theta_dot = min(max(theta_dot, -SPEED_LIMIT), SPEED_LIMIT)
    state[THETA, i] = wrap_angle(theta + theta_dot * TAU)
    state[THETA_DOT, i] = theta_dot
    terminated[i] = False


def observe(i, state, observation):
    """Show the angle by its cosine and sine, and the velocity."""
    sin, cos = sine_cosine(state[THETA, i])
    observation[0, i] = cos
    observation[1, i] = sin
    observation[2, i] = state[THETA_DOT, i]


SCALE = 250 / 4.4
TIP = (f"125 - {SCALE} * sin(theta)", f"125 - {SCALE} * cos(theta)")
PICTURE = Picture(
    width=250,
    height=250,
    shapes=(
        Line(125, 125, *TIP, 0.2 * SCALE, "#cc4d4d"),
        Circle(125, 125, 0.05 * SCALE, "#000000"),
    ),
)


def environment(*, g: float = 10.0) -> Environment:
    """Build Pendulum-v1.

    Args:
        g: Acceleration of gravity [m/s**2].

    Raises:
        ValueError: If `g` is not finite.
    """
    if not math.isfinite(g):
        raise ValueError(f"g={g} is no acceleration; pass a finite number of m/s**2.")
    return Environment(
        id="Pendulum-v1",
        state=("theta", "theta_dot"),
        settings={"gravity": g},
        observation=Box(low=(-1.0, -1.0, -8.0), high=(1.0, 1.0, 8.0)),
        action=Box(low=(-2.0,), high=(2.0,)),
        time_limit=200,
        reset=reset,
        step=step,
        observe=observe,
        picture=PICTURE,
        options={"g": g},
    )
