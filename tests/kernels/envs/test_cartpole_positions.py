"""CartPolePositions is CartPole-v1, seen in part."""

import numpy as np

from tests.kernels.batch import Lanes
from workbench_kernels.envs import make


def test_it_is_cartpole_without_the_velocities():
    whole, part = (Lanes(make(id), 20, seed=3) for id in ("CartPole-v1", "workbench/CartPolePositions-v0"))
    draw = np.random.default_rng(0)
    ended = 0
    for _ in range(100):
        action = draw.integers(0, 2, 20)
        whole.step(action)
        part.step(action)
        for name in ("state", "reward", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
        for name in ("observation", "final_observation"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[[0, 2]])
        ended += int(whole.terminated.sum())
    assert ended > 20
    assert part.environment.optimal_return == 500.0


def test_its_bounds_are_cartpoles():
    whole, part = (make(id).observation.bounds() for id in ("CartPole-v1", "workbench/CartPolePositions-v0"))
    np.testing.assert_array_equal(np.stack(part), np.stack(whole)[:, [0, 2]])
