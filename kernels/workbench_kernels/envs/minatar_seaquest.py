"""MinAtar/Seaquest-v1: shoot fish and submarines, gather divers and surface before the air ends (Young and Tian 2019).

State: the player's cell, facing and air; divers aboard; timers; how often the game became harder; bullets, divers and
enemies as codes (below); the enemies' bullets, one bit each; the action taken last.
Observation [10, 10, 10]: player's front, player's back, the player's bullets, trail (where fish, submarines and divers
come from), the enemies' bullets, fish, submarines, air, divers aboard, divers.
Actions: stay, left, up, right, down, fire (`minimal=False`: the same). Reward: 1 an enemy; on surfacing with six divers
1 for every 20 steps that the air would have lasted.
End: touching an enemy or its bullet, no air, or surfacing without divers. Surfacing renews the air, costs a diver (all
six, if six are aboard) and with `ramping` makes enemies start and move sooner.
As in the package, surfacing with six leaves -1 aboard, and with fewer than none surfacing is free.
Rules: arXiv:1903.03176; step for step the package `minatar` 1.0.15.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.minatar import (
    ALL_ACTIONS,
    CELLS,
    DOWN,
    FIRE,
    LAST,
    LEFT,
    RAMPING,
    RIGHT,
    SIDE,
    UP,
    describe,
    happens,
    take_action,
    threshold,
)
from workbench_kernels.rng import integer

# A bullet crosses the grid in 9 steps and the next may follow after 5; a diver in 60, the next comes after 30.
# An enemy that starts when the interval is m is gone 10 * (m + 1) steps later. At the fastest one starts in every step
# and m = 2, so 30 stand at once. More do not in between: m > 2 only while 15 steps or more lie between two starts, and
# making the game harder takes two steps each time, so that within the at most 60 steps of such an enemy 20 start.
BULLETS = DIVERS = 2
ENEMIES = 30
ROWS_BELOW = 8
STATE = (
    *("x", "y", "facing", "air", "aboard", "surfaced", "cooldown", "enemy_timer", "diver_timer", "ramp", "enemies"),
    *(f"bullet_{k}" for k in range(BULLETS)),
    *(f"diver_{k}" for k in range(DIVERS)),
    *(f"enemy_bullets_{y}" for y in range(1, 1 + ROWS_BELOW)),
    *(f"enemy_{k}" for k in range(ENEMIES)),
)
_, X, Y, FACING, AIR, ABOARD, SURFACED, COOLDOWN, ENEMY_TIMER, DIVER_TIMER, RAMP, COUNT, BULLET = range(13)
DIVER = BULLET + BULLETS
ENEMY_BULLETS = DIVER + DIVERS
ENEMY = ENEMY_BULLETS + ROWS_BELOW
SETTINGS = ENEMY + ENEMIES

PALETTE = (
    *("#ffe066", "#c9a227", "#ffffff", "#3b4a63", "#ff5c5c", "#e07a5f", "#8f9bb3", "#4c9be8", "#81c784", "#b5e48c"),
)
CHANNELS = len(PALETTE)
_, BACK, FRIENDLY, TRAIL, HOSTILE, FISH, SUBMARINES, AIR_GAUGE, DIVER_GAUGE, DIVERS_SHOWN = range(
    0, CHANNELS * CELLS, CELLS
)

# A code is 0 for nothing, else from the lowest bit: the place, 8 bits, 16 * row + column + 1, so that the places beside
# the grid belong to its row; 1 bit, whether it moves right; steps until it moves, 3 bits; until it shoots, 4 bits;
# whether it is a submarine.
ROW = 16
COLUMN = 0x0F
WHOLE_ROW = 0xF0
PLACE = 0xFF
RIGHTWARDS = 1 << 8
MOVE_SHIFT = 9
MOVE = 7 << MOVE_SHIFT
SHOT_SHIFT = 12
SHOT = 15 << SHOT_SHIFT
SUBMARINE = 1 << 16

# The enemies' bullets of a row: bits 0 to 9 by column move right, bits 10 to 19 left. Two in one cell that move alike
# never part again, so that one bit may stand for both.
BOTH = (1 << SIDE) | 1
COLUMNS = (1 << SIDE) - 1
MOVED_RIGHT = COLUMNS - 1
MOVED_LEFT = (COLUMNS >> 1) << SIDE

MOST_AIR = 200
MOST_ABOARD = 6
SURFACE = 0
FLOOR = 8
START_X = 5
ENEMY_INTERVAL = 20
DIVER_INTERVAL = 30
MOVE_INTERVAL = 5
SHOT_INTERVAL = 10
COOLDOWN_STEPS = 5
HARDEST = 19
MOST_HASTE = 3
AIR_CELL = MOST_AIR // SIDE
HALF = threshold(1 / 2)
THIRD = threshold(1 / 3)


def reset(i, state, random):
    """Start lane `i` at the surface, alone."""
    for k in range(X, SETTINGS):
        state[k, i] = 0
    state[X, i] = START_X
    state[AIR, i] = MOST_AIR
    state[SURFACED, i] = 1
    state[ENEMY_TIMER, i] = ENEMY_INTERVAL
    state[DIVER_TIMER, i] = DIVER_INTERVAL


def inside(place):
    """Return whether a place lies on the grid."""
    return ((place & COLUMN) > 0) & ((place & COLUMN) <= SIDE)


def onward(code):
    """Return the code one cell further."""
    return code + (1 if code & RIGHTWARDS else -1)


def entrance(i, random, right):
    """Return the code of something that starts on a random row, at the left side if it moves right."""
    y = 1 + integer(i, random, ROWS_BELOW)
    return ROW * y + (RIGHTWARDS + 1 if right else SIDE)


def move_interval(ramp):
    """Return how many steps an enemy rests between moves."""
    return MOVE_INTERVAL - min(ramp >> 1, MOST_HASTE)


def start_enemy(i, state, random):
    """Let a fish or submarine start, unless its row already has enemies that move the other way."""
    right = happens(i, random, HALF)
    submarine = happens(i, random, THIRD)
    code = entrance(i, random, right) | (move_interval(state[RAMP, i]) << MOVE_SHIFT)
    if submarine:
        code |= SUBMARINE | (SHOT_INTERVAL << SHOT_SHIFT)
    count = state[COUNT, i]
    free = True
    for k in range(ENEMY, ENEMY + count):
        free &= ((state[k, i] ^ code) & (WHOLE_ROW | RIGHTWARDS)) != RIGHTWARDS
    if free:
        state[ENEMY + count, i] = code
        state[COUNT, i] = count + 1


def start_diver(i, state, random):
    """Let a diver start."""
    right = happens(i, random, HALF)
    code = entrance(i, random, right) | (MOVE_INTERVAL << MOVE_SHIFT)
    state[DIVER + (state[DIVER, i] != 0), i] = code


def remove_enemy(i, state, row):
    """Take away the enemy in `row`; the others keep their order."""
    last = ENEMY + state[COUNT, i] - 1
    for k in range(row, last):
        state[k, i] = state[k + 1, i]
    state[last, i] = 0
    state[COUNT, i] -= 1


def strike_enemy(i, state, place):
    """Take away the oldest fish at `place`, or else the oldest submarine; return whether there was one."""
    for kind in range(0, 2 * SUBMARINE, SUBMARINE):
        for k in range(ENEMY, ENEMY + state[COUNT, i]):
            if (state[k, i] & (SUBMARINE | PLACE)) == (kind | place):
                remove_enemy(i, state, k)
                return True
    return False


def strike_bullet(i, state, place):
    """Take away the player's bullet at `place`; return whether there was one.

    At most one is: the player cannot overtake its bullets.
    """
    for k in range(BULLET, BULLET + BULLETS):
        if (state[k, i] & PLACE) == place:
            state[k, i] = 0
            return True
    return False


def move_player(i, state, taken):
    """Move, turn or fire."""
    right, left = taken == RIGHT, taken == LEFT
    x, y = state[X, i], state[Y, i]
    if (taken == FIRE) & (state[COOLDOWN, i] == 0):
        state[BULLET + (state[BULLET, i] != 0), i] = ROW * y + x + 1 + RIGHTWARDS * state[FACING, i]
        state[COOLDOWN, i] = COOLDOWN_STEPS
    state[X, i] = min(max(x + right - left, 0), LAST)
    state[Y, i] = min(max(y + (taken == DOWN) - (taken == UP), SURFACE), FLOOR)
    state[FACING, i] = right | (state[FACING, i] & (not left))


def move_bullets(i, state):
    """Move the player's bullets; return how many enemies they struck."""
    struck = 0
    for k in range(BULLET, BULLET + BULLETS):
        if state[k, i] != 0:
            code = onward(state[k, i])
            if not inside(code):
                code = 0
            elif strike_enemy(i, state, code & PLACE):
                code = 0
                struck += 1
            state[k, i] = code
    return struck


