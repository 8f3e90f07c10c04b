"""What is remembered against a naive memory, what is drawn against what is expected, and what stays of it on disk."""

import gc
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.scripted import CHOICES, NaiveMemory, Scripted, n_step
from workbench.data import ReplaySource
from workbench.errors import InputError, NotFiniteError
from workbench.training.checkpoints import read_checkpoint, save_checkpoint

CPU = torch.device("cpu")
ACTION = torch.zeros((), dtype=torch.int64)


def replay(env, horizon=5, capacity=10_000, **options):
    return ReplaySource(env, horizon, CPU, 0, capacity=capacity, action=ACTION, **options)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def watched(env, source, rounds, memory=None, restarts=()):
    """Collect, and have a naive memory watch every step."""
    memory = memory or NaiveMemory(env)
    step = type(env).step

    def watching(actions):
        step(env, actions)
        memory.watch()

    env.step = watching
    for k in range(rounds):
        if k in restarts:
            memory.interrupt()
            source.restart()
        source.collect(memory.act)
        memory.see()
    del env.step
    return memory


def contents(source, n, gamma):
    """Return everything remembered, by observation: a draw of so many that none is missed."""
    batch = source.draw(60 * int(source.rows.flat["is_step"].sum()), generator(), n=n, gamma=gamma)
    masks = ("action_mask", "next_action_mask") if "action_mask" in batch.fields else ()
    names = ("action", "reward", "discount", "next_observation", *masks)
    fields = [batch.observation.tolist(), *(batch.fields[name].tolist() for name in names)]
    return {tuple(row[0]): row[1:] for row in zip(*fields, strict=True)}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    lanes=st.integers(1, 4),
    n=st.integers(1, 5),
    rounds=st.integers(1, 7),
    odds=st.tuples(*[st.sampled_from([0.0, 0.1, 0.6])] * 3),
    masked=st.booleans(),
    restarts=st.sets(st.integers(1, 6)),
)
def test_everything_is_remembered_as_a_naive_memory_has_it(seed, lanes, n, rounds, odds, masked, restarts):
    terminate, truncate, leave = odds
    env = Scripted(lanes, seed, terminate=terminate, truncate=truncate, leave=leave, masked=masked)
    source = replay(env)
    memory = watched(env, source, rounds, restarts=restarts)
    assert source.remembered == sum(map(len, memory.lanes))
    if not source.remembered:
        return
    found = contents(source, n, 0.9)
    assert len(found) == source.remembered
    for column in memory.lanes:
        for k, transition in enumerate(column):
            total, discount, successor, mask = n_step(column, k, n, 0.9)
            action, reward, factor, observation, *masks = found[transition.observation]
            assert (action, tuple(observation)) == (transition.action, successor)
            assert (reward, factor) == (pytest.approx(total, abs=1e-4), pytest.approx(discount))
            assert not masked or tuple(map(tuple, masks)) == (transition.mask, mask)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(3, 12),
    n=st.integers(1, 4),
    odds=st.tuples(*[st.sampled_from([0.0, 0.1, 0.6])] * 3),
    prioritised=st.booleans(),
)
def test_a_full_ring_holds_the_newest_transitions_and_nothing_else(seed, rows, n, odds, prioritised):
    terminate, truncate, leave = odds
    env = Scripted(2, seed, terminate=terminate, truncate=truncate, leave=leave)
    source = replay(env, capacity=2 * rows, prioritised=prioritised)
    memory = watched(env, source, 12)
    if not source.remembered:
        return
    found = contents(source, n, 0.5)
    known = {transition.observation: (column, k) for column in memory.lanes for k, transition in enumerate(column)}
    for observation, (action, reward, factor, successor) in found.items():
        column, k = known[observation]
        total, discount, after, _ = n_step(column, k, n, 0.5)
        assert (action, tuple(successor)) == (column[k].action, after)
        assert (reward, factor) == (pytest.approx(total, abs=1e-4), pytest.approx(discount))
    for column in memory.lanes:
        held = [transition.observation in found for transition in column]
        assert held == sorted(held)  # from some transition on, all
        ends = sum(not transition.goes_on for transition, here in zip(column, held, strict=True) if here)
        assert sum(held) == len(column) or sum(held) + ends >= rows - 2
        assert sum(held) <= rows - 1


def test_the_rows_of_a_lane_are_its_observations_once():
    env = Scripted(3, 1, terminate=0.0, truncate=0.0)
    source = replay(env, horizon=50)
    watched(env, source, 2)
    assert source.rows.used == 101
    assert source.remembered == 300


@pytest.mark.parametrize("prioritised", [False, True])
def test_the_smallest_ring_always_holds_a_transition(prioritised):
    """However often one starts anew: there must be something to draw."""
    env = Scripted(1, 1, terminate=0.3, truncate=0.3)
    source = replay(env, horizon=1, capacity=3, prioritised=prioritised)
    memory = None
    for k in range(30):
        memory = watched(env, source, 1, memory)
        for _ in range(k % 3):
            memory.interrupt()
            source.restart()
        batch = source.draw(2, generator(), gamma=0.9)
        assert set(batch.next_observation[:, 1].tolist()) == {memory.lanes[0][-1].successor[1]}


