"""SAC reaches its goals, and finds what is known to be the soft optimum; with a bug planted in it, it does not.

Thresholds were fixed before the runs that they judge.
"""

import numpy as np
import pytest
import torch

import workbench as wb
from tests.algorithms import softproblems
from tests.algorithms.softproblems import trained
from workbench.algorithms import SAC
from workbench.data import Batch, ReplaySource
from workbench.networks.distributions import Categoricals

pytestmark = pytest.mark.learning


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# The bandit: by a squashed normal distribution, near a bound and far from any.


def bandit_policy(mu, bound, alpha):
    """Return the median and the standard deviation of the policy that was learned."""
    algorithm = trained(softproblems.bandit(mu, bound), updates=1500, temperature=alpha, random_steps=500)
    policy = algorithm.model.actor(torch.ones(100_000, 1))
    with torch.no_grad():
        action = bound * policy.sample(torch.Generator().manual_seed(0))
        return float(bound * policy.mode()[0]), float(action.std())


NEAR = {"mu": 1.6, "bound": 2.0, "alpha": 0.5}


def is_best(found, expected):
    return bool(np.allclose(found, expected, atol=0.08))


def test_far_from_the_bounds_the_policy_is_normal_with_the_temperature_for_variance():
    """exp(-(a - mu)**2 / 2 alpha): the soft optimum of the quadratic bandit."""
    assert is_best(bandit_policy(mu=1.0, bound=8.0, alpha=0.25), (1.0, 0.5))
    assert is_best(softproblems.best_squashed_normal(1.0, 8.0, 0.25), (1.0, 0.5))


def test_near_a_bound_the_policy_is_the_best_of_its_kind():
    assert is_best(bandit_policy(**NEAR), softproblems.best_squashed_normal(**NEAR))


def test_without_the_correction_for_the_squashing_it_is_not(monkeypatch):
    monkeypatch.setattr("workbench.functional.log_tanh_slope", torch.zeros_like)
    assert not is_best(bandit_policy(**NEAR), softproblems.best_squashed_normal(**NEAR))


# The Markov decision process: values and policy of choices.


def process_errors(**settings):
    """Return how far, at most, the values of either critic and the policy's probabilities are off."""
    alpha = 0.3
    algorithm = trained(softproblems.process, updates=1500, temperature=alpha, random_steps=2000, **settings)
    q = softproblems.soft_values(alpha)
    states = torch.eye(softproblems.STATES)
    with torch.no_grad():
        values = algorithm.model.critic(states).numpy()
        probabilities = algorithm.model.actor(states).log_probs.exp().numpy()
    best = np.exp(q / alpha) / np.exp(q / alpha).sum(1, keepdims=True)
    return np.abs(values - q).max(), np.abs(probabilities - best).max()


VALUE, PROBABILITY = 0.12, 0.06


@pytest.mark.parametrize("settings", [{}, {"priority": 0.6, "priority_correction": 1.0}], ids=str)
def test_it_finds_the_soft_optimum_of_a_process(settings):
    value, probability = process_errors(**settings)
    assert value < VALUE
    assert probability < PROBABILITY


def test_without_entropy_in_the_target_it_does_not(monkeypatch):
    monkeypatch.setattr(Categoricals, "entropy", lambda self: 0.0 * self.log_probs.sum(-1))
    assert process_errors()[0] > 2 * VALUE


# Pendulum, and CartPole by choices.

EPISODES = 100


def reached(tmp_path, env, steps, **settings):
    algorithm = wb.SAC.tuned(env)
    for name, value in settings.items():
        setattr(algorithm, name, value)
    trainer = wb.Trainer(env, algorithm, lanes=16, seed=0, run_dir=tmp_path / "run")
    trainer.train(steps)
    return trainer.evaluate(episodes=EPISODES).mean


def test_it_swings_the_pendulum_up(tmp_path):
    assert reached(tmp_path, "Pendulum-v1", 16_000) >= -200.0


def test_it_balances_the_pole_by_choices(tmp_path):
    assert reached(tmp_path, "CartPole-v1", 24_000) >= 475.0


def alpha_of_the_other_sign(monkeypatch):
    """Take entropy for a cost in the target and in the policy's loss."""
    expected = SAC._expected

    def planted(self, critic, observation, mask):
        value, entropy = expected(self, critic, observation, mask)
        return value, -entropy

    monkeypatch.setattr(SAC, "_expected", planted)


def successor_of_another(monkeypatch):
    """Bootstrap from observations that did not follow."""
    draw = ReplaySource.draw

    def planted(self, *arguments, **settings):
        batch = draw(self, *arguments, **settings)
        return Batch(**batch.fields | {"next_observation": batch.next_observation.flip(0)})

    monkeypatch.setattr(ReplaySource, "draw", planted)


def targets_that_never_move(monkeypatch):
    monkeypatch.setattr(torch, "_foreach_lerp_", lambda slow, fast, share: None)


@pytest.mark.parametrize("plant", [alpha_of_the_other_sign, successor_of_another, targets_that_never_move])
def test_with_a_planted_bug_the_pendulum_stays_down(tmp_path, monkeypatch, plant):
    plant(monkeypatch)
    assert reached(tmp_path, "Pendulum-v1", 16_000) < -400.0
