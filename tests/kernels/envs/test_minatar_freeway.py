"""Freeway against the package `minatar`, step for step on the same draws."""

import numpy as np
import pytest

from tests.kernels.batch import Lanes
from tests.oracles.minatar import follow
from workbench_kernels.envs import make
from workbench_kernels.envs import minatar_freeway as freeway


def hidden(game):
    """Name what the package's game holds as our rows do."""
    rows = {"player": game.pos, "wait": game.move_timer, "left": game.terminate_timer}
    for k, (x, y, timer, speed) in enumerate(game.cars):
        assert y == k + 1
        rows.update({f"x_{k}": x, f"timer_{k}": timer, f"speed_{k}": speed})
    return rows


def upwards(ours, draw):
    """Go up most of the time."""
    n = ours.environment.action.n
    return np.where(draw.random(ours.lanes) < 0.9, 1 if n == 3 else 2, draw.integers(0, n, ours.lanes))


@pytest.mark.parametrize(
    ("options", "choose", "limit"),
    [
        ({}, upwards, None),
        ({"minimal": False}, None, None),
        ({"sticky": 0.0, "minimal": False}, upwards, 400),
        ({"sticky": 0.7}, upwards, None),
    ],
)
def test_trajectories_equal_the_packages(options, choose, limit):
    environment = make("MinAtar/Freeway-v1", **options)
    _, terminations, truncations, total = follow(
        "freeway", environment, lanes=10, steps=2600, choose=choose, hidden=hidden, limit=limit, seed=3
    )
    assert terminations == (0 if limit else 10)
    assert truncations == (60 if limit else 0)
    assert total > 30 or choose is None


def test_an_episode_terminates_by_its_2501st_step_whatever_happens():
    lanes = Lanes(make("MinAtar/Freeway-v1"), 5, seed=4)
    for _ in range(freeway.TIME):
        lanes.step(1)
        assert not lanes.terminated.any()
    lanes.step(1)
    assert lanes.terminated.all()
    assert not lanes.truncated.any()


def test_speeds_and_directions_are_uniform():
    lanes = Lanes(make("MinAtar/Freeway-v1"), 5000, seed=5)
    speeds = lanes.state[freeway.SPEED : freeway.SPEED + freeway.CARS]
    values, counts = np.unique(speeds, return_counts=True)
    np.testing.assert_array_equal(values, [-5, -4, -3, -2, -1, 1, 2, 3, 4, 5])
    np.testing.assert_allclose(counts / speeds.size, 0.1, atol=0.006)  # four standard errors
