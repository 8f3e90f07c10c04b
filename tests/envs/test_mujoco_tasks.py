"""Every native MuJoCo task beside Gymnasium's own: from the same start and actions, the same steps to the last bit."""

import inspect

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator

from workbench.envs.mujoco import TASKS, MujocoVectorEnvironment

FIXED = {"self", "xml_file", "frame_skip", "default_camera_config", "main_body", "kwargs"}
IGNORED = {"HumanoidStandup-v5": {"uph_cost_weight"}}
"""Gymnasium takes it and never reads it."""

SUMMED = {"Reacher-v5", "Pusher-v5", "Humanoid-v5"}
"""Norms and mass centres: numpy may add up one vector in another order than many, on some processors."""

OPTIONS = {
    "HalfCheetah-v5": {"ctrl_cost_weight": 0.3, "exclude_current_positions_from_observation": False},
    "Hopper-v5": {"healthy_state_range": (-3, 3), "healthy_reward": 0.5},
    "Walker2d-v5": {"terminate_when_unhealthy": False, "forward_reward_weight": 2},
    "Swimmer-v5": {"exclude_current_positions_from_observation": False, "forward_reward_weight": 0.7},
    "InvertedDoublePendulum-v5": {"healthy_reward": 3.0},
    "Reacher-v5": {"reward_dist_weight": 2.0, "reward_control_weight": 0.5},
    "Pusher-v5": {"reward_near_weight": 0.1, "reward_dist_weight": 3.0, "reward_control_weight": 0.2},
    "Ant-v5": {
        "include_cfrc_ext_in_observation": False,
        "contact_force_range": (-9.0, 2.0),
        "contact_cost_weight": 0.1,
    },
    "Humanoid-v5": {
        "include_cinert_in_observation": False,
        "include_cvel_in_observation": False,
        "contact_cost_weight": 1e-3,
        "contact_cost_range": (-np.inf, 0.2),
        "healthy_z_range": (1.2, 2.0),
    },
    "HumanoidStandup-v5": {
        "include_qfrc_actuator_in_observation": False,
        "include_cfrc_ext_in_observation": False,
        "impact_cost_weight": 1e-4,
        "impact_cost_range": (0.1, 1.0),
        "ctrl_cost_weight": 0.3,
    },
}


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path, monkeypatch):
    """MuJoCo logs to the working folder when it compiles Gymnasium's models."""
    monkeypatch.chdir(tmp_path)


def compare(id, lanes, steps, **options):
    """Step both freely, over ends of episodes; return how many there were.

    The original is given the native lane's positions and velocities at every start, and nothing afterwards.
    """
    env = MujocoVectorEnvironment(id, lanes, seed=1, threads=2, **options)
    originals = [gymnasium.make(id, **options) for _ in range(lanes)]

    def start(lane):
        original = originals[lane]
        original.reset()
        # Copies: `set_state` would keep no view, but the lane moves on.
        original.unwrapped.set_state(env._view.qpos[lane].copy(), env._view.qvel[lane].copy())
        np.testing.assert_array_equal(env.observation[lane], original.unwrapped._get_obs())

    env.reset()
    for lane in range(lanes):
        start(lane)
    draw, space, episodes = np.random.default_rng(0), env.single_action_space, 0
    for _ in range(steps):
        # A fifth of the actions lie beyond the bounds.
        actions = draw.uniform(1.2 * space.low, 1.2 * space.high, (lanes, *space.shape)).astype(np.float32)
        env.step(actions)
        for lane, original in enumerate(originals):
            observation, reward, terminated, truncated, _ = original.step(actions[lane])
            np.testing.assert_array_equal(env.final_observation[lane], observation)
            np.testing.assert_array_max_ulp(env.reward[lane], np.float32(reward), maxulp=int(id in SUMMED))
            assert (env.terminated[lane], env.truncated[lane]) == (terminated, truncated)
            if terminated or truncated:
                episodes += 1
                start(lane)
            else:
                np.testing.assert_array_equal(env.observation[lane], observation)
    env.close()
    for original in originals:
        original.close()
    return episodes


@pytest.mark.parametrize("id", TASKS)
def test_steps_are_gymnasiums(id):
    compare(id, lanes=3, steps=120)


@pytest.mark.parametrize("id", OPTIONS)
def test_options_mean_what_gymnasiums_mean(id):
    compare(id, lanes=2, steps=80, **OPTIONS[id])


def test_episodes_end_where_gymnasiums_do():
    assert compare("Hopper-v5", lanes=4, steps=150) > 4
    assert compare("Reacher-v5", lanes=4, steps=110) == 8


@pytest.mark.slow
@pytest.mark.parametrize("id", TASKS)
def test_thousands_of_steps_are_gymnasiums(id):
    episodes = compare(id, lanes=4, steps=2500)
    assert episodes >= 4 * (2500 // TASKS[id].time_limit)


@pytest.mark.parametrize("id", TASKS)
def test_the_description_states_gymnasiums_numbers(id):
    task, spec = TASKS[id], gymnasium.spec(id)
    arguments = inspect.signature(load_env_creator(spec.entry_point).__init__).parameters
    assert task.time_limit == spec.max_episode_steps
    assert task.model == arguments["xml_file"].default
    assert task.frames == arguments["frame_skip"].default
    defaults = {name: each.default for name, each in arguments.items() if name not in FIXED | IGNORED.get(id, set())}
    assert task.options == defaults


@pytest.mark.parametrize("id", TASKS)
def test_starts_are_distributed_as_gymnasiums(id):
    """Means, spreads and ranges of each coordinate; 400 starts of ours, 400 of Gymnasium's."""
    env, original = MujocoVectorEnvironment(id, 400, seed=2), gymnasium.make(id).unwrapped
    env.reset()
    ours = np.hstack([env._view.qpos, env._view.qvel])
    theirs = []
    for seed in range(400):
        original.reset(seed=seed)
        theirs.append(np.concatenate([original.data.qpos, original.data.qvel]))
    theirs = np.array(theirs)
    spread = theirs.std(axis=0)
    fixed = spread == 0
    np.testing.assert_array_equal(ours[:, fixed], theirs[:, fixed])
    ours, theirs, spread = ours[:, ~fixed], theirs[:, ~fixed], spread[~fixed]
    # Five standard errors of a difference of two means of 400; a spread's is at most that of a normal, 1 / sqrt(400).
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 5 * spread * np.sqrt(2 / 400)).all()
    assert (np.abs(ours.std(axis=0) / spread - 1) < 5 / np.sqrt(400)).all()
    correlation = np.corrcoef(ours.T) if ours.shape[1] > 1 else np.eye(1)
    away = 2 if id == "Pusher-v5" else 0  # Gymnasium's too: the object keeps its distance from the goal
    assert (np.abs(correlation - np.eye(len(correlation)))[away:, away:] < 5 / np.sqrt(400)).all()
    env.close()
    original.close()
