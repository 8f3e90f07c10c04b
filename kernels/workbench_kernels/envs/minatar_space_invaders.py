"""MinAtar/SpaceInvaders-v1: shoot the aliens that come down, and dodge what they shoot (Young and Tian 2019).

State: the cannon's column; which of the 24 aliens stand, one bit each, and the cell of their formation's corner, which
moves as one; its direction; timers; how many waves came faster; bullets by cell, -1 for none; the action taken last.
Observation [6, 10, 10]: cannon, aliens, aliens if they move left, aliens if they move right, the player's bullets, the
aliens' bullet.
Actions: stay, left, right, fire (`minimal=False`: stay, left, up, right, down, fire). Reward: 1 an alien.
End: a bullet or an alien reaches the cannon, or aliens in the bottom row would go further down. Few aliens move faster,
and with `ramping` each of the first six waves after the first is faster than the one before.
Rules: arXiv:1903.03176; step for step the package `minatar` 1.0.15.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.minatar import (
    CELLS,
    FIRE,
    LAST,
    LEFT,
    RAMPING,
    RIGHT,
    SIDE,
    STAY,
    describe,
    take_action,
)

# A bullet of the player's is gone nine steps after its shot, and the next may follow after five: two at most. The
# aliens' is gone when they shoot again, every ten steps.
STATE = (
    *("x", "cooldown", "aliens", "left", "top", "direction", "move_timer", "shot_timer", "ramp"),
    *("bullet_0", "bullet_1", "enemy_bullet"),
)
(_, X, COOLDOWN, ALIENS, LEFT_SIDE, TOP, DIRECTION, MOVE_TIMER, SHOT_TIMER, RAMP, BULLET, _, ENEMY_BULLET, SETTINGS) = (
    range(len(STATE) + 2)
)
BULLETS = 2
NONE = -1
PALETTE = ("#ffffff", "#81c784", "#66bb9a", "#9bd36a", "#4c9be8", "#ff5c5c")
CHANNELS = len(PALETTE)
ALIEN, ALIEN_LEFT, ALIEN_RIGHT, FRIENDLY, HOSTILE = range(CELLS, CHANNELS * CELLS, CELLS)

# The formation: bit 6 * row + column of its own.
WIDTH = 6
HEIGHT = 4
ROW = (1 << WIDTH) - 1
COLUMN = sum(1 << (WIDTH * row) for row in range(HEIGHT))
WAVE = ROW * COLUMN
GRID_ROW = (1 << SIDE) - 1
START_LEFT = 2

START_X = 5
BOTTOM = LAST * SIDE
MOVE_INTERVAL = 12
SHOT_INTERVAL = 10
COOLDOWN_STEPS = 5
MOST_HASTE = 6
PAIRS, FOURS, EIGHTS, COUNTED = 0x555555, 0x333333, 0x0F0F0F, 31


def start_wave(i, state):
    """Put a whole formation up."""
    state[ALIENS, i] = WAVE
    state[LEFT_SIDE, i] = START_LEFT
    state[TOP, i] = 0


def reset(i, state, random):
    """Start lane `i` with the first wave."""
    start_wave(i, state)
    state[X, i] = START_X
    state[COOLDOWN, i] = 0
    state[DIRECTION, i] = -1
    state[MOVE_TIMER, i] = MOVE_INTERVAL
    state[SHOT_TIMER, i] = SHOT_INTERVAL
    state[RAMP, i] = 0
    for k in range(BULLET, SETTINGS):
        state[k, i] = NONE


def count(aliens):
    """Return how many bits are set, of 24."""
    pairs = aliens - ((aliens >> 1) & PAIRS)
    fours = (pairs & FOURS) + ((pairs >> 2) & FOURS)
    eights = (fours + (fours >> 4)) & EIGHTS
    return (eights + (eights >> 8) + (eights >> 16)) & COUNTED


def wrapped(row):
    """Return the row of the grid for one from -10 to 19: what passes the bottom, in a game's last step, is on top."""
    return row + (SIDE if row < 0 else 0) - (SIDE if row >= SIDE else 0)


def alien_bit(i, state, row, column):
    """Return the bit of the alien whose place in the formation is now on this cell of the grid, or 0."""
    own_row = wrapped(row - state[TOP, i])
    own_column = column - state[LEFT_SIDE, i]
    if (own_row < HEIGHT) & (own_column >= 0) & (own_column < WIDTH):
        return 1 << (own_row * WIDTH + own_column)
    return 0


def standing_columns(aliens, left):
    """Return the columns of the grid in which an alien stands, a bit each."""
    columns = (aliens | (aliens >> WIDTH) | (aliens >> (2 * WIDTH)) | (aliens >> (3 * WIDTH))) & ROW
    return columns << left if left >= 0 else columns >> -left


def move_aliens(i, state):
    """Move the formation sideways, or down if an alien is at the side; return whether one reached the bottom so."""
    aliens, left, direction = state[ALIENS, i], state[LEFT_SIDE, i], state[DIRECTION, i]
    state[MOVE_TIMER, i] = min(count(aliens), MOVE_INTERVAL - state[RAMP, i])
    if (standing_columns(aliens, left) & (1 if direction < 0 else 1 << LAST)) == 0:
        state[LEFT_SIDE, i] = left + direction
        return False
    lowest = wrapped(LAST - state[TOP, i])
    state[DIRECTION, i] = -direction
    state[TOP, i] = wrapped(state[TOP, i] + 1)
    return (lowest < HEIGHT) & (((aliens >> (lowest * WIDTH)) & ROW) != 0)


