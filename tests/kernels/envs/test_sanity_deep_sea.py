"""DeepSea against bsuite's, its optimal return from dynamic programming, and the normal numbers it draws."""

import math
import warnings

import numpy as np
import pytest
from bsuite.environments.deep_sea import DeepSea

from tests.kernels.batch import Lanes
from tests.kernels.envs.sanity import VARIED, always, assert_bits, assert_mean, assert_pictured, at_random, play
from workbench_kernels import rng
from workbench_kernels.envs import deep_sea, make

ID = "workbench/DeepSea-v0"


@pytest.mark.parametrize("target", VARIED)
@pytest.mark.parametrize(
    "options", [{"size": 12, "mapping_seed": 7}, {"size": 11, "deterministic": False}], ids=["calm", "windy"]
)
def test_every_target_gives_the_oracles_bits(options, target):
    assert_bits(make(ID, **options), target)


class Fed:
    """Stands for the original's generator: it gives the numbers that ours drew."""

    wind, noise = 0.0, None

    def rand(self):
        return self.wind

    def randn(self):
        return self.noise


def original(size, mapping_seed, deterministic):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Environment is in debug mode")
        env = DeepSea(
            size, deterministic, randomize_actions=mapping_seed is not None, mapping_seed=mapping_seed, seed=0
        )
    env._rng = Fed()
    env.reset()
    return env


def actions(lanes, mapping, draw):
    """Go right by preference, so that the diagonal is explored to its end."""
    right = mapping[np.minimum(lanes.state[deep_sea.ROW], len(mapping) - 1), lanes.state[deep_sea.COLUMN]]
    wrong = draw.random(lanes.lanes) < np.linspace(0, 0.5, lanes.lanes)
    return np.where(wrong, 1 - right, right)


