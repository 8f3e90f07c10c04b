"""The native vector environment as its users meet it."""

import copy
import pickle
import subprocess
import sys
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from workbench.envs import NativeVectorEnvironment, make
from workbench.errors import InputError, UnknownNameError
from workbench.spec import VectorEnvironment
from workbench_kernels import Box
from workbench_kernels.envs import make as kernel


@pytest.fixture
def env():
    return make("CartPole-v1", 6, seed=3)


def test_it_speaks_gymnasiums_vector_interface(env):
    assert isinstance(env, gymnasium.vector.VectorEnv)
    assert isinstance(env, VectorEnvironment)
    assert env.num_envs == env.lanes == 6
    assert env.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP
    original = gymnasium.make("CartPole-v1")
    assert env.single_action_space == original.action_space
    np.testing.assert_allclose(env.single_observation_space.low, original.observation_space.low)
    np.testing.assert_allclose(env.single_observation_space.high, original.observation_space.high)
    observation, info = env.reset(seed=1)
    assert observation.shape == (6, 4)
    assert env.observation_space.contains(observation)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float32, np.bool_, np.bool_)
    assert info["final_obs"].shape == (6, 4)
    assert env.observation_space.contains(observation)


def test_buffers_are_aligned_and_stay_where_they_are(env):
    env.reset()
    names = ("state", "observation", "final_observation", "reward")
    buffers = {name: getattr(env.buffers, name).ctypes.data for name in names}
    assert all(address % 64 == 0 for address in buffers.values())
    for _ in range(5):
        env.step(np.ones(6, dtype=np.int64))
    assert buffers == {name: getattr(env.buffers, name).ctypes.data for name in names}


def run(env, steps=60):
    env.reset()
    draw = np.random.default_rng(0)
    return np.array([env.step(draw.integers(0, 2, env.lanes))[0].copy() for _ in range(steps)])


def test_a_seed_gives_the_same_episodes_whatever_the_target_or_the_number_of_lanes():
    first = run(make("CartPole-v1", 6, seed=3))
    np.testing.assert_array_equal(first, run(make("CartPole-v1", 6, seed=3)))
    np.testing.assert_array_equal(
        first, run(NativeVectorEnvironment(kernel("CartPole-v1"), 6, seed=3, target="python"))
    )
    np.testing.assert_array_equal(first, run(NativeVectorEnvironment(kernel("CartPole-v1"), 6, seed=3, threads=2)))
    assert (first != run(make("CartPole-v1", 6, seed=4))).any()
    few, many = make("CartPole-v1", 2, seed=3), make("CartPole-v1", 6, seed=3)
    np.testing.assert_array_equal(few.reset()[0], many.reset()[0][:2])


def test_reset_without_a_seed_goes_on_and_with_one_starts_again(env):
    first = env.reset(seed=8)[0].copy()
    assert (env.reset()[0] != first).any()
    np.testing.assert_array_equal(env.reset(seed=8)[0], first)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 1, 0, 2, 0, 0], r"actions\[3\]=2 is out of range; choose 0 to 1"),
        ([0, -1, 0, 0, 0, 0], r"actions\[1\]=-1 is out of range"),
        ([0, 1], r"actions have shape \[2\]; pass \[6\]"),
        (np.zeros(6), "actions of dtype float64 do not fit"),
        (np.zeros((6, 1), dtype=int), r"shape \[6, 1\]"),
    ],
)
def test_bad_actions_are_refused_and_change_nothing(env, actions, message):
    env.reset()
    before = env.buffers.state.copy()
    with pytest.raises(InputError, match=message):
        env.step(actions)
    np.testing.assert_array_equal(env.buffers.state, before)


@pytest.mark.parametrize("lanes", [0, -1, 2.5, "8", True, None])
def test_bad_numbers_of_lanes_are_refused(lanes):
    with pytest.raises(InputError, match=r"lanes=.* pass an integer of at least 1"):
        make("CartPole-v1", lanes)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "x", False])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(InputError, match=r"seed=.* pass an integer from 0"):
        make("CartPole-v1", 2, seed=seed)
    with pytest.raises(InputError, match=r"seed=.* pass an integer from 0"):
        make("CartPole-v1", 2).reset(seed=seed)


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownNameError, match=r"environment 'CartPole-v7' is unknown; did you mean '"):
        make("CartPole-v7", 2)
    with pytest.raises(UnknownNameError, match=r"native environment 'LunarLander-v3'"):
        make("LunarLander-v3", 2, backend="native")
    with pytest.raises(InputError, match=r"backend='cuda' is unknown"):
        make("CartPole-v1", 2, backend="cuda")
    with pytest.raises(InputError, match=r"target='gpu' is unknown"):
        NativeVectorEnvironment(kernel("CartPole-v1"), 2, target="gpu")
    with pytest.raises(InputError, match="threads=0"):
        make("CartPole-v1", 2, threads=0)
    with pytest.raises(InputError, match=r"env=3 is not an environment"):
        make(3, 2)


def test_a_seed_starts_afresh_whatever_was_played_before():
    # The last action of a MinAtar game outlives its episodes, and a sticky lane repeats it.
    env, other = (make("MinAtar/Breakout-v1", 8, seed=1) for _ in range(2))
    for _ in range(5):
        env.step(np.full(8, 2))
    env.reset(seed=4)
    other.reset(seed=4)
    for _ in range(30):
        np.testing.assert_array_equal(env.step(np.ones(8, int))[0], other.step(np.ones(8, int))[0])
        np.testing.assert_array_equal(env.reward, other.reward)


