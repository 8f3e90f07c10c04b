"""CartPole-v1: balance a pole on a cart (Barto, Sutton and Anderson 1983), step for step Gymnasium's.

State and observation: cart position [m], its velocity [m/s], pole angle [rad], its velocity [rad/s].
Actions: push with 10 N to the left (0) or to the right (1). Reward: 1 a step, the last one included.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.mathematics import sine_cosine
from workbench_kernels.pictures import Circle, Line, Picture, Rectangle
from workbench_kernels.rng import draw, high_uniform, low_uniform
from workbench_kernels.spaces import Box, Discrete

X, X_DOT, THETA, THETA_DOT = range(4)
GRAVITY = np.float32(9.8)
INVERSE_MASS = np.float32(1.0 / 1.1)
POLE_MASS_LENGTH = np.float32(0.05)
POLE_MASS_FRACTION = np.float32(0.1 / 1.1)
HALF_LENGTH = np.float32(0.5)
FOUR_THIRDS = np.float32(4.0 / 3.0)
FORCE = np.float32(10.0)
TAU = np.float32(0.02)
X_LIMIT = np.float32(2.4)
THETA_LIMIT = np.float32(12 * 2 * np.pi / 360)
ONE = np.float32(1.0)
SPREAD = np.float32(0.1)
CENTRE = np.float32(0.05)


def reset(i, state, random):
    """Start lane `i` near the upright rest: each component uniform on [-0.05, 0.05)."""
    first, second = draw(i, random), draw(i, random)
    state[X, i] = low_uniform(first) * SPREAD - CENTRE
    state[X_DOT, i] = high_uniform(first) * SPREAD - CENTRE
    state[THETA, i] = low_uniform(second) * SPREAD - CENTRE
    state[THETA_DOT, i] = high_uniform(second) * SPREAD - CENTRE


def step(i, state, action, reward, terminated, random):
    """Advance lane `i` by 0.02 s of explicit Euler."""
    x, x_dot, theta, theta_dot = state[X, i], state[X_DOT, i], state[THETA, i], state[THETA_DOT, i]
    force = FORCE if action[i] == 1 else -FORCE
    sin, cos = sine_cosine(theta)
    pull = (force + POLE_MASS_LENGTH * theta_dot * theta_dot * sin) * INVERSE_MASS
    theta_acc = (GRAVITY * sin - cos * pull) / (HALF_LENGTH * (FOUR_THIRDS - POLE_MASS_FRACTION * cos * cos))
    x_acc = pull - POLE_MASS_LENGTH * INVERSE_MASS * theta_acc * cos
    x = x + TAU * x_dot
    theta = theta + TAU * theta_dot
    state[X, i] = x
    state[X_DOT, i] = x_dot + TAU * x_acc
    state[THETA, i] = theta
    state[THETA_DOT, i] = theta_dot + TAU * theta_acc
    reward[i] = ONE
    terminated[i] = (abs(x) > X_LIMIT) | (abs(theta) > THETA_LIMIT)


def observe(i, state, observation):
    """Show the whole state."""
    for k in range(4):
        observation[k, i] = state[k, i]


PICTURE = Picture(
    width=300,
    height=120,
    shapes=(
        Line(0, 90, 300, 90, 1, "#888888"),
        Rectangle("150 + 60 * x", 90, 30, 16, "#303030"),
        Line("150 + 60 * x", 86, "150 + 60 * x + 60 * sin(theta)", "86 - 60 * cos(theta)", 6, "#c8824a"),
        Circle("150 + 60 * x", 86, 3, "#7f7fcc"),
    ),
)


def environment() -> Environment:
    """Build CartPole-v1."""
    return Environment(
        id="CartPole-v1",
        state=("x", "x_dot", "theta", "theta_dot"),
        observation=Box(low=(-4.8, -np.inf, -0.41887903, -np.inf), high=(4.8, np.inf, 0.41887903, np.inf)),
        action=Discrete(2),
        time_limit=500,
        reset=reset,
        step=step,
        observe=observe,
        picture=PICTURE,
        optimal_return=500.0,
    )
