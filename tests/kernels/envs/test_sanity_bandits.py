"""The sanity environments of one or two steps: bandits, the absent-minded driver, and continuous identity."""

import numpy as np
import pytest

from tests.kernels.envs.sanity import VARIED, always, assert_bits, assert_mean, assert_pictured, at_random, play
from workbench_kernels.envs import bandit, make

VARIANTS = [
    ("workbench/Bandit-v0", {"arms": 7}),
    ("workbench/ContextualBandit-v0", {"contexts": 6, "arms": 4}),
    ("workbench/Stochastic-v0", {}),
    ("workbench/Identity-v0", {"components": 3}),
]


@pytest.mark.parametrize("target", VARIED)
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_target_gives_the_oracles_bits(name, options, target):
    assert_bits(make(name, **options), target, steps=20)


@pytest.mark.parametrize("arms", [2, 3, 4, 7])
def test_each_arm_pays_as_stated_and_the_middle_one_is_optimal(arms):
    env, means = make("workbench/Bandit-v0", arms=arms), bandit.means(arms)
    for arm, mean in enumerate(means):
        earned, lanes = play(env, always(arm), 20_000)
        assert_mean(earned, mean)
        assert lanes.terminated.all()
        assert not lanes.truncated.any()
    assert env.optimal_return == max(means) == means[arms // 2]
    assert sorted(means) == [(rank + 1) / (arms + 1) for rank in range(arms)]
    assert_mean(play(env, at_random(arms), 20_000)[0], 0.5)


@pytest.mark.parametrize(("contexts", "arms"), [(4, 4), (6, 4), (3, 5)])
def test_the_context_decides_the_best_arm_and_who_ignores_it_earns_less(contexts, arms):
    env = make("workbench/ContextualBandit-v0", contexts=contexts, arms=arms)
    earned, _ = play(env, lambda seen: seen[-1].argmax(axis=0) % arms, 20_000)
    assert_mean(earned, env.optimal_return)
    assert env.optimal_return == arms / (arms + 1)
    # The mean of arm k over contexts, from the docstring.
    table = [[((k - c - 1) % arms + 1) / (arms + 1) for c in range(contexts)] for k in range(arms)]
    blind = [float(np.mean(row)) for row in table]
    for arm in range(arms):
        earned, lanes = play(env, always(arm), 20_000)
        assert_mean(earned, blind[arm])
        for c in range(contexts):
            assert_mean(earned[lanes.observation.argmax(axis=0) == c], table[arm][c])
    assert max(blind) < env.optimal_return
    if contexts % arms == 0:
        assert blind == pytest.approx([0.5] * arms)


def test_contexts_are_uniform_and_one_hot():
    _, lanes = play(make("workbench/ContextualBandit-v0", contexts=6), always(0), 30_000)
    assert (lanes.observation.sum(axis=0) == 1).all()
    counts = lanes.observation.sum(axis=1)
    assert np.abs(counts - 5000).max() < 5 * np.sqrt(30_000 * 5 / 36)


def mixed(p, seed=0):
    draw = np.random.default_rng(seed)
    return lambda seen: (draw.random(seen[-1].shape[1]) < p).astype(np.int32)


def test_the_absent_minded_drivers_best_policy_is_mixed():
    env = make("workbench/Stochastic-v0")

    # All policies that see only the observation, which is always the same, are one number: go on with probability p.
    def value(p):
        return p * ((1 - p) * 4 + p * 1)

    grid = np.linspace(0, 1, 3001)
    assert grid[value(grid).argmax()] == pytest.approx(2 / 3)
    assert env.optimal_return == pytest.approx(value(2 / 3)) == 4 / 3

    best, lanes = play(env, mixed(2 / 3), 50_000)
    assert_mean(best, env.optimal_return)
    assert (lanes.observation == 1).all()
    deterministic = [play(env, always(action), 100)[0] for action in (0, 1)]
    assert (deterministic[0] == 0).all()
    assert (deterministic[1] == 1).all()
    assert_mean(play(env, mixed(0.5), 50_000)[0], 5 / 4)
    assert best.mean() > 1.29 > 5 / 4

    # Who counts is not absent-minded: the aliased observation is what makes it hard.
    counting, _ = play(env, lambda seen: np.full(seen[-1].shape[1], int(len(seen) == 1)), 100)
    assert (counting == 4).all()


@pytest.mark.parametrize("gamma", [0.5, 0.9])
def test_no_discount_moves_the_drivers_best_policy(gamma):
    # The same seeds, so that the returns differ by the factor gamma alone.
    env = make("workbench/Stochastic-v0")
    plain, _ = play(env, mixed(2 / 3), 1000)
    discounted, _ = play(env, mixed(2 / 3), 1000, discount=gamma)
    np.testing.assert_allclose(discounted, gamma * plain)
    assert plain.max() == 4


@pytest.mark.parametrize("components", [1, 3])
def test_identity_is_solved_by_the_observation_alone(components):
    env = make("workbench/Identity-v0", components=components)
    earned, lanes = play(env, lambda seen: seen[-1], 1000)
    assert (earned == 0).all()
    assert env.optimal_return == 0
    assert lanes.terminated.all()
    off, _ = play(env, lambda seen: seen[-1] + np.float32(0.25), 1000)
    np.testing.assert_allclose(off, -components / 16, rtol=1e-5)
    blind, _ = play(env, lambda seen: 0 * seen[-1], 50_000)
    assert_mean(blind, -components / 3)
    for constant in (-0.5, 0.5):
        worse, _ = play(env, lambda seen, a=constant: np.full_like(seen[-1], a), 50_000)
        assert_mean(worse, -components * (1 / 3 + 1 / 4))


def test_identitys_numbers_are_uniform_and_independent():
    _, lanes = play(make("workbench/Identity-v0", components=3), lambda seen: seen[-1], 20_000)
    numbers = lanes.observation
    assert np.abs(numbers).max() <= 1
    np.testing.assert_allclose(numbers.mean(axis=1), 0, atol=0.025)
    np.testing.assert_allclose(numbers.var(axis=1), 1 / 3, rtol=0.03)
    assert np.abs(np.corrcoef(numbers) - np.eye(3)).max() < 0.04


@pytest.mark.parametrize(("name", "options"), [*VARIANTS, ("workbench/Identity-v0", {})])
def test_pictures_show_what_happens(name, options):
    env = make(name, **options)
    continuous = name.startswith("workbench/Identity")
    assert_pictured(env, policy=(lambda seen: 0.5 - seen[-1]) if continuous else always(1))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("workbench/Bandit-v0", {"arms": 1}, "arms=1"),
        ("workbench/ContextualBandit-v0", {"arms": 1}, "arms=1"),
        ("workbench/ContextualBandit-v0", {"contexts": 1}, "contexts=1"),
        ("workbench/Identity-v0", {"components": 0}, "components=0"),
    ],
)
def test_options_out_of_range_are_named(name, options, message):
    with pytest.raises(ValueError, match=f"{message}.*pass"):
        make(name, **options)
