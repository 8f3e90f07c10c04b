"""workbench/Breakout-v0: break a wall of 72 bricks with a ball that must not be missed; after the arcade's of 1976.

The field is 12 wide and 16 high, in bricks: x to the right, y down. The wall fills 6 rows, from y = 2 to y = 8; the
paddle, 2 wide, moves along y = 16. The ball is a point.
State: the paddle's x, the ball's place and velocity [per step], lives, how many bricks stand; each brick, 0 or 1.
Observation: the paddle's x, the ball's x and y, each from -1 to 1; its velocity in units of the greatest; the lives as
a part of those at the start; then the bricks, upper row first, 1 where one stands.
Actions: stay, left, right: 0.35 a step. Reward: 7, 7, 4, 4, 1 or 1 for a brick, by row from above. End: the wall is
cleared, or the last life lost.
In a step the ball moves along x, then along y. Where it would enter a brick, the brick breaks, and the ball stays where
it is on that axis and turns round. Walls reflect. The paddle returns a ball that passes y = 16 beside its middle by
0.6 of its offset along x for each row upwards, and 2 % faster, up to a greatest speed. A lost ball costs a life; the
next is served at once, from below the wall downwards.
Option: `lives`, a setting. The greatest return, 288, is that of the whole wall, as no brick stands twice: a player who
lets no ball pass, and strikes with all parts of the paddle, earns it.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Cells, Circle, Picture, Rectangle, Text
from workbench_kernels.rng import draw, high_uniform, low_uniform
from workbench_kernels.spaces import Box, Discrete

ROWS = 6
COLUMNS = 12
LAST_COLUMN = np.int32(COLUMNS - 1)
STATE = ("paddle", "x", "y", "x_dot", "y_dot", "lives", "standing", *(f"brick_{k}" for k in range(ROWS * COLUMNS)))
PADDLE, X, Y, X_DOT, Y_DOT, LIVES, STANDING, BRICKS = range(8)
ALL_LIVES = len(STATE)
WALL_TOP = 2
WALL = ROWS * COLUMNS
FULL = np.float32(WALL)
ZERO = np.float32(0.0)
ONE = np.float32(1.0)
TWO = np.float32(2.0)
WIDTH = np.float32(COLUMNS)
HALF_WIDTH = np.float32(COLUMNS / 2)
HEIGHT = np.float32(16.0)
HALF_HEIGHT = np.float32(8.0)
REACH = np.float32(1.0)  # half a paddle; the offset of the ball needs no division
PADDLE_SPEED = np.float32(0.35)
SERVE_HEIGHT = np.float32(9.0)
SERVE_SPEED = np.float32(0.375)
SPEED_LIMIT = np.float32(0.625)
PER_SPEED = np.float32(1.6)
STEEPNESS = np.float32(0.6)
GAIN = np.float32(1.02)
BEST = np.float32(7.0)
GOOD = np.float32(4.0)
TOTAL = 2.0 * COLUMNS * (7 + 4 + 1)


def serve(bits):
    """Return x and velocity along x of a new ball."""
    return low_uniform(bits) * WIDTH, (TWO * high_uniform(bits) - ONE) * (STEEPNESS * SERVE_SPEED)


def reset(i, state, random):
    """Build the wall of lane `i` and serve; the paddle stands in the middle."""
    x, x_dot = serve(draw(i, random))
    state[PADDLE, i] = HALF_WIDTH
    state[X, i] = x
    state[Y, i] = SERVE_HEIGHT
    state[X_DOT, i] = x_dot
    state[Y_DOT, i] = SERVE_SPEED
    state[LIVES, i] = state[ALL_LIVES, i]
    state[STANDING, i] = FULL
    for k in range(WALL):
        state[BRICKS + k, i] = ONE


def points(row):
    """Return what a brick of the wall's row `row` is worth."""
    return BEST if row < 2 else (GOOD if row < 4 else ONE)


def strike(i, state, x, y):
    """Break the brick of lane `i` at (x, y); return its points, 0 where none stands."""
    row = np.int32(y) - WALL_TOP
    if (row < 0) | (row >= ROWS):
        return ZERO
    column = min(np.int32(x), LAST_COLUMN)
    brick = BRICKS + row * COLUMNS + column
    stood = state[brick, i]
    state[brick, i] = ZERO
    state[STANDING, i] -= stood
    return stood * points(row)


