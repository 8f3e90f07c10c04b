"""workbench/Connect4-v0: drop discs into seven columns of six; four in a line win.

State: the discs of the two players, bit 7 * row + column, rows from the top, in two words of three rows each; whose
turn it is.
Observation uint8 [2, 6, 7] with `players=1`: own discs, the opponent's. [3, 6, 7] with `players=2`: the third is 1 if
it is the observer's turn.
Actions: a column; legal while there is room. With `players=2` the action of the player whose turn it is not does not
matter, and its mask allows only 0.
Reward: 1 for a win, -1 for a loss, 0 for a draw. An illegal move loses at once.
End: four in a line, a full board, an illegal move. Who starts is drawn.
With `players=1` the opponent moves within the step, uniformly among its legal moves.
"""

import numpy as np

from workbench_kernels.bits import bit, has, join, nth, ones
from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Picture, Rectangle
from workbench_kernels.rng import draw, high_integer, low_integer
from workbench_kernels.spaces import Box, Discrete

LOW, HIGH, OTHER_LOW, OTHER_HIGH, TURN = range(5)
COLUMNS, ROWS = 7, 6
CELLS = COLUMNS * ROWS
HALF = CELLS // 2
HALF_MASK = np.int64((1 << HALF) - 1)
BOARD = np.int64((1 << CELLS) - 1)
TOP = np.int64((1 << COLUMNS) - 1)
BOTTOM = np.int64(((1 << COLUMNS) - 1) << (CELLS - COLUMNS))
COLUMN = np.int64(sum(1 << COLUMNS * row for row in range(ROWS)))
# The upper or left end of a line must leave it room to the right, or to the left where the line falls that way.
FROM_LEFT = np.int64(sum(0b0001111 << COLUMNS * row for row in range(ROWS)))
FROM_RIGHT = np.int64(sum(0b1111000 << COLUMNS * row for row in range(ROWS)))
NONE = np.int64(0)
WORD = 64


def landing(occupied):
    """Return the cells that discs would fall into: one of every column that has room."""
    return ((occupied >> COLUMNS) | BOTTOM) & ~occupied & BOARD


def line(discs, step):
    """Return the cells that begin four discs, each `step` bits from the one before."""
    pairs = discs & (discs >> step)
    return pairs & (pairs >> (2 * step))


def four(discs):
    """Return whether four stand in a row, a column or a diagonal."""
    across = line(discs, 1) & FROM_LEFT
    down = line(discs, COLUMNS)
    falling = line(discs, COLUMNS + 1) & FROM_LEFT
    rising = line(discs, COLUMNS - 1) & FROM_RIGHT
    return (across | down | falling | rising) != 0


def store(i, state, row, discs):
    """Write a board into its two words."""
    state[row, i] = np.int32(discs & HALF_MASK)
    state[row + 1, i] = np.int32(discs >> HALF)


def board(i, state, row):
    """Read a board from its two words."""
    return join(state[row, i], state[row + 1, i], HALF)


def reset(i, state, random):
    """Empty the board of lane `i`; draw who starts."""
    bits = draw(i, random)
    for row in range(TURN):
        state[row, i] = 0
    state[TURN, i] = low_integer(bits, 2)


def reset_alone(i, state, random):
    """Empty the board of lane `i`; let the opponent open half of the games."""
    bits = draw(i, random)
    opens = np.int64(low_integer(bits, 2))
    store(i, state, LOW, NONE)
    store(i, state, OTHER_LOW, opens << np.int64(CELLS - COLUMNS + high_integer(bits, COLUMNS)))
    state[TURN, i] = 0


def step_alone(i, state, action, reward, terminated, random):
    """Drop a disc in lane `i`, and the opponent's unless the game is over."""
    bits = draw(i, random)
    own, other = board(i, state, LOW), board(i, state, OTHER_LOW)
    disc = landing(own | other) & (COLUMN << np.int64(action[i]))
    own |= disc
    illegal = disc == 0
    won = four(own)
    over = illegal | won
    legal = ~(own | other) & TOP
    column = nth(legal, low_integer(bits, max(ones(legal), 1)), COLUMNS)
    if not over:
        other |= landing(own | other) & (COLUMN << column)
    lost = four(other)
    store(i, state, LOW, own)
    store(i, state, OTHER_LOW, other)
    reward[i] = np.float32(won) - np.float32(lost | illegal)
    terminated[i] = over | lost | ((own | other) == BOARD)


