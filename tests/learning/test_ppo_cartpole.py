"""PPO reaches its goal with the shipped defaults, and does not with a bug planted in it (thresholds fixed before)."""

import pytest
import torch

import workbench as wb
from workbench.algorithms import ppo
from workbench.data import Batch

pytestmark = pytest.mark.learning
TARGET = 475.0
LIMIT = 1_000_000


def reached(tmp_path, seed, limit=LIMIT, backend="torch"):
    trainer = wb.Trainer("CartPole-v1", wb.PPO(), seed=seed, run_dir=tmp_path / f"{seed}", backend=backend)
    assert trainer.backend == backend
    trainer.train(limit, target_return=TARGET)
    return trainer.evaluate(episodes=100, seed=1000 + seed).mean


@pytest.mark.parametrize("seed", range(5))
def test_kernels_solve_cartpole(tmp_path, seed):
    assert reached(tmp_path, seed, backend="native") >= TARGET


@pytest.mark.parametrize("seed", range(2))
def test_torch_solves_cartpole(tmp_path, seed):
    assert reached(tmp_path, seed) >= TARGET


def swapped_advantage(monkeypatch):
    prepare = ppo.PPO.prepare

    def planted(self, rollout):
        ready = prepare(self, rollout)
        return Batch(**{**ready.fields, "advantage": -ready.advantage})

    monkeypatch.setattr(ppo.PPO, "prepare", planted)


def observation_of_another_time(monkeypatch):
    """Learn from observations in the opposite order of time."""
    prepare = ppo.PPO.prepare

    def planted(self, rollout):
        ready = prepare(self, rollout)
        return Batch(**{**ready.fields, "observation": ready.observation.flip(0)})

    monkeypatch.setattr(ppo.PPO, "prepare", planted)


def advantage_of_another_lane(monkeypatch):
    prepare = ppo.PPO.prepare

    def planted(self, rollout):
        ready = prepare(self, rollout)
        return Batch(**{**ready.fields, "advantage": torch.roll(ready.advantage, 1, dims=1)})

    monkeypatch.setattr(ppo.PPO, "prepare", planted)


@pytest.mark.parametrize("plant", [swapped_advantage, observation_of_another_time, advantage_of_another_lane])
def test_a_planted_bug_keeps_it_from_the_goal(tmp_path, monkeypatch, plant):
    plant(monkeypatch)
    assert reached(tmp_path, seed=0, limit=500_000) < TARGET


def test_it_solves_gymnasiums_own_cartpole_through_the_adapter(tmp_path):
    env = wb.make("CartPole-v1", 128, backend="serial")
    trainer = wb.Trainer(env, wb.PPO(), seed=1, run_dir=tmp_path / "run")
    trainer.train(LIMIT, target_return=TARGET)
    assert trainer.env.backend == "serial"
    assert trainer.evaluate(episodes=100, seed=1).mean >= TARGET
    trainer.close()
