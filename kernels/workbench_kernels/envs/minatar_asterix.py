"""MinAtar/Asterix-v1: catch the gold and evade the enemies that cross the grid (Young and Tian 2019).

State: the player's cell; the steps between two spawns and between two moves, and how many are left of each; the steps
until the next ramp and how many there were; for each of eight rows the column, the direction (0: the row is empty) and
whether it is gold of what crosses it; the action taken last.
Observation [4, 10, 10]: player, enemy, trail (the cell behind each enemy or gold), gold.
Actions: stay, left, up, right, down (`minimal=False`: fire too). Reward: 1 for each gold.
End: the player meets an enemy. With `ramping`, spawns and moves become more frequent about every hundred steps.
Rules: arXiv:1903.03176; step for step the package `minatar` 1.0.15.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.minatar import (
    CELLS,
    DOWN,
    LAST,
    LEFT,
    RAMPING,
    RIGHT,
    SIDE,
    STAY,
    UP,
    describe,
    happens,
    take_action,
    threshold,
)
from workbench_kernels.rng import integer

SLOTS = 8
STATE = (
    "player_x",
    "player_y",
    "spawn_interval",
    "spawn_timer",
    "move_interval",
    "move_timer",
    "ramp_timer",
    "ramps",
    *(f"x_{k}" for k in range(SLOTS)),
    *(f"direction_{k}" for k in range(SLOTS)),
    *(f"gold_{k}" for k in range(SLOTS)),
)
PLAYER_X, PLAYER_Y, SPAWN_INTERVAL, SPAWN_TIMER, MOVE_INTERVAL, MOVE_TIMER, RAMP_TIMER, RAMPS = range(1, 9)
X = 9
DIRECTION = X + SLOTS
GOLD = DIRECTION + SLOTS
SETTINGS = GOLD + SLOTS
PALETTE = ("#4c9be8", "#e4572e", "#6d6d7d", "#f2c14e")
CHANNELS = len(PALETTE)
ENEMY_CELLS, TRAIL_CELLS, GOLD_CELLS = CELLS, 2 * CELLS, 3 * CELLS

RAMP_INTERVAL = 100
FIRST_SPAWN_INTERVAL = 10
FIRST_MOVE_INTERVAL = 5
START = 5
HALF = threshold(1 / 2)
THIRD = threshold(1 / 3)


def reset(i, state, random):
    """Start lane `i` with the player in the middle and no one else."""
    state[PLAYER_X, i] = state[PLAYER_Y, i] = START
    state[SPAWN_INTERVAL, i] = state[SPAWN_TIMER, i] = FIRST_SPAWN_INTERVAL
    state[MOVE_INTERVAL, i] = state[MOVE_TIMER, i] = FIRST_MOVE_INTERVAL
    state[RAMP_TIMER, i] = RAMP_INTERVAL
    state[RAMPS, i] = 0
    for k in range(3 * SLOTS):
        state[X + k, i] = 0


def spawn(i, state, random):
    """Let an enemy or, one time in three, gold enter an empty row; two numbers are drawn even if none is empty."""
    from_left = happens(i, random, HALF)
    gold = happens(i, random, THIRD)
    empty = 0
    for k in range(SLOTS):
        empty += state[DIRECTION + k, i] == 0
    if empty > 0:
        chosen = integer(i, random, empty)
        for k in range(SLOTS):
            if state[DIRECTION + k, i] == 0:
                if chosen == 0:
                    state[X + k, i] = 0 if from_left else LAST
                    state[DIRECTION + k, i] = 1 if from_left else -1
                    state[GOLD + k, i] = gold
                chosen -= 1


def ramp(i, state):
    """Count down to the next ramp of lane `i`: spawns come sooner then, and moves too every second time."""
    spawn_interval, move_interval = state[SPAWN_INTERVAL, i], state[MOVE_INTERVAL, i]
    if (spawn_interval > 1) | (move_interval > 1):
        if state[RAMP_TIMER, i] >= 0:
            state[RAMP_TIMER, i] -= 1
        else:
            ramps = state[RAMPS, i]
            state[MOVE_INTERVAL, i] = max(move_interval - (ramps & 1), 1)
            state[SPAWN_INTERVAL, i] = max(spawn_interval - 1, 1)
            state[RAMPS, i] = ramps + 1
            state[RAMP_TIMER, i] = RAMP_INTERVAL


def step(i, state, action, reward, terminated, random):
    """Spawn in lane `i` if it is time, move the player, then everyone else; only the player's own row can touch it."""
    taken = take_action(i, state, action, random, SETTINGS)
    if state[SPAWN_TIMER, i] == 0:
        spawn(i, state, random)
        state[SPAWN_TIMER, i] = state[SPAWN_INTERVAL, i]
    x = min(max(state[PLAYER_X, i] + (taken == RIGHT) - (taken == LEFT), 0), LAST)
    y = min(max(state[PLAYER_Y, i] + (taken == DOWN) - (taken == UP), 1), LAST - 1)
    row = y - 1
    met = (state[DIRECTION + row, i] != 0) & (state[X + row, i] == x)
    gold = state[GOLD + row, i] != 0
    caught, caught_by = met & gold, met & (not gold)
    if caught:
        state[DIRECTION + row, i] = 0
    if state[MOVE_TIMER, i] == 0:
        state[MOVE_TIMER, i] = state[MOVE_INTERVAL, i]
        for k in range(SLOTS):
            column = state[X + k, i] + state[DIRECTION + k, i]
            inside = (column >= 0) & (column <= LAST)
            state[X + k, i] = column if inside else 0
            state[DIRECTION + k, i] = state[DIRECTION + k, i] if inside else 0
        met = (state[DIRECTION + row, i] != 0) & (state[X + row, i] == x)
        caught |= met & gold
        caught_by |= met & (not gold)
        if met & gold:
            state[DIRECTION + row, i] = 0
    state[PLAYER_X, i] = x
    state[PLAYER_Y, i] = y
    state[SPAWN_TIMER, i] -= 1
    state[MOVE_TIMER, i] -= 1
    if state[SETTINGS + RAMPING, i] != 0:
        ramp(i, state)
    reward[i] = np.float32(caught)
    terminated[i] = caught_by


def observe(i, state, observation):
    """Show the player, enemies and gold, and the cell behind each where it is on the grid."""
    for k in range(CHANNELS * CELLS):
        observation[k, i] = 0
    observation[state[PLAYER_Y, i] * SIDE + state[PLAYER_X, i], i] = 1
    for k in range(SLOTS):
        x, direction = state[X + k, i], state[DIRECTION + k, i]
        there = direction != 0
        row = (k + 1) * SIDE
        kind = GOLD_CELLS if state[GOLD + k, i] != 0 else ENEMY_CELLS
        observation[kind + row + x, i] = there
        behind = x - direction
        on_grid = (behind >= 0) & (behind <= LAST)
        observation[TRAIL_CELLS + row + (behind if on_grid else x), i] = there & on_grid


def environment(*, sticky: float = 0.1, ramping: bool = True, minimal: bool = True) -> Environment:
    """Build MinAtar/Asterix-v1, or -v0 with `minimal=False`.

    Args:
        sticky: Probability that a step repeats the action taken before it.
        ramping: Whether the game becomes harder with time.
        minimal: Whether to leave out the action that does nothing, fire.
    """
    return describe(
        "Asterix",
        state=STATE,
        palette=PALETTE,
        minimal_actions=(STAY, LEFT, UP, RIGHT, DOWN),
        reset=reset,
        step=step,
        observe=observe,
        sticky=sticky,
        minimal=minimal,
        ramping=ramping,
    )
