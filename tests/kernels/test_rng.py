import numpy as np
import pytest

from workbench_kernels import rng


# Random123's known answers for philox2x32 with 10 rounds: counter (low, high), key -> low, high.
@pytest.mark.parametrize(
    ("low", "high", "key", "expected"),
    [
        (0x00000000, 0x00000000, 0x00000000, (0xFF1DAE59, 0x6CD10DF2)),
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, (0x2C3F628B, 0xAB4FD7AD)),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, (0xDD7CE038, 0xF62A4C12)),
    ],
)
def test_philox_gives_the_published_answers(low, high, key, expected):
    bits = int(rng.philox(np.uint64(low), np.uint64(high), np.uint64(key)))
    assert (bits & 0xFFFFFFFF, bits >> 32) == expected


def lanes(count, seed):
    random = np.zeros((rng.ROWS, count), dtype=np.uint32)
    rng.seed_lanes(random, seed)
    return random


def test_a_lane_draws_the_same_numbers_whatever_the_others_do():
    few, many = lanes(3, 7), lanes(50, 7)
    for _ in range(5):
        rng.uniform(0, many)
    assert [rng.uniform(2, few) for _ in range(4)] == [rng.uniform(2, many) for _ in range(4)]


def test_seeds_and_lanes_and_counts_differ():
    words = {int(rng.draw(i, lanes(4, seed))) for seed in (0, 1, 2**32, 2**63) for i in range(4)}
    assert len(words) == 16
    random = lanes(1, 0)
    assert len({int(rng.draw(0, random)) for _ in range(1000)}) == 1000


def test_uniform_is_uniform():
    random = lanes(4, 11)
    draws = np.array([[rng.uniform(i, random) for i in range(4)] for _ in range(5000)]).ravel()
    assert draws.dtype == np.float32
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    chi_square = ((counts - 1000.0) ** 2 / 1000.0).sum()
    assert chi_square < 43.8  # 19 degrees of freedom, p = 0.001


def test_the_count_wraps_without_touching_the_stream():
    random = lanes(1, 0)
    random[rng.COUNT] = 2**32 - 1
    rng.draw(0, random)
    assert random[rng.COUNT, 0] == 0
    assert random[rng.STREAM, 0] == 0
