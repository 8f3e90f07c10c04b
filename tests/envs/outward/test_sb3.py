"""Stable-Baselines3 over our lanes. The oracle is the vector environment itself, stepped beside it."""

from copy import deepcopy

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from tests.envs.outward.guests import equal, leaves, native, nested, transition, wrapped
from workbench.envs import NativeVectorEnvironment, environment
from workbench.envs.outward import as_sb3
from workbench.errors import InputError

LANES = 5
MAKERS = {
    "discrete": lambda: native("CartPole-v1", LANES),
    "box, cut short": lambda: native("Pendulum-v1", LANES, time_limit=7),
    "pixels": lambda: native("MinAtar/Breakout-v1", LANES),
    "masks": lambda: native("workbench/TicTacToe-v0", LANES),
    "dict, in threads": lambda: nested(LANES, backend="threads", workers=2),
}


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("kind", MAKERS)
def test_steps_are_those_of_the_vector_environment(kind, copy):
    env, reference = as_sb3(MAKERS[kind](), copy=copy), MAKERS[kind]()
    reference.action_space.seed(0)
    equal(env.reset(), reference.reset()[0])
    returns, lengths = np.zeros(LANES), np.zeros(LANES, int)
    episodes = 0
    for _ in range(80):
        actions = reference.action_space.sample()
        observation, reward, done, infos = env.step(actions)
        wanted, after, paid, terminated, truncated = transition(reference, actions)
        equal(observation, wanted)
        equal((reward, done), (paid, terminated | truncated))
        returns, lengths = returns + paid, lengths + 1
        assert [bool(info) for info in infos] == done.tolist()
        for lane in np.flatnonzero(done):
            told = infos[lane]
            for got, part in zip(leaves(told["terminal_observation"]), leaves(after), strict=True):
                np.testing.assert_array_equal(got, part[lane])
            assert told["TimeLimit.truncated"] == (truncated[lane] and not terminated[lane])
            assert (told["episode"]["r"], told["episode"]["l"]) == (returns[lane], lengths[lane])
            returns[lane], lengths[lane] = 0, 0
            episodes += 1
    assert episodes >= LANES
    assert (reward.dtype, done.dtype) == (np.float32, np.bool_)
    env.close()


def test_results_are_the_environments_memory_or_nobody_elses():
    inner = native("CartPole-v1", LANES)
    env = as_sb3(inner, copy=False)
    first = env.reset()
    observation, reward, _, _ = env.step(np.zeros(LANES, np.int64))
    address = inner.observation.ctypes.data
    assert first.ctypes.data == observation.ctypes.data == address
    assert observation.strides == inner.observation.strides
    assert reward.ctypes.data == inner.reward.ctypes.data
    env = as_sb3(inner)
    results, finals = [env.reset()], 0
    for _ in range(15):
        observation, reward, done, infos = env.step(np.zeros(LANES, np.int64))
        results += [observation, reward, done, *(info["terminal_observation"] for info in infos if info)]
        finals += done.sum()
    assert finals > 0
    mine = [inner.observation, inner.final_observation, inner.reward, inner.terminated, inner.truncated]
    assert not any(np.shares_memory(x, y) for x in results for y in mine)
    assert not any(np.shares_memory(x, y) for k, x in enumerate(results) for y in results[:k])
    assert results[0].flags.c_contiguous


def test_nested_observations_are_views_of_the_rows():
    inner = nested(LANES)
    env = as_sb3(inner, copy=False)
    env.reset()
    observation, _, _, _ = env.step(np.zeros((LANES, 2), np.int64))
    assert all(np.shares_memory(part, inner.observation) for part in observation.values())
    assert observation["count"].shape == (LANES, 1)


