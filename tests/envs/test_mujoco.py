"""Lanes of MuJoCo tasks as a vector environment: episodes, seeds, threads, checkpoints, faults."""

import copy
import importlib
import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from workbench.envs import make
from workbench.envs.mujoco import TASKS, MujocoVectorEnvironment
from workbench.envs.mujoco.noise import Noise
from workbench.errors import EnvironmentFaultError, InputError
from workbench.spec import VectorEnvironment
from workbench.training.checkpoints import gather, scatter
from workbench.training.environments import description_of, rebuilt
from workbench_kernels import rng

KINDS = ["HalfCheetah-v5", "Ant-v5"]
"""One of MuJoCo's batch, one of Python's threads."""


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path, monkeypatch):
    """MuJoCo logs to the working folder when it compiles Gymnasium's models."""
    monkeypatch.chdir(tmp_path)


def actions(env, steps, seed=0):
    space, draw = env.single_action_space, np.random.default_rng(seed)
    for _ in range(steps):
        yield draw.uniform(space.low, space.high, (env.lanes, *space.shape)).astype(np.float32)


def played(env, steps, seed=0):
    """Step and return copies of everything that came out."""
    kept = []
    for action in actions(env, steps, seed):
        observation, reward, terminated, truncated, info = env.step(action)
        each = (observation, reward, terminated, truncated, info["final_obs"], info["_final_obs"])
        kept.append([np.copy(x) for x in each])
    return kept


def assert_same(one, other):
    for these, those in zip(one, other, strict=True):
        for a, b in zip(these, those, strict=True):
            np.testing.assert_array_equal(a, b)


def test_it_speaks_the_protocol():
    env = MujocoVectorEnvironment("HalfCheetah-v5", 3)
    assert isinstance(env, VectorEnvironment)
    assert isinstance(env, gymnasium.vector.VectorEnv)
    original = gymnasium.make("HalfCheetah-v5")
    assert env.single_observation_space == original.observation_space
    assert env.single_action_space == original.action_space
    assert env.observation_space.shape == (3, 17)
    assert env.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP
    observation, info = env.reset()
    assert observation is env.observation
    assert info == {}
    assert (observation.dtype, env.reward.dtype, env.active.dtype) == (np.float64, np.float32, np.bool_)
    assert env.active.all()
    assert env.action_mask is None
    assert env.share(5) is None
    assert (env.tree.storage, env.tree.components) == (np.float64, 17)
    assert observation.ctypes.data % 64 == 0
    out = env.step(np.zeros((3, 6)))
    buffers = (env.observation, env.reward, env.terminated, env.truncated, env.final_observation)
    for returned, buffer in zip((*out[:4], out[4]["final_obs"]), buffers, strict=True):
        assert returned is buffer
    env.close()
    original.close()


def test_an_evaluation_gets_the_same_task_in_lanes_of_its_own():
    env = MujocoVectorEnvironment("Hopper-v5", 2, seed=1, threads=3, time_limit=7, healthy_z_range=(0.9, 2.0))
    assert env.options == {"time_limit": 7, "healthy_z_range": (0.9, 2.0)}
    other = env.like(4, seed=9)
    assert other.options == env.options
    again = MujocoVectorEnvironment("Hopper-v5", 4, seed=9, time_limit=7, healthy_z_range=(0.9, 2.0))
    assert (other.lanes, other.time_limit, env.threads, other.threads) == (4, 7, 2, 3)
    other.reset()
    again.reset()
    assert_same(played(other, 30), played(again, 30))
    for each in (env, other, again):
        each.close()


