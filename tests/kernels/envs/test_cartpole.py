"""CartPole against Gymnasium's CartPole-v1, from the same states and actions."""

import gymnasium
import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.envs import cartpole, make

CARTPOLE = make("CartPole-v1")


@pytest.fixture(scope="module")
def original():
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)
    env.reset(seed=0)
    return env


def test_a_hundred_thousand_transitions_equal_gymnasiums(original):
    lanes, steps = 500, 200
    ours = Lanes(CARTPOLE, lanes, seed=1)
    draw = np.random.default_rng(2)
    # Old episodes, so that time limits occur as well as falls.
    ours.elapsed[...] = draw.integers(450, 500, lanes)
    limit = original.get_wrapper_attr("_max_episode_steps")
    worst, terminations, truncations = 0.0, 0, 0
    for _ in range(steps):
        before, age, action = ours.state.T.astype(np.float64), ours.elapsed.copy(), draw.integers(0, 2, lanes)
        ours.step(action)
        ended = ours.terminated | ours.truncated
        successor = np.where(ended, ours.final_observation, ours.observation)
        for i in range(lanes):
            original.unwrapped.state = before[i]
            original.unwrapped.steps_beyond_terminated = None
            original.set_wrapper_attr("_elapsed_steps", int(age[i]))
            observation, reward, terminated, truncated, _ = original.step(int(action[i]))
            worst = max(worst, np.abs(successor[:, i] - observation).max())
            assert (reward, terminated, truncated) == (ours.reward[i], ours.terminated[i], ours.truncated[i])
        terminations += int(ours.terminated.sum())
        truncations += int(ours.truncated.sum())
    assert limit == CARTPOLE.time_limit
    assert worst <= 1e-5
    assert terminations > 1000
    assert truncations > 50


@pytest.mark.parametrize("target", TARGETS)
def test_ended_lanes_are_reset_in_the_same_step_and_their_last_observation_kept(target):
    lanes = Lanes(CARTPOLE, 40, target=target, limit=9)
    draw = np.random.default_rng(0)
    seen_terminated = seen_truncated = False
    lanes.state[cartpole.THETA, ::2] = 0.2
    for _ in range(30):
        action = draw.integers(0, 2, 40)
        lanes.step(action)
        ended = lanes.terminated | lanes.truncated
        np.testing.assert_array_equal(lanes.observation, lanes.state)
        assert (np.abs(lanes.observation[:, ended]) <= 0.05).all()
        assert (lanes.elapsed[ended] == 0).all()
        last = np.where(ended, lanes.final_observation, lanes.observation)
        fallen = (np.abs(last[cartpole.X]) > 2.4) | (np.abs(last[cartpole.THETA]) > 0.20943951)
        np.testing.assert_array_equal(lanes.terminated, fallen)
        seen_terminated |= bool(lanes.terminated.any())
        seen_truncated |= bool((lanes.truncated & ~lanes.terminated).any())
    assert seen_terminated
    assert seen_truncated


def test_resets_are_spread_as_gymnasiums():
    lanes = Lanes(CARTPOLE, 4000, seed=5)
    assert (np.abs(lanes.state) <= 0.05).all()
    np.testing.assert_allclose(lanes.state.mean(axis=1), 0.0, atol=2e-3)
    np.testing.assert_allclose(lanes.state.std(axis=1), 0.1 / np.sqrt(12), rtol=0.03)
    assert np.abs(np.corrcoef(lanes.state) - np.eye(4)).max() < 0.06


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(target):
    oracle, ours = Lanes(CARTPOLE, 33, target="python", seed=9), Lanes(CARTPOLE, 33, target=target, seed=9)
    draw = np.random.default_rng(1)
    for _ in range(300):
        action = draw.integers(0, 2, 33)
        oracle.step(action)
        ours.step(action)
        for name in (
            "state",
            "final_observation",
            "observation",
            "reward",
            "terminated",
            "truncated",
            "random",
            "elapsed",
        ):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)
