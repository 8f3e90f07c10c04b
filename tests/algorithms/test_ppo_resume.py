"""With every option, resumed equals uninterrupted: bit for bit, on one thread."""

import pytest
import torch

import workbench as wb
from tests.training.test_resume import assert_same
from workbench.events import Progress

STEPS = 8 * 16 * 6  # six iterations

OPTIONS = [
    {"advantage": "vtrace"},
    {"network": "lstm", "segment": 5},
    {"network": "transformer", "width": 16, "context": 4},
    {"normalise_observation": True, "normalise_return": True},
    {"kl_penalty": 0.5, "kl_target": 1e-4},
    {"kl_stop": 1e-3, "value_clip": 0.1, "dual_clip": 3.0},
    {"priority": 0.7, "segment": 4},
    {"learning_rate_schedule": "linear", "entropy_schedule": "cosine"},
    {"learning_rate_schedule": "cosine", "schedule_steps": STEPS // 2},
    {"update_rule": "muon", "accumulation": 3},
    {"precision": "bfloat16"},
    {"precision": "float16"},
]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(run_dir, env, settings):
    algorithm = wb.PPO(horizon=16, epochs=2, **settings)
    return wb.Trainer(env, algorithm, seed=4, lanes=8, backend="torch", run_dir=run_dir)


@pytest.mark.parametrize("settings", OPTIONS, ids=str)
def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path, settings):
    env = "Pendulum-v1" if "normalise_return" in settings else "CartPole-v1"
    whole, part = (trainer(tmp_path / name, env, settings) for name in ("whole", "part"))
    whole.train(STEPS)
    part.subscribe(lambda event: part.stop() if isinstance(event, Progress) else None)
    part.train(STEPS)
    assert 0 < part.steps < STEPS
    resumed = wb.load(part.run_dir)
    resumed.train(STEPS - part.steps)
    assert_same(whole, resumed)


def kept(trainer):
    algorithm = trainer.algorithm
    return algorithm.penalty.coefficient, algorithm.returns.running.clone(), algorithm.scale.streak


def test_what_adapts_is_in_the_checkpoint(tmp_path):
    settings = {"kl_penalty": 0.5, "kl_target": 1.0, "normalise_return": True, "precision": "float16"}
    first = trainer(tmp_path / "run", "Pendulum-v1", settings)
    first.train(STEPS // 2)
    penalty, running, streak = kept(first)
    assert penalty == 0.5 / 2**3
    assert running.any()
    assert streak > 0
    again = kept(wb.load(first.run_dir))
    assert (again[0], again[2]) == (penalty, streak)
    assert torch.equal(again[1], running)