def move_divers(i, state, here):
    """Move the divers, the youngest first, and take those aboard that the player touches."""
    aboard = state[ABOARD, i]
    for k in range(DIVER + DIVERS - 1, DIVER - 1, -1):
        code = state[k, i]
        if code != 0:
            if ((code & PLACE) == here) & (aboard < MOST_ABOARD):
                aboard += 1
                code = 0
            elif (code & MOVE) != 0:
                code -= 1 << MOVE_SHIFT
            else:
                code = onward(code) + (MOVE_INTERVAL << MOVE_SHIFT)
                if not inside(code):
                    code = 0
                elif ((code & PLACE) == here) & (aboard < MOST_ABOARD):
                    aboard += 1
                    code = 0
            state[k, i] = code
    state[ABOARD, i] = aboard
    if state[DIVER, i] == 0:
        state[DIVER, i] = state[DIVER + 1, i]
        state[DIVER + 1, i] = 0


def shoot(i, state, code):
    """Count down to a submarine's shot, and let it shoot: from where it was struck, too. Return its code."""
    if (code & SHOT) != 0:
        return code - (1 << SHOT_SHIFT)
    if inside(code):
        column = (code & COLUMN) - 1 + (0 if code & RIGHTWARDS else SIDE)
        state[ENEMY_BULLETS - 1 + ((code & WHOLE_ROW) >> 4), i] |= 1 << column
    return code | (SHOT_INTERVAL << SHOT_SHIFT)