@pytest.mark.parametrize(
    ("id", "given", "kept"),
    [
        ("HalfCheetah-v5", {"time_limit": 20}, {"time_limit": 20}),
        ("HalfCheetah-v5", {"time_limit": np.int64(20)}, {"time_limit": 20}),
        ("HalfCheetah-v5", {"time_limit": 1000}, {}),
        ("Reacher-v5", {"time_limit": 1000}, {"time_limit": 1000}),
        ("HalfCheetah-v5", {"reset_noise_scale": np.float32(0.5)}, {"reset_noise_scale": 0.5}),
        ("HalfCheetah-v5", {"ctrl_cost_weight": np.int32(2)}, {"ctrl_cost_weight": 2.0}),
        ("HalfCheetah-v5", {"reset_noise_scale": 0}, {"reset_noise_scale": 0.0}),
        ("Hopper-v5", {"terminate_when_unhealthy": np.False_}, {"terminate_when_unhealthy": False}),
        ("Hopper-v5", {"healthy_z_range": np.array([0.5, np.inf], np.float32)}, {"healthy_z_range": (0.5, np.inf)}),
        ("Hopper-v5", {"healthy_z_range": [np.float32(0.5), 2]}, {"healthy_z_range": (0.5, 2.0)}),
    ],
)
def test_a_run_is_described_by_options_that_build_its_environment_again(id, given, kept):
    env = make(id, 2, **given)
    description = json.loads(json.dumps(description_of(env)))
    again = rebuilt(None, description)
    for each in (env, again):
        assert each.options == kept
        assert [type(value) for value in each.options.values()] == [type(value) for value in kept.values()]
        assert each.time_limit == given.get("time_limit", TASKS[id].time_limit)
        each.reset(seed=3)
    assert_same(played(env, 25), played(again, 25))
    env.close()
    again.close()


@pytest.mark.parametrize("function", [copy.copy, copy.deepcopy, pickle.dumps])
def test_simulations_are_not_copied(function):
    env = MujocoVectorEnvironment("HalfCheetah-v5", 1)
    with pytest.raises(InputError, match=r"'HalfCheetah-v5' .* cannot be copied or pickled; build other lanes"):
        function(env)
    env.close()


@pytest.mark.parametrize("id", KINDS)
def test_the_number_of_threads_changes_nothing(id):
    runs = []
    for threads in (1, 3):
        env = MujocoVectorEnvironment(id, 5, seed=7, threads=threads, time_limit=20)
        assert env.threads == threads
        env.reset()
        runs.append(played(env, 50))
        env.close()
    assert_same(*runs)
    assert any(truncated.any() for _, _, _, truncated, *_ in runs[0])


@pytest.mark.parametrize("id", KINDS)
def test_seeds_give_episodes_and_lanes_differ(id):
    env = MujocoVectorEnvironment(id, 4, seed=3)
    first = env.reset()[0].copy()
    assert len(np.unique(first[:, 0])) == 4
    second = env.reset()[0].copy()
    assert not np.isin(second[:, 0], first[:, 0]).any()
    np.testing.assert_array_equal(env.reset(seed=3)[0], first)
    assert not np.isin(env.reset(seed=4)[0][:, 0], first[:, 0]).any()
    fewer = MujocoVectorEnvironment(id, 2, seed=3)
    np.testing.assert_array_equal(fewer.reset()[0], first[:2])
    fewer.close()
    env.close()


def test_the_time_limit_truncates_and_the_last_observation_is_kept():
    env = MujocoVectorEnvironment("HalfCheetah-v5", 2, seed=1)
    assert env.time_limit == gymnasium.spec("HalfCheetah-v5").max_episode_steps
    short = MujocoVectorEnvironment("HalfCheetah-v5", 2, seed=1, time_limit=3)
    env.reset()
    short.reset()
    for step, action in enumerate(actions(env, 6), start=1):
        env.step(action)
        short.step(action)
        assert (short.truncated == (step % 3 == 0)).all()
        assert not short.terminated.any()
        if step <= 3:
            np.testing.assert_array_equal(short.final_observation, env.observation)
    assert (np.abs(short.observation[:, :8]) <= 0.1).all()  # where an episode starts
    assert not (np.abs(short.final_observation[:, :8]) <= 0.1).all()
    env.close()
    short.close()


