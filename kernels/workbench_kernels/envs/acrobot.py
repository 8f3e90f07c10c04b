"""Acrobot-v1: swing the tip of a two-link arm above a line, step for step Gymnasium's (Sutton 1996).

State: angle of the upper link from hanging down [rad], angle of the lower link from the upper one [rad], their
velocities [rad/s]. Observation: cosine and sine of the first angle, of the second, the two velocities.
Actions: a torque at the elbow of -1 (0), 0 (1) or 1 N m (2). Reward: -1 a step, 0 for the one that ends the episode.
End: the tip is more than one link length above the shoulder. Each link is 1 m long, weighs 1 kg, and has its centre of
mass in the middle and a moment of inertia of 1 kg m**2. The dynamics are those of Sutton and Barto's book, not of the
paper.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.mathematics import cosine, sine_cosine, wrap_angle
from workbench_kernels.pictures import Circle, Line, Picture, Rectangle
from workbench_kernels.rng import draw, high_uniform, low_uniform
from workbench_kernels.spaces import Box, Discrete

THETA_1, THETA_2, THETA_1_DOT, THETA_2_DOT = range(4)
ONE = np.float32(1.0)
TWO = np.float32(2.0)
ZERO = np.float32(0.0)
HALF = np.float32(0.5)
GRAVITY_UPPER = np.float32(1.5 * 9.8)
GRAVITY_LOWER = np.float32(0.5 * 9.8)
INERTIA_UPPER = np.float32(3.5)
INERTIA_LOWER = np.float32(1.25)
TAU = np.float32(0.2)
HALF_TAU = np.float32(0.1)
SIXTH_TAU = np.float32(0.2 / 6.0)
THETA_1_DOT_LIMIT = np.float32(4 * np.pi)
THETA_2_DOT_LIMIT = np.float32(9 * np.pi)
SPREAD = np.float32(0.2)
CENTRE = np.float32(0.1)


def reset(i, state, random):
    """Start lane `i` near hanging at rest: each component uniform on [-0.1, 0.1)."""
    first, second = draw(i, random), draw(i, random)
    state[THETA_1, i] = low_uniform(first) * SPREAD - CENTRE
    state[THETA_2, i] = high_uniform(first) * SPREAD - CENTRE
    state[THETA_1_DOT, i] = low_uniform(second) * SPREAD - CENTRE
    state[THETA_2_DOT, i] = high_uniform(second) * SPREAD - CENTRE


def accelerations(theta_1, theta_2, theta_1_dot, theta_2_dot, torque):
    """Return the angular accelerations [rad/s**2] of both links.

    In the book's names, [[d1, d2], [d2, 1.25]] times the accelerations is (-phi1, drive), where
    drive = torque - 0.5 * theta_1_dot**2 * sin(theta_2) - phi2; Cramer's rule solves it with one division.
    """
    sin_1, cos_1 = sine_cosine(theta_1)
    sin_2, cos_2 = sine_cosine(theta_2)
    d1 = INERTIA_UPPER + cos_2
    d2 = INERTIA_LOWER + HALF * cos_2
    half_sin_2 = HALF * sin_2
    phi2 = GRAVITY_LOWER * (sin_1 * cos_2 + cos_1 * sin_2)
    phi1 = GRAVITY_UPPER * sin_1 + phi2 - half_sin_2 * theta_2_dot * (theta_2_dot + TWO * theta_1_dot)
    drive = torque - half_sin_2 * theta_1_dot * theta_1_dot - phi2
    inverse = ONE / (INERTIA_LOWER * d1 - d2 * d2)
    return -(INERTIA_LOWER * phi1 + d2 * drive) * inverse, (d1 * drive + d2 * phi1) * inverse


def step(i, state, action, reward, terminated, random):
    """Advance lane `i` by 0.2 s: one step of the classical Runge-Kutta method."""
    p, q, u, v = state[THETA_1, i], state[THETA_2, i], state[THETA_1_DOT, i], state[THETA_2_DOT, i]
    torque = np.float32(action[i]) - ONE
    a1, b1 = accelerations(p, q, u, v, torque)
    u2, v2 = u + HALF_TAU * a1, v + HALF_TAU * b1
    a2, b2 = accelerations(p + HALF_TAU * u, q + HALF_TAU * v, u2, v2, torque)
    u3, v3 = u + HALF_TAU * a2, v + HALF_TAU * b2
    a3, b3 = accelerations(p + HALF_TAU * u2, q + HALF_TAU * v2, u3, v3, torque)
    u4, v4 = u + TAU * a3, v + TAU * b3
    a4, b4 = accelerations(p + TAU * u3, q + TAU * v3, u4, v4, torque)
    p = wrap_angle(p + SIXTH_TAU * (u + TWO * (u2 + u3) + u4))
    q = wrap_angle(q + SIXTH_TAU * (v + TWO * (v2 + v3) + v4))
    u = u + SIXTH_TAU * (a1 + TWO * (a2 + a3) + a4)
    v = v + SIXTH_TAU * (b1 + TWO * (b2 + b3) + b4)
    state[THETA_1, i] = p
    state[THETA_2, i] = q
    state[THETA_1_DOT, i] = min(max(u, -THETA_1_DOT_LIMIT), THETA_1_DOT_LIMIT)
    state[THETA_2_DOT, i] = min(max(v, -THETA_2_DOT_LIMIT), THETA_2_DOT_LIMIT)
    above = -cosine(p) - cosine(q + p) > ONE
    terminated[i] = above
    reward[i] = ZERO if above else -ONE


def observe(i, state, observation):
    """Show the angles by their cosines and sines, and the velocities."""
    sin_1, cos_1 = sine_cosine(state[THETA_1, i])
    sin_2, cos_2 = sine_cosine(state[THETA_2, i])
    observation[0, i] = cos_1
    observation[1, i] = sin_1
    observation[2, i] = cos_2
    observation[3, i] = sin_2
    observation[4, i] = state[THETA_1_DOT, i]
    observation[5, i] = state[THETA_2_DOT, i]


SCALE = 250 / 4.4
PICTURE = Picture(
    width=250,
    height=250,
    shapes=(
        Line(0, 125 - SCALE, 250, 125 - SCALE, 0.5, "#000000"),
        Rectangle(
            f"125 + {SCALE / 2} * sin(theta_1)",
            f"125 + {SCALE / 2} * cos(theta_1)",
            0.2 * SCALE,
            SCALE,
            "#00cccc",
            angle="-theta_1",
        ),
        Circle(125, 125, 0.1 * SCALE, "#cccc00"),
        Rectangle(
            f"125 + {SCALE} * sin(theta_1) + {SCALE / 2} * sin(theta_1 + theta_2)",
            f"125 + {SCALE} * cos(theta_1) + {SCALE / 2} * cos(theta_1 + theta_2)",
            0.2 * SCALE,
            SCALE,
            "#00cccc",
            angle="-theta_1 - theta_2",
        ),
        Circle(f"125 + {SCALE} * sin(theta_1)", f"125 + {SCALE} * cos(theta_1)", 0.1 * SCALE, "#cccc00"),
    ),
)


def environment() -> Environment:
    """Build Acrobot-v1."""
    high = (1.0, 1.0, 1.0, 1.0, 4 * np.pi, 9 * np.pi)
    return Environment(
        id="Acrobot-v1",
        state=("theta_1", "theta_2", "theta_1_dot", "theta_2_dot"),
        observation=Box(low=tuple(-bound for bound in high), high=high),
        action=Discrete(3),
        time_limit=500,
        reset=reset,
        step=step,
        observe=observe,
        picture=PICTURE,
    )