def test_settings_are_set_in_all_lanes_or_in_each():
    env = make("workbench/Maze-v0", 3, level=5)
    env.set("level", np.array([7, 7, 8]))
    observation, _ = env.reset(seed=1)
    assert (observation[0] == observation[1]).all()
    assert (observation[0] != observation[2]).any()
    with pytest.raises(InputError, match=r"setting 'colour' is unknown to 'workbench/Maze-v0'; it has: .*level"):
        env.set("colour", 1)


def test_masks_costs_and_agents_are_in_the_info():
    env = make("workbench/SimpleSpread-v0", 4, seed=1)
    _, info = env.reset()
    assert info["global_state"].shape[0] == 4
    _, reward, terminated, _, info = env.step(np.zeros((4, 3), int))
    assert info["agent_reward"].shape == info["agent_terminated"].shape == (4, 3)
    np.testing.assert_allclose(reward, info["agent_reward"].mean(axis=1), rtol=1e-6)
    assert terminated.shape == (4,)
    with pytest.raises(InputError, match=r"actions\[2, 1\]=5 is out of range; choose 0 to 4"):
        env.step(np.array([[0, 0, 0], [0, 0, 0], [0, 5, 0], [0, 0, 0]]))
    _, _, _, _, info = make("workbench/ConstrainedGrid-v0", 4, seed=1).step(np.zeros(4, int))
    assert info["cost"].shape == (4,)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((3, 1), np.float32) + 2.5, r"actions\[0, 0\]=2.5 is out of range; choose .*clip in the policy"),
        (np.full((3, 1), np.nan), r"actions\[0, 0\]=nan is out of range"),
        (np.zeros(3), r"shape \[3\]; pass \[3, 1\]"),
        (np.zeros((3, 1), np.complex64), "complex64 do not fit"),
    ],
)
def test_actions_of_a_box_are_checked(actions, message):
    env = make("Pendulum-v1", 3)
    env.reset()
    before = env.buffers.state.copy()
    with pytest.raises(InputError, match=message):
        env.step(actions)
    np.testing.assert_array_equal(env.buffers.state, before)
    env.step(np.ones((3, 1)))
    env.step(np.ones((3, 1), int))


def test_a_copy_steps_memory_of_its_own():
    env = make("CartPole-v1", 5, seed=1)
    env.reset()
    twin = copy.deepcopy(env)
    before = env.buffers.state.copy()
    twin.step(np.ones(5, int))
    np.testing.assert_array_equal(env.buffers.state, before)
    env.step(np.ones(5, int))
    np.testing.assert_array_equal(twin.observation, env.observation)
    np.testing.assert_array_equal(twin.reset(seed=3)[0], env.reset(seed=3)[0])
    stored = pickle.loads(pickle.dumps(env.buffers))
    np.testing.assert_array_equal(stored.state, env.buffers.state)
    assert stored.addresses[0] == stored.state.ctypes.data


@pytest.mark.parametrize("value", [0.25, np.nan, [1, 2], "often"])
def test_a_setting_that_the_state_cannot_hold_is_refused(value):
    env = make("MinAtar/Breakout-v1", 3)
    before = env.buffers.state.copy()
    with pytest.raises(InputError, match="setting sticky="):
        env.set(next(name for name in env.environment.settings if "sticky" in name), value)
    np.testing.assert_array_equal(env.buffers.state, before)


@pytest.mark.parametrize("limit", [0, 2**31, 2.5, True, np.inf])
def test_bad_time_limits_are_refused(limit):
    with pytest.raises(InputError, match=r"time_limit=.* pass an integer from 1 to 2\*\*31 - 1"):
        NativeVectorEnvironment(kernel("CartPole-v1"), 2, time_limit=limit)


def test_what_would_be_ignored_is_refused():
    with pytest.raises(InputError, match="size given with an environment that is built already"):
        make(kernel("CartPole-v1"), 2, size=20)
    with pytest.raises(InputError, match="backend='serial' given with an environment"):
        make(kernel("CartPole-v1"), 2, backend="serial")
    with pytest.raises(InputError, match=r"options=\{'reset_mask'.* are unknown to 'CartPole-v1'"):
        make("CartPole-v1", 2).reset(options={"reset_mask": np.array([True, False])})


def test_actions_of_any_layout_are_taken_and_ragged_ones_refused():
    env, other = make("CartPole-v1", 3, seed=1), make("CartPole-v1", 3, seed=1)
    env.step(np.array([0, 1, 1], ">i4"))
    other.step([0, 1, 1])
    np.testing.assert_array_equal(env.observation, other.observation)
    with pytest.raises(InputError, match="actions are no array"):
        env.step([[0], [1, 1], 0])
    with pytest.raises(InputError, match=r"actions\[1\]=18446744073709551615 is out of range"):
        env.step(np.array([0, 2**64 - 1, 0], np.uint64))
    original = kernel("Pendulum-v1")
    box = Box(-1.0, 1.0, shape=(2, 3))
    grid = NativeVectorEnvironment(replace(original, action=box), 4)
    grid.reset()
    grid.step(grid.action_space.sample())
    with pytest.raises(InputError, match=r"actions\[0, 1, 2\]=3.0 is out of range"):
        grid.step(np.where(np.arange(24).reshape(4, 2, 3) == 5, 3.0, 0.0))


def test_threads_of_its_own_leave_torchs_alone():
    script = """
import torch
from workbench.envs import make
torch.set_num_threads(3)
env = make("CartPole-v1", 512, threads=2)
assert torch.get_num_threads() == 3, torch.get_num_threads()
env.reset(seed=1)
env.step(env.action_space.sample())
assert torch.get_num_threads() == 3, torch.get_num_threads()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
