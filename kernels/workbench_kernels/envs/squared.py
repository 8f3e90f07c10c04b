"""workbench/Squared-v0: visit targets on the edge of a square, starting from its middle.

After the Squared environment of PufferLib's Ocean suite (Suarez 2024), with a reward for targets only.

State: the agent's row and column, and the cell of each target, -1 once it is reached.
Observation: [2, 2d+1, 2d+1] uint8, d = `distance`: the agent, and the targets left.
Actions: the eight moves to a neighbouring cell, row by row from the upper left one.
Reward: 1 for each target reached. On the edge, target or not, the agent is put back into the middle.
End: when no target is left; truncated after `targets` * d steps. The targets are different cells of the edge, all
sets of them equally likely.

Optimal return: `targets`. A move changes row and column by at most one, so a target is d steps away, and every one of
them can be reached within d: the time limit leaves no step to waste. A fixed sequence of moves visits at most
`targets` of the 8d cells of the edge, each a target with probability targets / 8d: it earns targets**2 / 8d at best.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Channels, Picture
from workbench_kernels.rng import integer
from workbench_kernels.spaces import Box, Discrete

ROW, COLUMN, FIRST = range(3)

PICTURE = Picture(width=100, height=100, shapes=(Channels(("#4a7fc8", "#e08a3c"), 2, 2, 96, 96),), background="#f0f0f0")


def edge_cell(k, distance):
    """Return the cell with number `k` of the edge, clockwise from the upper left corner."""
    side = 2 * distance
    along = k % side
    row, column = 0, along
    if k >= 3 * side:
        row, column = side - along, 0
    elif k >= 2 * side:
        row, column = side, side - along
    elif k >= side:
        row, column = along, side
    return row * (side + 1) + column


def environment(*, distance: int = 3, targets: int = 4) -> Environment:
    """Build Squared.

    Args:
        distance: Steps from the middle to the edge, 1 to 20.
        targets: How many cells of the edge are targets, 1 to 8 * distance.

    Raises:
        ValueError: If the square is too small or too large, or the edge for the targets.
    """
    if not 1 <= distance <= 20:
        raise ValueError(f"distance={distance} makes no square of this environment; pass 1 to 20.")
    if not 1 <= targets <= 8 * distance:
        raise ValueError(f"targets={targets} do not fit an edge of {8 * distance} cells; pass 1 to {8 * distance}.")
    width = 2 * distance + 1
    cells = width * width

    def reset(i, state, random):
        """Choose the targets of lane `i` with one draw each (Floyd's sample; Bentley 1987)."""
        state[ROW, i] = distance
        state[COLUMN, i] = distance
        for k in range(targets):
            last = 8 * distance - targets + k
            cell = edge_cell(integer(i, random, last + 1), distance)
            taken = False
            for j in range(k):
                taken |= state[FIRST + j, i] == cell
            state[FIRST + k, i] = edge_cell(last, distance) if taken else cell

    def step(i, state, action, reward, terminated, random):
        """Move, collect a target, and come back from the edge."""
        move = action[i] + (action[i] >= 4)
        row = state[ROW, i] + move // 3 - 1
        column = state[COLUMN, i] + move % 3 - 1
        here = row * width + column
        reached, left = 0, 0
        for k in range(targets):
            if state[FIRST + k, i] == here:
                state[FIRST + k, i] = -1
                reached = 1
            left += state[FIRST + k, i] >= 0
        if max(abs(row - distance), abs(column - distance)) == distance:
            row = column = distance
        state[ROW, i] = row
        state[COLUMN, i] = column
        reward[i] = np.float32(reached)
        terminated[i] = left == 0

    def observe(i, state, observation):
        """Show the agent in the first channel, the targets in the second."""
        for k in range(2 * cells):
            observation[k, i] = 0
        observation[state[ROW, i] * width + state[COLUMN, i], i] = 1
        for k in range(targets):
            cell = state[FIRST + k, i]
            if cell >= 0:
                observation[cells + cell, i] = 1

    return Environment(
        id="workbench/Squared-v0",
        state=("row", "column", *(f"target_{k}" for k in range(targets))),
        observation=Box(0, 1, shape=(2, width, width), dtype="uint8"),
        action=Discrete(8),
        time_limit=targets * distance,
        reset=reset,
        step=step,
        observe=observe,
        integer=True,
        lane_major=True,
        picture=PICTURE,
        optimal_return=float(targets),
        options={"distance": distance, "targets": targets},
    )
