"""Lanes of others' environments, whoever steps them: the caller, threads, processes."""

import gc
import os
import threading
import tracemalloc
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from tests.envs.emulation.guests import Counter, Masked, Nested
from workbench.envs import EmulatedVectorEnvironment, make
from workbench.errors import InputError
from workbench.spec import VectorEnvironment

BACKENDS = ["serial", "threads", "processes"]


@pytest.fixture
def lanes():
    """Give a function that makes vector environments, and close them all."""
    made = []

    def build(env, count, **options):
        made.append(make(env, count, **options))
        return made[-1]

    yield build
    for env in made:
        env.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_steps_gymnasiums_own_environment(lanes, backend):
    env = lanes("CartPole-v1", 3, seed=5, backend=backend)
    assert isinstance(env, VectorEnvironment)
    env.reset()
    originals = [gymnasium.make("CartPole-v1") for _ in range(3)]
    observations = [original.reset(seed=5 + lane)[0] for lane, original in enumerate(originals)]
    draw = np.random.default_rng(0)
    for _ in range(100):
        np.testing.assert_array_equal(env.observation, observations)
        actions = draw.integers(0, 2, 3)
        env.step(actions)
        for lane, original in enumerate(originals):
            observation, reward, terminated, truncated, _ = original.step(int(actions[lane]))
            assert (reward, terminated, truncated) == (env.reward[lane], env.terminated[lane], env.truncated[lane])
            observations[lane] = observation
            if terminated or truncated:
                np.testing.assert_array_equal(env.final_observation[lane], observation)
                observations[lane] = original.reset()[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_last_observation_of_an_episode_is_kept_and_the_flags_stay_apart(lanes, backend):
    env = lanes(Counter, 2, backend=backend, seed=7)
    observation, _ = env.reset()
    np.testing.assert_array_equal(observation, [[0, 7], [0, 8]])
    for step in range(1, 17):
        observation, reward, terminated, truncated, infos = env.step(np.full(2, step % 5))
        over = step % 4 == 0
        np.testing.assert_array_equal(reward, step % 5 - 2)  # actions count from 0, the environment's from -2
        assert (terminated == (over and step % 8 != 0)).all()
        assert (truncated == (over and step % 8 == 0)).all()
        np.testing.assert_array_equal(observation[:, 0], step % 4)
        np.testing.assert_array_equal(infos["_final_obs"], over)
        if over:
            np.testing.assert_array_equal(infos["final_obs"], [[4, 7], [4, 8]])


@pytest.mark.parametrize("backend", BACKENDS)
def test_nested_observations_are_views_and_nested_actions_arrive(lanes, backend):
    env = lanes(Nested, 3, backend=backend, seed=2)
    observation, _ = env.reset()
    assert np.shares_memory(observation["image"], env.observation)
    originals = [Nested() for _ in range(3)]
    expected = [original.reset(seed=2 + lane)[0] for lane, original in enumerate(originals)]
    draw = np.random.default_rng(1)
    for _ in range(5):
        for lane, one in enumerate(expected):
            np.testing.assert_array_equal(observation["image"][lane], one["image"])
            np.testing.assert_array_equal(observation["parts"][0][lane], one["parts"][0])
            assert observation["parts"][1][lane] == one["parts"][1]
            np.testing.assert_array_equal(observation["flags"][lane], one["flags"])
        actions = {
            "discrete": draw.integers(0, 2, (3, 2)),
            "continuous": draw.uniform(-2, 2, (3, 2)).astype(np.float32),
        }
        observation, reward, *_ = env.step(actions)
        np.testing.assert_allclose(reward, actions["continuous"].sum(1) + 10 * actions["discrete"].sum(1), rtol=1e-5)
        expected = [original._observe() for original in originals]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_rollouts_frames_are_written_in_place(lanes, backend):
    env, other = (lanes(Counter, 3, backend=name, seed=1) for name in (backend, "serial"))
    board = env.share(5)
    env.reset()
    other.reset()
    for rollout in range(3):
        env.rewind()
        for t in range(4):
            np.testing.assert_array_equal(board.observation[t], other.observation)
            env.step(np.full(3, rollout))
            other.step(np.full(3, rollout))
            assert env.observation.ctypes.data == board.observation[t + 1].ctypes.data
            for name in ("observation", "reward", "terminated", "truncated"):
                np.testing.assert_array_equal(getattr(board, name)[t + 1], getattr(other, name))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("count", "batch"), [(6, 2), (5, 3), (4, 1)])
def test_staggered_lanes_each_live_their_own_time(lanes, backend, count, batch):
    env = lanes(Counter, count, backend=backend, batch=batch, seed=10)
    ages, received = np.zeros(count, int), np.zeros(count, int)
    observation, infos = env.reset()
    for turn in range(60):
        lane = infos["lane"].copy()
        assert len(set(lane)) == batch
        np.testing.assert_array_equal(observation[:, 0], ages[lane] % 4)
        np.testing.assert_array_equal(observation[:, 1], 10 + lane)
        received[lane] += 1
        if turn == 30:  # what is under way is waited for, and everything starts anew
            observation, infos = env.reset(seed=10)
            ages[:] = 0
            continue
        env.send(np.zeros(batch, int))
        ages[lane] += 1
        observation, _, terminated, truncated, infos = env.recv()
        ended = terminated | truncated
        now = ages[infos["lane"]]
        np.testing.assert_array_equal(ended, (now > 0) & (now % 4 == 0))
        if ended.any():
            np.testing.assert_array_equal(infos["final_obs"][ended, 0], 4)
    assert (received > 0).sum() >= batch