def shoot(i, state):
    """Let the lowest alien of the column nearest to the cannon shoot; of two columns the left one."""
    x, aliens, left = state[X, i], state[ALIENS, i], state[LEFT_SIDE, i]
    columns = standing_columns(aliens, left)
    column = x
    for distance in range(SIDE - 1, -1, -1):
        if (columns << distance) & (1 << x):
            column = x - distance
        elif (columns >> distance) & (1 << x):
            column = x + distance
    row = 0
    for k in range(HEIGHT):
        if (aliens >> (k * WIDTH + column - left)) & 1:
            row = max(row, wrapped(state[TOP, i] + k))
    state[ENEMY_BULLET, i] = row * SIDE + column
    state[SHOT_TIMER, i] = SHOT_INTERVAL


def strike(i, state):
    """Take away aliens on the cells of bullets, and these bullets; return how many."""
    struck = 0
    for k in range(BULLET, BULLET + BULLETS):
        cell = state[k, i]
        if cell >= 0:
            bit = alien_bit(i, state, cell // SIDE, cell % SIDE) & state[ALIENS, i]
            if bit != 0:
                state[ALIENS, i] ^= bit
                state[k, i] = NONE
                struck += 1
    return struck


def move_player(i, state, taken):
    """Move or fire."""
    x = state[X, i]
    if (taken == FIRE) & (state[COOLDOWN, i] == 0):
        state[BULLET + (state[BULLET, i] >= 0), i] = BOTTOM + x
        state[COOLDOWN, i] = COOLDOWN_STEPS
    state[X, i] = min(max(x + (taken == RIGHT) - (taken == LEFT), 0), LAST)


def step(i, state, action, reward, terminated, random):
    """Move the cannon of lane `i`, the bullets and the aliens, in this order."""
    move_player(i, state, take_action(i, state, action, random, SETTINGS))
    x = state[X, i]
    for k in range(BULLET, BULLET + BULLETS):
        state[k, i] = max(state[k, i] - SIDE, NONE)
    bullet = state[ENEMY_BULLET, i]
    bullet = bullet + SIDE if (bullet >= 0) & (bullet < BOTTOM) else NONE
    state[ENEMY_BULLET, i] = bullet
    over = bullet == BOTTOM + x
    over |= (alien_bit(i, state, LAST, x) & state[ALIENS, i]) != 0
    if state[MOVE_TIMER, i] == 0:
        over |= move_aliens(i, state)
        over |= (alien_bit(i, state, LAST, x) & state[ALIENS, i]) != 0
    if state[SHOT_TIMER, i] == 0:
        shoot(i, state)
    struck = strike(i, state)
    state[COOLDOWN, i] = max(state[COOLDOWN, i] - 1, 0)
    state[MOVE_TIMER, i] -= 1
    state[SHOT_TIMER, i] -= 1
    if state[ALIENS, i] == 0:
        state[RAMP, i] = min(state[RAMP, i] + state[SETTINGS + RAMPING, i], MOST_HASTE)
        start_wave(i, state)
    reward[i] = np.float32(struck)
    terminated[i] = over


def observe(i, state, observation):
    """Show cannon, aliens and bullets."""
    for k in range(CHANNELS * CELLS):
        observation[k, i] = 0
    observation[BOTTOM + state[X, i], i] = 1
    aliens, left = state[ALIENS, i], state[LEFT_SIDE, i]
    facing = ALIEN_LEFT if state[DIRECTION, i] < 0 else ALIEN_RIGHT
    for k in range(HEIGHT):
        bits = (aliens >> (k * WIDTH)) & ROW
        bits = bits << left if left >= 0 else bits >> -left
        start = wrapped(state[TOP, i] + k) * SIDE
        for column in range(SIDE):
            observation[ALIEN + start + column, i] = (bits >> column) & 1
            observation[facing + start + column, i] = (bits >> column) & 1
    for k in range(BULLET, BULLET + BULLETS):
        if state[k, i] >= 0:
            observation[FRIENDLY + state[k, i], i] = 1
    if state[ENEMY_BULLET, i] >= 0:
        observation[HOSTILE + state[ENEMY_BULLET, i], i] = 1


def environment(*, sticky: float = 0.1, ramping: bool = True, minimal: bool = True) -> Environment:
    """Build MinAtar/SpaceInvaders-v1, or -v0 with `minimal=False`.

    Args:
        sticky: Probability that a step repeats the action before it.
        ramping: Whether later waves are faster.
        minimal: Whether to leave out up and down, which do nothing.
    """
    return describe(
        "SpaceInvaders",
        state=STATE,
        palette=PALETTE,
        minimal_actions=(STAY, LEFT, RIGHT, FIRE),
        reset=reset,
        step=step,
        observe=observe,
        sticky=sticky,
        minimal=minimal,
        ramping=ramping,
    )
