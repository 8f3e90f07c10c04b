"""workbench/TicTacToe-v0: three in a line on a board of nine.

State: the marks of the two players, bit 3 * row + column; whose turn it is.
Observation uint8 [2, 3, 3] with `players=1`: own marks, the opponent's. [3, 3, 3] with `players=2`: the third is 1 if
it is the observer's turn.
Actions: a cell, legal while it is empty. With `players=2` the action of the player whose turn it is not does not
matter, and its mask allows only 0.
Reward: 1 for a win, -1 for a loss, 0 for a draw. An illegal move loses at once.
End: three in a line, a full board, an illegal move. Who starts is drawn.
With `players=1` the opponent moves within the step, uniformly among its legal moves. The optimal return is the exact
value of the best play against it: 191/192 for who starts, 874/945 for who does not, each half of the time.
"""

import numpy as np

from workbench_kernels.bits import bit, has, nth
from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Line, Picture, Text
from workbench_kernels.rng import draw, high_integer, low_integer
from workbench_kernels.spaces import Box, Discrete

FIRST, SECOND, TURN = range(3)
SIDE = 3
CELLS = SIDE * SIDE
BOARD = np.int64(0b111_111_111)
LEFT_COLUMN = np.int64(0b001_001_001)
TOP_ROW = np.int64(0b111)
FALLING = np.int64(0b100_010_001)
RISING = np.int64(0b001_010_100)
NONE = np.int64(0)
BEST = {1: (191 / 192 + 874 / 945) / 2, 2: None}


def three(marks):
    """Return whether three stand in a row, a column or a diagonal."""
    across = marks & (marks >> 1) & (marks >> 2) & LEFT_COLUMN
    down = marks & (marks >> SIDE) & (marks >> 2 * SIDE) & TOP_ROW
    return ((across | down) != 0) | ((marks & FALLING) == FALLING) | ((marks & RISING) == RISING)


def reset(i, state, random):
    """Empty the board of lane `i`; draw who starts."""
    state[FIRST, i] = 0
    state[SECOND, i] = 0
    state[TURN, i] = low_integer(draw(i, random), 2)


def reset_alone(i, state, random):
    """Empty the board of lane `i`; let the opponent open half of the games."""
    bits = draw(i, random)
    state[FIRST, i] = 0
    state[SECOND, i] = np.int32(np.int64(low_integer(bits, 2)) << np.int64(high_integer(bits, CELLS)))
    state[TURN, i] = 0


def step_alone(i, state, action, reward, terminated, random):
    """Mark a cell in lane `i`, and the opponent's unless the game is over."""
    bits = draw(i, random)
    own, other = np.int64(state[FIRST, i]), np.int64(state[SECOND, i])
    illegal = has(own | other, action[i]) != 0
    own |= NONE if illegal else bit(action[i])
    won = three(own) & (not illegal)
    empty = BOARD & ~(own | other)
    over = illegal | won | (empty == 0)
    count = NONE
    for k in range(CELLS):
        count += has(empty, k)
    reply = bit(nth(empty, low_integer(bits, count), CELLS))
    other |= NONE if over else reply
    lost = three(other)
    state[FIRST, i] = np.int32(own)
    state[SECOND, i] = np.int32(other)
    reward[i] = np.float32(won) - np.float32(lost | illegal)
    terminated[i] = over | lost | ((own | other) == BOARD)


def step(i, state, action, reward, terminated, random):
    """Mark the cell of the player whose turn it is in lane `i`."""
    turn = state[TURN, i]
    first, second = np.int64(state[FIRST, i]), np.int64(state[SECOND, i])
    chosen = action[0, i] if turn == 0 else action[1, i]
    illegal = has(first | second, chosen) != 0
    mark = NONE if illegal else bit(chosen)
    first |= mark if turn == 0 else NONE
    second |= NONE if turn == 0 else mark
    won = three(first if turn == 0 else second) & (not illegal)
    gain = np.float32(won) - np.float32(illegal)
    over = illegal | won | ((first | second) == BOARD)
    state[FIRST, i] = np.int32(first)
    state[SECOND, i] = np.int32(second)
    state[TURN, i] = 1 - turn
    reward[0, i] = gain if turn == 0 else -gain
    reward[1, i] = -gain if turn == 0 else gain
    terminated[0, i] = over
    terminated[1, i] = over


