"""Acrobot against Gymnasium's Acrobot-v1, from the same states and actions."""

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from tests.kernels.envs import classic_control
from workbench_kernels.envs import make

ID = "Acrobot-v1"


def height(observation):
    """Return the height [m] of the tip above the shoulder, from observations [T, 6, B]."""
    cos_1, sin_1, cos_2, sin_2 = np.moveaxis(observation[:, :4].astype(np.float64), 1, 0)
    return -cos_1 - (cos_1 * cos_2 - sin_1 * sin_2)


def test_a_hundred_thousand_transitions_equal_gymnasiums():
    ours, draw = classic_control.batch(ID, 500)
    ours.state[:2, 250:] = draw.uniform(-np.pi, np.pi, (2, 250))

    def pump(lanes):
        swing = 1 + np.sign(lanes.state[3])
        return np.where(draw.random(500) < 0.3, draw.integers(0, 3, 500), swing).astype(np.int32)

    ours, theirs = classic_control.follow(ours, classic_control.original(ID), pump, steps=200)
    classic_control.assert_components_agree(ours, theirs, [*[2e-6] * 4, 1e-6 * 4 * np.pi, 1e-6 * 9 * np.pi])
    classic_control.assert_flags_agree(ours, theirs, height(theirs.observation) - 1, rounding=2e-6)
    for each in (ours, theirs):
        np.testing.assert_array_equal(each.reward, np.where(each.terminated, 0, -1))
    assert theirs.terminated.sum() > 500
    assert theirs.truncated.sum() > 50


def test_at_high_speed_it_errs_as_the_original_would_by_its_own_rounding():
    lanes, draw = 1000, np.random.default_rng(0)
    limit = np.array([[np.pi], [np.pi], [4 * np.pi], [9 * np.pi]])
    ours = Lanes(make(ID), lanes)
    ours.state[...] = draw.uniform(-limit, limit, (4, lanes))
    before, action = ours.state.astype(np.float64), draw.integers(0, 3, lanes)
    ours.step(action, autoreset=False)

    def gymnasiums(states):
        env, observations = classic_control.original(ID).unwrapped, []
        for state, chosen in zip(states.T, action, strict=True):
            env.state = state
            observations.append(env.step(int(chosen))[0])
        return np.stack(observations).T.astype(np.float64)

    exact = gymnasiums(before)
    nudged = [gymnasiums(before * (1 + draw.choice([-1, 1], before.shape) * 2.0**-23)) for _ in range(4)]
    sensitivity = np.max([np.abs(other - exact).max(axis=0) for other in nudged], axis=0)
    error = np.abs(ours.observation - exact).max(axis=0)
    assert np.median(error) < 1e-6
    assert (error <= 8 * sensitivity + 2e-6).all()
    np.testing.assert_array_equal(
        np.abs(ours.state[2]) == np.float32(4 * np.pi), np.abs(exact[4]) == np.float32(4 * np.pi)
    )


def test_spaces_and_the_time_limit_are_gymnasiums():
    classic_control.assert_declared_as_the_original(ID)


def test_resets_are_spread_as_gymnasiums():
    classic_control.assert_resets_agree(ID, low=(-0.1,) * 4, high=(0.1,) * 4)


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(target):
    classic_control.assert_bits_agree(ID, target, spread=(3, 3, 6, 6))