def step(i, state, action, reward, terminated, random):
    """Advance lane `i`: the paddle, then the ball along x, then along y."""
    way = (PADDLE_SPEED if action[i] == 2 else ZERO) - (PADDLE_SPEED if action[i] == 1 else ZERO)
    paddle = min(max(state[PADDLE, i] + way, REACH), WIDTH - REACH)
    x, y, x_dot, y_dot = state[X, i], state[Y, i], state[X_DOT, i], state[Y_DOT, i]

    aside = x + x_dot
    if (aside < ZERO) | (aside > WIDTH):
        aside = -aside if aside < ZERO else TWO * WIDTH - aside
        x_dot = -x_dot
    gained = strike(i, state, aside, y)
    if gained > ZERO:
        x_dot = -x_dot
    else:
        x = aside

    ahead = y + y_dot
    if ahead < ZERO:
        ahead = -ahead
        y_dot = -y_dot
    above = strike(i, state, x, ahead)
    if above > ZERO:
        y_dot = -y_dot
    else:
        y = ahead
    if y >= HEIGHT:
        offset = x - paddle
        if abs(offset) > REACH:
            x, x_dot = serve(draw(i, random))
            y, y_dot = SERVE_HEIGHT, SERVE_SPEED
            state[LIVES, i] -= ONE
        else:
            faster = min(y_dot * GAIN, SPEED_LIMIT)
            x_dot = offset * (STEEPNESS * faster)
            y, y_dot = TWO * HEIGHT - y, -faster
    state[PADDLE, i] = paddle
    state[X, i] = x
    state[Y, i] = y
    state[X_DOT, i] = x_dot
    state[Y_DOT, i] = y_dot
    reward[i] = gained + above
    terminated[i] = (state[LIVES, i] <= ZERO) | (state[STANDING, i] <= ZERO)


def observe(i, state, observation):
    """Show paddle, ball, lives and bricks."""
    observation[0, i] = state[PADDLE, i] / HALF_WIDTH - ONE
    observation[1, i] = state[X, i] / HALF_WIDTH - ONE
    observation[2, i] = state[Y, i] / HALF_HEIGHT - ONE
    observation[3, i] = state[X_DOT, i] * PER_SPEED
    observation[4, i] = state[Y_DOT, i] * PER_SPEED
    observation[5, i] = state[LIVES, i] / state[ALL_LIVES, i]
    for k in range(WALL):
        observation[6 + k, i] = state[BRICKS + k, i]


COLOURS = ("#e03131", "#f76707", "#f59f00", "#fcc419", "#37b24d", "#4dabf7")
PICTURE = Picture(
    width=240,
    height=256,
    shapes=(
        *(
            Cells(f"brick_{r * COLUMNS}", 1, COLUMNS, ("", colour), 0, 24 + 14 * (WALL_TOP + r), 240, 14)
            for r, colour in enumerate(COLOURS)
        ),
        *(Rectangle(20 * c, 94, 1, 84, "#212529") for c in range(1, COLUMNS)),
        *(Rectangle(120, 52 + 14 * r, 240, 1, "#212529") for r in range(1, ROWS)),
        Rectangle("20 * paddle", 251, 40, 6, "#f1f3f5"),
        Circle("20 * x", "24 + 14 * y", 4, "#f1f3f5"),
        Text(8, 12, "lives {}", 10, "#868e96", value="lives"),
    ),
    background="#212529",
)


def environment(*, lives: int = 3) -> Environment:
    """Build Breakout-v0.

    Args:
        lives: How many balls may be lost, the last of which ends the episode.

    Raises:
        ValueError: If `lives` is out of range.
    """
    if not 1 <= lives <= 100:
        raise ValueError(f"lives={lives} is out of range; pass 1 to 100.")
    return Environment(
        id="workbench/Breakout-v0",
        state=STATE,
        settings={"lives_at_start": lives},
        observation=Box(low=(*(-1.0,) * 5, *(0.0,) * 73), high=1.0),
        action=Discrete(3),
        lane_major=True,
        time_limit=10_000,
        reset=reset,
        step=step,
        observe=observe,
        picture=PICTURE,
        optimal_return=TOTAL,
        options={"lives": lives},
    )
