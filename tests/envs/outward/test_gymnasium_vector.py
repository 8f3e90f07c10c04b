"""Gymnasium's vector wrappers over our lanes, as they are and as `as_gymnasium` makes them."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector

from tests.envs.outward.guests import equal, native, nested, transition
from workbench.envs import NativeVectorEnvironment
from workbench.envs import environment as kernel
from workbench.envs.outward import as_gymnasium
from workbench.envs.outward.lanes import held
from workbench.envs.single import NativeEnvironment
from workbench.errors import InputError

LANES = 4


def driven(env, steps, seed=0):
    """Step `env`, and yield the actions, what it said in copies, and its infos."""
    draw = np.random.default_rng(seed)
    for _ in range(steps):
        actions = draw.integers(0, 2, LANES)
        observation, reward, terminated, truncated, info = env.step(actions)
        yield actions, np.array(observation), np.array(reward), terminated | truncated, info


def test_statistics_of_episodes():
    env, reference = vector.RecordEpisodeStatistics(native("CartPole-v1", LANES)), native("CartPole-v1", LANES)
    env.reset()
    reference.reset()
    lengths, seen = np.zeros(LANES), []
    for actions, _, _, ended, info in driven(env, 120):
        lengths += transition(reference, actions)[2]
        assert ("episode" in info) == bool(ended.any())
        if ended.any():
            np.testing.assert_array_equal(info["_episode"], ended)
            np.testing.assert_array_equal(info["episode"]["r"][ended], lengths[ended])
            seen += lengths[ended].tolist()
        lengths[ended] = 0
    assert list(env.return_queue) == seen
    assert len(seen) > LANES


def test_wrappers_of_rewards_and_actions():
    env, reference = (
        vector.ClipReward(native("MinAtar/Breakout-v1", LANES), 0.0, 0.5),
        native("MinAtar/Breakout-v1", LANES),
    )
    equal(env.reset()[0], reference.reset()[0])
    paid = 0.0
    for _ in range(60):
        actions = reference.action_space.sample()
        observation, reward, _, _, _ = env.step(actions)
        wanted, _, full, _, _ = transition(reference, actions)
        equal((observation, reward), (wanted, full.clip(0, 0.5)))
        paid += full.sum()
    assert paid > 0
    pendulum = vector.RescaleAction(native("Pendulum-v1", LANES), np.float32(-1), np.float32(1))
    reference = native("Pendulum-v1", LANES)
    pendulum.reset()
    reference.reset()
    actions = np.full((LANES, 1), 0.5, np.float32)
    equal(pendulum.step(actions)[0], transition(reference, 2 * actions)[0])


def test_normalised_rewards_are_those_over_gymnasiums_own_lanes():
    """One lane of ours beside Gymnasium's vector environment over the same environment, in the same mode."""
    ours = vector.NormalizeReward(native("CartPole-v1", 1))
    single = SyncVectorEnv([lambda: NativeEnvironment("CartPole-v1")], autoreset_mode=AutoresetMode.SAME_STEP)
    theirs = vector.NormalizeReward(single)
    equal(ours.reset(seed=2)[0], theirs.reset(seed=2)[0])
    for k in range(60):
        one, other = ours.step(np.array([k % 2])), theirs.step(np.array([k % 2]))
        np.testing.assert_allclose(one[1], other[1], rtol=1e-6)
        equal((one[0], one[2]), (other[0], other[2]))


def test_results_are_the_environments_memory_torchs_tensors_too():
    import torch

    env = native("CartPole-v1", LANES)
    first, _ = env.reset()
    observation, reward, terminated, _, info = env.step(np.zeros(LANES, int))
    assert first.ctypes.data == observation.ctypes.data == env.observation.ctypes.data
    assert torch.from_numpy(observation).data_ptr() == env.observation.ctypes.data
    assert torch.from_numpy(reward).data_ptr() == env.reward.ctypes.data
    assert terminated.ctypes.data == env.terminated.ctypes.data
    assert info["final_obs"].ctypes.data == env.final_observation.ctypes.data


def test_infos_as_lists():
    env = vector.DictInfoToList(native("workbench/TicTacToe-v0", LANES))
    _, infos = env.reset()
    finals = 0
    for _ in range(30):
        actions = np.array([info["action_mask"].argmax() for info in infos])
        _, _, terminated, truncated, infos = env.step(actions)
        assert ["final_obs" in info for info in infos] == (terminated | truncated).tolist()
        finals += sum(terminated)
    assert finals > 0


