"""MinAtar/Breakout-v1: break three rows of bricks with a ball that must not be missed (Young and Tian 2019).

State: the paddle's column; the ball's cell, the one it came from, and its direction, always diagonal; whether it struck
a brick in the step before; the bricks that stand, one bit each; the action taken last.
Observation [4, 10, 10]: paddle, ball, trail (where the ball was a step before), brick.
Actions: stay, left, right (`minimal=False`: stay, left, up, right, down, fire). Reward: 1 a brick.
End: the ball reaches the bottom row beside the paddle. When no brick stands as the ball comes down, three rows are new.
Rules: arXiv:1903.03176; step for step the package `minatar` 1.0.15.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.minatar import CELLS, LAST, LEFT, RIGHT, SIDE, STAY, describe, take_action
from workbench_kernels.rng import integer

STATE = ("paddle", "x", "y", "x_before", "y_before", "x_step", "y_step", "struck", "bricks")
_, PADDLE, X, Y, X_BEFORE, Y_BEFORE, X_STEP, Y_STEP, STRUCK, BRICKS, SETTINGS = range(len(STATE) + 2)
PALETTE = ("#4c9be8", "#ffffff", "#6d6d7d", "#c8824a")
CHANNELS = len(PALETTE)
BALL, TRAIL, BRICK = CELLS, 2 * CELLS, 3 * CELLS

WALL_TOP = 1
WALL_ROWS = 3
WALL_CELLS = WALL_ROWS * SIDE
WALL = (1 << WALL_CELLS) - 1
START_X = 4
START_Y = 3


def reset(i, state, random):
    """Start lane `i` with the ball at the left or the right side, on its way down."""
    side = integer(i, random, 2)
    state[PADDLE, i] = START_X
    state[X, i] = state[X_BEFORE, i] = LAST * side
    state[Y, i] = state[Y_BEFORE, i] = START_Y
    state[X_STEP, i] = 1 - 2 * side
    state[Y_STEP, i] = 1
    state[STRUCK, i] = 0
    state[BRICKS, i] = WALL


def step(i, state, action, reward, terminated, random):
    """Move the paddle of lane `i`, then the ball by one cell along its diagonal.

    A brick breaks only if none broke in the step before; else the ball flies through it.
    """
    taken = take_action(i, state, action, random, SETTINGS)
    paddle = min(max(state[PADDLE, i] + (taken == RIGHT) - (taken == LEFT), 0), LAST)
    x, y, bricks = state[X, i], state[Y, i], state[BRICKS, i]
    x_step, y_step = state[X_STEP, i], state[Y_STEP, i]
    next_x, next_y = x + x_step, y + y_step
    if (next_x < 0) | (next_x > LAST):
        next_x = x
        x_step = -x_step
    struck = broken = lost = False
    if next_y < 0:
        next_y = 0
        y_step = -y_step
    elif (next_y >= WALL_TOP) & (next_y < WALL_TOP + WALL_ROWS):
        brick = 1 << ((next_y - WALL_TOP) * SIDE + next_x)
        struck = (bricks & brick) != 0
        if struck & (state[STRUCK, i] == 0):
            broken = True
            bricks ^= brick
            next_y = y
            y_step = -y_step
    elif next_y == LAST:
        if bricks == 0:
            bricks = WALL
        if x == paddle:
            next_y = y
            y_step = -y_step
        elif next_x == paddle:
            next_y = y
            x_step = -x_step
            y_step = -y_step
        else:
            lost = True
    state[PADDLE, i] = paddle
    state[X_BEFORE, i] = x
    state[Y_BEFORE, i] = y
    state[X, i] = next_x
    state[Y, i] = next_y
    state[X_STEP, i] = x_step
    state[Y_STEP, i] = y_step
    state[STRUCK, i] = struck
    state[BRICKS, i] = bricks
    reward[i] = np.float32(broken)
    terminated[i] = lost


def observe(i, state, observation):
    """Show paddle, ball, trail and bricks."""
    for k in range(CHANNELS * CELLS):
        observation[k, i] = 0
    observation[LAST * SIDE + state[PADDLE, i], i] = 1
    observation[BALL + state[Y, i] * SIDE + state[X, i], i] = 1
    observation[TRAIL + state[Y_BEFORE, i] * SIDE + state[X_BEFORE, i], i] = 1
    bricks = state[BRICKS, i]
    for k in range(WALL_CELLS):
        observation[BRICK + WALL_TOP * SIDE + k, i] = (bricks >> k) & 1


def environment(*, sticky: float = 0.1, minimal: bool = True) -> Environment:
    """Build MinAtar/Breakout-v1, or -v0 with `minimal=False`; `sticky` is the probability of repeating an action."""
    return describe(
        "Breakout",
        state=STATE,
        palette=PALETTE,
        minimal_actions=(STAY, LEFT, RIGHT),
        reset=reset,
        step=step,
        observe=observe,
        sticky=sticky,
        minimal=minimal,
    )
