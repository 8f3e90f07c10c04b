"""Statistics against two passes in float64, Gymnasium's wrappers and plain loops."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.wrappers import NormalizeObservation, NormalizeReward

from workbench.networks import Moments, ObservationNormaliser, ReturnNormaliser


def two_passes(x):
    mean = x.astype(np.float64).mean(0)
    return mean, np.sqrt(((x - mean) ** 2).mean(0))


@pytest.mark.parametrize("sizes", [[200], [1] * 200, [0, 3, 1, 96, 100]])
def test_batches_of_any_size_come_to_two_passes_over_all(sizes):
    x = np.random.default_rng(0).normal([0, 1e6, -3], [1, 1e-1, 1e4], (200, 3))
    moments = Moments(3)
    for part in np.split(x, np.cumsum(sizes)[:-1]):
        moments.update(torch.from_numpy(part))
    mean, std = two_passes(x)
    assert moments.count == 200
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(moments.std(), std, rtol=1e-6)


def test_rows_of_float32_are_counted_in_float64():
    x = np.random.default_rng(0).normal(1e4, 1e-1, (5000, 1)).astype(np.float32)
    moments = Moments(1)
    moments.update(torch.from_numpy(x))
    np.testing.assert_allclose(moments.std(), two_passes(x)[1], rtol=1e-6)


def test_a_trillion_rows_do_not_drift():
    moments, batch = Moments(1), 100_000_001
    for k in range(20_000):  # means of 99 and 101, each with a variance of 3
        mean = torch.tensor([100.0 + (-1) ** k], dtype=torch.float64)
        moments.merge(torch.tensor(batch), mean, torch.full((1,), 3.0 * batch, dtype=torch.float64))
    assert moments.count == 20_000 * batch
    assert moments.mean.item() == pytest.approx(100.0, rel=1e-9)
    assert (moments.squares / moments.count).item() == pytest.approx(4.0, rel=1e-9)
    moments.update(torch.zeros(1, 1))
    assert moments.count == 20_000 * batch + 1


def test_a_normaliser_without_an_update_changes_nothing():
    x = torch.randn(5, 3) * 100
    assert ObservationNormaliser(3)(x).tolist() == x.tolist()
    reward = torch.randn(4, 2)
    assert ReturnNormaliser(2).normalise(reward[:0], reward[:0] > 0, 0.9).shape == (0, 2)
    assert Moments(2).std().tolist() == [1.0, 1.0]


def test_numbers_are_normalised_and_clipped_and_others_pass():
    x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)) * 5 + 7
    normaliser = ObservationNormaliser(3, torch.tensor([True, False, True]))
    normaliser.update(x)
    found = normaliser(x)
    assert found.dtype == torch.float32
    mean, std = two_passes(x.numpy())
    np.testing.assert_allclose(found[:, [0, 2]], ((x.numpy() - mean) / std)[:, [0, 2]], atol=1e-5)
    assert found[:, 1].tolist() == x[:, 1].tolist()
    assert normaliser(torch.tensor([[1e4, 1e4, -1e4]])).tolist() == [[10.0, 1e4, -10.0]]


def test_invalid_steps_do_not_count():
    x, valid = torch.randn(6, 4, 2), torch.rand(6, 4) < 0.5
    normaliser = ObservationNormaliser(2)
    normaliser.update(x, valid)
    assert normaliser.moments.count == valid.sum()
    np.testing.assert_allclose(normaliser.moments.mean, x[valid].double().mean(0), rtol=1e-12)
    normaliser.update(x, torch.zeros(6, 4, dtype=torch.bool))
    assert normaliser.moments.count == valid.sum()


def test_statistics_travel_in_place_and_are_made_in_inference_too():
    normaliser = ObservationNormaliser(2)
    places = {name: x.data_ptr() for name, x in normaliser.state_dict().items()}
    assert places.keys() == {"moments.count", "moments.mean", "moments.squares"}
    with torch.inference_mode():
        normaliser.update(torch.randn(50, 2) + 3)
    assert places == {name: x.data_ptr() for name, x in normaliser.state_dict().items()}
    x = torch.randn(5, 2, requires_grad=True)
    normaliser(x).sum().backward()  # no tensor of inference is in the way
    np.testing.assert_allclose(x.grad[0], 1 / normaliser.moments.std(), rtol=1e-6)
    other = ObservationNormaliser(2)
    other.load_state_dict(normaliser.state_dict())
    assert other(x).tolist() == normaliser(x).tolist()
    assert ReturnNormaliser(3).state_dict().keys() == {"running", *places}


class Recorded(gymnasium.Env):
    """Episodes of 7 steps with observations and rewards of their own scales, all kept."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self):
        self.pick, self.seen, self.rewards, self.steps = np.random.default_rng(0), [], [], 0

    def _look(self):
        self.seen.append(self.pick.normal([3, -50], [2, 10]).astype(np.float32))
        return self.seen[-1]

    def reset(self, **_):
        return self._look(), {}

    def step(self, _):
        self.steps += 1
        self.rewards.append(float(self.pick.normal(2.0, 3.0)))
        return self._look(), self.rewards[-1], self.steps % 7 == 0, False, {}


