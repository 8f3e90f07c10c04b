"""`workbench check`: what it prints, and its exit codes."""

import json
import subprocess
import sys

import pytest

from workbench.cli import main

MODULE = """
import gymnasium
import numpy as np

print("a simulator says hello")


class Env(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.age = 0
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), {}

    def step(self, action):
        self.age += 1
        observation = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return observation, float(action), False, self.age == 20, {}


def make_env():
    return Env()


class Sick(Env):
    def step(self, action):
        return self.reset()[0] * 5, 0.0, False, False, {}


class Exits(Env):
    def step(self, action):
        raise SystemExit(0)
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("workbench.checking.speed.SECONDS", 0.01)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module in the working directory; Python forgets it afterwards."""
    (tmp_path / "module_to_check.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield "module_to_check"
    sys.modules.pop("module_to_check", None)


def test_a_sound_environment_is_0_and_a_table(capsys):
    assert main(["check", "CartPole-v1", "--steps", "100"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("CartPole-v1 (gymnasium): 100 steps")
    assert "all is well" in shown
    assert "recommended" in shown


def test_json_is_one_object_whatever_the_environment_prints(module, capsys):
    assert main(["check", f"{module}:make_env", "--steps", "100", "--seed", "3", "--json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert "a simulator says hello" in captured.err
    assert (record["ok"], record["steps"], record["episodes"]) == (True, 100, 5)
    assert {finding["level"] for finding in record["findings"]} == {"ok"}
    assert record["speed"]["step"] > 0
    assert record["recommended"]["lanes"] > 0
    assert record["tuning"] is None


def test_tuning_is_in_both(capsys):
    arguments = ["check", "CartPole-v1", "--steps", "50", "--tune", "--tune-seconds", "0.05"]
    assert main([*arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["tuning"]["rows"][0]["steps_per_second"] > 0
    assert record["tuning"]["code"].startswith("wb.make('CartPole-v1', lanes=")
    assert main(arguments) == 0
    assert "wb.make('CartPole-v1'" in capsys.readouterr().out


def test_a_sick_environment_is_1(module, capsys):
    assert main(["check", f"{module}:Sick", "--steps", "50", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["ok"] is False
    assert "observation bounds" in {finding["what"] for finding in record["findings"] if finding["level"] == "error"}


def test_an_environment_that_exits_is_1_and_a_report(module, capsys):
    assert main(["check", f"{module}:Exits", "--steps", "50"]) == 1
    assert "SystemExit: 0" in capsys.readouterr().out


def test_a_mujoco_task_leaves_no_log_and_no_noise(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(["check", "HalfCheetah-v5", "--steps", "20"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert "deprecated" not in "".join(capfd.readouterr())


def test_wrong_input_is_2(refused):
    assert "did you mean 'CartPole-v1'" in refused("check", "CartPoel-v1")
    assert "--steps" in refused("check", "CartPole-v1", "--steps", "0")
    assert "has no function or class 'nothing'" in refused("check", "gymnasium:nothing")
    assert "ENV" in refused("check")


def test_the_program_finds_a_module_in_the_working_directory(module, tmp_path):
    command = [sys.executable, "-m", "workbench.cli", "check", f"{module}:make_env", "--steps", "50", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["ok"] is True
