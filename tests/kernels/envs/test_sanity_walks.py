"""The sanity environments that walk: the random walk, the password, the square, and the time limit."""

import itertools

import numpy as np
import pytest

from tests.kernels.batch import Lanes
from tests.kernels.envs.sanity import VARIED, always, assert_bits, assert_mean, assert_pictured, at_random, play
from workbench_kernels.envs import make, password, random_walk, squared

VARIANTS = [
    ("workbench/ConstantReward-v0", {"limit": 3}),
    ("workbench/Password-v0", {"length": 3}),
    ("workbench/RandomWalk-v0", {"states": 7}),
    ("workbench/Squared-v0", {"distance": 2, "targets": 3}),
]


@pytest.mark.parametrize("target", VARIED)
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_target_gives_the_oracles_bits(name, options, target):
    assert_bits(make(name, **options), target)


@pytest.mark.parametrize("states", [5, 19])
def test_the_random_walks_values_solve_the_bellman_equations_and_are_what_episodes_earn(states):
    env, values = make("workbench/RandomWalk-v0", states=states), random_walk.values(states)
    # v = P v + r, P the moves among the places, r the chance to reach the right end.
    moves = 0.5 * (np.eye(states, k=1) + np.eye(states, k=-1))
    reward = np.zeros(states)
    reward[-1] = 0.5
    np.testing.assert_allclose(np.linalg.solve(np.eye(states) - moves, reward), values)
    assert env.optimal_return == values[states // 2] == 0.5

    per_place = 2000
    lanes = Lanes(env, states * per_place, seed=1)
    np.testing.assert_array_equal(lanes.observation.argmax(axis=0), states // 2)
    lanes.state[random_walk.PLACE] = np.repeat(np.arange(1, states + 1), per_place)
    earned, going = np.zeros(lanes.lanes), np.ones(lanes.lanes, bool)
    while going.any():
        lanes.step(np.arange(lanes.lanes) % 2, autoreset=False)
        earned += np.where(going, lanes.reward, 0)
        going &= ~lanes.terminated
    assert not lanes.truncated.any()
    for value, sample in zip(values, earned.reshape(states, per_place), strict=True):
        assert_mean(sample, value)
    # 19 states with -1 at the left end, as in the book's figure 7.2.
    if states == 19:
        np.testing.assert_allclose(2 * np.array(values) - 1, np.arange(-18, 20, 2) / 20)


def test_actions_do_nothing_to_the_random_walk():
    env = make("workbench/RandomWalk-v0")
    first, second = Lanes(env, 50, seed=2), Lanes(env, 50, seed=2)
    for _ in range(60):
        first.step(np.zeros(50, int))
        second.step(np.ones(50, int))
        np.testing.assert_array_equal(first.observation, second.observation)
        np.testing.assert_array_equal(first.reward, second.reward)
    for policy in (always(0), always(1), at_random(2)):
        assert_mean(play(env, policy)[0], env.optimal_return)


def test_the_random_walks_time_limit_is_out_of_reach():
    for states in (3, 5, 19, 99):
        limit = make("workbench/RandomWalk-v0", states=states).time_limit
        assert np.log10(4 / np.pi) + limit * np.log10(np.cos(np.pi / (states + 1))) < -200


@pytest.mark.parametrize("length", [1, 5, 8])
def test_one_string_in_all_is_the_password(length):
    env = make("workbench/Password-v0", length=length)
    guesses = np.array(list(itertools.product((0, 1), repeat=length)))
    earned, lanes = play(env, lambda seen: guesses[:, len(seen) - 1], len(guesses))
    right = (guesses == password.password(length)).all(axis=1)
    assert right.sum() == 1
    np.testing.assert_array_equal(earned, right)
    assert env.optimal_return == earned.max() == 1
    np.testing.assert_array_equal(lanes.observation, 2 * guesses.T - 1)
    assert lanes.terminated.all()
    assert not lanes.truncated.any()


def test_the_password_is_the_golden_ratios():
    fraction = (np.sqrt(5) - 1) / 2
    for bit in password.password(30):
        fraction *= 2
        assert bit == int(fraction)
        fraction -= bit
    assert password.password(5) == (1, 0, 0, 1, 1)


def test_the_password_pays_only_at_the_end_and_shows_the_guesses_so_far():
    env, string = make("workbench/Password-v0"), password.password(5)
    lanes = Lanes(env, 3)
    for t, bit in enumerate(string):
        np.testing.assert_array_equal(lanes.observation[:t, 0], 2 * np.array(string[:t]) - 1)
        np.testing.assert_array_equal(lanes.observation[t:, 0], 0)
        lanes.step(bit)
        assert (lanes.reward == (t == 4)).all()
        assert (lanes.terminated == (t == 4)).all()
    earned, _ = play(env, at_random(2), 20_000)
    assert_mean(earned, 1 / 32)


def nearest(seen):
    """Go straight to the first target left: the optimal policy."""
    width = round(np.sqrt(seen[-1].shape[0] / 2))
    agent, targets = (seen[-1].reshape(2, width, width, -1)[c].reshape(width * width, -1) for c in (0, 1))
    (row, column), (y, x) = (np.divmod(cells.argmax(axis=0), width) for cells in (agent, targets))
    move = (np.sign(y - row) + 1) * 3 + np.sign(x - column) + 1
    return np.where(move > 4, move - 1, move)


@pytest.mark.parametrize(("distance", "targets"), [(3, 4), (1, 8), (2, 3)])
def test_straight_ways_reach_every_target_in_time(distance, targets):
    env = make("workbench/Squared-v0", distance=distance, targets=targets)
    earned, lanes = play(env, nearest, 500)
    assert (earned == targets).all()
    assert env.optimal_return == targets
    assert lanes.terminated.all()
    assert (lanes.elapsed == targets * distance).all()
    assert (lanes.observation.reshape(2, -1, 500)[1] == 0).all()


def test_one_wasted_step_costs_a_target():
    env = make("workbench/Squared-v0")
    draw = np.random.default_rng(0)

    def astray(seen):
        """Step aside once, from the middle, and back before going on."""
        return {1: always(0), 2: always(7)}.get(len(seen), nearest)(seen)

    earned, lanes = play(env, astray, 500)
    assert (earned == env.optimal_return - 1).all()
    assert lanes.truncated.all()
    assert not lanes.terminated.any()
    chance, _ = play(env, lambda seen: draw.integers(8, size=seen[-1].shape[1]), 2000)
    assert chance.mean() < 0.5


def test_who_does_not_look_reaches_targets_by_chance():
    distance, targets = 3, 4
    env = make("workbench/Squared-v0", distance=distance, targets=targets)
    # Straight along four different directions: four different cells of the edge, each a target in 4 of 24 cases.
    route = np.repeat([0, 1, 6, 7], distance)
    earned, _ = play(env, lambda seen: always(route[len(seen) - 1])(seen), 20_000)
    assert_mean(earned, targets**2 / (8 * distance))
    assert_mean(play(env, always(4), 20_000)[0], targets / (8 * distance))


def test_targets_are_uniform_on_the_edge_and_different():
    distance, targets, lanes = 2, 3, 20_000
    batch = Lanes(make("workbench/Squared-v0", distance=distance, targets=targets), lanes, seed=1)
    agent, cells = batch.observation.reshape(2, 5, 5, lanes)
    assert (cells.sum(axis=(0, 1)) == targets).all()
    assert (agent[distance, distance] == 1).all()
    assert (agent.sum(axis=(0, 1)) == 1).all()
    assert (cells[1:-1, 1:-1] == 0).all()
    edge = np.ones((5, 5), bool)
    edge[1:-1, 1:-1] = False
    frequency = cells[edge].mean(axis=1)
    np.testing.assert_allclose(frequency, targets / 16, atol=5 * np.sqrt(0.25 / lanes))
    # Of any pair of cells, both are targets equally often.
    chosen = cells[edge].astype(float)
    both = (chosen @ chosen.T / lanes)[~np.eye(16, dtype=bool)]
    np.testing.assert_allclose(both, targets * (targets - 1) / (16 * 15), atol=0.012)


def test_numbers_of_the_edge_are_its_cells():
    for distance in (1, 2, 5):
        width = 2 * distance + 1
        found = {squared.edge_cell(k, distance) for k in range(8 * distance)}
        rows, columns = np.divmod(np.arange(width * width), width)
        on_edge = np.maximum(abs(rows - distance), abs(columns - distance)) == distance
        assert found == set(np.flatnonzero(on_edge).tolist())


@pytest.mark.parametrize("limit", [1, 5])
def test_a_constant_reward_is_only_ever_truncated(limit):
    env = make("workbench/ConstantReward-v0", limit=limit)
    for policy in (always(0), always(1), at_random(2)):
        earned, lanes = play(env, policy, 10)
        assert (earned == limit).all()
        assert lanes.truncated.all()
        assert not lanes.terminated.any()
        assert (lanes.observation == 1).all()
    assert env.optimal_return == env.time_limit == limit


def test_the_value_of_a_constant_reward_is_that_of_bootstrapping_time_limits():
    gamma, limit = 0.9, 5
    lanes = Lanes(make("workbench/ConstantReward-v0"), 1)
    ages, successors, rewards = [], [], []
    for _ in range(limit):
        ages.append(lanes.observation[0, 0])
        lanes.step(0)
        successors.append((lanes.final_observation if lanes.truncated[0] else lanes.observation)[0, 0])
        rewards.append(lanes.reward[0])
    np.testing.assert_allclose(ages, np.arange(5) / 5)
    np.testing.assert_allclose(successors, np.arange(1, 6) / 5)

    def solve(bootstraps):
        """Iterate v(age) = r + gamma * v(age + 1); the age at the limit, seen only as a successor, leads on or not."""
        value = np.zeros(limit + 1)
        for _ in range(2000):
            value[:limit] = np.array(rewards) + gamma * value[1:]
            value[limit] = value[limit - 1] if bootstraps else 0.0
        return value[:limit]

    np.testing.assert_allclose(solve(True), 1 / (1 - gamma))
    np.testing.assert_allclose(solve(False), [(1 - gamma**n) / (1 - gamma) for n in range(limit, 0, -1)])


@pytest.mark.parametrize(
    ("name", "options", "policy"),
    [
        ("workbench/ConstantReward-v0", {}, always(0)),
        ("workbench/Password-v0", {}, always(0)),
        ("workbench/RandomWalk-v0", {"states": 19}, always(0)),
        ("workbench/Squared-v0", {}, nearest),
    ],
)
def test_pictures_show_what_happens(name, options, policy):
    assert_pictured(make(name, **options), policy=policy)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("workbench/ConstantReward-v0", {"limit": 0}),
        ("workbench/Password-v0", {"length": 0}),
        ("workbench/Password-v0", {"length": 31}),
        ("workbench/RandomWalk-v0", {"states": 4}),
        ("workbench/RandomWalk-v0", {"states": 1}),
        ("workbench/Squared-v0", {"distance": 0}),
        ("workbench/Squared-v0", {"targets": 25}),
        ("workbench/Squared-v0", {"targets": 0}),
    ],
)
def test_options_out_of_range_are_named(name, options):
    ((option, value),) = options.items()
    with pytest.raises(ValueError, match=f"{option}={value}.*pass"):
        make(name, **options)
