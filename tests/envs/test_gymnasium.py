"""The environments as Gymnasium's users meet them, who never heard of us."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from workbench.envs import make
from workbench.errors import InputError
from workbench_kernels.envs import ENVIRONMENTS, namespaced

IDS = sorted(map(namespaced, ENVIRONMENTS))
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning"),  # MinAtar's v0: all six actions
    pytest.mark.filterwarnings("ignore:.*maximum and minimum values are equal:UserWarning"),  # one question, of one bit
]

SCRIPT = """
import sys
import gymnasium
assert "numba" not in sys.modules and "workbench" not in sys.modules or "torch" not in sys.modules
env = gymnasium.make("workbench/Snake-v0")
env.reset(seed=1)
env.step(env.action_space.sample())
lanes = gymnasium.make_vec("workbench/Snake-v0", num_envs=4096)
observation, info = lanes.reset(seed=1)
for _ in range(3):
    observation, reward, terminated, truncated, info = lanes.step(lanes.action_space.sample())
assert reward.shape == (4096,)
assert "torch" not in sys.modules
print(env.spec.id, observation.shape[0])
"""


def test_a_plain_script_finds_them():
    done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["workbench/Snake-v0", "4096"]


def test_importing_gymnasium_compiles_nothing():
    script = "import sys, gymnasium; print('numba' in sys.modules, 'workbench/Snake-v0' in gymnasium.registry)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd="/")
    assert done.stdout.split() == ["False", "True"], done.stderr


# Unbounded observations are what they are: Gymnasium's own CartPole is warned of in the same words.
@pytest.mark.filterwarnings("ignore:.*A Box observation space m..imum value is:UserWarning")
@pytest.mark.filterwarnings("ignore:.*we recommend using a symmetric and normalized space:UserWarning")
@pytest.mark.parametrize("id", IDS)
def test_gymnasiums_own_checker_passes(id):
    with gymnasium.make(id, render_mode="rgb_array", disable_env_checker=True) as env:
        check_env(env.unwrapped)


@pytest.mark.parametrize("id", IDS)
def test_one_lane_is_the_first_of_many(id):
    single, many = gymnasium.make(id), gymnasium.make_vec(id, num_envs=3)
    single.action_space.seed(0)
    observation, _ = single.reset(seed=3)
    lanes, _ = many.reset(seed=3)
    for _ in range(60):
        np.testing.assert_array_equal(observation, lanes[0])
        action = single.action_space.sample()
        observation, reward, terminated, truncated, _info = single.step(action)
        batch = np.stack([action] * 3)
        lanes, rewards, terminations, truncations, infos = many.step(batch)
        assert (reward, terminated, truncated) == (rewards[0], terminations[0], truncations[0])
        if terminated or truncated:
            np.testing.assert_array_equal(observation, infos["final_obs"][0])
            assert infos["_final_obs"][0]
            break
    assert many.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP


def test_results_of_make_vec_are_copies():
    lanes = gymnasium.make_vec("workbench/CartPole-v1", num_envs=4)
    first, _ = lanes.reset(seed=1)
    kept = first.copy()
    lanes.step(np.zeros(4, int))
    np.testing.assert_array_equal(first, kept)
    views = gymnasium.make_vec("workbench/CartPole-v1", num_envs=4, copy=False)
    first, _ = views.reset(seed=1)
    views.step(np.zeros(4, int))
    assert (first != kept).any()


def test_without_a_seed_chance_chooses():
    one, other = gymnasium.make("workbench/CartPole-v1"), gymnasium.make("workbench/CartPole-v1")
    assert (one.reset()[0] != other.reset()[0]).any()
    lanes, others = (gymnasium.make_vec("workbench/CartPole-v1", num_envs=2) for _ in range(2))
    assert (lanes.reset()[0] != others.reset()[0]).any()


def test_options_and_time_limits_reach_the_kernel():
    env = gymnasium.make("workbench/DeepSea-v0", size=12)
    assert env.observation_space.shape == (12, 12)
    with pytest.raises(InputError, match=r"size=3 .*does not fit 'workbench/DeepSea-v0'"):
        gymnasium.make("workbench/DeepSea-v0", size=3)
    with pytest.raises(InputError, match=r"colour='red' does not fit"):
        gymnasium.make("workbench/DeepSea-v0", colour="red")
    for env in (gymnasium.make("workbench/CartPole-v1", max_episode_steps=3),):
        env.reset(seed=1)
        assert [env.step(0)[3] for _ in range(3)] == [False, False, True]
    lanes = gymnasium.make_vec("workbench/CartPole-v1", num_envs=2, max_episode_steps=3)
    lanes.reset(seed=1)
    assert [lanes.step(np.zeros(2, int))[3].all() for _ in range(3)] == [False, False, True]


def test_gymnasiums_names_of_them_are_ours():
    assert make("workbench/CartPole-v1", 2).backend == "native"
    assert make("workbench/MinAtar-Breakout-v1", 2).id == "MinAtar/Breakout-v1"


def test_bad_actions_of_one_lane_are_refused():
    env = gymnasium.make("workbench/CartPole-v1", disable_env_checker=True)
    env.reset(seed=1)
    with pytest.raises(InputError, match=r"actions\[0\]=2 is out of range"):
        env.step(2)
    pendulum = gymnasium.make("workbench/Pendulum-v1", disable_env_checker=True)
    pendulum.reset(seed=1)
    for action in ([2.5], [np.nan]):
        with pytest.raises(InputError, match=r"actions\[0, 0\]=.* is out of range"):
            pendulum.step(np.array(action, np.float32))


def test_a_time_limit_may_be_longer_than_the_environments_own():
    env = gymnasium.make("workbench/Pendulum-v1", time_limit=230)
    env.reset(seed=1)
    ended = [env.step(np.zeros(1, np.float32))[3] for _ in range(230)]
    assert ended.index(True) == 229
    lanes = gymnasium.make_vec("workbench/Pendulum-v1", num_envs=2, time_limit=230)
    lanes.reset(seed=1)
    ended = [lanes.step(np.zeros((2, 1), np.float32))[3].all() for _ in range(230)]
    assert ended.index(True) == 229


def test_probing_for_gymnasium_does_not_lose_the_environments():
    script = (
        "import importlib.util; importlib.util.find_spec('gymnasium'); import gymnasium; "
        "print('workbench/Snake-v0' in gymnasium.registry)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd="/")
    assert done.stdout.split() == ["True"], done.stderr


def test_chance_chooses_also_after_the_generator_was_looked_at():
    one, other = gymnasium.make("workbench/CartPole-v1"), gymnasium.make("workbench/CartPole-v1")
    for env in (one, other):
        assert env.unwrapped.np_random is not None
    assert (one.reset()[0] != other.reset()[0]).any()