def test_a_lane_that_ends_leaves_the_others_alone():
    env = MujocoVectorEnvironment("InvertedPendulum-v5", 6, seed=2)
    env.reset()
    counted = np.zeros(6, dtype=int)
    several = 0
    for action in actions(env, 200):
        before = env.observation.copy()
        env.step(action)
        counted += 1
        ended = env.terminated | env.truncated
        np.testing.assert_array_equal(env.elapsed, np.where(ended, 0, counted))
        counted[ended] = 0
        several += ended.any() and not ended.all()
        assert (np.abs(env.observation[ended]) <= 0.01).all()
        np.testing.assert_array_equal(env.observation[~ended], env.final_observation[~ended])
        assert (np.abs(env.final_observation[ended, 1]) > 0.2).all()
        assert (env.final_observation != before).any(axis=1).all()
    assert several > 20
    env.close()


@pytest.mark.parametrize("id", [*KINDS, "Reacher-v5"])
def test_a_restored_environment_goes_on_as_if_nothing_had_happened(id):
    env = MujocoVectorEnvironment(id, 3, seed=5, time_limit=30)
    env.reset()
    played(env, 40)
    tensors, scalars = {}, {}
    gather(env, tensors, scalars)
    tensors = {name: x.clone() for name, x in tensors.items()}  # what it gathers goes on changing
    expected = played(env, 40, seed=1)
    other = MujocoVectorEnvironment(id, 3, time_limit=30, threads=1)
    scatter(other, tensors, scalars)
    np.testing.assert_array_equal(other.observation, tensors["observation"])
    assert_same(played(other, 40, seed=1), expected)
    env.close()
    other.close()


def test_noise_draws_what_the_kernels_generator_draws():
    random, oracle = np.zeros((3, 4), np.uint32), np.zeros((3, 4), np.uint32)
    rng.seed_lanes(random, 11)
    rng.seed_lanes(oracle, 11)
    random[rng.COUNT] = oracle[rng.COUNT] = 2**32 - 3  # the count wraps around
    drawn = Noise(random, np.array([1, 3])).bits(5)
    with np.errstate(over="ignore"):
        expected = [[rng.draw(lane, oracle) for _ in range(5)] for lane in (1, 3)]
    np.testing.assert_array_equal(drawn, np.array(expected, dtype=np.uint64))
    np.testing.assert_array_equal(random, oracle)


def test_noise_has_the_moments_it_claims():
    random = np.zeros((3, 1000), np.uint32)
    rng.seed_lanes(random, 0)
    noise = Noise(random, np.arange(1000))
    flat, bell = noise.uniform(-2, 4, 100), noise.normal(100)
    assert flat.min() >= -2
    assert flat.max() < 4
    # Five standard errors of 100,000 draws.
    assert abs(flat.mean() - 1) < 5 * np.sqrt(3 / 1e5)
    assert abs(flat.var() - 3) < 5 * np.sqrt(7.2 / 1e5)
    assert abs(bell.mean()) < 5 * np.sqrt(1 / 1e5)
    assert abs(bell.var() - 1) < 5 * np.sqrt(2 / 1e5)
    assert abs((bell**4).mean() - 3) < 5 * np.sqrt(96 / 1e5)


