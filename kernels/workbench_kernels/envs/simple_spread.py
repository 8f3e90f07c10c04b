"""workbench/SimpleSpread-v0: agents spread over landmarks without bumping into each other (Lowe et al. 2017).

Step for step the `simple_spread_v3` of the Multi Particle Environments. N: agents, and landmarks.
State: position and velocity of each agent, the position of each landmark, and the contact force on each agent in the
last step. Agents and landmarks start uniformly on [-1, 1)**2, at rest.
Observation, for each agent: its velocity and position, the landmarks and then the other agents relative to it, and
2 * (N - 1) zeros where the original's silent agents would speak.
Global state: position and velocity of each agent, then the position of each landmark.
Actions: nothing, left, right, down, up (y points up): a force of 5 for a step of 0.1, on a mass of 1 and damped by a
quarter a step. Agents, discs of radius 0.15, push each other away by a force that is smooth in their distance.
Reward: `local_ratio` (a setting) times minus the number of agents that this agent touches, plus 1 - `local_ratio` times
minus the sum, over landmarks, of the distance of the closest agent. End: the time limit only, 25 steps.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.mathematics import exponential, logarithm
from workbench_kernels.pictures import Circle, Line, Picture
from workbench_kernels.rng import draw, high_uniform, low_uniform
from workbench_kernels.spaces import Box, Discrete

ONE = np.float32(1.0)
TWO = np.float32(2.0)
ZERO = np.float32(0.0)
FORCE = np.float32(5.0)
DT = np.float32(0.1)
KEPT = np.float32(0.75)
TOUCH = np.float32(0.3)
SHARPNESS = np.float32(1000.0)
STIFFNESS = np.float32(0.1)  # of contact: a force of 100 for each unit of penetration, in units of 1 / SHARPNESS
SMALLEST = np.float32(1e-12)
FAR = np.float32(3.0e38)
MOST_AGENTS = 8


def softplus(x):
    """Return log(1 + exp(x)), float32; absolute error below 1e-6 times the greater of 1 and x."""
    return max(x, ZERO) + logarithm(ONE + exponential(-abs(x)))


def environment(*, agents: int = 3, local_ratio: float = 0.5) -> Environment:
    """Build SimpleSpread-v0.

    Args:
        agents: How many agents there are, and landmarks.
        local_ratio: The part of the reward that is an agent's own.

    Raises:
        ValueError: If an option is out of range.
    """
    if not 2 <= agents <= MOST_AGENTS:
        raise ValueError(f"agents={agents} is out of range; pass 2 to {MOST_AGENTS}.")
    if not 0.0 <= local_ratio <= 1.0:
        raise ValueError(f"local_ratio={local_ratio} is no share; pass 0 to 1.")
    n = agents
    bodies = 4 * n  # rows: x, y, x_dot, y_dot of each agent, then x, y of each landmark, then the forces
    push = 6 * n
    ratio = 8 * n

    def reset(i, state, random):
        for a in range(n):
            bits = draw(i, random)
            state[4 * a, i] = TWO * low_uniform(bits) - ONE
            state[4 * a + 1, i] = TWO * high_uniform(bits) - ONE
            state[4 * a + 2, i] = ZERO
            state[4 * a + 3, i] = ZERO
            state[push + 2 * a, i] = ZERO
            state[push + 2 * a + 1, i] = ZERO
        for k in range(n):
            bits = draw(i, random)
            state[bodies + 2 * k, i] = TWO * low_uniform(bits) - ONE
            state[bodies + 2 * k + 1, i] = TWO * high_uniform(bits) - ONE

    def contact(i, state):
        for a in range(n):
            state[push + 2 * a, i] = ZERO
            state[push + 2 * a + 1, i] = ZERO
        for a in range(n):
            for b in range(a + 1, n):
                x = state[4 * a, i] - state[4 * b, i]
                y = state[4 * a + 1, i] - state[4 * b + 1, i]
                distance = max(np.sqrt(x * x + y * y), SMALLEST)
                size = STIFFNESS * softplus((TOUCH - distance) * SHARPNESS) / distance
                state[push + 2 * a, i] += size * x
                state[push + 2 * a + 1, i] += size * y
                state[push + 2 * b, i] -= size * x
                state[push + 2 * b + 1, i] -= size * y

    def move(i, state, action):
        for a in range(n):
            way = action[a, i]
            right = (FORCE if way == 2 else ZERO) - (FORCE if way == 1 else ZERO)
            up = (FORCE if way == 4 else ZERO) - (FORCE if way == 3 else ZERO)
            x_dot, y_dot = state[4 * a + 2, i], state[4 * a + 3, i]
            state[4 * a, i] += DT * x_dot
            state[4 * a + 1, i] += DT * y_dot
            state[4 * a + 2, i] = KEPT * x_dot + DT * (right + state[push + 2 * a, i])
            state[4 * a + 3, i] = KEPT * y_dot + DT * (up + state[push + 2 * a + 1, i])

    def step(i, state, action, reward, terminated, random):
        contact(i, state)
        move(i, state, action)
        uncovered = ZERO
        for k in range(n):
            closest = FAR
            for a in range(n):
                x = state[4 * a, i] - state[bodies + 2 * k, i]
                y = state[4 * a + 1, i] - state[bodies + 2 * k + 1, i]
                closest = min(closest, x * x + y * y)
            uncovered += np.sqrt(closest)
        own = state[ratio, i]
        shared = (ONE - own) * uncovered
        for a in range(n):
            touched = ZERO
            for b in range(n):
                x = state[4 * a, i] - state[4 * b, i]
                y = state[4 * a + 1, i] - state[4 * b + 1, i]
                touches = (np.sqrt(x * x + y * y) < TOUCH) & (a != b)
                touched += ONE if touches else ZERO
            reward[a, i] = -(own * touched + shared)
            terminated[a, i] = False

    def observe(i, state, observation):
        for a in range(n):
            for k in range(2):
                here = state[4 * a + k, i]
                observation[a, k, i] = state[4 * a + 2 + k, i]
                observation[a, 2 + k, i] = here
                for m in range(n):
                    observation[a, 4 + 2 * m + k, i] = state[bodies + 2 * m + k, i] - here
                for m in range(n - 1):
                    other = m + (1 if m >= a else 0)
                    observation[a, 4 + 2 * n + 2 * m + k, i] = state[4 * other + k, i] - here
                    observation[a, 2 + 4 * n + 2 * m + k, i] = ZERO

    def global_state(i, state, global_state):
        for k in range(6 * n):
            global_state[k, i] = state[k, i]

    numbers = range(n)
    return Environment(
        id="workbench/SimpleSpread-v0",
        state=(
            *(f"{name}_{a}" for a in numbers for name in ("x", "y", "x_dot", "y_dot")),
            *(f"landmark_{name}_{k}" for k in numbers for name in ("x", "y")),
            *(f"push_{name}_{a}" for a in numbers for name in ("x", "y")),
        ),
        settings={"local_ratio": local_ratio},
        observation=Box(-np.inf, np.inf, shape=(6 * n,)),
        action=Discrete(5),
        agents=n,
        time_limit=25,
        reset=reset,
        step=step,
        observe=observe,
        global_state=global_state,
        global_space=Box(-np.inf, np.inf, shape=(6 * n,)),
        lane_major=True,  # many rows, powers of two apart, share a few sets of the cache: four times slower
        picture=picture(n),
        options={"agents": agents, "local_ratio": local_ratio},
    )


def picture(agents: int) -> Picture:
    """Draw [-1.5, 1.5]**2: landmarks, agents and their velocities."""

    def across(name: str) -> str:
        return f"100 + {200 / 3:.4f} * ({name})"

    def along(name: str) -> str:
        return f"100 - {200 / 3:.4f} * ({name})"

    numbers = range(agents)
    return Picture(
        width=200,
        height=200,
        shapes=(
            *(Circle(across(f"x_{a}"), along(f"y_{a}"), 10, "#5c6bc0") for a in numbers),
            *(
                Line(
                    across(f"x_{a}"),
                    along(f"y_{a}"),
                    across(f"x_{a} + 0.2 * x_dot_{a}"),
                    along(f"y_{a} + 0.2 * y_dot_{a}"),
                    2,
                    "#1a237e",
                )
                for a in numbers
            ),
            *(Circle(across(f"landmark_x_{k}"), along(f"landmark_y_{k}"), 3, "#404040") for k in numbers),
        ),
    )
