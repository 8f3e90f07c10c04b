"""Whatever names or makes an environment can be trained in."""

import functools
import subprocess
import sys

import gymnasium
import pytest

import workbench as wb
from tests.envs.emulation.guests import Counter
from workbench.envs import source_of
from workbench.errors import EnvironmentFaultError, InputError, UnknownNameError
from workbench_kernels.envs import make as kernel


def build(length=4):
    return Counter(length)


def local():
    def inner():
        return Counter(3)

    return inner


class Maker:
    def __init__(self, length):
        self.length = length

    def __call__(self):
        return Counter(self.length)

    def make(self):
        return Counter(self.length)

    @classmethod
    def made(cls):
        return Counter(2)


@pytest.mark.parametrize(
    ("env", "options", "id"),
    [
        ("MountainCarContinuous-v0", {}, "MountainCarContinuous-v0"),
        ("tests.envs.test_sources:build", {"length": 5}, "tests.envs.test_sources:build"),
        (Counter, {"length": 6}, "tests.envs.emulation.guests:Counter"),
        (build, {}, "tests.envs.test_sources:build"),
        (functools.partial(build, length=3), {}, "tests.envs.test_sources:build"),
        ("gymnasium:CartPole-v1", {"sutton_barto_reward": True}, "gymnasium:CartPole-v1"),
        (
            "gymnasium.envs.classic_control.cartpole:CartPoleEnv",
            {},
            "gymnasium.envs.classic_control.cartpole:CartPoleEnv",
        ),
        (gymnasium.make("Acrobot-v1"), {}, "Acrobot-v1"),
    ],
)
def test_it_builds_what_it_is_given(env, options, id):
    source = source_of(env, **options)
    assert source.id == id
    first, second = source.build(), source.build()
    assert isinstance(first, gymnasium.Env)
    assert first is not second
    for name, value in options.items():
        assert getattr(first.unwrapped, {"sutton_barto_reward": "_sutton_barto_reward"}.get(name, name)) == value


@pytest.mark.parametrize(
    ("env", "options", "findable", "kept"),
    [
        ("Acrobot-v1", {}, True, {}),
        ("tests.envs.test_sources:build", {"length": 5}, True, {"length": 5}),
        (Counter, {"length": 6}, True, {"length": 6}),
        (build, {}, True, {}),
        (Maker.made, {}, True, {}),
        (functools.partial(build, length=3), {}, True, {"length": 3}),
        (functools.partial(build, length=3), {"length": 5}, True, {"length": 5}),
        (functools.partial(build, 3), {}, False, {}),
        (lambda: Counter(3), {}, False, {}),
        (local(), {}, False, {}),
        (Maker(3), {}, False, {}),
        (Maker(3).make, {}, False, {}),
        (
            gymnasium.make("FrozenLake-v1", is_slippery=False, max_episode_steps=7),
            {},
            True,
            {"map_name": "4x4", "is_slippery": False, "max_episode_steps": 7},
        ),
        (gymnasium.make("Acrobot-v1", max_episode_steps=-1), {}, True, {"max_episode_steps": -1}),
        (
            gymnasium.wrappers.TransformReward(gymnasium.make("Pendulum-v1"), abs),
            {},
            False,
            {"max_episode_steps": 200},
        ),
    ],
)
def test_it_knows_whether_it_can_be_found_again_and_with_what(env, options, findable, kept):
    source = source_of(env, **options)
    assert (source.findable, source.options) == (findable, kept)
    if findable:
        one, other = source.build(), source_of(source.id, **source.options).build()
        assert type(one.unwrapped) is type(other.unwrapped)
        assert getattr(one, "length", None) == getattr(other, "length", None)
        limits = [None if x.spec is None else x.spec.max_episode_steps for x in (one, other)]
        assert limits[0] == limits[1]


