"""Memory against bsuite's MemoryChain, and RepeatCopy: tasks that only a memory solves."""

import numpy as np
import pytest
from bsuite.environments.memory_chain import MemoryChain

from tests.kernels.batch import Lanes
from tests.kernels.envs.sanity import VARIED, always, assert_bits, assert_mean, assert_pictured, play
from workbench_kernels.envs import make, memory, repeat_copy

VARIANTS = [
    ("workbench/Memory-v0", {"length": 4, "bits": 40}),
    ("workbench/RepeatCopy-v0", {"length": 3, "symbols": 5}),
]


@pytest.mark.parametrize("target", VARIED)
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_target_gives_the_oracles_bits(name, options, target):
    assert_bits(make(name, **options), target)


class Originals:
    """One MemoryChain a lane, with the bits and the question that our lanes have drawn."""

    def __init__(self, lanes, length, bits):
        self.all = [MemoryChain(length, bits) for _ in range(lanes.lanes)]
        self.bits = bits
        for i in range(lanes.lanes):
            self.reset(i, lanes)

    def reset(self, i, lanes):
        self.all[i].reset()
        self.all[i]._context = lanes.state[memory.BITS : memory.BITS + self.bits, i].copy()
        self.all[i]._query = int(lanes.state[memory.QUERY, i])
        return self.all[i]._get_observation()


@pytest.mark.parametrize(("length", "bits", "steps"), [(1, 1, 40), (10, 1, 300), (37, 5, 400), (100, 40, 300)])
def test_every_step_equals_bsuites(length, bits, steps):
    lanes = 100
    ours = Lanes(make("workbench/Memory-v0", length=length, bits=bits), lanes, seed=length)
    originals = Originals(ours, length, bits)
    draw, compared, ends = np.random.default_rng(0), 0, {-1.0: 0, 1.0: 0}
    for _ in range(steps):
        action = draw.integers(0, 2, lanes)
        ours.step(action)
        assert not ours.truncated.any()
        theirs = [env.step(int(a)) for env, a in zip(originals.all, action, strict=True)]
        last = np.array([step.last() for step in theirs])
        np.testing.assert_array_equal(ours.terminated, last)
        np.testing.assert_array_equal(ours.reward, [step.reward for step in theirs])
        seen = np.concatenate([step.observation for step in theirs]).T
        np.testing.assert_array_equal(np.where(last, ours.final_observation, ours.observation), seen)
        if last.any():
            assert last.all()
            first = np.concatenate([originals.reset(i, ours) for i in range(lanes)]).T
            np.testing.assert_array_equal(ours.observation, first)
        for reward in ends:
            ends[reward] += int((ours.reward == reward).sum())
        compared += lanes
    assert compared == lanes * steps
    assert min(ends.values()) > 50
    # In all four cases together, 104,000 steps.


def test_bits_and_questions_are_fair():
    lanes = Lanes(make("workbench/Memory-v0", bits=40), 20_000, seed=1)
    bits, query = lanes.state[memory.BITS : memory.BITS + 40].astype(float), lanes.state[memory.QUERY]
    np.testing.assert_allclose(bits.mean(axis=1), 0.5, atol=0.02)
    assert np.abs(np.corrcoef(bits) - np.eye(40)).max() < 0.04
    assert np.abs(np.bincount(query, minlength=40) - 500).max() < 120


@pytest.mark.parametrize(("length", "bits"), [(1, 5), (2, 5), (10, 1)])
def test_a_policy_that_remembers_earns_the_optimum_and_one_that_does_not_nothing(length, bits):
    env = make("workbench/Memory-v0", length=length, bits=bits)

    def remembers(seen):
        query = seen[-1][1].astype(int)
        return (seen[0][2 + query, np.arange(query.size)] > 0).astype(int)

    earned, lanes = play(env, remembers, 2000)
    assert (earned == 1).all()
    assert env.optimal_return == 1
    assert (lanes.elapsed == length + 1).all()

    def forgets(seen):
        return remembers(seen[-1:])

    for policy in (always(0), always(1), *((forgets,) if length > 1 else ())):
        blind, _ = play(env, policy, 20_000)
        assert_mean(blind, 0.0)


@pytest.mark.parametrize(("length", "symbols"), [(1, 2), (5, 2), (3, 5)])
def test_a_sequence_is_repeated_from_memory_or_by_chance(length, symbols):
    env = make("workbench/RepeatCopy-v0", length=length, symbols=symbols)

    def remembers(seen):
        t = len(seen) - 1
        return seen[max(t - length, 0)][:symbols].argmax(axis=0)

    earned, lanes = play(env, remembers, 2000)
    assert (earned == length).all()
    assert env.optimal_return == length
    assert (lanes.elapsed == 2 * length).all()
    assert lanes.terminated.all()
    assert not lanes.truncated.any()

    def copies(seen):
        return seen[-1][:symbols].argmax(axis=0)

    for policy in (copies, *(always(k) for k in range(symbols))):
        assert_mean(play(env, policy, 20_000)[0], length / symbols)


def test_a_sequence_is_shown_once_in_order_and_then_asked_for():
    length, symbols = 3, 5
    lanes = Lanes(make("workbench/RepeatCopy-v0", length=length, symbols=symbols), 50, seed=2)
    hidden = lanes.state[repeat_copy.FIRST : repeat_copy.FIRST + length].copy()
    for t in range(2 * length):
        shown = lanes.observation.copy()
        assert (shown.sum(axis=0) == 1).all()
        if t < length:
            np.testing.assert_array_equal(shown.argmax(axis=0), hidden[t])
        else:
            assert (shown[symbols] == 1).all()
        right = np.arange(50) % 2 == 0
        lanes.step(np.where(right, hidden[t % length], (hidden[t % length] + 1) % symbols))
        np.testing.assert_array_equal(lanes.reward, right & (t >= length))
        np.testing.assert_array_equal(lanes.terminated, np.full(50, t == 2 * length - 1))


def test_symbols_are_uniform_and_independent():
    lanes = Lanes(make("workbench/RepeatCopy-v0", length=5, symbols=2), 20_000, seed=3)
    symbols = lanes.state[repeat_copy.FIRST :]
    np.testing.assert_allclose(symbols.mean(axis=1), 0.5, atol=0.02)
    assert np.abs(np.corrcoef(symbols) - np.eye(5)).max() < 0.04


@pytest.mark.parametrize(
    ("name", "options", "steps"),
    [
        ("workbench/Memory-v0", {"length": 3, "bits": 5}, 3),
        ("workbench/Memory-v0", {}, 3),
        ("workbench/RepeatCopy-v0", {"length": 3, "symbols": 5}, 1),
    ],
)
def test_pictures_show_what_happens(name, options, steps):
    assert_pictured(make(name, **options), policy=always(0), steps=steps)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("workbench/Memory-v0", {"length": 0}, "length=0"),
        ("workbench/Memory-v0", {"bits": 0}, "bits=0"),
        ("workbench/Memory-v0", {"bits": 65}, "bits=65"),
        ("workbench/RepeatCopy-v0", {"length": 0}, "length=0"),
        ("workbench/RepeatCopy-v0", {"symbols": 1}, "symbols=1"),
    ],
)
def test_options_out_of_range_are_named(name, options, message):
    with pytest.raises(ValueError, match=f"{message}.*pass"):
        make(name, **options)