def move_enemies(i, state, here, kind):
    """Move the fish (`kind` is 0) or the submarines (`SUBMARINE`), the youngest first.

    Returns:
        How many ran into the player's bullets, and whether one touched the player.
    """
    struck = 0
    touched = False
    for k in range(ENEMY + state[COUNT, i] - 1, ENEMY - 1, -1):
        code = state[k, i]
        if (code & SUBMARINE) == kind:
            gone = False
            touched |= (code & PLACE) == here
            if (code & MOVE) != 0:
                code -= 1 << MOVE_SHIFT
            else:
                code = onward(code) + (move_interval(state[RAMP, i]) << MOVE_SHIFT)
                if (code & PLACE) == here:
                    touched = True
                elif not inside(code):
                    gone = True
                elif strike_bullet(i, state, code & PLACE):
                    gone = True
                    struck += 1
            if kind == SUBMARINE:
                code = shoot(i, state, code)
            if gone:
                remove_enemy(i, state, k)
            else:
                state[k, i] = code
    return struck, touched


def any_enemy_bullets(i, state):
    """Return whether any bullet of the enemies flies."""
    bits = 0
    for k in range(ENEMY_BULLETS, ENEMY_BULLETS + ROWS_BELOW):
        bits |= state[k, i]
    return bits != 0


def move_enemy_bullets(i, state):
    """Move the enemies' bullets; return whether one is where the player is, before or after."""
    if not any_enemy_bullets(i, state):
        return False
    here = BOTH << state[X, i]
    own = ENEMY_BULLETS - 1 + state[Y, i]
    touched = 0
    for k in range(ENEMY_BULLETS, ENEMY_BULLETS + ROWS_BELOW):
        bits = state[k, i]
        moved = ((bits << 1) & MOVED_RIGHT) | ((bits >> 1) & MOVED_LEFT)
        state[k, i] = moved
        if k == own:
            touched = (bits | moved) & here
    return touched != 0


def surface(i, state):
    """Renew the air, let divers go and make the game harder; return the reward."""
    bonus = 0
    if state[ABOARD, i] == MOST_ABOARD:
        bonus = state[AIR, i] // AIR_CELL
        state[ABOARD, i] = 0
    state[ABOARD, i] -= 1
    state[AIR, i] = MOST_AIR
    state[SURFACED, i] = 1
    state[RAMP, i] = min(state[RAMP, i] + state[SETTINGS + RAMPING, i], HARDEST)
    return bonus


