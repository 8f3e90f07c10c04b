"""workbench/Breakout-v0: break six rows of bricks with a ball and a paddle; a new game after the arcade's of 1976.

The court is 18 brick widths wide and 16 brick heights high: x to the right, y down, the paddle on the lower edge, the
bricks in rows 2 to 7. The ball is a point, and half a row a step up or down.
State: the paddle's x, the ball's place and velocity [per step], the lives and the bricks left, each brick 1 or 0.
Observation [114] in [-1, 1]: paddle, ball, velocity, lives as a part of those at the start; the bricks, row by row.
Actions: stay, left, right: 0.375 a step. Reward: a brick's points: 7 in the two upper rows, then 4, then 1.
Rules: the ball moves along x, then along y. Walls and the ceiling reflect it; a brick in its way breaks and turns it
back on that axis. The paddle returns it as flat as the place on the paddle says, at most 0.375 along x, so that a
paddle that follows never loses it. A ball that is lost costs a life; the next is served downwards from the middle.
End: no life is left, or no brick.
The optimal return is the sum of all points, 432: no step gives more than its bricks, and play that breaks them all
within the time limit exists.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Cells, Circle, Picture, Rectangle, Text
from workbench_kernels.rng import uniform
from workbench_kernels.spaces import Box, Discrete

ROWS, COLUMNS = 6, 18
BRICKS = ROWS * COLUMNS
FIRST_ROW = 2
STATE = ("paddle", "x", "y", "x_dot", "y_dot", "lives", "left", *(f"brick_{k}" for k in range(BRICKS)))
PADDLE, X, Y, X_DOT, Y_DOT, LIVES, LEFT, BRICK = range(8)
LIVES_AT_START = len(STATE)
SHOWN = 6

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
TWO = np.float32(2.0)
FOUR = np.float32(4.0)
SEVEN = np.float32(7.0)
WIDTH = np.float32(COLUMNS)
HEIGHT = np.float32(16.0)
MIDDLE = np.float32(COLUMNS / 2)
SERVE_Y = np.float32(9.0)
REACH = np.float32(1.5)  # half a paddle
LAST = np.float32(COLUMNS - 1.5)
PADDLE_SPEED = np.float32(0.375)
SPEED = np.float32(0.375)  # the greatest along x
PER_REACH = SPEED / REACH
FALL = np.float32(0.5)
TO_X = np.float32(2.0 / COLUMNS)
TO_Y = np.float32(2.0 / 16.0)
TO_SPEED = ONE / SPEED
TO_FALL = ONE / FALL


def serve(i, state, random):
    """Send a ball down from the middle of the court, at a random slant."""
    state[X, i] = MIDDLE
    state[Y, i] = SERVE_Y
    state[X_DOT, i] = (TWO * uniform(i, random) - ONE) * SPEED
    state[Y_DOT, i] = FALL


def reset(i, state, random):
    """Start lane `i` with every brick and every life."""
    for k in range(BRICKS):
        state[BRICK + k, i] = ONE
    state[PADDLE, i] = MIDDLE
    state[LIVES, i] = state[LIVES_AT_START, i]
    state[LEFT, i] = np.float32(BRICKS)
    serve(i, state, random)


def broken(i, state, x, y):
    """Break the brick at (x, y), if there is one; return its points."""
    row = np.int32(y) - FIRST_ROW
    if (row < 0) | (row >= ROWS):
        return ZERO
    k = BRICK + row * COLUMNS + min(np.int32(x), COLUMNS - 1)
    if state[k, i] == ZERO:
        return ZERO
    state[k, i] = ZERO
    state[LEFT, i] -= ONE
    return SEVEN if row < 2 else FOUR if row < 4 else ONE


def step(i, state, action, reward, terminated, random):
    """Move the paddle of lane `i`, then the ball along x, then along y."""
    push = np.float32(action[i] == 2) - np.float32(action[i] == 1)
    paddle = min(max(state[PADDLE, i] + PADDLE_SPEED * push, REACH), LAST)
    x, y, x_dot, y_dot = state[X, i], state[Y, i], state[X_DOT, i], state[Y_DOT, i]
    next_x = x + x_dot
    if next_x < ZERO:
        next_x = -next_x
        x_dot = -x_dot
    elif next_x > WIDTH:
        next_x = TWO * WIDTH - next_x
        x_dot = -x_dot
    beside = broken(i, state, next_x, y)
    if beside > ZERO:
        next_x = x
        x_dot = -x_dot
    next_y = y + y_dot
    ahead = ZERO
    lost = False
    if next_y < ZERO:
        next_y = -next_y
        y_dot = -y_dot
    elif next_y >= HEIGHT:
        offset = next_x - paddle
        lost = abs(offset) > REACH
        next_y = TWO * HEIGHT - next_y
        x_dot = offset * PER_REACH
        y_dot = -y_dot
    else:
        ahead = broken(i, state, next_x, next_y)
        if ahead > ZERO:
            next_y = y
            y_dot = -y_dot
    state[PADDLE, i] = paddle
    state[X, i] = next_x
    state[Y, i] = next_y
    state[X_DOT, i] = x_dot
    state[Y_DOT, i] = y_dot
    if lost:
        state[LIVES, i] -= ONE
        serve(i, state, random)
    reward[i] = beside + ahead
    terminated[i] = (state[LIVES, i] <= ZERO) | (state[LEFT, i] <= ZERO)


def observe(i, state, observation):
    """Show paddle, ball and lives in [-1, 1], then the bricks."""
    observation[0, i] = state[PADDLE, i] * TO_X - ONE
    observation[1, i] = state[X, i] * TO_X - ONE
    observation[2, i] = state[Y, i] * TO_Y - ONE
    observation[3, i] = state[X_DOT, i] * TO_SPEED
    observation[4, i] = state[Y_DOT, i] * TO_FALL
    observation[5, i] = state[LIVES, i] / state[LIVES_AT_START, i]
    for k in range(BRICKS):
        observation[SHOWN + k, i] = state[BRICK + k, i]


def _row(row: int, colour: str) -> Cells:
    """Draw a row of bricks."""
    y = 10.0 + 8 * (FIRST_ROW + row)
    return Cells(f"brick_{row * COLUMNS}", 1, COLUMNS, ("", colour), x=10, y=y, width=180, height=7)


COLOURS = ("#e03131", "#e8590c", "#f08c00", "#66a80f", "#1098ad", "#1971c2")
PICTURE = Picture(
    width=200,
    height=156,
    shapes=(
        Rectangle(100, 74, 180, 128, "#212529"),
        *(_row(row, colour) for row, colour in enumerate(COLOURS)),
        Rectangle("10 + 10 * paddle", 140.5, 30, 5, "#4dabf7"),
        Circle("10 + 10 * x", "10 + 8 * y", 2.5, "#ffffff"),
        Text(12, 149.5, "lives {}", 7, "#212529", value="lives"),
        Text(112, 149.5, "bricks {}", 7, "#212529", value="left"),
    ),
    background="#dee2e6",
)


def environment(*, lives: int = 5) -> Environment:
    """Build Breakout-v0; `lives` is how many balls may be lost.

    Raises:
        ValueError: If `lives` is less than 1 or more than 100.
    """
    if not 1 <= lives <= 100:
        raise ValueError(f"lives={lives} makes no game; pass 1 to 100.")
    return Environment(
        id="workbench/Breakout-v0",
        state=STATE,
        observation=Box(-1, 1, shape=(SHOWN + BRICKS,)),
        action=Discrete(3),
        time_limit=20_000,
        reset=reset,
        step=step,
        observe=observe,
        settings={"lives_at_start": lives},
        lane_major=True,
        picture=PICTURE,
        optimal_return=432.0,
        options={"lives": lives},
    )
