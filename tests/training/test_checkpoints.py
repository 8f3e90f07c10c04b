"""Checkpoints that cannot be loaded say why; those that can describe themselves."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import workbench as wb
from workbench.errors import CheckpointError, RunDirectoryError
from workbench.training import files
from workbench.training import tensors as tensors_module
from workbench.training.checkpoints import read_checkpoint, save_checkpoint
from workbench.training.layout import checkpoints_of
from workbench.training.tensors import as_safetensors


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=4), lanes=8, run_dir=folder, seed=0)
    trainer.train(4 * 8 * 2)
    trainer.algorithm.learning_rate = 1e-3
    trainer.train(4 * 8)
    return trainer


@pytest.fixture
def saved(finished, tmp_path):
    return finished.save(tmp_path / "saved")


def checkpoint(saved):
    (path,) = (saved / "checkpoints").iterdir()
    return path


def summed(path):
    """Write the sums of what stands there, as if it had been written so."""
    names = ("state.json", "tensors.safetensors")
    lines = [f"{hashlib.sha256((path / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (path / "SHA256SUMS").write_text("".join(lines))


def change_state(path, **changes):
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, **changes}))
    summed(path)


def test_only_tensors_json_and_sums_are_written(saved):
    names = sorted(path.name for path in saved.rglob("*") if path.is_file())
    assert names == ["SHA256SUMS", "metrics.jsonl", "run.json", "state.json", "tensors.safetensors"]


def test_a_checkpoint_describes_itself(saved, finished):
    path = checkpoint(saved)
    text = (path / "state.json").read_text()
    state = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    tensors = load_file(path / "tensors.safetensors")
    assert {name: list(x.shape) for name, x in tensors.items()} == {k: x["shape"] for k, x in state["tensors"].items()}
    assert state["tensors"]["loop.algorithm.model.trunk.0.weight"] == {"dtype": "F32", "shape": [64, 4]}
    assert state["steps"] == finished.steps
    assert state["hyperparameters"]["learning_rate"] == 1e-3
    assert state["changes"] == [{"steps": 64, "name": "learning_rate", "old": 2.5e-3, "new": 1e-3}]
    assert state["run"]["hyperparameters"]["learning_rate"] == 2.5e-3
    assert state["run"]["versions"]["torch"] == torch.__version__
    assert set(state["run"]["git"] or {"revision": "", "dirty": False}) == {"revision", "dirty"}


def test_a_checkpoint_itself_can_be_loaded_also_far_from_its_run(saved, finished, tmp_path):
    path = checkpoint(saved)
    assert wb.load(path).steps == finished.steps
    moved = path.rename(tmp_path / "moved")
    alone = wb.load(moved)
    assert alone.steps == finished.steps
    assert alone.run_dir.parent.name == "runs"  # and what it trains is a run of its own
    assert not alone.run_dir.exists()


def test_a_truncated_checkpoint_is_refused(saved):
    tensors = checkpoint(saved) / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"is damaged \(tensors.safetensors differ.*; load an earlier one"):
        wb.load(saved)


@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors", "SHA256SUMS"])
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_a_flipped_bit_is_told(saved, name, place):
    file = checkpoint(saved) / name
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 4
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        wb.load(saved)


@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors", "SHA256SUMS"])
def test_a_missing_file_is_told(saved, name):
    (checkpoint(saved) / name).unlink()
    with pytest.raises(CheckpointError, match="is damaged"):
        wb.load(saved)


def test_a_foreign_checkpoint_is_refused(saved):
    (checkpoint(saved) / "state.json").write_text(json.dumps({"model": "somebody else's"}))
    summed(checkpoint(saved))
    with pytest.raises(CheckpointError, match="was not written by rl-workbench"):
        wb.load(saved)


def test_another_format_is_refused(saved):
    change_state(checkpoint(saved), format_version=99)
    with pytest.raises(CheckpointError, match=r"has format 99, .* upgrade rl-workbench"):
        wb.load(saved)
    change_state(checkpoint(saved), format_version=1, workbench="0.1")
    (checkpoint(saved) / "SHA256SUMS").unlink()  # the first format had none
    with pytest.raises(CheckpointError, match=r"has format 1, and this version reads 2 only; .* rl-workbench 0\.1"):
        wb.load(saved)


def test_another_network_is_refused(saved):
    run = json.loads((saved / "run.json").read_text())
    run["hyperparameters"]["width"] = 32
    (saved / "run.json").write_text(json.dumps(run))
    with pytest.raises(CheckpointError, match=r"does not fit this run: .* has shape \[64, 4\], not \[32, 4\]"):
        wb.load(saved)


class Owner:
    def __init__(self, **parts):
        self.saved = tuple(parts)
        self.__dict__.update(parts)


def test_what_is_missing_and_what_is_too_much_is_refused(tmp_path):
    save_checkpoint(Owner(a=1, b=torch.zeros(2)), tmp_path / "0")
    kept = read_checkpoint(tmp_path / "0")
    with pytest.raises(CheckpointError, match=r"does not fit this run: it has no b\."):
        kept.restore(Owner(a=1))
    with pytest.raises(CheckpointError, match=r"does not fit this run: c\."):
        kept.restore(Owner(a=1, b=torch.zeros(2), c=3))


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
    assert len(wb.read_metrics(tmp_path / "place")) == 1
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("do not lose me")
    with pytest.raises(RunDirectoryError, match="holds something else; choose a new folder"):
        finished.save(tmp_path / "full")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="cannot be written"):
        finished.save(tmp_path / "file" / "below")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_cannot_be_replaced_stays(finished, tmp_path, monkeypatch):
    finished.save(tmp_path / "place")
    rename = type(tmp_path).rename

    def full(self, target):
        if Path(target).name == "place" and not self.name.endswith(".gone"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(type(tmp_path), "rename", full)
    with pytest.raises(RunDirectoryError, match=r"place' cannot be written: .*No space left"):
        finished.save(tmp_path / "place")
    assert wb.load(tmp_path / "place").steps == finished.steps
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_saving_into_its_own_run_adds_a_checkpoint_and_leaves_one_of_these_steps(finished):
    before = checkpoints_of(finished.run_dir)
    finished.algorithm.clip = 0.1
    finished.save(finished.run_dir)
    after = checkpoints_of(finished.run_dir)
    assert [path.name.partition(".")[0] for path in after] == [path.name.partition(".")[0] for path in before]
    assert wb.load(finished.run_dir).algorithm.clip == 0.1  # a change between two trainings is not lost
    finished.algorithm.clip = 0.2


def test_everything_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    fsync, rename = os.fsync, type(tmp_path).rename

    def synced(descriptor):
        done.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def renamed(self, target):
        done.append(("rename", str(target)))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(type(tmp_path), "rename", renamed)
    save_checkpoint(Owner(a=torch.zeros(3)), tmp_path / "run" / "7")
    kinds = [(kind, Path(path).name) for kind, path in done]
    hidden = Path(done[0][1]).parent.name
    assert kinds == [
        ("fsync", "state.json"),
        ("fsync", "tensors.safetensors"),
        ("fsync", "SHA256SUMS"),
        ("fsync", hidden),
        ("rename", "7"),
        ("fsync", "run"),
    ]
    assert hidden.startswith(".7.")


def test_large_tensors_are_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(tensors_module, "PIECE", 100)
    wide = torch.arange(7 * 90, dtype=torch.int32).reshape(7, 90)
    tensors = {
        "contiguous": wide,
        "columns": wide[:, 3:60],  # a replay buffer that is not full
        "turned": wide.T,
        "stepped": wide.flatten()[::2],
        "bfloat16": wide.to(torch.bfloat16),
        "flags": wide > 9,
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "unsigned": torch.tensor([1, 2], dtype=torch.uint32),
    }
    digest = files.write_file(tmp_path / "x", as_safetensors(tensors))
    assert digest == files.digest_of(tmp_path / "x") == hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest()
    read = load_file(tmp_path / "x")
    assert read.keys() == tensors.keys()
    for name, x in tensors.items():
        assert read[name].dtype == x.dtype
        assert torch.equal(read[name], x), name
