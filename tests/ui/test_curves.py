"""Thinning keeps what the eye needs."""

import numpy as np
import pytest

from workbench.training.metrics import Metrics
from workbench.training.overview import thin
from workbench.ui.curves import chosen, pack, smooth


def test_a_short_curve_is_left_alone():
    steps, values = thin(np.arange(10.0), np.arange(10.0))
    np.testing.assert_array_equal(steps, values)


@pytest.mark.parametrize("size", [1001, 4096, 99_999, 1_000_003])
def test_extremes_and_the_newest_point_survive(size):
    values = np.random.default_rng(0).normal(size=size)
    steps, kept = thin(np.arange(float(size)), values)
    assert len(kept) <= 1000
    assert kept.min() == values[:-2].min()
    assert kept.max() == values[:-2].max()
    assert kept[-1] == values[-1]
    assert (np.diff(steps) > 0).all()


def test_buckets_stand_still_while_the_curve_grows():
    values = np.random.default_rng(0).normal(size=5000)
    before = thin(np.arange(4500.0), values[:4500])[0]
    after = thin(np.arange(5000.0), values)[0]
    assert set(before[:-4]) <= set(after)


def test_what_is_not_finite_is_left_out():
    steps, values = thin(np.arange(4.0), np.array([np.nan, 1.0, np.inf, 2.0]))
    np.testing.assert_array_equal(steps, [1, 3])
    np.testing.assert_array_equal(values, [1, 2])


def test_smoothing_is_the_weighted_mean_of_the_past():
    values = np.random.default_rng(0).normal(size=200)
    weights = np.exp(-np.arange(200) / 5.0)
    expected = [(values[: n + 1][::-1] * weights[: n + 1]).sum() / weights[: n + 1].sum() for n in range(200)]
    np.testing.assert_allclose(smooth(values), expected)
    np.testing.assert_array_equal(smooth(values[:50]), values[:50])


def test_the_return_comes_first_and_losses_of_any_algorithm_follow():
    names = ["kl", "q_loss", "actor_loss", "episode_return", "entropy", "steps_per_second", "seconds"]
    assert chosen(names) == ["episode_return", "q_loss", "actor_loss", "entropy", "kl", "steps_per_second"]
    assert chosen(names, 3) == ["episode_return", "q_loss", "steps_per_second"]
    assert chosen([]) == []


def test_a_window_holds_its_points_in_full_and_one_beyond_each_end():
    metrics = Metrics()
    for k in range(1, 5001):
        metrics.append(100 * k, {"episode_return": float(k % 7)})
    outline, curves = pack(metrics, (100_000, 100_500))
    assert outline == [("episode_return", 8)]
    steps, values = np.frombuffer(curves, "<f4").reshape(2, 8)
    np.testing.assert_array_equal(steps, 100 * np.arange(999, 1007))
    np.testing.assert_array_equal(values, np.arange(999, 1007) % 7)
    assert pack(metrics, (0, 1e18))[0] == pack(metrics)[0]