def test_lanes_can_be_sent_in_any_order_and_only_once(lanes):
    env = lanes(Counter, 4, batch=2, backend="serial")
    _, infos = env.reset()
    first = infos["lane"].copy()
    env.send([0, 1], lanes=first[::-1])
    with pytest.raises(InputError, match="do not all wait for actions"):
        env.send([0, 1], lanes=first)
    with pytest.raises(InputError, match="are not whole environments of 1 agents, each once"):
        env.send([0, 1], lanes=[2, 2])
    env.recv()
    env.recv()
    with pytest.raises(InputError, match="0 environments are under way, and a batch has 2; send actions first"):
        env.recv()


@pytest.mark.parametrize("backend", BACKENDS)
def test_options_and_seeds_of_a_reset_arrive(lanes, backend):
    env = lanes(Counter, 3, backend=backend)
    np.testing.assert_array_equal(env.reset(seed=4, options={"age": 2})[0], [[2, 4], [2, 5], [2, 6]])
    np.testing.assert_array_equal(env.reset()[0], [[0, 4], [0, 5], [0, 6]])
    env.step(np.zeros(3, int))
    np.testing.assert_array_equal(env.reset(seed=2**64 - 1)[0][:, 1], [2**31 - 1, 0, 1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_masks_say_what_is_legal(lanes, backend):
    env = lanes(Masked, 2, backend=backend)
    assert env.action_mask is None
    _, infos = env.reset()
    for step in range(20):
        mask = infos["action_mask"]
        assert mask.sum() == 4
        actions = mask.argmax(1) if step % 2 else 2 - mask[:, ::-1].argmax(1)
        _, reward, *_, infos = env.step(actions)
        assert not reward.any()


@pytest.mark.parametrize(
    ("backend", "start_method"),
    [("serial", None), ("threads", None), ("processes", "forkserver"), ("processes", "spawn")],
)
def test_nothing_stays_behind(backend, start_method):
    from workbench.envs.sources import source_of

    def once():
        env = EmulatedVectorEnvironment(source_of(Counter), 4, backend=backend, start_method=start_method)
        env.reset()
        env.step(np.zeros(4, int))
        env.close()
        env.close()
        with pytest.raises(InputError, match="is closed"):
            env.step(np.zeros(4, int))

    once()  # the fork server itself stays
    before = held()
    once()
    assert held() == before


def held():
    """What this process holds: descriptors, threads, processes."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), children()


def children():
    """The processes whose parent is this one or its fork server."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(folder.name)] = int(fields[1]), fields[0]
    mine, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, (parent, state) in found.items() if parent in mine and state != "Z"}
        grown = not more <= mine
        mine |= more
    return mine


def test_an_environment_that_is_dropped_ends_its_workers():
    env = make(Counter, 2, backend="processes")
    env.reset()
    workers = [process.pid for process in env._crew._processes]
    del env
    gc.collect()
    assert not children() & set(workers)


@pytest.mark.parametrize("backend", BACKENDS)
def test_stepping_does_not_grow(lanes, backend):
    env = lanes(Counter, 4, backend=backend)
    env.reset()
    action = np.zeros(4, int)
    for _ in range(200):
        env.step(action)
    tracemalloc.start()
    for _ in range(50):
        env.step(action)
    first = tracemalloc.get_traced_memory()[0]
    for _ in range(500):
        env.step(action)
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    assert grown < 4096


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "serial", "workers": 2}, "workers=2 given with backend='serial'"),
        ({"backend": "threads", "workers": 9}, "workers=9 is out of range; pass an integer from 1 to 4"),
        ({"batch": 5}, "batch=5 is out of range; pass an integer from 1 to 4"),
        ({"timeout": 0}, "timeout=0 is no time"),
        ({"max_agents": 2}, "max_agents=2 given with .*, which has one agent"),
        ({"backend": "subprocess"}, "backend='subprocess' is unknown"),
        ({"backend": "native"}, "native environment .* is unknown"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        make(Counter, 4, **options)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 1], r"actions have shape \[2\]; pass \[3\], lanes first"),
        ([0, 1, 5], r"actions\[2\]=5 lies outside Discrete\(5\)"),
        ([0, -1, 2], r"actions\[1\]=-1 lies outside"),
        ([0.0, 1.0, 2.0], "actions of dtype float64 do not fit"),
        ([[0], [1, 2], 3], "actions are no array"),
    ],
)
def test_actions_that_do_not_fit_are_refused(lanes, actions, message):
    env = lanes(Counter, 3)
    env.reset()
    with pytest.raises(InputError, match=message):
        env.step(actions)
    env.step([0, 1, 4])


def test_spaces_without_a_size_are_refused():
    class Text(gymnasium.Env):
        observation_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(3))
        action_space = gymnasium.spaces.Discrete(2)

    with pytest.raises(InputError, match="has no fixed number of numbers"):
        make(Text, 2)


def test_sends_and_receives_take_turns(lanes):
    env = lanes(Counter, 2)
    env.reset()
    env.send([0, 0])
    with pytest.raises(InputError, match="sent already; receive first"):
        env.send([0, 0])
    env.recv()
    with pytest.raises(InputError, match="send actions first"):
        env.recv()


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_ten_million_steps_leak_nothing(lanes, backend):
    env = lanes(Counter, 100, backend=backend)
    env.reset()
    processes = [os.getpid(), *(process.pid for process in getattr(env._crew, "_processes", ()))]

    def footprint():
        """Resident pages, and descriptors, of everyone involved."""
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in processes]
        return np.array(pages), held()

    action = np.zeros(100, int)
    for _ in range(10_000):
        env.step(action)
    pages, others = footprint()
    for _ in range(100_000):
        env.step(action)
    later, still = footprint()
    assert still == others
    assert (later - pages < 256).all(), f"grew by {(later - pages).tolist()} pages"
