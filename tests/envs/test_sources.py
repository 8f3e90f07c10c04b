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


def build(length=4):
    return Counter(length)


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
    ("env", "message"),
    [
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