@pytest.mark.parametrize("kind", ["discrete", "dict, in threads"])
def test_ppos_rollout_holds_the_true_transitions(kind):
    """SB3 stores observations after the step that follows: had it been given views, this buffer would be shifted."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback

    class Keep(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_end(self):
            buffer = self.model.rollout_buffer
            self.kept = deepcopy((buffer.observations, buffer.actions, buffer.rewards, buffer.episode_starts))

    policy, keep = "MultiInputPolicy" if kind.startswith("dict") else "MlpPolicy", Keep()
    model = PPO(policy, as_sb3(MAKERS[kind]()), n_steps=40, batch_size=50, n_epochs=1, device="cpu")
    model.learn(40 * LANES, callback=keep)
    observations, actions, rewards, starts = keep.kept
    observations = observations if isinstance(observations, dict) else {"": observations}
    reference = MAKERS[kind]()
    observation, _ = reference.reset()
    started = np.ones(LANES, bool)
    for t in range(40):
        for name, part in observations.items():
            wanted = observation[name] if name else observation
            np.testing.assert_array_equal(part[t].reshape(wanted.shape), wanted)
        np.testing.assert_array_equal(starts[t], started)
        taken = actions[t].astype(np.int64).reshape(reference.action_space.shape)
        observation, _, reward, terminated, truncated = transition(reference, taken)
        cut = truncated & ~terminated  # SB3 adds the value of what was cut off
        np.testing.assert_array_equal(rewards[t][~cut], reward[~cut])
        started = terminated | truncated
    assert starts[1:].any()
    assert len(model.ep_info_buffer) == starts[1:].sum() + started.sum()


def test_infos_of_one_step_are_not_those_of_the_next():
    env, reference = as_sb3(native("CartPole-v1", LANES)), native("CartPole-v1", LANES)
    env.reset()
    reference.reset()
    kept, ended = [], []
    for _ in range(60):
        infos = env.step(np.ones(LANES, np.int64))[3]
        ended.append(transition(reference, np.ones(LANES, np.int64))[3])
        assert [bool(info) for info in infos] == ended[-1].tolist()
        kept.append([dict(info) for info in infos])
        for info in infos:
            info["mine"] = 1
        kept[-1] = (infos, kept[-1])
    for infos, before in kept:
        assert [{k: v for k, v in info.items() if k != "mine"} for info in infos] == before
    assert np.sum(ended) > LANES


def test_costs_are_told_in_every_lane():
    env, reference = (
        as_sb3(native("workbench/ConstrainedGrid-v0", LANES)),
        native("workbench/ConstrainedGrid-v0", LANES),
    )
    env.reset()
    reference.reset()
    reference.action_space.seed(1)
    seen = 0.0
    for _ in range(60):
        actions = reference.action_space.sample()
        infos = env.step(actions)[3]
        transition(reference, actions)
        assert [info["cost"] for info in infos] == reference.cost.tolist()
        assert ["episode" in info for info in infos] == (reference.terminated | reference.truncated).tolist()
        seen += reference.cost.sum()
    assert seen > 0


def test_seeds_and_options_count_once():
    env, reference = as_sb3(native("CartPole-v1", LANES)), native("CartPole-v1", LANES)
    assert env.seed(11) == [11, 12, 13, 14, 15]
    equal(env.reset(), reference.reset(seed=11)[0])
    equal(env.reset(), reference.reset()[0])
    env.set_options({"low": 1})
    with pytest.raises(InputError, match=r"options=\{'low': 1\}"):
        env.reset()
    equal(env.reset(), reference.reset()[0])
    env.set_options([{"low": lane} for lane in range(LANES)])
    env.seed(12)
    with pytest.raises(InputError, match="differ between lanes"):
        env.reset()
    equal(env.reset(), reference.reset(seed=12)[0])  # options that were refused are gone, and the seed is not


def test_settings_differ_from_lane_to_lane_and_attributes_do_not():
    inner = native("workbench/Pong-v0", 3)
    env = as_sb3(inner)
    before = env.get_attr("points")
    env.set_attr("points", 2, indices=[1])
    assert env.get_attr("points") == [before[0], 2, before[2]]
    assert env.get_attr("points", 1) == [2]
    assert inner.buffers.state[inner.environment.rows.index("points")].tolist() == [before[0], 2, before[2]]
    assert env.get_attr("id", [0, 2]) == ["workbench/Pong-v0"] * 2
    env.set_attr("note", "mine")
    assert inner.note == "mine"
    assert env.env_method("set", "points", 4) == [None] * 3
    assert env.get_attr("points") == [4] * 3
    assert not env.has_attr("wind")
    for refused in (
        lambda: env.set_attr("note", 1, indices=[0]),
        lambda: env.env_method("set", "points", 3, indices=0),
    ):
        with pytest.raises(InputError, match="belongs to all lanes"):
            refused()
    with pytest.raises(InputError, match=r"points=.* finite"):
        env.set_attr("points", np.nan)


def test_masks_are_there_for_maskable_policies():
    env, reference = as_sb3(native("workbench/TicTacToe-v0", 3)), native("workbench/TicTacToe-v0", 3)
    env.reset()
    reference.reset()
    assert env.has_attr("action_masks")
    assert not as_sb3(native("CartPole-v1", 3)).has_attr("action_masks")
    for _ in range(8):
        masks = np.stack(env.env_method("action_masks"))
        np.testing.assert_array_equal(masks, reference.action_mask)
        np.testing.assert_array_equal(np.stack([mask() for mask in env.get_attr("action_masks")]), masks)
        actions = masks.argmax(1)
        env.step(actions)
        reference.step(actions)


def test_evaluation_and_sb3s_own_wrappers_find_what_they_need():
    from stable_baselines3 import PPO
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import VecCheckNan, VecFrameStack, VecMonitor, VecNormalize

    env = as_sb3(native("CartPole-v1", LANES))
    assert env.env_is_wrapped(Monitor) == [True] * LANES
    assert env.env_is_wrapped(gymnasium.wrappers.ClipReward, 2) == [False]
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=80, n_epochs=1, device="cpu")
    returns, lengths = evaluate_policy(model, env, n_eval_episodes=7, return_episode_rewards=True)
    assert len(returns) == 7
    assert returns == lengths  # a step of CartPole pays 1
    with pytest.warns(UserWarning, match="already wrapped with a `Monitor`"):
        monitored = VecMonitor(as_sb3(native("CartPole-v1", LANES)))
    stack = VecFrameStack(VecCheckNan(VecNormalize(monitored)), 2)
    assert stack.reset().shape == (LANES, 8)
    for _ in range(30):
        observation, _, done, infos = stack.step(np.ones(LANES, int))
        for lane in np.flatnonzero(done):
            assert infos[lane]["terminal_observation"].shape == (8,)
    assert observation.shape == (LANES, 8)


def test_pictures():
    inner = NativeVectorEnvironment(environment("CartPole-v1"), 2, render_mode="rgb_array")
    env = as_sb3(inner)
    env.reset()
    assert env.render_mode == "rgb_array"
    equal(tuple(env.get_images()), inner.render())
    equal(env.env_method("render", indices=1)[0], inner.render()[1])
    height, width, _ = inner.render()[0].shape
    assert env.render("rgb_array").shape in ((height, 2 * width, 3), (2 * height, width, 3))
    assert as_sb3(native("CartPole-v1", 2)).get_images() == [None, None]


def test_what_does_not_fit_is_refused():
    cases = [
        ("CartPole-v1", "is not a vector environment"),
        (gymnasium.make_vec("CartPole-v1", 2), r"pass it through workbench.make first: workbench.make\(env, 2\)"),
        (wrapped(AutoresetMode.NEXT_STEP), "next-step autoreset.*build it with same-step autoreset"),
        (native("workbench/SimpleSpread-v0", 2), "has 3 agents a lane.*as_pettingzoo"),
        (NativeVectorEnvironment(environment("CartPole-v1"), 2, autoreset=False), "does not reset lanes that end"),
        (nested(2, joint=True), "action space Dict.* has no policy"),
        (nested(2, start=1), r"Discrete\(3, start=1\) of .* does not count from 0"),
        (nested(4, batch=2), "staggers its lanes"),
    ]
    for env, message in cases:
        with pytest.raises(InputError, match=message):
            as_sb3(env)
    env = as_sb3(native("CartPole-v1", 2))
    env.reset()
    with pytest.raises(InputError, match=r"actions\[1\]=2 is out of range"):
        env.step(np.array([0, 2]))
    with pytest.raises(InputError, match="call step_async first"):
        env.step_wait()
    env.close()
    for call in (env.reset, lambda: env.step(np.zeros(2, int))):
        with pytest.raises(InputError, match="closed"):
            call()
    with pytest.raises(InputError, match="closed"):
        as_sb3(env.env)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_gymnasiums_vector_environments_are_taken_where_somebody_acts_in_every_step(mode):
    env, ends = as_sb3(wrapped(mode)), 0
    env.reset()
    for _ in range(60):
        _, _, done, infos = env.step(np.ones(2, int))
        assert ["terminal_observation" in info for info in infos] == done.tolist()
        ends += done.sum()
    assert ends > 4


def test_a_lane_in_which_nobody_acts_is_refused():
    inner = native("CartPole-v1", 2)
    env = as_sb3(inner)
    env.reset()
    step = inner.step
    inner.step = lambda actions: (*step(actions)[:4], {"active": np.array([True, False])})
    with pytest.raises(InputError, match="lane 1 of 'CartPole-v1' has no agent that acts now"):
        env.step(np.zeros(2, int))


@pytest.mark.filterwarnings("ignore:.*maximum and minimum values are equal:UserWarning")
@pytest.mark.filterwarnings("ignore:It seems that your observation .* is an image:UserWarning")
@pytest.mark.filterwarnings("ignore:Treating image space as channels-last:UserWarning")
@pytest.mark.filterwarnings("ignore:The minimal resolution for an image is 36x36:UserWarning")
@pytest.mark.filterwarnings("ignore:We recommend you to use a symmetric and normalized Box action space:UserWarning")
@pytest.mark.parametrize(
    "id",
    ["CartPole-v1", "Pendulum-v1", "Acrobot-v1", "MinAtar-Breakout-v1", "2048-v0", "Snake-v0", "ConstrainedGrid-v0"],
)
def test_sb3s_checker_passes_on_single_environments(id):
    from stable_baselines3.common.env_checker import check_env

    check_env(gymnasium.make(f"workbench/{id}", render_mode="rgb_array").unwrapped)


@pytest.mark.slow
def test_ppo_learns_cartpole_through_it():
    from stable_baselines3 import PPO
    from stable_baselines3.common.evaluation import evaluate_policy

    env = as_sb3(native("CartPole-v1", 8))
    settings = {
        "n_steps": 32,
        "batch_size": 256,
        "n_epochs": 20,
        "learning_rate": 1e-3,
        "gae_lambda": 0.8,
        "gamma": 0.98,
    }
    model = PPO("MlpPolicy", env, seed=1, device="cpu", **settings)
    model.learn(100_000)
    mean, _ = evaluate_policy(model, as_sb3(native("CartPole-v1", 8, seed=99)), n_eval_episodes=40)
    assert mean > 400
