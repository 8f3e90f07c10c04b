"""Words of bits against Python's integers."""

import numpy as np

from workbench_kernels import bits


def test_words_count_and_find_their_bits_as_strings_do():
    draw = np.random.default_rng(0)
    words = [0, 1, 2**31 - 1, 2**32 - 1, *draw.integers(0, 2**31, 200).tolist()]
    for word in words:
        places = [k for k, digit in enumerate(reversed(f"{word:b}")) if digit == "1"]
        assert bits.ones(np.int64(word)) == len(places)
        assert [k for k in range(32) if bits.has(word, k)] == places
        assert [bits.nth(np.int64(word), rank, 32) for rank in range(len(places))] == places
        assert bits.nth(np.int64(word), len(places), 32) == 32
    assert bits.bit(62) == 2**62
    assert bits.join(np.int32(5), np.int32(3), 21) == 5 + 3 * 2**21
