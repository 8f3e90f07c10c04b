"""Counter-based random numbers: Philox2x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

A number is a pure function of (seed, lane, count), so every target draws the same bits whatever the order of its lanes.
`random` is uint32 [3, B]: the count of draws so far, the lane's stream, and the key made from the seed.
"""

import numpy as np

from workbench_kernels.mathematics import cosine, logarithm

ROWS = 3
COUNT, STREAM, KEY = range(3)

MULTIPLIER = np.uint64(0xD256D193)
WEYL = np.uint64(0x9E3779B9)
MASK = np.uint64(0xFFFFFFFF)
SHIFT_32 = np.uint64(32)
SHIFT_40 = np.uint64(40)
SHIFT_8 = np.uint64(8)
ONE = np.uint64(1)
TO_UNIT = np.float32(2.0**-24)
SEEDING = np.uint64(0x5EED)
CERTAIN = np.float32(1.0)
MINUS_TWO = np.float32(-2.0)
TWO_PI = np.float32(6.28318530718)


def philox(low, high, key):
    """Encrypt the counter (`low`, `high`) under `key`; all hold 32 bits in a uint64. Return 64 random bits."""
    for _ in range(10):
        product = MULTIPLIER * low
        low = (product >> SHIFT_32) ^ key ^ high
        high = product & MASK
        key = (key + WEYL) & MASK
    return (high << SHIFT_32) | low


def draw(i, random):
    """Return the next 64 random bits of lane `i` as a uint64, and count the draw."""
    count = np.uint64(random[COUNT, i])
    bits = philox(count, np.uint64(random[STREAM, i]), np.uint64(random[KEY, i]))
    random[COUNT, i] = np.uint32((count + ONE) & MASK)
    return bits


def low_uniform(bits):
    """Make a float32 in [0, 1) of the low word's upper 24 bits."""
    return np.float32((bits & MASK) >> SHIFT_8) * TO_UNIT


def high_uniform(bits):
    """Make a float32 in [0, 1) of the high word's upper 24 bits."""
    return np.float32(bits >> SHIFT_40) * TO_UNIT


def uniform(i, random):
    """Return the next float32 of lane `i`, uniform on [0, 1) with 24 bits."""
    return low_uniform(draw(i, random))


def normal(i, random):
    """Return the next float32 of lane `i`, standard normal, of one draw (Box and Muller 1958); below 5.8 in size."""
    bits = draw(i, random)
    radius = np.sqrt(MINUS_TWO * logarithm(CERTAIN - low_uniform(bits)))
    return radius * cosine(TWO_PI * high_uniform(bits))


def low_integer(bits, n):
    """Make an int32 from 0 to n - 1 of the low word; each value within 2**-32 of equally likely (Lemire 2019)."""
    return np.int32(((bits & MASK) * np.uint64(n)) >> SHIFT_32)


def high_integer(bits, n):
    """Make an int32 from 0 to n - 1 of the high word; each value within 2**-32 of equally likely (Lemire 2019)."""
    return np.int32(((bits >> SHIFT_32) * np.uint64(n)) >> SHIFT_32)


def integer(i, random, n):
    """Return the next int32 of lane `i`, uniform from 0 to n - 1."""
    return low_integer(draw(i, random), n)


def stream_key(seed):
    """Return the key of a seed, both 32 and 64 bits in a uint64: its two words, mixed."""
    return philox(seed & MASK, (seed >> SHIFT_32) & MASK, SEEDING) & MASK


def seed_lanes(random, seed, first=0):
    """Start the streams of all lanes: lane i of `seed` draws the same numbers everywhere, now and later.

    Args:
        random: [3, B] uint32, written.
        seed: An integer of up to 64 bits; its two words are mixed into the key.
        first: The number of the first lane, where others hold those before it.
    """
    random[COUNT] = 0
    random[STREAM] = np.arange(first, first + random.shape[1], dtype=np.uint32)
    random[KEY] = np.uint32(stream_key(np.uint64(seed & 0xFFFFFFFFFFFFFFFF)))