def test_actions_beyond_the_bounds_are_as_strong_as_at_them_and_cost_more():
    at, beyond = (MujocoVectorEnvironment("HalfCheetah-v5", 1, seed=1) for _ in range(2))
    at.reset()
    beyond.reset()
    at.step(np.ones((1, 6)))
    beyond.step(np.full((1, 6), 2.0))
    np.testing.assert_array_equal(at.observation, beyond.observation)
    assert at.reward - beyond.reward == pytest.approx(0.1 * 6 * (4 - 1), abs=1e-6)
    at.close()
    beyond.close()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((2, 5)), r"actions have shape \[2, 5\]; pass \[2, 6\]"),
        (np.zeros(12), r"actions have shape \[12\]"),
        ([[0.0] * 6, [0.0] * 5], "actions are no array"),
        (np.full((2, 6), "left"), "do not fit"),
        (np.zeros((2, 6), complex), "do not fit"),
        (np.where(np.arange(12).reshape(2, 6) == 8, np.nan, 0), r"actions\[1, 2\]=nan is not finite"),
        (torch.zeros(2, 6, requires_grad=True), r"actions are no array \(.*requires grad.*\); pass"),
        (torch.zeros(2, 6, device="meta"), "actions are no array"),
        (np.full((2, 6), 1e300), r"actions\[0, 0\]=1e\+300 is not finite"),
    ],
)
def test_actions_that_do_not_fit_are_refused(given, message):
    env = MujocoVectorEnvironment("HalfCheetah-v5", 2)
    env.reset()
    with pytest.raises(InputError, match=message):
        env.step(given)
    env.close()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("HalfCheetah-v4", 1), {}, "'HalfCheetah-v4' is not native; choose one of HalfCheetah-v5, .*processes"),
        (("HalfCheetah-v5", 0), {}, "lanes=0"),
        (("HalfCheetah-v5", 1), {"threads": 0}, "threads=0 leaves nobody"),
        (("HalfCheetah-v5", 1), {"threads": True}, "threads=True"),
        (("HalfCheetah-v5", 1), {"seed": -1}, "seed=-1"),
        (("HalfCheetah-v5", 1), {"time_limit": 0}, "0"),
        (("HalfCheetah-v5", 1), {"xml_file": "mine.xml"}, "xml_file='mine.xml' is unknown .*processes"),
        (("HalfCheetah-v5", 1), {"ctrl_cost_weight": "low"}, "ctrl_cost_weight='low' .* pass a number"),
        (("HalfCheetah-v5", 1), {"ctrl_cost_weight": np.nan}, "ctrl_cost_weight=nan"),
        (("HalfCheetah-v5", 1), {"ctrl_cost_weight": np.True_}, "ctrl_cost_weight=.* pass a number"),
        (("HalfCheetah-v5", 1), {"ctrl_cost_weight": 10**400}, "ctrl_cost_weight=1000.* pass a number"),
        (("HalfCheetah-v5", 1), {"reset_noise_scale": -0.1}, "reset_noise_scale=-0.1 .* pass a number of at least 0"),
        (("Hopper-v5", 1), {"terminate_when_unhealthy": 1}, "terminate_when_unhealthy=1 .* pass True or False"),
        (("Hopper-v5", 1), {"healthy_z_range": (2.0, 1.0)}, "healthy_z_range=.* pass two numbers"),
        (("Hopper-v5", 1), {"healthy_z_range": 2.0}, "healthy_z_range=2.0"),
        (("Hopper-v5", 1), {"healthy_z_range": np.zeros((1, 2))}, "healthy_z_range=array.* pass two numbers"),
        (("Hopper-v5", 1), {"healthy_z_range": (1, [2])}, "healthy_z_range=.* pass two numbers"),
        (("Hopper-v5", 1), {"healthy_z_range": np.array([False, True])}, "healthy_z_range=.* pass two numbers"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, options, message):
    with pytest.raises(InputError, match=message):
        MujocoVectorEnvironment(*arguments, **options)


def test_options_of_reset_and_seeds_that_are_none_are_refused():
    env = MujocoVectorEnvironment("HalfCheetah-v5", 1)
    with pytest.raises(InputError, match=r"options=.* of reset are unknown"):
        env.reset(options={"x": 1})
    with pytest.raises(InputError, match="seed='one'"):
        env.reset(seed="one")
    env.close()


@pytest.mark.parametrize("id", KINDS)
def test_closed_lanes_say_so(id):
    env = MujocoVectorEnvironment(id, 2, threads=2)
    env.reset()
    env.close()
    env.close()
    with pytest.raises(InputError, match="are closed; build new ones"):
        env.step(np.zeros(env.action_space.shape))
    with pytest.raises(InputError, match="are closed; build new ones"):
        env.reset()


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize("id", KINDS)
def test_closing_ends_the_threads(id):
    def running():
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))

    before = running()
    for _ in range(6):
        env = MujocoVectorEnvironment(id, 4, threads=3)
        env.reset()
        played(env, 2)
        assert running() >= before + 2
        env.close()
    # Python's threads may still be ending when they are joined.
    assert running() < before + 6


