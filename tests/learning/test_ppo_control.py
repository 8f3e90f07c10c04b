"""PPO with the hyperparameters that were found reaches its goals, and with a bug planted in it does not.

Thresholds were fixed before the runs that they judge: the mean greedy return of 100 episodes.
"""

import pytest
import torch

import workbench as wb
from workbench.algorithms import ppo
from workbench.data import Batch
from workbench.networks.memory import LSTM

pytestmark = pytest.mark.learning

GOALS = {
    "Acrobot-v1": (1_000_000, -90.0),
    "MountainCarContinuous-v0": (1_000_000, 90.0),
    "Pendulum-v1": (500_000, -250.0),
    "workbench/Memory-v0": (500_000, 0.95),
    "workbench/CartPolePositions-v0": (2_000_000, 475.0),
}
"""Environment steps, and the return to reach."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def reached(tmp_path, env, algorithm=None, steps=None, backend="auto"):
    trainer = wb.Trainer(env, algorithm or wb.PPO.tuned(env), seed=0, run_dir=tmp_path / "run", backend=backend)
    try:
        trainer.train(steps or GOALS[env][0])
        return trainer.evaluate(episodes=100, seed=1000).mean
    finally:
        trainer.close()


@pytest.mark.parametrize("env", GOALS)
def test_it_reaches_its_goal(tmp_path, env):
    assert reached(tmp_path, env) >= GOALS[env][1]


def test_plain_ppo_never_leaves_the_valley(tmp_path):
    """The negative control: without a reward on the way, nothing is learned in MountainCar."""
    assert reached(tmp_path, "MountainCar-v0", wb.PPO(), 1_000_000) == -200.0


@pytest.mark.parametrize("env", ["Acrobot-v1", "MountainCarContinuous-v0", "Pendulum-v1"])
def test_advantages_of_other_lanes_keep_it_from_the_goal(tmp_path, monkeypatch, env):
    prepare = ppo.PPO.prepare

    def planted(self, rollout):
        ready = prepare(self, rollout)
        return Batch(**{**ready.fields, "advantage": torch.roll(ready.advantage, 1, dims=1)})

    monkeypatch.setattr(ppo.PPO, "prepare", planted)
    assert reached(tmp_path, env, backend="torch") < GOALS[env][1]


def test_without_its_memory_it_does_not_remember(tmp_path, monkeypatch):
    forward = LSTM.forward
    monkeypatch.setattr(LSTM, "forward", lambda self, x, carry, first: forward(self, x, carry, torch.ones_like(first)))
    assert reached(tmp_path, "workbench/Memory-v0") < GOALS["workbench/Memory-v0"][1]
