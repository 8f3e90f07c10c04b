"""Looking ahead from a remembered step, against walking on row by row."""

import numpy as np
import pytest

from workbench_kernels import replay
from workbench_kernels.targets import cpu, python

TARGETS = {"python": python.scan(replay.look_ahead, reverse=False), "cpu": cpu.scan(replay.look_ahead, reverse=False)}
LANES, ROWS = 3, 40


def memory(seed):
    """Make rings [LANES, ROWS] at random: the row behind a terminated step is none, and one is the newest."""
    draw = np.random.default_rng(seed)
    is_step = draw.random((LANES, ROWS)) < 0.8
    is_step[np.arange(LANES), draw.integers(0, ROWS, LANES)] = False
    terminated = is_step & ~np.roll(is_step, -1, axis=1) & (draw.random((LANES, ROWS)) < 0.5)
    return is_step, draw.normal(size=(LANES, ROWS)).astype(np.float32), terminated


def walked(is_step, reward, terminated, lane, row, n, gamma):
    total, m = 0.0, 0
    while True:
        total += gamma**m * float(reward[lane, (row + m) % ROWS])
        m += 1
        if terminated[lane, (row + m - 1) % ROWS]:
            return total, 0.0, lane * ROWS + (row + m) % ROWS
        if m == n or not is_step[lane, (row + m) % ROWS]:
            return total, gamma**m, lane * ROWS + (row + m) % ROWS


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_it_walks_to_the_end_of_the_episode_or_n_steps(target, n, gamma):
    is_step, reward, terminated = memory(seed=n)
    lanes, rows = is_step.nonzero()
    slot = (lanes * ROWS + rows)[None]
    total, discount = np.full((2, *slot.shape), np.nan, np.float32)
    successor = np.full(slot.shape, -1)
    flat = (x.ravel() for x in (is_step, reward, terminated))
    TARGETS[target](slot, *flat, ROWS, n, np.float32(gamma), total, discount, successor)
    expected = [walked(is_step, reward, terminated, lane, row, n, gamma) for lane, row in zip(lanes, rows, strict=True)]
    for found, values in zip((total, discount, successor), zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(found[0], values, rtol=1e-5, atol=1e-5)