def observe_alone(i, state, observation):
    """Show both boards."""
    own, other = state[FIRST, i], state[SECOND, i]
    for k in range(CELLS):
        observation[k, i] = np.uint8((own >> k) & 1)
        observation[CELLS + k, i] = np.uint8((other >> k) & 1)


def observe(i, state, observation):
    """Show both players the boards, own first, and whose turn it is."""
    first, second, turn = state[FIRST, i], state[SECOND, i], state[TURN, i]
    for k in range(CELLS):
        ours, theirs = np.uint8((first >> k) & 1), np.uint8((second >> k) & 1)
        observation[0, k, i] = ours
        observation[0, CELLS + k, i] = theirs
        observation[0, 2 * CELLS + k, i] = np.uint8(1 - turn)
        observation[1, k, i] = theirs
        observation[1, CELLS + k, i] = ours
        observation[1, 2 * CELLS + k, i] = np.uint8(turn)


def mask_alone(i, state, action_mask):
    """Allow the empty cells; 0 where the board is full, and the game over."""
    marked = state[FIRST, i] | state[SECOND, i]
    for k in range(CELLS):
        action_mask[k, i] = ((marked >> k) & 1) == 0
    action_mask[0, i] = ((marked & 1) == 0) | (marked == BOARD)


def mask(i, state, action_mask):
    """Allow the empty cells to the player whose turn it is, and 0 to the other, or on a full board."""
    marked, turn = state[FIRST, i] | state[SECOND, i], state[TURN, i]
    for a in range(2):
        for k in range(CELLS):
            action_mask[a, k, i] = (((marked >> k) & 1) == 0) & (turn == a)
        action_mask[a, 0, i] = ((marked & 1) == 0) | (turn != a) | (marked == BOARD)


def _mark(cell: int, name: str, text: str, colour: str) -> Text:
    """Draw a player's mark where its bit is set."""
    x, y = 10 + 40 * (cell % SIDE), 30 + 40 * (cell // SIDE)
    return Text(x + 10, y, text, 24, colour, visible=f"floor({name} / {1 << cell}) % 2")


PICTURE = Picture(
    width=140,
    height=140,
    shapes=(
        *(Line(10 + 40 * k, 12, 10 + 40 * k, 128, 2, "#868e96") for k in (1, 2)),
        *(Line(12, 10 + 40 * k, 128, 10 + 40 * k, 2, "#868e96") for k in (1, 2)),
        *(_mark(cell, "first", "X", "#e03131") for cell in range(CELLS)),
        *(_mark(cell, "second", "O", "#1971c2") for cell in range(CELLS)),
    ),
)


def environment(*, players: int = 1) -> Environment:
    """Build TicTacToe-v0; with `players=1` against a random opponent, with `players=2` against each other.

    Raises:
        ValueError: If `players` is neither.
    """
    if players not in (1, 2):
        raise ValueError(f"players={players} cannot play this game; pass 1 or 2.")
    alone = players == 1
    return Environment(
        id="workbench/TicTacToe-v0",
        state=("first", "second", "turn"),
        observation=Box(0, 1, shape=(2 if alone else 3, SIDE, SIDE), dtype="uint8"),
        action=Discrete(CELLS),
        time_limit=CELLS + 1,
        reset=reset_alone if alone else reset,
        step=step_alone if alone else step,
        observe=observe_alone if alone else observe,
        action_mask=mask_alone if alone else mask,
        agents=players,
        integer=True,
        lane_major=True,
        picture=PICTURE,
        optimal_return=BEST[players],
        options={"players": players},
    )
