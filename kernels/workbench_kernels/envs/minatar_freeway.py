"""MinAtar/Freeway-v1: cross eight lanes of traffic, again and again (Young and Tian 2019).

State: the player's row, the steps until it may move again, the steps that are left; for each car its column, the steps
until it moves, and its speed, the steps from one move to the next, negative to the left; the action taken last.
Observation [7, 10, 10]: player, car, and the cell behind each car in one of five channels, from the fastest cars to the
slowest.
Actions: stay, up, down (`minimal=False`: stay, left, up, right, down, fire); after a move, two steps pass in which the
player cannot. Reward: 1 for reaching the top; the player is then back at the bottom and all cars have new speeds.
A car that hits the player sends it back to the bottom. End: terminated by step 2501, as the package `minatar` does.
Rules: arXiv:1903.03176; step for step the package `minatar` 1.0.15.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.minatar import CELLS, DOWN, LAST, SIDE, STAY, UP, describe, happens, take_action, threshold
from workbench_kernels.rng import integer

CARS = 8
STATE = (
    "player",
    "wait",
    "left",
    *(f"x_{k}" for k in range(CARS)),
    *(f"timer_{k}" for k in range(CARS)),
    *(f"speed_{k}" for k in range(CARS)),
)
PLAYER, WAIT, TIME_LEFT = range(1, 4)
CAR_X = 4
TIMER = CAR_X + CARS
SPEED = TIMER + CARS
SETTINGS = SPEED + CARS
PALETTE = ("#f5f5f5", "#e4572e", "#f7e08a", "#c9d487", "#8fbf8f", "#5f9ea0", "#4a6f8f")
CHANNELS = len(PALETTE)
CAR = CELLS

TIME = 2500
PAUSE = 3
SPEEDS = 5
COLUMN = 4
HALF = threshold(0.5)


def reset(i, state, random):
    """Start lane `i` with the player at the bottom and all cars at the left."""
    state[PLAYER, i] = LAST
    state[WAIT, i] = PAUSE
    state[TIME_LEFT, i] = TIME
    for k in range(CARS):
        state[CAR_X + k, i] = 0
    change_speeds(i, state, random)


def change_speeds(i, state, random):
    """Draw the speeds of all cars of lane `i`, then their directions."""
    for k in range(CARS):
        state[TIMER + k, i] = 1 + integer(i, random, SPEEDS)
    for k in range(CARS):
        to_left = happens(i, random, HALF)
        state[SPEED + k, i] = -state[TIMER + k, i] if to_left else state[TIMER + k, i]


def step(i, state, action, reward, terminated, random):
    """Move the player of lane `i`, then every car; car k drives in row k + 1, so one at most can hit the player."""
    taken = take_action(i, state, action, random, SETTINGS)
    player, wait = state[PLAYER, i], state[WAIT, i]
    if (wait == 0) & ((taken == UP) | (taken == DOWN)):
        wait = PAUSE
        player = player - 1 if taken == UP else min(player + 1, LAST)
    scored = player == 0
    if scored:
        change_speeds(i, state, random)
        player = LAST
    beside = CAR_X + min(player, CARS) - 1  # at the bottom any car will do: a hit there moves nobody
    hit = state[beside, i] == COLUMN
    for k in range(CARS):
        x, timer, speed = state[CAR_X + k, i], state[TIMER + k, i], state[SPEED + k, i]
        x += np.int32(timer == 0) * (np.int32(speed > 0) - np.int32(speed < 0))
        x = LAST if x < 0 else x
        state[CAR_X + k, i] = 0 if x > LAST else x
        state[TIMER + k, i] = abs(speed) if timer == 0 else timer - 1
    hit |= state[beside, i] == COLUMN
    left = state[TIME_LEFT, i] - 1
    state[PLAYER, i] = LAST if hit else player
    state[WAIT, i] = wait - (wait > 0)
    state[TIME_LEFT, i] = left
    reward[i] = np.float32(scored)
    terminated[i] = left < 0


def observe(i, state, observation):
    """Show the player, the cars, and behind each car its speed."""
    for k in range(CHANNELS * CELLS):
        observation[k, i] = 0
    observation[state[PLAYER, i] * SIDE + COLUMN, i] = 1
    for k in range(CARS):
        x, speed = state[CAR_X + k, i], state[SPEED + k, i]
        behind = x - 1 if speed > 0 else x + 1
        behind = LAST if behind < 0 else behind
        behind = 0 if behind > LAST else behind
        row = (k + 1) * SIDE
        observation[CAR + row + x, i] = 1
        observation[CAR + abs(speed) * CELLS + row + behind, i] = 1


def environment(*, sticky: float = 0.1, minimal: bool = True) -> Environment:
    """Build MinAtar/Freeway-v1, or -v0 with `minimal=False`; `sticky` is the probability of repeating an action."""
    return describe(
        "Freeway",
        state=STATE,
        palette=PALETTE,
        minimal_actions=(STAY, UP, DOWN),
        reset=reset,
        step=step,
        observe=observe,
        sticky=sticky,
        minimal=minimal,
    )
