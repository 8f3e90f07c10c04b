"""Gymnasium's own environments behind our interface."""

import gymnasium
import numpy as np
import pytest

from tests.envs.faulty import register
from workbench.envs import GymnasiumVectorEnvironment, make
from workbench.errors import EnvironmentFaultError, InputError
from workbench.spec import VectorEnvironment


@pytest.fixture
def registered():
    before = set(gymnasium.registry)
    yield register
    for name in set(gymnasium.registry) - before:
        del gymnasium.registry[name]


def test_it_steps_gymnasiums_own_environment():
    env = make("CartPole-v1", 3, seed=5, backend="gymnasium")
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
            np.testing.assert_array_equal(env.final_observation[lane], observation)
            assert (reward, terminated, truncated) == (env.reward[lane], env.terminated[lane], env.truncated[lane])
            observations[lane] = original.reset()[0] if terminated or truncated else observation
    env.close()


def test_the_last_observation_of_an_episode_is_kept(registered):
    env = make(registered("workbench-test/Counter-v0", length=4), 2)
    env.reset()
    for step in range(1, 9):
        env.step(np.zeros(2, dtype=np.int64))
        assert (env.final_observation == (step - 1) % 4 + 1).all()
        assert (env.observation == step % 4).all()
        assert (env.terminated == (step % 4 == 0)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("what", ["observation", "reward"])
def test_numbers_that_are_none_name_the_lane_and_the_step(registered, what, value):
    env = GymnasiumVectorEnvironment(registered("workbench-test/Faulty-v0"), 3)
    env._env.envs[1].unwrapped.at = 2
    env._env.envs[1].unwrapped.what = what
    env._env.envs[1].unwrapped.value = value
    env.reset()
    env.step(np.zeros(3, dtype=np.int64))
    with pytest.raises(EnvironmentFaultError, match=f"{what} of lane 1 is .* at step 2 of 'workbench-test/Faulty-v0'"):
        env.step(np.zeros(3, dtype=np.int64))


def test_discrete_observations_are_flattened():
    env = make("FrozenLake-v1", 2)
    observation, _ = env.reset()
    assert observation.shape == (2, 16)
    assert observation.sum() == 2


def test_spaces_without_a_size_are_refused(registered):
    class Text(gymnasium.Env):
        observation_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(3))
        action_space = gymnasium.spaces.Discrete(2)

    gymnasium.register("workbench-test/Sequence-v0", entry_point=Text, disable_env_checker=True)
    with pytest.raises(InputError, match="has no fixed size"):
        make("workbench-test/Sequence-v0", 2)