def test_observations_come_out_as_gymnasiums():
    raw = Recorded()
    theirs = NormalizeObservation(raw)
    theirs.reset()
    for _ in range(2000):
        observation = theirs.step(0)[0]
    normaliser, seen = ObservationNormaliser(2), torch.from_numpy(np.stack(raw.seen))
    for part in seen.split(300):
        normaliser.update(part)
    np.testing.assert_allclose(normaliser(seen[-1:])[0], observation, rtol=1e-4, atol=1e-4)


def test_rewards_come_out_as_gymnasiums():
    raw = Recorded()
    theirs = NormalizeReward(raw, gamma=0.9)
    theirs.reset()
    for _ in range(2100):
        reward = theirs.step(0)[1]
    normaliser, rewards = ReturnNormaliser(1), torch.tensor(raw.rewards)[:, None]
    ended = (torch.arange(1, 2101) % 7 == 0)[:, None]
    parts = [normaliser.normalise(rewards[k : k + 300], ended[k : k + 300], 0.9) for k in range(0, 2100, 300)]
    # Gymnasium goes on with a return after the end of an episode, but for the step that ends it.
    assert parts[-1][-1].item() == pytest.approx(reward, rel=0.1)
    returns, running = [], 0.0
    for k, x in enumerate(raw.rewards):
        running = x if k % 7 == 0 else 0.9 * running + x
        returns.append(running)
    assert parts[-1][-1].item() == pytest.approx(raw.rewards[-1] / np.std(returns), rel=1e-5)


def test_returns_run_over_calls_and_start_anew_with_episodes():
    draw = np.random.default_rng(1)
    reward, ended, valid = draw.normal(2, 1, (30, 4)), draw.random((30, 4)) < 0.2, draw.random((30, 4)) < 0.7
    normaliser, running, returns = ReturnNormaliser(4), np.zeros(4), []
    for rows in (slice(0, 12), slice(12, 30)):
        inputs = (torch.from_numpy(x[rows]) for x in (reward.astype(np.float32), ended, valid))
        reward_part, ended_part, valid_part = inputs
        found = normaliser.normalise(reward_part, ended_part, 0.95, valid_part)
        for t in range(*rows.indices(30)):
            for lane in np.flatnonzero(valid[t]):
                running[lane] = 0.95 * running[lane] + np.float32(reward[t, lane])
                returns.append(running[lane])
                running[lane] *= not ended[t, lane]
        np.testing.assert_allclose(found, reward[rows] / np.std(returns), rtol=1e-5)
    np.testing.assert_allclose(normaliser.running, running, rtol=1e-12)
    assert normaliser.moments.count == len(returns)


def test_rare_rewards_are_clipped():
    reward = torch.zeros(5_000, 1)
    reward[-1] = 1e3
    assert ReturnNormaliser(1).normalise(reward, reward > 0, 0.99).max() == 10.0
