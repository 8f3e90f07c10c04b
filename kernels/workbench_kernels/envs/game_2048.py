"""workbench/2048-v0: slide the tiles of a 4x4 board, merge equal ones, and keep room (Gabriele Cirulli 2014, "2048").

State: the exponent of each cell's tile, 1 for 2 up to 17 for 131072, the greatest that can be made; 0 is empty.
Observation [17, 4, 4] uint8: channel k is 1 where the exponent is k + 1; an empty cell has no channel.
Actions: up, right, down, left. Tiles slide as far as they can; from the wall on, two equal ones that meet become one of
twice the value, which does not merge again in the same move.
Reward: the values of the tiles made by merging, as the original keeps score.
After a move a tile comes on an empty cell, uniformly: 2 with probability 0.9, else 4. The start has two such tiles.
An action that changes nothing has mask 0: it leaves the board, brings no tile, pays 0 and does not end the episode.
End: no action changes the board. The mask of such a board allows all four. The time limit leaves room for a tile of
32768, about 15,000 moves.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Cells, Picture
from workbench_kernels.rng import draw, high_uniform, low_integer
from workbench_kernels.spaces import Box, Discrete

CELLS = 16
GREATEST = 17
UP, RIGHT, DOWN, LEFT = range(4)
TWO, FOUR, NO_TILE = np.int32(1), np.int32(2), np.int32(0)
SHARE_OF_TWOS = np.float32(0.9)
ZERO = np.uint8(0)

# Four cells as the bytes of a word. They stay below 128, so that sums do not carry from one into the next.
ONES = np.int64(0x01010101)
LOWER = np.int64(0x7F7F7F7F)
UPPER = np.int64(0x80808080)
BYTE = np.int64(0xFF)
BIT = np.int64(1)
THREE = np.int64(3)
NOTHING = np.int64(0)


def empties(word):
    """Return 0x7F in each byte of `word` that is 0, and 0 in the others."""
    upper = ~(word + LOWER) & UPPER
    return upper - (upper >> 7)


def pairs(one, other):
    """Return 0x7F in each byte in which both words have the same tile."""
    return empties(one ^ other) & ~empties(one)


def cells(i, state, at, across):
    """Return four cells as a word: `at`, and every `across` from there."""
    first, second = np.int64(state[at, i]), np.int64(state[at + across, i])
    third, fourth = np.int64(state[at + across + across, i]), np.int64(state[at + across + across + across, i])
    return first | (second << 8) | (third << 16) | (fourth << 24)


def put(i, state, at, across, word):
    """Write what `cells` reads."""
    state[at, i] = np.int32(word & BYTE)
    state[at + across, i] = np.int32((word >> 8) & BYTE)
    state[at + across + across, i] = np.int32((word >> 16) & BYTE)
    state[at + across + across + across, i] = np.int32(word >> 24)


def slid(a, b, c, d):
    """Return the four lines of cells, `a` at the wall, without gaps: byte k of each word belongs to line k."""
    gap = empties(c)
    c, d = c | (d & gap), d & ~gap
    gap = empties(b)
    b, c, d = b | (c & gap), (c & ~gap) | (d & gap), d & ~gap
    gap = empties(a)
    return a | (b & gap), (b & ~gap) | (c & gap), (c & ~gap) | (d & gap), d & ~gap


def merged(a, b, c, d):
    """Return lines without gaps after their merges, and the tiles made as the bytes of two words."""
    same = pairs(a, b)
    a, b, c, d = a + (same & ONES), (b & ~same) | (c & same), (c & ~same) | (d & same), d & ~same
    at_a = a & same
    same = pairs(b, c)
    b, c, d = b + (same & ONES), (c & ~same) | (d & same), d & ~same
    at_b = b & same
    same = pairs(c, d)
    c, d = c + (same & ONES), d & ~same
    # The last two cells of a line merge only if no others do.
    return a, b, c, d, at_a | (c & same), at_b


def total(tiles):
    """Return the sum of the values of the four tiles whose exponents are the bytes of `tiles`; 0 stands for none."""
    one_pair = (BIT << (tiles & BYTE)) + (BIT << ((tiles >> 8) & BYTE))
    other_pair = (BIT << ((tiles >> 16) & BYTE)) + (BIT << (tiles >> 24))
    # What was made is 4 or more; the lower two bits count the zeros.
    return (one_pair & ~THREE) + (other_pair & ~THREE)


def two_or_four(bits):
    """Return the exponent of a new tile: the high word says which."""
    return TWO if high_uniform(bits) < SHARE_OF_TWOS else FOUR


def legal_moves(i, state):
    """Return the actions that change the board, bit k for action k."""
    up, right, down, left = NOTHING, NOTHING, NOTHING, NOTHING
    above = cells(i, state, np.uintp(0), np.uintp(1))
    for y in range(4):
        row = cells(i, state, np.uintp(4 * y), np.uintp(1))
        gap = empties(row)
        tile = LOWER & ~gap
        same = pairs(row, row >> 8)
        left |= (gap & (tile >> 8)) | same
        right |= (tile & (gap >> 8)) | same
        if y > 0:
            gap_above = empties(above)
            same = pairs(row, above)
            up |= (gap_above & tile) | same
            down |= (gap & ~gap_above) | same
        above = row
    return np.int64(up != 0) | (np.int64(right != 0) << 1) | (np.int64(down != 0) << 2) | (np.int64(left != 0) << 3)


def reset(i, state, random):
    """Start lane `i` with two tiles."""
    for k in range(CELLS):
        state[k, i] = 0
    bits, more_bits = draw(i, random), draw(i, random)
    cell, other = low_integer(bits, CELLS), low_integer(more_bits, CELLS - 1)
    other += other >= cell
    state[np.uintp(cell), i] = two_or_four(bits)
    state[np.uintp(other), i] = two_or_four(more_bits)


def step(i, state, action, reward, terminated, random):
    """Move the tiles of lane `i`, all four lines at once, then bring a new one.

    The low word of the draw says on which empty cell, counted line by line, and in a line from the wall moved to.
    """
    direction = action[i]
    vertical = (direction == UP) | (direction == DOWN)
    to_the_end = (direction == RIGHT) | (direction == DOWN)
    along = 4 if vertical else 1
    across = np.uintp(1 if vertical else 4)
    first = np.uintp(3 * along if to_the_end else 0)
    second = np.uintp(2 * along if to_the_end else along)
    third = np.uintp(along if to_the_end else 2 * along)
    fourth = np.uintp(0 if to_the_end else 3 * along)
    old_a, old_b = cells(i, state, first, across), cells(i, state, second, across)
    old_c, old_d = cells(i, state, third, across), cells(i, state, fourth, across)
    a, b, c, d = slid(old_a, old_b, old_c, old_d)
    a, b, c, d, made, also_made = merged(a, b, c, d)
    moved = ((a ^ old_a) | (b ^ old_b) | (c ^ old_c) | (d ^ old_d)) != 0
    # Byte k: how many cells are empty in the lines up to k. They lie at the ends of their lines.
    room = ((empties(a) & ONES) + (empties(b) & ONES) + (empties(c) & ONES) + (empties(d) & ONES)) * ONES
    bits = draw(i, random)
    rank = np.int64(low_integer(bits, (room >> 24) & BYTE))
    line = (((((rank * ONES) | UPPER) - room) & UPPER) >> 7) * ONES >> 24 & THREE
    place = 4 + rank - ((room >> (8 * line)) & BYTE)
    tile = np.int64(two_or_four(bits) if moved else NO_TILE) << (8 * line)
    a += tile if place == 0 else NOTHING
    b += tile if place == 1 else NOTHING
    c += tile if place == 2 else NOTHING
    d += tile if place == 3 else NOTHING
    put(i, state, first, across, a)
    put(i, state, second, across, b)
    put(i, state, third, across, c)
    put(i, state, fourth, across, d)
    gaps = empties(a) | empties(b) | empties(c) | empties(d)
    meet = pairs(a, b) | pairs(b, c) | pairs(c, d)
    meet |= pairs(a, a >> 8) | pairs(b, b >> 8) | pairs(c, c >> 8) | pairs(d, d >> 8)
    reward[i] = np.float32(total(made) + total(also_made))
    terminated[i] = (gaps | meet) == 0


def observe(i, state, observation):
    """Show each tile in the channel of its exponent."""
    for k in range(GREATEST * CELLS):
        observation[k, i] = ZERO
    for k in range(CELLS):
        tile = state[k, i]
        observation[np.uintp(max(tile - 1, 0) * CELLS + k), i] = np.uint8(tile > 0)


def action_mask(i, state, action_mask):
    """Allow what changes the board, or everything where nothing does."""
    legal = legal_moves(i, state)
    for k in range(4):
        action_mask[k, i] = ((legal >> k) & 1 != 0) | (legal == 0)


PALETTE = (
    "#cdc1b4",
    "#eee4da",
    "#ede0c8",
    "#f2b179",
    "#f59563",
    "#f67c5f",
    "#f65e3b",
    "#edcf72",
    "#edcc61",
    "#edc850",
    "#edc53f",
    "#edc22e",
    "#9bc53d",
    "#5fa55a",
    "#3d8b8b",
    "#3a6ea5",
    "#6a4c93",
    "#3c3a32",
)

PICTURE = Picture(
    width=108,
    height=108,
    shapes=(
        Cells(
            first="cell_0_0",
            rows=4,
            columns=4,
            palette=PALETTE,
            x=4,
            y=4,
            width=100,
            height=100,
            labels=("", *(str(2**k) for k in range(1, GREATEST + 1))),
        ),
    ),
    background="#bbada0",
)


def environment() -> Environment:
    """Build 2048-v0."""
    return Environment(
        id="workbench/2048-v0",
        state=tuple(f"cell_{y}_{x}" for y in range(4) for x in range(4)),
        observation=Box(0, 1, shape=(GREATEST, 4, 4), dtype="uint8"),
        action=Discrete(4),
        time_limit=20_000,
        reset=reset,
        step=step,
        observe=observe,
        action_mask=action_mask,
        integer=True,
        lane_major=True,
        picture=PICTURE,
    )
