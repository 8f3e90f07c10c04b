"""Whenever a run is killed, it goes on from the last checkpoint that it said was complete, or from a later one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import workbench as wb
from tests.training import trivial
from tests.training.crashing import Owner, told
from tests.training.trivial import LANES
from workbench.training import journal
from workbench.training.checkpoints import read_checkpoint
from workbench.training.layout import best_of, checkpoints_of, steps_of
from workbench.training.run_directory import newest_sound


def crash(folder, kind):
    """Return where children of a process worked, and how each ended."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    arguments = [sys.executable, "-m", "tests.training.crashing", str(folder), kind]
    done = subprocess.run(arguments, env=environment, cwd=folder, check=True, capture_output=True, text=True)
    return [(Path(path), code) for path, code in map(json.loads, done.stdout.splitlines())]


def resumed(run_dir):
    """Go on with what a kill left; return from where."""
    again = trivial.trainer(run_dir, resume="auto", checkpoint_seconds=3600.0)
    before = again.steps
    assert before >= told(run_dir)
    again.train(2 * LANES)
    again.close()
    assert list(run_dir.rglob(".*")) == []
    assert wb.read_metrics(run_dir).last("steps") == before + 2 * LANES
    return before


def test_a_kill_at_any_file_operation_leaves_a_sound_checkpoint_and_the_best(tmp_path):
    runs = crash(tmp_path, "saving")
    assert [code for _, code in runs] == [9] * (len(runs) - 1) + [0]
    assert len(runs) > 40
    for run_dir, _ in runs:
        found = checkpoints_of(run_dir)
        if not found:
            assert told(run_dir) == 0
            continue
        newest, owner = newest_sound(found), Owner()
        newest.restore(owner)
        assert owner.number == steps_of(newest.path) >= told(run_dir)
        assert owner.tensor.tolist() == [owner.number] * 9
        best = best_of(run_dir)
        if told(run_dir) >= 1:
            assert (best["steps"], best["mean_return"]) in ((1, 1.0), (2, 5.0))
            assert read_checkpoint(run_dir / "checkpoints" / best["checkpoint"]).scalars["number"] == best["steps"]
    assert [steps_of(path) for path in found] == [2, 3, 4]


@pytest.mark.slow
def test_a_kill_at_any_file_operation_leaves_a_run_that_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # outside of any repository, which takes time to look at
    runs = crash(tmp_path, "training")
    assert [code for _, code in runs] == [9] * (len(runs) - 1) + [0]
    assert len(runs) > 50
    reached = [resumed(run_dir) for run_dir, _ in runs]
    assert reached == sorted(reached)
    assert set(reached) == {0, 3 * LANES, 6 * LANES}
    for (run_dir, _), before in zip(runs, reached, strict=True):
        steps = wb.read_metrics(run_dir).series("policy_loss")[0]
        assert steps.tolist() == [LANES * n for n in range(1, before // LANES + 3)]  # no row is lost, or there twice


def test_a_kill_at_any_file_operation_leaves_all_entries_of_a_journal(tmp_path):
    runs = crash(tmp_path, "writing")
    assert [code for _, code in runs] == [9] * (len(runs) - 1) + [0]
    assert len(runs) > 50
    for folder, _ in runs:
        if folder.exists():
            assert sum(row["iterations"] for row in journal.read(folder)) - told(folder) in (0, 1)
    assert len(journal.segments(folder)) < 8
    assert max(row["iterations"] for row in journal.read(folder)) == 2  # so there was something to merge


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_run_that_goes_on(tmp_path):
    runs = crash(tmp_path, "any moment")
    assert [code for _, code in runs] == [-9] * 100
    assert resumed(runs[-1][0]) > 100 * LANES