@pytest.mark.parametrize("entry", [Counter, lambda length: Counter(length - 1)], ids=["class", "function"])
def test_ids_that_only_this_process_registered_are_built_in_others(entry):
    id = "OnlyHere-v0"
    gymnasium.register(id, entry, max_episode_steps=3)
    env = wb.make(id, 2, backend="processes", workers=1, length=9)
    env.reset()
    for _ in range(3):
        env.step([0, 0])
    assert env.truncated.all()
    env.close()
    del gymnasium.registry[id]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("CartPole-v1", {"workers": 3, "batch": 4, "timeout": 9.0}),
            r"workers=3, batch=4, timeout=9\.0 given with the native environment 'CartPole-v1', which takes threads "
            r"alone; leave it out, or choose one of backend='serial', 'threads', 'processes'",
        ),
        (("InvertedPendulum-v5", {"max_agents": 2}), "max_agents=2 given with the native environment"),
        ((kernel("CartPole-v1"), {"workers": 2}), "workers=2 given with a kernel environment, which takes threads"),
        ((Counter, {"threads": 7}), "threads=7 given with backend='serial'; pass workers with backend='threads'"),
        ((Counter, {"start_method": "spawn"}), "start_method='spawn' given with backend='serial'; leave it out"),
        ((source_of(Counter), {"length": 7}), "length=7 given with a source, which has its options"),
    ],
)
def test_arguments_that_do_not_apply_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        wb.make(arguments[0], 8, **arguments[1])


def test_a_trainer_refuses_workers_where_there_are_none():
    with pytest.raises(InputError, match="workers=4 given with the native environment 'CartPole-v1'"):
        wb.Trainer("CartPole-v1", workers=4)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (":x", "env=':x' names no module before its colon"),
        (".relative:build", "env='.relative:build' names no module before its colon"),
        ("nowhere:build", "module 'nowhere' cannot be imported"),
        ("tests.envs.test_sources:nothing", "has no function or class 'nothing', nor registers such an id"),
        (Counter(), "is one environment, and every lane needs its own"),
        (3, "env=3 is not an environment; pass an id"),
    ],
)
def test_what_is_no_environment_is_refused(env, message):
    with pytest.raises(InputError, match=message):
        source_of(env)
    with pytest.raises(InputError, match=message):
        wb.Trainer(env)


def test_unknown_ids_suggest_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'Acrobot-v1'"):
        source_of("Akrobot-v1")


def test_what_a_factory_makes_is_looked_at():
    with pytest.raises(InputError, match=r"env made a dict, which is no gymnasium.Env, ParallelEnv or AECEnv"):
        wb.make(dict, 2)
    with pytest.raises(EnvironmentFaultError, match="cannot be built: TypeError"):
        wb.make(Counter, 2, size=3)


def test_atari_plays_by_its_id_in_other_processes():
    env = wb.make("ALE/Pong-v5", 1, backend="processes", workers=1, obs_type="ram")
    env.reset()
    env.step([0])
    assert env.observation.any()
    env.close()


def test_atari_plays_by_its_id(tmp_path):
    trainer = wb.Trainer("ALE/Pong-v5", wb.PPO(horizon=4, minibatches=1, epochs=1), lanes=2, run_dir=tmp_path / "run")
    assert trainer.env.observation.shape == (2, 210 * 160 * 3)
    assert trainer.env.observation.dtype == "uint8"
    trainer.train(16)
    assert trainer.env.observation.any()
    trainer.close()


def test_a_module_of_the_working_directory_is_found_by_the_command(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import gymnasium\n\n\ndef make_env():\n    return gymnasium.make('CartPole-v1', disable_env_checker=True)\n"
    )
    command = [sys.executable, "-m", "workbench.cli", "train", "mine:make_env", "--steps", "2000", "--run-dir", "run"]
    done = subprocess.run(
        [*command, "--backend", "processes"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "workbench.cli", "eval", "run", "--episodes", "3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "3" in done.stdout