def step(i, state, action, reward, terminated, random):
    """Drop the disc of the player whose turn it is in lane `i`."""
    turn = state[TURN, i]
    own, other = board(i, state, 2 * turn), board(i, state, 2 - 2 * turn)
    disc = landing(own | other) & (COLUMN << np.int64(action[turn, i]))
    own |= disc
    illegal = disc == 0
    won = four(own)
    over = illegal | won | ((own | other) == BOARD)
    store(i, state, 2 * turn, own)
    state[TURN, i] = 1 - turn
    gain = np.float32(won) - np.float32(illegal)
    reward[turn, i] = gain
    reward[1 - turn, i] = -gain
    terminated[0, i] = over
    terminated[1, i] = over


def observe_alone(i, state, observation):
    """Show both boards: 84 cells, as two overlapping words, so that the loops over them vectorise."""
    own, other = board(i, state, LOW), board(i, state, OTHER_LOW)
    rest = np.uintp(2 * CELLS - WORD)
    first = own | (other << CELLS)
    last = (own >> (2 * CELLS - WORD)) | (other << (WORD - CELLS))
    for k in range(WORD):
        observation[np.uintp(k), i] = np.uint8((first >> k) & 1)
    for k in range(WORD):
        observation[rest + np.uintp(k), i] = np.uint8((last >> k) & 1)


def observe(i, state, observation):
    """Show both players the boards, own first, and whose turn it is: 126 cells, as two overlapping words."""
    rest = np.uintp(3 * CELLS - WORD)
    for a in range(2):
        own, other = board(i, state, 2 * a), board(i, state, 2 - 2 * a)
        turn = BOARD if state[TURN, i] == a else NONE
        first = own | (other << CELLS)
        last = (other >> (2 * CELLS - WORD)) | (turn << (WORD - CELLS))
        for k in range(WORD):
            observation[a, np.uintp(k), i] = np.uint8((first >> k) & 1)
        for k in range(WORD):
            observation[a, rest + np.uintp(k), i] = np.uint8((last >> k) & 1)


def mask_alone(i, state, action_mask):
    """Allow the columns that have room; 0 where the board is full, and the game over."""
    occupied = board(i, state, LOW) | board(i, state, OTHER_LOW)
    for c in range(COLUMNS):
        action_mask[c, i] = has(occupied, c) == 0
    action_mask[0, i] |= occupied == BOARD


def mask(i, state, action_mask):
    """Allow the columns that have room to the player whose turn it is, and 0 to the other, or on a full board."""
    occupied = board(i, state, LOW) | board(i, state, OTHER_LOW)
    for a in range(2):
        waits = state[TURN, i] != a
        for c in range(COLUMNS):
            action_mask[a, c, i] = (has(occupied, c) == 0) & (not waits)
        action_mask[a, 0, i] |= waits | (occupied == BOARD)


def _disc(row: int, column: int) -> Circle:
    """Draw the cell in the colour of the disc in it."""
    names = ("first_low", "second_low") if row < ROWS // 2 else ("first_high", "second_high")
    divisor = int(bit((row * COLUMNS + column) % HALF))
    first, second = (f"floor({name} / {divisor}) % 2" for name in names)
    x, y = 10 + 20 * column + 10, 10 + 20 * row + 10
    return Circle(x, y, 8, ("#f8f9fa", "#e03131", "#fcc419"), index=f"{first} + 2 * ({second})")


PICTURE = Picture(
    width=160,
    height=140,
    shapes=(
        Rectangle(80, 70, 148, 128, "#1c7ed6"),
        *(_disc(row, column) for row in range(ROWS) for column in range(COLUMNS)),
    ),
)


def environment(*, players: int = 1) -> Environment:
    """Build Connect4-v0; with `players=1` against a random opponent, with `players=2` against each other.

    Raises:
        ValueError: If `players` is neither.
    """
    if players not in (1, 2):
        raise ValueError(f"players={players} cannot play this game; pass 1 or 2.")
    alone = players == 1
    return Environment(
        id="workbench/Connect4-v0",
        state=("first_low", "first_high", "second_low", "second_high", "turn"),
        observation=Box(0, 1, shape=(2 if alone else 3, ROWS, COLUMNS), dtype="uint8"),
        action=Discrete(COLUMNS),
        time_limit=CELLS + 1,
        reset=reset_alone if alone else reset,
        step=step_alone if alone else step,
        observe=observe_alone if alone else observe,
        action_mask=mask_alone if alone else mask,
        agents=players,
        integer=True,
        lane_major=True,
        picture=PICTURE,
        options={"players": players},
    )
