"""Sets of cells as bits of a word, for boards: int64, because numba widens narrower integers and numpy does not."""

import numpy as np

ONE = np.int64(1)


def bit(k):
    """Return the word whose only set bit is `k`, 0 to 62."""
    return ONE << np.int64(k)


def has(word, k):
    """Return bit `k` of `word`, 0 or 1."""
    return (np.int64(word) >> np.int64(k)) & ONE


def ones(word):
    """Return how many of the bits 0 to 31 of `word` are set (Warren 2003, "Hacker's Delight", figure 5-2)."""
    word = word - ((word >> 1) & 0x55555555)
    word = (word & 0x33333333) + ((word >> 2) & 0x33333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F
    return ((word * 0x01010101) >> 24) & 0xFF


def nth(word, rank, width):
    """Return which of the bits 0 to `width` - 1 is set and has `rank` set bits below it; `width` if none."""
    below = np.int64(0)
    index = np.int64(0)
    for k in range(width):
        below += has(word, k)
        index += np.int64(below <= rank)
    return index


def join(low, high, shift):
    """Return the word of two, `high` from bit `shift` on."""
    return np.int64(low) | (np.int64(high) << np.int64(shift))
