"""BitFlip-v0: steps against a naive flip, rewards against `reward_of`, optimal values by dynamic programming."""

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.envs import make
from workbench_kernels.envs.bit_flip import reward_of

COMPILED = [name for name in TARGETS if name != "python"]


@pytest.mark.parametrize(("bits", "steps"), [(1, 20), (8, 200), (40, 100)])
def test_a_hundred_thousand_steps_equal_a_naive_flip_and_reward_of(bits, steps):
    game, many = make("workbench/BitFlip-v0", bits=bits), 600
    lanes = Lanes(game, many, seed=1)
    draw = np.random.default_rng(2)
    lanes.elapsed[...] = draw.integers(0, bits, many)
    # Half of the lanes are one or two bits from their goal, where words are too long to meet by chance.
    near = np.arange(0, many, 2)
    solved = late = 0
    for _ in range(steps):
        lanes.state[bits:, near] = lanes.state[:bits, near]
        lanes.state[bits, near] ^= 1
        word, goal, age = lanes.state[:bits].T.copy(), lanes.state[bits:].T.copy(), lanes.elapsed.copy()
        action = draw.integers(0, bits, many)
        action[::4] = 0
        lanes.step(action)
        word[np.arange(many), action] = 1 - word[np.arange(many), action]
        terminated, truncated = (word == goal).all(axis=1), age + 1 >= bits
        np.testing.assert_array_equal(lanes.terminated, terminated)
        np.testing.assert_array_equal(lanes.truncated, truncated)
        np.testing.assert_array_equal(lanes.reward, np.where(terminated, 0.0, -1.0))
        shown = np.where(terminated | truncated, lanes.final_observation, lanes.observation).T
        np.testing.assert_array_equal(shown, np.concatenate([word, goal], axis=1))
        # What hindsight needs: any transition's reward from what its observation says.
        relabelled = reward_of(shown[:, :bits], shown[:, bits:])
        assert relabelled.dtype == np.float32
        np.testing.assert_array_equal(relabelled, lanes.reward)
        np.testing.assert_array_equal(reward_of(shown[:, :bits], shown[:, :bits]), 0)
        solved += int(terminated.sum())
        late += int((truncated & ~terminated).sum())
    assert solved > 1000
    assert late > 100


def test_words_and_goals_are_uniform_and_independent():
    lanes = Lanes(make("workbench/BitFlip-v0", bits=40), 20_000, seed=4)
    state = lanes.state.astype(float)
    assert np.isin(state, (0, 1)).all()
    assert np.abs(state.mean(axis=1) - 0.5).max() < 0.016
    assert np.abs(np.corrcoef(state) - np.eye(80)).max() < 0.035
    words = Lanes(make("workbench/BitFlip-v0", bits=2), 16_000, seed=4).state
    count = np.bincount(words.T @ [8, 4, 2, 1])
    assert np.abs(count - 1000).max() < 130


def horizon_value(bits):
    """Return the value [d] of d differing bits at the start of an episode, by dynamic programming over its steps."""
    value = np.zeros(bits + 1)
    for _ in range(bits):
        nearer = [-np.inf, 0.0, *(value[1:-1] - 1)]
        further = [*(value[1:] - 1), -np.inf]
        value = np.maximum(nearer, further)
    return value


@pytest.mark.parametrize("bits", [1, 2, 3, 8, 17, 40])
def test_the_optimal_return_is_the_one_stated(bits):
    chance = np.array([1.0])
    for _ in range(bits):
        chance = (np.append(chance, 0) + np.append(0, chance)) / 2
    value = horizon_value(bits)
    assert value.tolist() == [-1.0, *(-float(d - 1) for d in range(1, bits + 1))]
    assert chance @ value == pytest.approx(make("workbench/BitFlip-v0", bits=bits).optimal_return, abs=1e-9)


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_the_optimal_q_is_the_one_stated_in_the_hamming_distance(gamma):
    """Value iteration over all words of four bits; the goal may be taken as zero."""
    bits = 4
    flipped = np.arange(16)[:, None] ^ (1 << np.arange(bits))
    q = np.zeros((16, bits))
    for _ in range(400):
        value = q.max(axis=1)
        q = np.where(flipped == 0, 0.0, -1.0 + gamma * value[flipped])

    def steps(k):
        return -float(k) if gamma == 1 else -(1 - gamma**k) / (1 - gamma)

    for word in range(1, 16):
        d = word.bit_count()
        stated = [steps(d - 1) if word >> k & 1 else steps(d + 1) for k in range(bits)]
        np.testing.assert_allclose(q[word], stated, atol=1e-9)


def test_flipping_what_differs_earns_the_optimal_return():
    game, many = make("workbench/BitFlip-v0"), 50_000
    lanes = Lanes(game, many, seed=6)
    returned, over = np.zeros(many), np.zeros(many, bool)
    for _ in range(game.time_limit):
        lanes.step((lanes.state[:8] != lanes.state[8:]).argmax(axis=0))
        returned += np.where(over, 0, lanes.reward)
        over |= lanes.terminated | lanes.truncated
    assert over.all()
    assert abs(returned.mean() - game.optimal_return) < 4 * returned.std() / many**0.5


@pytest.mark.parametrize("target", COMPILED)
def test_every_target_gives_the_oracles_bits(target):
    game = make("workbench/BitFlip-v0", bits=40)
    oracle, ours = (Lanes(game, 33, target=name, seed=9) for name in ("python", target))
    draw = np.random.default_rng(1)
    for _ in range(90):
        action = draw.integers(0, 40, 33)
        oracle.step(action)
        ours.step(action)
        for name in ("state", "final_observation", "observation", "reward", "terminated", "truncated", "random"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


@pytest.mark.parametrize("bits", [0, 41])
def test_options_out_of_range_are_named(bits):
    with pytest.raises(ValueError, match=f"bits={bits} is out of range; pass 1 to 40"):
        make("workbench/BitFlip-v0", bits=bits)