def test_every_transition_is_equally_likely():
    """Chi-squared over all of them, one lane with half as many as another, episodes' ends between them."""
    env = Scripted(2, 5, leave=0.0)
    env._odds = 0.2, 0.1, 0.0
    source = replay(env, horizon=40)
    watched(env, source, 1)
    count, draws = source.remembered, 200_000
    slots = source.draw(draws, generator(), gamma=0.9).slot.numpy()
    frequency = np.bincount(slots, minlength=len(source.rows.flat["is_step"]))
    assert not frequency[~source.rows.flat["is_step"]].any()
    frequency = frequency[source.rows.flat["is_step"]]
    statistic = ((frequency - draws / count) ** 2 / (draws / count)).sum()
    assert abs(statistic - (count - 1)) < 5 * np.sqrt(2 * (count - 1))


def test_priorities_decide_what_is_drawn():
    env = Scripted(2, 5, terminate=0.0, truncate=0.0)
    source = replay(env, horizon=4, prioritised=True)
    watched(env, source, 1)
    slot = np.flatnonzero(source.rows.flat["is_step"])
    priority = np.arange(1.0, 9.0)
    source.priorities.learn(slot, priority)
    batch = source.draw(36_000, generator(), gamma=0.9)
    found = Counter(batch.slot.tolist())
    assert all(abs(found[s] - 1000 * p) <= 1 for s, p in zip(slot.tolist(), priority, strict=True))
    share = dict(zip(slot.tolist(), (priority / priority.sum()).tolist(), strict=True))
    np.testing.assert_allclose(batch.probability, [share[s] for s in batch.slot.tolist()], rtol=1e-6)


def test_newcomers_get_the_greatest_priority_and_what_is_overwritten_none():
    env = Scripted(1, 5, terminate=0.0, truncate=0.0)
    source = replay(env, horizon=4, capacity=8, prioritised=True)
    watched(env, source, 1)
    leaves = source.priorities.tree[8:]
    source.priorities.learn(np.array([1]), np.array([7.0]))
    assert leaves.tolist() == [1, 7, 1, 1, 0, 0, 0, 0]
    watched(env, source, 1)
    assert leaves.tolist() == [0, 7, 1, 1, 7, 7, 7, 7]
    assert source.priorities.tree[1] == leaves.sum()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.bool_, np.int64])
def test_observations_keep_their_dtype(dtype):
    env = Scripted(2, 0, dtype=dtype)
    source = replay(env)
    watched(env, source, 2)
    assert source.rows.flat["observation"].dtype == dtype
    assert source.draw(3, generator(), gamma=0.9).observation.numpy().dtype == dtype


def test_the_outcome_is_what_happened():
    env = Scripted(3, 2, leave=0.3)
    source = replay(env, horizon=6)
    seen = []

    def act(observation, carry, mode, mask=None):
        seen.append([env.active.copy()])
        return torch.zeros(3, dtype=torch.int64), None, {}

    step = env.step

    def watching(actions):
        step(actions)
        seen[-1] += [env.reward.copy(), env.terminated | env.truncated]

    env.step = watching
    source.collect(act)
    active, reward, ended = map(np.stack, zip(*seen, strict=True))
    for mine, theirs in zip(source.outcome(), (reward, ended, active), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert source.collected == 6


def test_what_is_kept_of_an_action_may_be_another_than_the_environment_gets():
    env = Scripted(2, 0)
    source = ReplaySource(env, 3, CPU, 0, capacity=50, action=torch.zeros(4))

    def act(observation, carry, mode, mask=None):
        return torch.ones(2, dtype=torch.int64), None, {"action": torch.full((2, 4), 0.5)}

    source.collect(act)
    assert source.draw(2, generator(), gamma=1.0).action.tolist() == [[0.5] * 4] * 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("what", ["observation", "final_observation", "reward"])
def test_numbers_that_are_none_are_named(what, bad):
    env = Scripted(3, 0, terminate=1.0 if what == "final_observation" else 0.0, truncate=0.0)
    source = replay(env)
    step = env.step

    def spoiling(actions):
        step(actions)
        if source.collected == 2:
            getattr(env, what)[1] = bad

    env.step = spoiling
    name, at = what.removeprefix("final_"), 3 if what == "observation" else 2  # what is to be acted on is the next's
    message = rf"{name} of lane 1 is .*(nan|inf).* at step {at} of 'Scripted-v0'; mend the environment"
    with pytest.raises(NotFiniteError, match=message):
        source.collect(NaiveMemory(env).act)


def test_numbers_of_lanes_without_an_agent_are_not_looked_at():
    env = Scripted(3, 0, leave=0.7)
    source = replay(env)
    watched(env, source, 5)
    assert np.isnan(env.observation).any()
    assert not np.isnan(source.rows.flat["observation"]).any()


def test_too_small_a_capacity_is_refused():
    with pytest.raises(
        InputError, match=r"capacity=11 is less than 3 rows for each of 4 lanes; raise it to at least 12"
    ):
        replay(Scripted(4), capacity=11)


@pytest.mark.parametrize("prioritised", [False, True])
def test_a_checkpoint_holds_all_that_is_remembered(tmp_path, prioritised):
    env = Scripted(4, 3, leave=0.5)
    source = replay(env, capacity=40, prioritised=prioritised)
    watched(env, source, 3)
    if prioritised:
        source.priorities.learn(np.flatnonzero(source.rows.flat["is_step"])[:2], np.array([3.0, 0.5]))
    save_checkpoint(source, tmp_path / "kept")
    other = replay(Scripted(4, 4, leave=0.5), capacity=40, prioritised=prioritised)
    read_checkpoint(tmp_path / "kept").restore(other)
    for name, x in source.rows.flat.items():
        np.testing.assert_array_equal(x, other.rows.flat[name])
    assert (other.collected, other.remembered) == (15, source.remembered)
    assert source.under_way.any()
    for name in ("position", "under_way"):
        np.testing.assert_array_equal(getattr(source, name), getattr(other, name))
    first, second = (s.draw(50, generator(7), n=3, gamma=0.9) for s in (source, other))
    for name, x in first.fields.items():
        assert torch.equal(x, second.fields[name])


def test_what_came_after_a_checkpoint_is_gone_when_it_is_put_back(tmp_path):
    env = Scripted(2, 3, leave=0.3)
    source = replay(env, prioritised=True)
    watched(env, source, 3)
    save_checkpoint(source, tmp_path / "kept")
    before = {name: x.copy() for name, x in source.rows.arrays.items()}, source.priorities.tree.copy()
    watched(env, source, 3)
    read_checkpoint(tmp_path / "kept").restore(source)
    for name, x in source.rows.arrays.items():
        np.testing.assert_array_equal(x, before[0][name])
    np.testing.assert_array_equal(source.priorities.tree, before[1])


def test_only_the_rows_in_use_are_saved(tmp_path):
    source = replay(Scripted(2, 3, terminate=0, truncate=0), capacity=10**6)
    watched(source.env, source, 3)
    save_checkpoint(source, tmp_path / "kept")
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) < 10_000


