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
    return reward, chained(value, next_value, terminated | truncated), next_value, terminated, truncated


def chained(value, next_value, ended):
    """Give each row the value of its predecessor's successor, where the episode goes on: it is the same state."""
    value[1:] = np.where(ended[:-1], value[1:], next_value[:-1])
    return value


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


def ratios(shape, seed):
    return np.exp(np.random.default_rng(seed).normal(scale=0.7, size=shape)).astype(np.float32)


CASES = [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0), (0.8, 0.5)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("gamma", "lam"), CASES)
def test_lambda_returns_are_the_weighted_mean_of_n_step_returns(target, gamma, lam):
    reward, _, next_value, terminated, truncated = batch(14, 5, seed=1)
    found = np.full(reward.shape, np.nan, np.float32)
    run = TARGETS[target](returns.lambda_return, True)
    run(reward, next_value, terminated, terminated | truncated, np.float32(gamma), np.float32(lam), found)
    expected = oracle.lambda_return(reward, next_value, terminated, truncated, gamma, lam)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_n_passes_give_the_n_step_returns(target, n):
    reward, value, next_value, terminated, truncated = batch(17, 5, seed=2)
    ended = terminated | truncated
    run = TARGETS[target](returns.n_step, False)
    found = value.copy()
    for _ in range(n):
        run(reward, next_value, terminated, ended, np.float32(0.9), found)
    expected = oracle.n_step(reward, next_value, terminated, truncated, 0.9, n)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("gamma", "lam"), CASES)
@pytest.mark.parametrize(("rho_bar", "c_bar"), [(1.0, 1.0), (2.0, 0.5)])
def test_vtrace_is_the_sum_it_abbreviates(target, gamma, lam, rho_bar, c_bar):
    reward, value, next_value, terminated, truncated = batch(20, 5, seed=3)
    ratio = ratios(reward.shape, 4)
    correction, advantage = np.full((2, *reward.shape), np.nan, np.float32)
    numbers = [np.float32(x) for x in (gamma, lam, rho_bar, c_bar)]
    run = TARGETS[target](returns.vtrace, True)
    run(ratio, reward, value, next_value, terminated, terminated | truncated, *numbers, correction, advantage)
    expected = oracle.vtrace(ratio, reward, value, next_value, terminated, truncated, gamma, lam, rho_bar, c_bar)
    np.testing.assert_allclose(value + correction, expected[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(advantage, expected[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("gamma", "lam"), CASES)
def test_on_policy_vtrace_is_gae(gamma, lam):
    reward, value, next_value, terminated, truncated = batch(20, 5, seed=3)
    ended, numbers = terminated | truncated, (np.float32(gamma), np.float32(lam))
    one, expected, correction, advantage = np.ones((4, *reward.shape), np.float32)
    TARGETS["cpu"](returns.gae, True)(reward, value, next_value, terminated, ended, *numbers, expected)
    bars = (np.float32(1), np.float32(1))
    run = TARGETS["cpu"](returns.vtrace, True)
    run(one, reward, value, next_value, terminated, ended, *numbers, *bars, correction, advantage)
    np.testing.assert_array_equal(correction, expected)
    np.testing.assert_allclose(advantage, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("gamma", "lam"), CASES)
def test_retrace_is_the_sum_it_abbreviates(target, gamma, lam):
    reward, value, next_value, terminated, truncated = batch(20, 5, seed=5)
    ratio = ratios(reward.shape, 6)
    correction = np.full(reward.shape, np.nan, np.float32)
    run = TARGETS[target](returns.retrace, True)
    numbers = [np.float32(x) for x in (gamma, lam)]
    run(ratio, reward, value, next_value, terminated, terminated | truncated, *numbers, correction)
    expected = oracle.retrace(ratio, reward, value, next_value, terminated, truncated, gamma, lam)
    np.testing.assert_allclose(value + correction, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", TARGETS)
def test_episode_totals_are_the_sums_of_their_rewards(target):
    draw = np.random.default_rng(3)
    horizon, lanes, rounds = 13, 6, 4
    rewards = draw.normal(size=(horizon * rounds, lanes)).astype(np.float32)
    ended = draw.random((horizon * rounds, lanes)) < 0.15
    active = draw.random((horizon * rounds, lanes)) < 0.7
    run = TARGETS[target](returns.episodes, False)
    totals = np.zeros((horizon + 1, lanes), dtype=np.float32)
    lengths = np.zeros((horizon + 1, lanes), dtype=np.int32)
    found = []
    for k in range(rounds):
        rows = slice(k * horizon, (k + 1) * horizon)
        run(rewards[rows], ended[rows], active[rows], totals, lengths)
        mask = ended[rows]
        found.extend(zip(totals[1:][mask], lengths[1:][mask], strict=True))
        totals[0] = np.where(mask[-1], 0, totals[-1])
        lengths[0] = np.where(mask[-1], 0, lengths[-1])
    expected = oracle.episodes(rewards, ended, active)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