def test_a_failure_of_the_batch_names_the_lane_and_the_step():
    env = MujocoVectorEnvironment("HalfCheetah-v5", 4)
    env.reset()
    env.step(np.zeros((4, 6)))
    env._physics._batch.expand("opt.integrator")[2] = 99
    with pytest.raises(EnvironmentFaultError, match=r"MuJoCo failed in lane 2 at step 2 of 'HalfCheetah-v5': .+reset"):
        env.step(np.zeros((4, 6)))
    env._physics._batch.expand("opt.integrator")[2] = 0
    env.reset()
    env.step(np.zeros((4, 6)))
    env.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failure_of_a_thread_names_the_lane_and_the_step(threads):
    env = MujocoVectorEnvironment("Ant-v5", 4, threads=threads)
    env.reset()
    env.step(np.zeros((4, 8)))
    env._physics._model.opt.integrator = 99
    with pytest.raises(EnvironmentFaultError, match=r"MuJoCo failed in lane \d at step 2 of 'Ant-v5': .+reset"):
        env.step(np.zeros((4, 8)))
    env.close()


def test_observations_that_are_no_numbers_name_the_lane():
    env = MujocoVectorEnvironment("HalfCheetah-v5", 3)
    env.reset()
    env._parameters.forward_reward_weight = np.inf
    with pytest.raises(EnvironmentFaultError, match=r"reward of lane 0 is .* at step 1 of 'HalfCheetah-v5'"):
        env.step(np.zeros((3, 6)))
    env.close()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("mujoco", r"needs MuJoCo .*; pip install 'rl-workbench\[mujoco\]'"),
        ("mujoco.batch", r"needs MuJoCo 3.17 or later, and \d+\.\d+\.\d+ is installed; pip install --upgrade"),
    ],
)
def test_a_missing_or_old_mujoco_names_the_extra(monkeypatch, module, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=message):
        MujocoVectorEnvironment("HalfCheetah-v5", 1)


def test_an_older_mujoco_whose_batch_fails_otherwise_names_the_extra(monkeypatch):
    def fail(name):
        if name == "mujoco.batch":
            raise AttributeError("module 'mujoco' has no attribute 'mjtBatch'")
        return found(name)

    found = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(InputError, match=r"needs MuJoCo 3.17 or later, and \d+\.\d+\.\d+ is installed"):
        MujocoVectorEnvironment("HalfCheetah-v5", 1)


def test_building_and_stepping_leaves_no_log_and_says_nothing(tmp_path, capfd):
    for id in TASKS:
        env = MujocoVectorEnvironment(id, 1)
        env.reset()
        env.step(np.zeros(env.action_space.shape))
        env.close()
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_the_package_is_imported_without_mujoco():
    code = "import sys, workbench.envs.mujoco; assert 'mujoco' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


INTERRUPTED = """
import signal

import numpy as np
from workbench.envs.mujoco import MujocoVectorEnvironment

env = MujocoVectorEnvironment("{id}", 8, threads=2)
env.reset()
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs lack
try:
    while True:
        print("stepping", flush=True)
        env.step(np.zeros(env.action_space.shape))
except KeyboardInterrupt:
    env.reset()
    env.step(np.zeros(env.action_space.shape))
    env.close()
    print("closed")
"""


@pytest.mark.parametrize(("id", "steps"), [("HalfCheetah-v5", 5), ("Ant-v5", 1), ("Ant-v5", 5)])
def test_an_interrupt_ends_the_steps_and_leaves_lanes_that_work(id, steps):
    """In the first step too, whose threads are still being started."""
    code = INTERRUPTED.format(id=id)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    for _ in range(steps):
        assert process.stdout.readline() == "stepping\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0].endswith("closed\n")
    assert process.returncode == 0
