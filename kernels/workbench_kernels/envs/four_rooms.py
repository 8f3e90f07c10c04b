"""workbench/FourRooms-v0: walk to a goal through four rooms joined by hallways (Sutton, Precup and Singh 1999).

The published grid, its hallways in the gaps of the walls:

    #############
    #     #     #
    #     #     #
    #           #
    #     #     #
    #     #     #
    ## ####     #
    #     ### ###
    #     #     #
    #     #     #
    #           #
    #     #     #
    #############

Level: two different cells of the 104, start and goal, each pair equally likely; a pure function of the number. `level`
is -1 and each reset draws a level below `levels` from the lane's stream; or it is the level of every episode. Both are
settings, and so is `slip`: they may differ from lane to lane. The state row `played` holds the level of this episode.
State: row and column of the agent and of the goal. Observation: the four, over 12; with `planes`, three planes of 0
and 1: walls, goal, agent. Actions: go one cell up, right, down or left; with probability `slip` (1/3 as published) the
agent goes in one of the other three directions, each equally likely; a wall stops it. Reward: 1 at the goal, else 0, to
be discounted (0.9 as published). End: the goal.
Optimal return: 1 for slip <= 1/2; dynamic programming over the 500 steps of the time limit gives 1 - 1e-9 or more from
every start to every goal, which float32 does not tell from 1.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Picture, Rectangle
from workbench_kernels.rng import draw, high_integer, low_integer, low_uniform, philox
from workbench_kernels.spaces import Box, Discrete

SIZE = 13
CELLS = 104
ROW, COLUMN, GOAL_ROW, GOAL_COLUMN, PLAYED, LEVEL, LEVELS, SLIP = range(8)
ONE = np.float32(1.0)
ZERO = np.float32(0.0)
INVERSE_LAST = np.float32(1 / 12)
KEY = np.uint64(0x726F6F6D)
MOST_LEVELS = 2**24
"""Every integer up to it is a float32."""


def wall(r, c):
    """Return whether row `r`, column `c`, of any number type, is wall."""
    border = (r == 0) | (r == SIZE - 1) | (c == 0) | (c == SIZE - 1)
    between = (c == 6) & (r != 3) & (r != 10)
    left = (r == 6) & (c < 6) & (c != 2)
    right = (r == 7) & (c > 6) & (c != 9)
    return border | between | left | right


def place(cell):
    """Return row and column of the floor cell `cell` of 104: those of the rooms, each five wide, then the hallways."""
    if cell < 25:
        return 1 + cell // 5, 1 + cell % 5
    if cell < 55:
        return 1 + (cell - 25) // 5, 7 + (cell - 25) % 5
    if cell < 80:
        return 7 + (cell - 55) // 5, 1 + (cell - 55) % 5
    if cell < 100:
        return 8 + (cell - 80) // 5, 7 + (cell - 80) % 5
    if cell < 102:
        return (3 if cell == 100 else 10), 6
    return (6 if cell == 102 else 7), (2 if cell == 102 else 9)


def reset(i, state, random):
    """Choose the level, and place the agent and the goal as it says."""
    drawn = low_integer(draw(i, random), np.int32(state[LEVELS, i]))
    played = np.int32(state[LEVEL, i]) if state[LEVEL, i] >= 0 else drawn
    bits = philox(np.uint64(0), np.uint64(played), KEY)
    first = low_integer(bits, CELLS)
    row, column = place(first)
    goal_row, goal_column = place((first + 1 + high_integer(bits, CELLS - 1)) % CELLS)
    state[PLAYED, i] = played
    state[ROW, i] = row
    state[COLUMN, i] = column
    state[GOAL_ROW, i] = goal_row
    state[GOAL_COLUMN, i] = goal_column


def step(i, state, action, reward, terminated, random):
    """Go one cell, perhaps in another direction, where no wall is."""
    bits = draw(i, random)
    other = (action[i] + 1 + high_integer(bits, 3)) & 3
    way = other if low_uniform(bits) < state[SLIP, i] else action[i]
    row, column = state[ROW, i], state[COLUMN, i]
    r = row + (ONE if way == 2 else ZERO) - (ONE if way == 0 else ZERO)
    c = column + (ONE if way == 1 else ZERO) - (ONE if way == 3 else ZERO)
    stopped = wall(r, c)
    r = row if stopped else r
    c = column if stopped else c
    found = (r == state[GOAL_ROW, i]) & (c == state[GOAL_COLUMN, i])
    state[ROW, i] = r
    state[COLUMN, i] = c
    reward[i] = ONE if found else ZERO
    terminated[i] = found


def observe(i, state, observation):
    """Show where the agent and the goal are."""
    for k in range(4):
        observation[k, i] = state[k, i] * INVERSE_LAST


def observe_planes(i, state, observation):
    """Show walls, goal and agent on the grid."""
    for r in range(SIZE):
        for c in range(SIZE):
            observation[r * SIZE + c, i] = 1 if wall(r, c) else 0
    for k in range(SIZE * SIZE, 3 * SIZE * SIZE):
        observation[k, i] = 0
    goal = np.int32(state[GOAL_ROW, i]) * SIZE + np.int32(state[GOAL_COLUMN, i])
    agent = np.int32(state[ROW, i]) * SIZE + np.int32(state[COLUMN, i])
    observation[SIZE * SIZE + goal, i] = 1
    observation[2 * SIZE * SIZE + agent, i] = 1


PICTURE = Picture(
    width=130,
    height=130,
    shapes=(
        *(Rectangle(10 * c + 5, 10 * r + 5, 10, 10, "#37474f") for r in range(SIZE) for c in range(SIZE) if wall(r, c)),
        Rectangle("10 * goal_column + 5", "10 * goal_row + 5", 8, 8, "#43a047"),
        Circle("10 * column + 5", "10 * row + 5", 4, "#e53935"),
    ),
)


def environment(
    *, level: int = -1, levels: int = MOST_LEVELS, slip: float = 1 / 3, planes: bool = False
) -> Environment:
    """Build FourRooms-v0.

    Args:
        level: The level of every episode; -1 draws one at each reset.
        levels: How many levels are drawn from, the first ones.
        slip: Probability of going in another direction than the action's.
        planes: Whether the observation is a picture of the grid instead of four numbers.

    Raises:
        ValueError: If an option is out of range.
    """
    if not 1 <= levels <= MOST_LEVELS:
        raise ValueError(f"levels={levels} is out of range; pass 1 to {MOST_LEVELS}.")
    if not -1 <= level < MOST_LEVELS:
        raise ValueError(f"level={level} is out of range; pass 0 to {MOST_LEVELS - 1}, or -1 to draw levels.")
    if not 0.0 <= slip <= 1.0:
        raise ValueError(f"slip={slip} is no probability; pass 0 to 1.")
    return Environment(
        id="workbench/FourRooms-v0",
        state=("row", "column", "goal_row", "goal_column", "played"),
        settings={"level": level, "levels": levels, "slip": slip},
        observation=Box(0, 1, shape=(3, SIZE, SIZE), dtype="uint8") if planes else Box(0.0, 1.0, shape=(4,)),
        action=Discrete(4),
        time_limit=500,
        reset=reset,
        step=step,
        observe=observe_planes if planes else observe,
        lane_major=planes,
        picture=PICTURE,
        optimal_return=1.0 if slip <= 0.5 else None,
        options={"level": level, "levels": levels, "slip": slip, "planes": planes},
    )