@pytest.mark.parametrize("copy", [False, True])
def test_next_step_autoreset_spends_a_step_on_the_reset(copy):
    """Lane by lane, without the steps that reset it, it is the same-step environment given the same actions."""
    inner = NativeVectorEnvironment(kernel("CartPole-v1"), LANES, seed=3, copy=copy, time_limit=30)
    env = as_gymnasium(inner)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    first, _ = env.reset()
    waiting = np.zeros(LANES, bool)
    lanes = [[] for _ in range(LANES)]
    begins = [[first[lane]] for lane in range(LANES)]
    for actions, observation, reward, ended, info in driven(env, 200):
        assert not info
        assert not ended[waiting].any()
        assert not reward[waiting].any()
        for lane in range(LANES):
            if waiting[lane]:
                begins[lane].append(observation[lane])
            else:
                lanes[lane].append((actions[lane], observation[lane], reward[lane], ended[lane]))
        waiting = ended
    reference = native("CartPole-v1", LANES, time_limit=30)
    equal(first, reference.reset()[0])
    counts = [0] * LANES
    for t in range(min(map(len, lanes))):
        actions = np.array([lane[t][0] for lane in lanes])
        observation, after, reward, terminated, truncated = transition(reference, actions)
        for i, lane in enumerate(lanes):
            np.testing.assert_array_equal(lane[t][1], after[i])
            assert lane[t][2:] == (reward[i], terminated[i] | truncated[i])
            if lane[t][3] and len(begins[i]) > counts[i] + 1:
                counts[i] += 1
                np.testing.assert_array_equal(begins[i][counts[i]], observation[i])
    assert min(counts) > 3


def test_next_step_autoreset_of_several_agents():
    """The lanes of a game end together, so the other lanes' time stands still in no step but the reset's."""
    env = as_gymnasium(native("workbench/SimpleSpread-v0", LANES, time_limit=3))
    reference = native("workbench/SimpleSpread-v0", LANES, time_limit=3)
    begin, _ = env.reset()
    equal(begin, reference.reset()[0])
    for t in range(12):
        actions = env.action_space.sample()
        observation, reward, terminated, truncated, info = env.step(actions)
        if t % 4 == 3:
            equal(observation, begin)
            assert not reward.any()
            assert not info["agent_reward"].any()
            assert not (terminated | truncated).any()
            equal(info["global_state"], reference.global_state)
            continue
        begin, after, paid, _, cut = transition(reference, actions)
        equal((observation, reward, truncated), (after, paid, cut))
        equal(info["agent_reward"], reference.agent_reward)
        state = reference.final_global_state if t % 4 == 2 else reference.global_state
        equal(info["global_state"], state)


def test_normalised_observations_are_those_over_gymnasiums_own_lanes():
    ours = vector.NormalizeObservation(as_gymnasium(native("CartPole-v1", 1)))
    theirs = vector.NormalizeObservation(SyncVectorEnv([lambda: NativeEnvironment("CartPole-v1")]))
    equal(ours.reset(seed=2)[0], theirs.reset(seed=2)[0])
    ends = 0
    for k in range(150):
        one, other = ours.step(np.array([k % 2])), theirs.step(np.array([k % 2]))
        equal(one[:4], other[:4])
        ends += one[2].sum()
    assert ends > 1


def test_a_wrapper_of_observations_reshapes_them():
    env = vector.FlattenObservation(as_gymnasium(native("workbench/DeepSea-v0", LANES)))
    reference = as_gymnasium(native("workbench/DeepSea-v0", LANES))
    equal(env.reset()[0], reference.reset()[0].reshape(LANES, -1))
    ends = 0
    for (_, observation, *_), (_, wanted, _, ended, _) in zip(driven(env, 25), driven(reference, 25), strict=True):
        equal(observation, wanted.reshape(LANES, -1))
        ends += ended.sum()
    assert ends > 0


def test_results_of_next_step_lanes_are_copies():
    inner = native("CartPole-v1", LANES)
    env = as_gymnasium(inner)
    results = env.reset()[0], *env.step(np.zeros(LANES, int))[:4]
    mine = [inner.observation, inner.reward, inner.terminated, inner.truncated]
    assert not any(np.shares_memory(x, y) for x in results for y in mine)


def test_what_does_not_fit_is_refused():
    for env, message in (
        (gymnasium.make_vec("CartPole-v1", 2), "is not native.*SyncVectorEnv"),
        (NativeVectorEnvironment(kernel("CartPole-v1"), 2, autoreset=False), "does not reset lanes that end"),
        (nested(2), "is not native.*SyncVectorEnv"),
    ):
        with pytest.raises(InputError, match=message):
            as_gymnasium(env)
    inner = native("CartPole-v1", 2)
    env = as_gymnasium(inner)
    env.reset()
    env.close()
    assert inner.closed
    for call in (env.reset, lambda: env.step(np.zeros(2, int))):
        with pytest.raises(InputError, match="'CartPole-v1' is closed"):
            call()


def test_held_lanes_are_put_back_after_a_failure_too():
    env = native("CartPole-v1", LANES)
    env.reset()
    lanes = np.arange(LANES) % 2 == 0
    before = env.observation.copy()
    with pytest.raises(KeyboardInterrupt), held(env, lanes):
        env.step(np.zeros(LANES, int))
        raise KeyboardInterrupt
    np.testing.assert_array_equal(env.observation[lanes], before[lanes])
    assert (env.observation[~lanes] != before[~lanes]).any(axis=1).all()
