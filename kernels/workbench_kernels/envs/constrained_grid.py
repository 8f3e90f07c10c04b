"""workbench/ConstrainedGrid-v0: reach the goal soon, but keep out of the hazard more often than not: a constrained MDP.

A grid of 5 x 5 cells (S start, G goal, ! hazard):

    S . ! . G
    . . ! . .
    . . ! . .
    . . ! . .
    . . . . .

Observation: the cell of the agent, one of 25, as zeros and a one. Actions: go one cell up, right, down or left; the
border stops the agent. Reward: -0.05 a step, and 1 more at the goal. Cost: 1 for each step that ends in the hazard.
End: the goal.

Both are undiscounted sums over an episode. Straight through the hazard: 4 steps, return 0.8, cost 1. Around it: 12
steps, return 0.4, cost 0. Any other path costs as much as the first and takes longer, or has no cost and takes longer
than the second. So without a constraint the optimum is return 0.8 at cost 1 (`optimal_return`), and under an expected
cost of at most d <= 1 it is 0.4 + 0.4 * d, which no deterministic policy reaches for 0 < d < 1: go straight ahead from
the start with probability d, else around. For the limit `COST_LIMIT` = 0.25 that is a return of 0.5. The price of cost
(Lagrange multiplier) is 0.4. Altman (1999), "Constrained Markov decision processes", has the theory.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Line, Picture, Rectangle, Text
from workbench_kernels.spaces import Box, Discrete

SIZE = 5
ROW, COLUMN = range(2)
GOAL_ROW, GOAL_COLUMN = 0, 4
HAZARD_COLUMN, FREE_ROW = 2, 4
ONE = np.float32(1.0)
ZERO = np.float32(0.0)
STEP_REWARD = np.float32(-0.05)
GOAL_REWARD = np.float32(1.0 - 0.05)

COST_LIMIT = 0.25
"""Of the expected cost of an episode: the constraint that the optimum is stated for."""

CONSTRAINED_OPTIMUM = 0.5
"""The greatest expected return within COST_LIMIT."""


def reset(i, state, random):
    """Put the agent into the upper left cell."""
    state[ROW, i] = 0
    state[COLUMN, i] = 0


def step(i, state, action, reward, terminated, random):
    """Go one cell."""
    way = action[i]
    r = state[ROW, i] + np.int32(way == 2) - np.int32(way == 0)
    c = state[COLUMN, i] + np.int32(way == 1) - np.int32(way == 3)
    r = min(max(r, 0), SIZE - 1)
    c = min(max(c, 0), SIZE - 1)
    found = (r == GOAL_ROW) & (c == GOAL_COLUMN)
    state[ROW, i] = r
    state[COLUMN, i] = c
    reward[i] = GOAL_REWARD if found else STEP_REWARD
    terminated[i] = found


def cost(i, state, cost):
    """Charge for standing in the hazard."""
    hazard = (state[COLUMN, i] == HAZARD_COLUMN) & (state[ROW, i] != FREE_ROW)
    cost[i] = ONE if hazard else ZERO


def observe(i, state, observation):
    """Show the cell of the agent."""
    cell = state[ROW, i] * SIZE + state[COLUMN, i]
    for k in range(SIZE * SIZE):
        observation[k, i] = ONE if k == cell else ZERO


PICTURE = Picture(
    width=100,
    height=100,
    shapes=(
        Rectangle(50, 40, 20, 80, "#ffb74d"),
        Rectangle(90, 10, 20, 20, "#81c784"),
        *(Line(20 * k, 0, 20 * k, 100, 0.5, "#b0bec5") for k in range(1, SIZE)),
        *(Line(0, 20 * k, 100, 20 * k, 0.5, "#b0bec5") for k in range(1, SIZE)),
        *(Text(48.5, 20 * r + 10, "!", 9, "#bf360c") for r in range(4)),
        Circle("20 * column + 10", "20 * row + 10", 6, "#1e88e5"),
    ),
)


def environment() -> Environment:
    """Build ConstrainedGrid-v0."""
    return Environment(
        id="workbench/ConstrainedGrid-v0",
        state=("row", "column"),
        observation=Box(0.0, 1.0, shape=(SIZE * SIZE,)),
        action=Discrete(4),
        time_limit=50,
        reset=reset,
        step=step,
        observe=observe,
        cost=cost,
        integer=True,
        lane_major=True,
        picture=PICTURE,
        optimal_return=0.8,
    )