def test_an_environment_built_anew_begins_new_episodes(tmp_path):
    env = Scripted(2, 3, terminate=0, truncate=0)
    source = replay(env)
    memory = watched(env, source, 1)
    save_checkpoint(source, tmp_path / "kept")
    other = Scripted(2, 9, terminate=0, truncate=0)
    other.steps = 100  # other observations than those remembered
    resumed = replay(other)
    read_checkpoint(tmp_path / "kept").restore(resumed)
    memory.interrupt()
    memory.env = other
    watched(other, resumed, 1, memory)
    found = contents(resumed, 4, 0.9)
    assert len(found) == 20
    for column in memory.lanes:
        for k, transition in enumerate(column):
            total, discount, successor, _ = n_step(column, k, 4, 0.9)
            _, reward, factor, observation = found[transition.observation]
            assert (reward, factor) == (pytest.approx(total, abs=1e-4), pytest.approx(discount))
            assert tuple(observation) == successor


def test_without_keep_the_memory_starts_empty_and_the_counter_goes_on(tmp_path):
    source = replay(Scripted(2, 3), keep=False)
    watched(source.env, source, 2)
    save_checkpoint(source, tmp_path / "light")
    other = replay(Scripted(2, 4), keep=False)
    read_checkpoint(tmp_path / "light").restore(other)
    assert (other.collected, other.remembered) == (10, 0)
    watched(other.env, other, 1)
    assert other.remembered == 10


def test_a_great_memory_is_mapped_to_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    plain, mapped = (replay(Scripted(2, 3), capacity=500, memory=memory) for memory in (10**6, 1000))
    kinds = [{type(x) for x in source.rows.arrays.values()} for source in (plain, mapped)]
    assert kinds == [{np.ndarray}, {np.memmap}]
    assert list(tmp_path.iterdir()) == []
    for source in (plain, mapped):
        watched(source.env, source, 4)
    first, second = (s.draw(50, generator(7), n=3, gamma=0.9) for s in (plain, mapped))
    for name, x in first.fields.items():
        assert torch.equal(x, second.fields[name])
    save_checkpoint(mapped, tmp_path / "kept")
    other = replay(Scripted(2, 4), capacity=500, memory=1000)
    read_checkpoint(tmp_path / "kept").restore(other)
    np.testing.assert_array_equal(other.rows.flat["observation"], mapped.rows.flat["observation"])
    del other, mapped, source, second
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_its_scripted_environment_does_all_that_one_may_do():
    env = Scripted(3, 0, leave=0.3, masked=True)
    memory = watched(env, replay(env), 20)
    transitions = [transition for column in memory.lanes for transition in column]
    assert {transition.terminated for transition in transitions} == {True, False}
    assert {transition.goes_on for transition in transitions} == {True, False}
    assert any(not t.goes_on and not t.terminated for t in transitions)
    assert any(abs(transition.reward) > 8 for transition in transitions)  # of more than one step
    assert {len(transition.mask) for transition in transitions} == {CHOICES}