@pytest.mark.parametrize(
    ("size", "mapping_seed", "deterministic", "steps"),
    [(10, 42, True, 300), (10, None, True, 100), (23, 0, True, 200), (50, 42, True, 250), (11, 42, False, 300)],
)
def test_every_step_equals_bsuites(size, mapping_seed, deterministic, steps):
    lanes = 100
    ours = Lanes(make(ID, size=size, mapping_seed=mapping_seed, deterministic=deterministic), lanes, seed=size)
    theirs = [original(size, mapping_seed, deterministic) for _ in range(lanes)]
    draw, ends, treasures = np.random.default_rng(1), 0, 0
    mapping = deep_sea.rights(size, mapping_seed)
    for _ in range(steps):
        action = actions(ours, mapping, draw)
        replay = ours.random.copy()
        ours.step(action)
        if not deterministic:
            for i, env in enumerate(theirs):
                env._rng.wind = float(rng.uniform(i, replay))
                env._rng.noise = float(rng.normal(i, replay)) if env._row == size - 1 else None
        stepped = [env.step(int(a)) for env, a in zip(theirs, action, strict=True)]
        last = np.array([step.last() for step in stepped])
        np.testing.assert_array_equal(ours.terminated, last)
        reward = np.array([step.reward for step in stepped])
        np.testing.assert_allclose(ours.reward, reward.astype(np.float32), rtol=0, atol=0 if deterministic else 1e-6)
        seen = np.stack([step.observation.reshape(-1) for step in stepped], axis=1)
        np.testing.assert_array_equal(np.where(last, ours.final_observation, ours.observation), seen)
        if last.any():
            assert last.all()
            first = np.stack([env.reset().observation.reshape(-1) for env in theirs], axis=1)
            np.testing.assert_array_equal(ours.observation, first)
            ends += lanes
        treasures += int((ours.reward > 0.5).sum())
        assert not ours.truncated.any()
        np.testing.assert_array_equal(ours.random, replay)  # as many numbers drawn as fed
    assert ends == lanes * (steps // size)
    assert treasures >= 10
    # In all cases together, 115,000 steps.


def optimum(size, deterministic, cost=0.01):
    """Return the value of the upper left corner, by backward induction over the cells that the docstring describes."""
    slip = 0.0 if deterministic else 1 / size
    below = np.zeros(size)
    for row in range(size - 1, -1, -1):
        here = np.zeros(size)
        for column in range(row + 1):
            forward, back = below[min(column + 1, size - 1)], below[max(column - 1, 0)]
            treasure = float(column == size - 1)
            right = treasure - cost / size + (1 - slip) * forward + slip * below[column]
            here[column] = max(right, back)
        below = here
    return below[0]


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("size", [10, 17, 50])
def test_the_optimal_return_is_that_of_dynamic_programming(size, deterministic):
    assert make(ID, size=size, deterministic=deterministic).optimal_return == pytest.approx(
        optimum(size, deterministic), abs=1e-12
    )


def diver(mapping):
    """Return the optimal policy: right on the diagonal, left off it."""
    size = len(mapping)

    def policy(seen):
        row, column = np.divmod(seen[-1].argmax(axis=0), size)
        right = mapping[row, column]
        return np.where(row == column, right, 1 - right)

    return policy


@pytest.mark.parametrize(("size", "mapping_seed"), [(10, 42), (10, None), (50, 42)])
def test_the_diagonal_earns_the_optimum_and_nothing_else_does(size, mapping_seed):
    env = make(ID, size=size, mapping_seed=mapping_seed)
    mapping = deep_sea.rights(size, mapping_seed)
    earned, lanes = play(env, diver(mapping), 4)
    np.testing.assert_allclose(earned, 0.99, atol=1e-6)
    assert env.optimal_return == 0.99
    assert (lanes.observation == 0).all()
    assert (lanes.elapsed == size).all()

    def left(seen):
        return 1 - mapping.reshape(-1)[seen[-1].argmax(axis=0)]

    assert (play(env, left, 4)[0] == 0).all()
    chance, _ = play(env, at_random(2), 1000)
    assert chance.mean() < 0.02
    constant = always(1) if mapping_seed is not None else always(0)
    assert (play(env, constant, 4)[0] <= 0).all()


def test_the_windy_diagonal_earns_the_optimum_and_always_right_less():
    env = make(ID, size=11, deterministic=False)
    mapping = deep_sea.rights(11, 42)
    optimal, _ = play(env, diver(mapping), 50_000, seed=3)
    assert_mean(optimal, env.optimal_return)
    stubborn, _ = play(env, lambda seen: mapping.reshape(-1)[seen[-1].argmax(axis=0)], 50_000, seed=3)
    # bsuite's figure; 0.01 * (1 - 1/11)**11 less than the optimum.
    assert_mean(stubborn, (1 - 1 / 11) ** 10 - 0.01)
    assert env.optimal_return > (1 - 1 / 11) ** 10 - 0.01 + 0.003


@pytest.mark.parametrize("size", [10, 50])
def test_mappings_are_bsuites_and_leave_no_action_always_right(size):
    for seed in (0, 1, 42):
        np.testing.assert_array_equal(deep_sea.rights(size, seed), original(size, seed, True)._action_mapping)
        assert 0.3 < deep_sea.rights(size, seed).mean() < 0.7
    assert (deep_sea.rights(size, None) == 1).all()
    np.testing.assert_array_equal(original(size, None, True)._action_mapping, 1)


def test_normal_numbers_are_normal():
    random = np.zeros((rng.ROWS, 1), np.uint32)
    rng.seed_lanes(random, 5)
    sample = np.array([rng.normal(0, random) for _ in range(20_000)])
    assert sample.dtype == np.float32
    assert random[rng.COUNT, 0] == 20_000
    order = np.sort(sample.astype(float))
    cumulative = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in order])
    # Kolmogorov and Smirnov: above 1.95 / sqrt(n) once in a thousand samples.
    assert np.abs(cumulative - (np.arange(20_000) + 0.5) / 20_000).max() < 1.95 / np.sqrt(20_000)
    assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 0.04


@pytest.mark.parametrize("low", [0, 2**32 - 1])
def test_the_ends_of_the_generator_give_finite_normal_numbers(low, monkeypatch):
    monkeypatch.setattr(rng, "draw", lambda *_: np.uint64(low))
    assert abs(rng.normal(0, None)) < 5.8


@pytest.mark.parametrize("size", [10, 50])
def test_pictures_show_what_happens(size):
    assert_pictured(make(ID, size=size), policy=always(1))


@pytest.mark.parametrize("options", [{"size": 9}, {"size": 51}, {"mapping_seed": -1}, {"mapping_seed": True}])
def test_options_out_of_range_are_named(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}={value}.*pass"):
        deep_sea.environment(**options)
