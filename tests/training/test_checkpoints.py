"""Checkpoints that cannot be loaded say why."""

import json

import pytest

import workbench as wb
from workbench.errors import CheckpointError, RunDirectoryError


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=4), lanes=8, run_dir=folder, seed=0)
    trainer.train(4 * 8 * 3)
    return trainer


@pytest.fixture
def saved(finished, tmp_path):
    return finished.save(tmp_path / "saved")


def checkpoint(saved):
    (path,) = (saved / "checkpoints").iterdir()
    return path


def test_only_tensors_and_json_are_written(saved):
    files = sorted(path.name for path in saved.rglob("*") if path.is_file())
    assert files == ["metrics.jsonl", "run.json", "state.json", "tensors.safetensors"]


def test_a_checkpoint_itself_can_be_loaded(saved, finished):
    assert wb.load(checkpoint(saved)).steps == finished.steps


def test_a_truncated_checkpoint_is_refused(saved):
    tensors = checkpoint(saved) / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"is damaged .* load an earlier one"):
        wb.load(saved)


def test_a_truncated_state_is_refused(saved):
    state = checkpoint(saved) / "state.json"
    state.write_text(state.read_text()[:-10])
    with pytest.raises(CheckpointError, match=r"has no readable state\.json"):
        wb.load(saved)


def test_a_foreign_checkpoint_is_refused(saved):
    (checkpoint(saved) / "state.json").write_text(json.dumps({"model": "somebody else's"}))
    with pytest.raises(CheckpointError, match="was not written by rl-workbench"):
        wb.load(saved)


def test_a_newer_format_is_refused(saved):
    state = checkpoint(saved) / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "format_version": 99}))
    with pytest.raises(CheckpointError, match=r"has format 99, .* upgrade rl-workbench"):
        wb.load(saved)


def test_another_network_is_refused(saved):
    run = json.loads((saved / "run.json").read_text())
    run["hyperparameters"]["width"] = 32
    (saved / "run.json").write_text(json.dumps(run))
    with pytest.raises(CheckpointError, match="does not fit this run"):
        wb.load(saved)


def test_missing_tensors_are_refused(saved):
    state = checkpoint(saved) / "state.json"
    content = json.loads(state.read_text())
    content["tensors"] = content["tensors"][1:]
    state.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="do not belong together"):
        wb.load(saved)


def test_folders_that_hold_no_run_are_refused(tmp_path, saved):
    with pytest.raises(CheckpointError, match="holds no run"):
        wb.load(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text("[1, 2]")
    with pytest.raises(CheckpointError, match="holds no run"):
        wb.load(tmp_path)
    for path in (saved / "checkpoints").iterdir():
        path.rename(tmp_path / "moved")
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        wb.load(saved)


def test_saving_twice_replaces_and_saving_over_something_else_is_refused(finished, tmp_path):
    other = wb.Trainer("CartPole-v1", wb.PPO(horizon=4), lanes=8, run_dir=tmp_path / "other", seed=1)
    other.train(4 * 8)
    finished.save(tmp_path / "place")
    other.save(tmp_path / "place")
    assert wb.load(tmp_path / "place").steps == other.steps
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("do not lose me")
    with pytest.raises(RunDirectoryError, match="holds something else; choose a new folder"):
        finished.save(tmp_path / "full")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="cannot be written"):
        finished.save(tmp_path / "file" / "below")
