"""The recursions against their definitions, on both targets."""

import numpy as np
import pytest

from tests.oracles import returns as oracle
from workbench_kernels import returns
from workbench_kernels.targets import cpu, python

TARGETS = {
    "python": lambda kernel, reverse: python.scan(kernel, reverse=reverse),
    "cpu": lambda kernel, reverse: cpu.scan(kernel, reverse=reverse, parallel=False),
    "cpu, threads": lambda kernel, reverse: cpu.scan(kernel, reverse=reverse, parallel=True),
}


def batch(horizon, lanes, seed):
    draw = np.random.default_rng(seed)
    reward, value, next_value = draw.normal(size=(3, horizon, lanes)).astype(np.float32)
    terminated = draw.random((horizon, lanes)) < 0.1
    truncated = draw.random((horizon, lanes)) < 0.1
    return reward, value, next_value, terminated, truncated


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("gamma", "lam"), [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0), (0.0, 0.5)])
@pytest.mark.parametrize(("horizon", "lanes"), [(1, 1), (17, 5), (40, 3)])
def test_gae_is_the_sum_it_abbreviates(target, gamma, lam, horizon, lanes):
    reward, value, next_value, terminated, truncated = batch(horizon, lanes, seed=horizon)
    advantage = np.full((horizon, lanes), np.nan, dtype=np.float32)
    ended = terminated | truncated
    run = TARGETS[target](returns.gae, True)
    run(reward, value, next_value, terminated, ended, np.float32(gamma), np.float32(lam), advantage)
    expected = oracle.gae(reward, value, next_value, terminated, truncated, gamma, lam)
    np.testing.assert_allclose(advantage, expected, rtol=1e-5, atol=1e-5)


def test_more_lanes_than_a_block_are_all_done():
    reward, value, next_value, terminated, truncated = batch(3, 1100, seed=0)
    advantage = np.full((3, 1100), np.nan, dtype=np.float32)
    gamma, lam = np.float32(0.99), np.float32(0.95)
    run = cpu.scan(returns.gae, reverse=True)
    run(reward, value, next_value, terminated, terminated | truncated, gamma, lam, advantage)
    expected = oracle.gae(reward, value, next_value, terminated, truncated, 0.99, 0.95)
    np.testing.assert_allclose(advantage, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", TARGETS)
def test_episode_totals_are_the_sums_of_their_rewards(target):
    draw = np.random.default_rng(3)
    horizon, lanes, rounds = 13, 6, 4
    rewards = draw.normal(size=(horizon * rounds, lanes)).astype(np.float32)
    ended = draw.random((horizon * rounds, lanes)) < 0.15
    run = TARGETS[target](returns.episodes, False)
    totals = np.zeros((horizon + 1, lanes), dtype=np.float32)
    lengths = np.zeros((horizon + 1, lanes), dtype=np.int32)
    found = []
    for k in range(rounds):
        rows = slice(k * horizon, (k + 1) * horizon)
        run(rewards[rows], ended[rows], totals, lengths)
        mask = ended[rows]
        found.extend(zip(totals[1:][mask], lengths[1:][mask], strict=True))
        totals[0] = np.where(mask[-1], 0, totals[-1])
        lengths[0] = np.where(mask[-1], 0, lengths[-1])
    expected = oracle.episodes(rewards, ended)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
