"""workbench/Maze-v0: find the goal of a maze that a level number grows.

Level: a maze, a start and a goal, a pure function of the number (and of `size`), the same in every lane and on every
target. Rooms stand on the odd rows and columns of a square grid; a recursive backtracker opens the walls between them,
so that one path leads from any room to any other. Start and goal are two rooms, each pair equally likely.
`level` is -1 and each reset draws a level below `levels` from the lane's stream; or it is the level of every episode.
Both are settings: a curriculum writes them for each lane. The state row `played` holds the level of this episode.
State: row and column of the agent and of the goal, then the grid: 1 is wall, 0 is floor.
Observation: planes of 0 and 1. With `view=0` the whole grid: walls, goal, agent. Else the window of `view` x `view`
cells around the agent: walls, goal; what lies beyond the grid is wall.
Actions: go one cell up, right, down or left; a wall stops the agent. Reward: 1 at the goal, else 0. End: the goal.
Optimal return: 1. The time limit, size**2 steps, is enough even to follow a wall: along it no corridor is walked more
than twice, which takes at most 4 * (rooms - 1) = (size - 1)**2 - 4 steps.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Cells, Circle, Picture, Rectangle
from workbench_kernels.rng import draw, high_integer, low_integer, philox
from workbench_kernels.spaces import Box, Discrete

ROW, COLUMN, GOAL_ROW, GOAL_COLUMN, PLAYED, GRID = range(6)
FLOOR, WALL, OPENED = np.int32(0), np.int32(1), np.int32(2)
"""While a maze grows, a room is WALL until it is entered, then OPENED + the way it was entered by, then FLOOR."""

ONE = np.float32(1.0)
ZERO = np.float32(0.0)
KEY = np.uint64(0x6D617A65)
LEVELS = 2**24
SMALLEST, LARGEST = 5, 31


def down(way):
    """Return by how many rows the action `way` goes down."""
    return np.int32(way == 2) - np.int32(way == 0)


def right(way):
    """Return by how many columns the action `way` goes to the right."""
    return np.int32(way == 1) - np.int32(way == 3)


def closed(i, state, r, c, way, size):
    """Return whether two cells from (r, c) on the way `way` there is a room that was not entered yet."""
    r, c = r + 2 * down(way), c + 2 * right(way)
    inside = (r > 0) & (r < size) & (c > 0) & (c < size)
    return inside and state[GRID + r * size + c, i] == WALL


def grow(i, state, size, level):
    """Write the maze of `level` by a depth-first walk that turns at random and goes back where it is stuck."""
    for k in range(size * size):
        state[GRID + k, i] = WALL
    r, c = np.int32(1), np.int32(1)
    state[GRID + r * size + c, i] = OPENED
    count = np.uint64(0)
    rooms = (size // 2) * (size // 2)
    for _ in range(2 * rooms - 1):
        ways = np.int32(0)
        for way in range(4):
            ways += np.int32(closed(i, state, r, c, way, size))
        if ways > 0:
            count += np.uint64(1)
            nth = low_integer(philox(count, np.uint64(level), KEY), ways)
            chosen = np.int32(0)
            for way in range(4):
                if closed(i, state, r, c, way, size):
                    chosen = np.int32(way) if nth == 0 else chosen
                    nth -= np.int32(1)
            state[GRID + (r + down(chosen)) * size + c + right(chosen), i] = FLOOR
            r, c = r + 2 * down(chosen), c + 2 * right(chosen)
            state[GRID + r * size + c, i] = OPENED + chosen
        else:
            entered = state[GRID + r * size + c, i] - OPENED
            state[GRID + r * size + c, i] = FLOOR
            if (r != 1) | (c != 1):
                r, c = r - 2 * down(entered), c - 2 * right(entered)


def start(i, state, random, size, level, levels):
    """Choose the level, write its maze, and place the agent and the goal."""
    drawn = low_integer(draw(i, random), levels)
    played = level if level >= 0 else drawn
    state[PLAYED, i] = played
    grow(i, state, size, played)
    across = size // 2
    rooms = across * across
    bits = philox(np.uint64(0), np.uint64(played), KEY)
    agent = low_integer(bits, rooms)
    goal = (agent + 1 + high_integer(bits, rooms - 1)) % rooms
    state[ROW, i] = 1 + 2 * (agent // across)
    state[COLUMN, i] = 1 + 2 * (agent % across)
    state[GOAL_ROW, i] = 1 + 2 * (goal // across)
    state[GOAL_COLUMN, i] = 1 + 2 * (goal % across)


def move(i, state, way, reward, terminated, size):
    """Go one cell where no wall is."""
    r, c = state[ROW, i] + down(way), state[COLUMN, i] + right(way)
    if state[GRID + r * size + c, i] == FLOOR:
        state[ROW, i] = r
        state[COLUMN, i] = c
    found = (state[ROW, i] == state[GOAL_ROW, i]) & (state[COLUMN, i] == state[GOAL_COLUMN, i])
    reward[i] = ONE if found else ZERO
    terminated[i] = found


def whole(size):
    """Return the lane function that shows walls, goal and agent on the whole grid.

    The size is a constant of it, so that its loops vectorise: as an argument it made a step seven times slower.
    """
    cells = size * size

    def observe(i, state, observation):
        for k in range(cells):
            observation[k, i] = state[GRID + k, i]
        for k in range(cells, 3 * cells):
            observation[k, i] = 0
        observation[cells + state[GOAL_ROW, i] * size + state[GOAL_COLUMN, i], i] = 1
        observation[2 * cells + state[ROW, i] * size + state[COLUMN, i], i] = 1

    return observe


def window(size, view):
    """Return the lane function that shows walls and goal around the agent."""

    def observe(i, state, observation):
        top, left = state[ROW, i] - view // 2, state[COLUMN, i] - view // 2
        for y in range(view):
            for x in range(view):
                r, c = top + y, left + x
                inside = (r >= 0) & (r < size) & (c >= 0) & (c < size)
                cell = state[GRID + r * size + c, i] if inside else WALL
                goal = (r == state[GOAL_ROW, i]) & (c == state[GOAL_COLUMN, i])
                observation[y * view + x, i] = cell
                observation[view * view + y * view + x, i] = 1 if goal else 0

    return observe


def environment(*, level: int = -1, levels: int = LEVELS, size: int = 13, view: int = 0) -> Environment:
    """Build Maze-v0.

    Args:
        level: The level of every episode; -1 draws one at each reset.
        levels: How many levels are drawn from, the first ones.
        size: Side of the grid, odd.
        view: Side of the window around the agent that it sees, odd; 0 shows the whole grid.

    Raises:
        ValueError: If an option is out of range.
    """
    if not 1 <= levels <= LEVELS:
        raise ValueError(f"levels={levels} is out of range; pass 1 to {LEVELS}.")
    if not -1 <= level < LEVELS:
        raise ValueError(f"level={level} is out of range; pass 0 to {LEVELS - 1}, or -1 to draw levels.")
    if not SMALLEST <= size <= LARGEST or size % 2 == 0:
        raise ValueError(f"size={size} makes no maze; pass an odd number from {SMALLEST} to {LARGEST}.")
    if view != 0 and (not 3 <= view <= 2 * LARGEST + 1 or view % 2 == 0):
        raise ValueError(f"view={view} is no window; pass 0, or an odd number from 3 to {2 * LARGEST + 1}.")
    cells = tuple(f"cell_{r}_{c}" for r in range(size) for c in range(size))
    state = ("row", "column", "goal_row", "goal_column", "played", *cells)
    level_row, levels_row = len(state), len(state) + 1

    def reset(i, state, random):
        start(i, state, random, size, state[level_row, i], state[levels_row, i])

    def step(i, state, action, reward, terminated, random):
        move(i, state, action[i], reward, terminated, size)

    return Environment(
        id="workbench/Maze-v0",
        state=state,
        settings={"level": level, "levels": levels},
        observation=Box(0, 1, shape=(2, view, view) if view else (3, size, size), dtype="uint8"),
        action=Discrete(4),
        time_limit=size * size,
        reset=reset,
        step=step,
        observe=window(size, view) if view else whole(size),
        integer=True,
        lane_major=True,
        picture=picture(size),
        optimal_return=1.0,
        options={"level": level, "levels": levels, "size": size, "view": view},
    )


def picture(size: int) -> Picture:
    """Draw a grid of `size` cells a side, ten units each."""
    side = 10.0 * size
    return Picture(
        width=side,
        height=side,
        shapes=(
            Cells(first="cell_0_0", rows=size, columns=size, palette=("#ffffff", "#37474f"), width=side, height=side),
            Rectangle("10 * goal_column + 5", "10 * goal_row + 5", 8, 8, "#43a047"),
            Circle("10 * column + 5", "10 * row + 5", 4, "#e53935"),
        ),
    )
