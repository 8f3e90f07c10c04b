"""Resumed equals uninterrupted: bit for bit, on one thread; after a stop, and after kill -9."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.training.checkpoints import gather

STEPS = 8 * 16 * 12  # twelve iterations


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(run_dir):
    return wb.Trainer("CartPole-v1", wb.PPO(horizon=8, epochs=2), seed=4, lanes=16, run_dir=run_dir)


def trained(run_dir, steps):
    made = trainer(run_dir)
    made.train(steps)
    return made


def contents(trainer):
    tensors, scalars = {}, {}
    gather(trainer.loop, tensors, scalars)
    scalars.pop("seconds")
    return {name: x.clone() for name, x in tensors.items()}, scalars


def assert_same(one, other):
    tensors, scalars = contents(one)
    others, other_scalars = contents(other)
    assert tensors.keys() == others.keys()
    assert scalars == other_scalars
    for name, x in tensors.items():
        assert torch.equal(x, others[name]), name
    left, right = (t.metrics.to_pandas().drop(columns=["seconds", "steps_per_second"]) for t in (one, other))
    np.testing.assert_array_equal(left, right)


def test_training_in_two_parts_equals_training_in_one(tmp_path):
    whole = trained(tmp_path / "whole", STEPS)
    parts = trained(tmp_path / "parts", STEPS // 3)
    loaded = wb.load(parts.run_dir)
    assert_same(parts, loaded)
    loaded.train(STEPS - STEPS // 3)
    assert_same(whole, loaded)


def test_a_saved_copy_goes_on_alike_and_elsewhere(tmp_path):
    whole = trained(tmp_path / "whole", STEPS)
    part = trained(tmp_path / "part", STEPS // 2)
    copy = wb.load(part.save(tmp_path / "copy"))
    copy.train(STEPS // 2)
    assert_same(whole, copy)
    assert part.steps == STEPS // 2
    assert wb.load(part.run_dir).steps == STEPS // 2


def test_a_resumed_run_with_another_seed_would_be_noticed(tmp_path):
    """The comparison can fail: forget one generator, and it does."""
    whole = trained(tmp_path / "whole", STEPS)
    parts = trained(tmp_path / "parts", STEPS // 2)
    loaded = wb.load(parts.run_dir)
    loaded.algorithm.action_generator.manual_seed(99)
    loaded.train(STEPS // 2)
    with pytest.raises(AssertionError):
        assert_same(whole, loaded)


def test_live_changes_are_resumed_too(tmp_path):
    parts = trained(tmp_path / "parts", STEPS // 2)
    parts.algorithm.learning_rate = 1e-4
    parts.train(STEPS // 4)
    loaded = wb.load(parts.run_dir)
    assert loaded.algorithm.learning_rate == 1e-4
    assert [(change["name"], change["new"]) for change in loaded.metrics.changes()] == [("learning_rate", 1e-4)]


VICTIM = """
import torch, workbench as wb
torch.set_num_threads(1)
algorithm = wb.PPO(horizon=8, epochs=2)
trainer = wb.Trainer("CartPole-v1", algorithm, seed=4, lanes=16, run_dir={run_dir!r}, checkpoint_seconds=0.05)
trainer.train(10**9)
"""


def rows(path):
    return path.read_text().count("\n") if path.exists() else 0


def test_a_killed_run_goes_on_from_its_last_checkpoint_as_if_nothing_had_happened(tmp_path):
    run_dir = tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([sys.executable, "-c", VICTIM.format(run_dir=str(run_dir))], env=environment)
    try:
        while not (rows(run_dir / "metrics.jsonl") > 40 and len(list(run_dir.glob("checkpoints/[0-9]*"))) > 1):
            assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    resumed = wb.load(run_dir)
    assert resumed.steps > 0
    written = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines() if line.endswith("}")]
    assert resumed.steps <= written[-1]["steps"]
    goal = resumed.steps + 8 * 16 * 3
    resumed.train(goal - resumed.steps)
    assert_same(trained(tmp_path / "whole", goal), resumed)
    assert list(Path(run_dir).rglob(".*")) == []


def test_gymnasiums_environments_resume_with_their_counters(tmp_path):
    env = wb.make("CartPole-v1", 4, backend="serial")
    first = wb.Trainer(env, wb.PPO(horizon=8), run_dir=tmp_path / "gym", seed=1)
    first.train(8 * 4 * 3)
    loaded = wb.load(first.run_dir)
    assert loaded.env.backend == "serial"
    assert loaded.steps == first.steps
    assert not loaded.loop.running.running_length.any()  # new episodes, counted from their start
    loaded.train(8 * 4)
    assert loaded.steps == first.steps + 8 * 4