def step(i, state, action, reward, terminated, random):
    """Let enemies and divers start, then move the player of lane `i`, bullets, divers and enemies, in this order."""
    taken = take_action(i, state, action, random, SETTINGS)
    if state[ENEMY_TIMER, i] == 0:
        start_enemy(i, state, random)
        state[ENEMY_TIMER, i] = ENEMY_INTERVAL - state[RAMP, i]
    if state[DIVER_TIMER, i] == 0:
        start_diver(i, state, random)
        state[DIVER_TIMER, i] = DIVER_INTERVAL
    move_player(i, state, taken)
    here = ROW * state[Y, i] + state[X, i] + 1
    points = move_bullets(i, state)
    move_divers(i, state, here)
    submarines, by_submarine = move_enemies(i, state, here, SUBMARINE)
    shot = move_enemy_bullets(i, state)
    fish, by_fish = move_enemies(i, state, here, 0)
    state[ENEMY_TIMER, i] -= 1
    state[DIVER_TIMER, i] -= 1
    state[COOLDOWN, i] = max(state[COOLDOWN, i] - 1, 0)
    over = by_submarine | shot | by_fish | (state[AIR, i] <= 0)
    points += submarines + fish
    if state[Y, i] > SURFACE:
        state[AIR, i] -= 1
        state[SURFACED, i] = 0
    elif state[SURFACED, i] == 0:
        if state[ABOARD, i] == 0:
            over = True
        else:
            points += surface(i, state)
    reward[i] = np.float32(points)
    terminated[i] = over


def show(i, observation, channel, code):
    """Show something in its channel, and in the trail the cell it came from."""
    place = code & PLACE
    came_from = place + (-1 if code & RIGHTWARDS else 1)
    row = (place >> 4) * SIDE - 1
    observation[channel + row + (place & COLUMN), i] = 1
    if inside(came_from):
        observation[TRAIL + row + (came_from & COLUMN), i] = 1


def observe(i, state, observation):
    """Show the ten channels."""
    for k in range(CHANNELS * CELLS):
        observation[k, i] = 0
    cell = state[Y, i] * SIDE + state[X, i]
    observation[cell, i] = 1
    observation[BACK + cell + 1 - 2 * state[FACING, i], i] = 1
    for k in range(BULLET, BULLET + BULLETS):
        code = state[k, i]
        if code != 0:
            observation[FRIENDLY + ((code & PLACE) >> 4) * SIDE + (code & COLUMN) - 1, i] = 1
    for k in range(DIVER, DIVER + DIVERS):
        code = state[k, i]
        if code != 0:
            show(i, observation, DIVERS_SHOWN, code)
    for k in range(ENEMY, ENEMY + state[COUNT, i]):
        code = state[k, i]
        show(i, observation, SUBMARINES if code & SUBMARINE else FISH, code)
    if any_enemy_bullets(i, state):
        for y in range(ROWS_BELOW):
            bits = state[ENEMY_BULLETS + y, i]
            bits |= bits >> SIDE
            for x in range(SIDE):
                observation[HOSTILE + (y + 1) * SIDE + x, i] = (bits >> x) & 1
    air, aboard = state[AIR, i], state[ABOARD, i]
    for x in range(SIDE):
        observation[AIR_GAUGE + LAST * SIDE + x, i] = AIR_CELL * (x + 1) <= air
    for x in range(LAST):
        observation[DIVER_GAUGE + LAST * SIDE + x, i] = LAST - x <= aboard


def environment(*, sticky: float = 0.1, ramping: bool = True, minimal: bool = True) -> Environment:
    """Build MinAtar/Seaquest-v1, or -v0 with `minimal=False`; all six actions do something, so these play alike.

    Args:
        sticky: Probability that a step repeats the action before it.
        ramping: Whether surfacing makes the game harder.
        minimal: Part of every game's options.
    """
    return describe(
        "Seaquest",
        state=STATE,
        palette=PALETTE,
        minimal_actions=ALL_ACTIONS,
        reset=reset,
        step=step,
        observe=observe,
        sticky=sticky,
        minimal=minimal,
        ramping=ramping,
    )
