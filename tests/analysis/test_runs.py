"""Runs are found and read, whole or half-written, and without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest

import workbench as wb
from workbench.analysis.runs import Run, find_runs, open_run
from workbench.errors import InputError, RunDirectoryError
from workbench.training.layout import RUN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for name, seed in (("b", 1), ("nested/a", 2)):
        trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, seed=seed, run_dir=root / name)
        trainer.train(2000)
        trainer.close()
    (root / "other").mkdir()
    (root / ".hidden").mkdir()
    (root / ".hidden" / RUN).write_text("{}")
    return root


def test_runs_are_found_the_oldest_first(folder):
    assert [(run.name, run.seed, run.error) for run in find_runs(folder)] == [("b", 1, None), ("nested/a", 2, None)]


def test_a_run_is_found_in_itself(folder):
    (run,) = find_runs(folder / "b")
    assert run.name == "b"
    assert (run.environment, run.algorithm, run.hyperparameters["horizon"]) == ("CartPole-v1", "ppo", 8)


def test_what_a_run_tells_is_what_its_trainer_knew(folder):
    run = open_run(folder / "b")
    metrics = run.metrics()
    for name, curve in run.curves().items():
        np.testing.assert_array_equal(curve, metrics.series(name))
    assert set(run.curves(["entropy", "nothing"])) == {"entropy"}
    assert run.status().steps == 2048
    assert [path.name for path in run.checkpoints()] == ["000000000000000", "000000000002048"]
    assert run.best()["steps"] == 2048


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"env": "CartPole-v1"}', b"\xff"])
def test_one_that_cannot_be_read_says_why(tmp_path, content):
    (tmp_path / "sick").mkdir()
    (tmp_path / "sick" / RUN).write_bytes(content)
    (run,) = find_runs(tmp_path)
    assert run.error.startswith("cannot be read: ")
    assert run.status().state == "new"
    assert run.curves() == {}
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        open_run(tmp_path / "sick")


def test_one_that_went_meanwhile_is_empty(tmp_path):
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / RUN).write_text(json.dumps({"env": "A", "algorithm": "b", "hyperparameters": {}}))
    (run,) = find_runs(tmp_path)
    (tmp_path / "gone" / RUN).unlink()
    (tmp_path / "gone").rmdir()
    assert run.curves() == {}
    assert run.status().state == "new"
    assert run.checkpoints() == []
    assert Run(tmp_path / "gone").error is not None


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InputError, match="is no folder; name one that holds runs"):
        find_runs(tmp_path / "none")


def test_reading_and_comparing_runs_brings_no_torch():
    script = (
        "import sys, workbench.analysis.compare, workbench.analysis.importance, workbench.analysis.table\n"
        "sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
