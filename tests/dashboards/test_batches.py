"""Batches from the dashboard: what may be executed, what is refused, how far it is, and how it ends."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

import workbench as wb
from tests.analysis.made import make_run, rising
from tests.batches.test_sweep import notebook
from workbench.batches.folder import BatchFolder, End
from workbench.batches.plan import parameters_of, tasks_of
from workbench.batches.progress import find_batches, progress_of
from workbench.batches.progress import stop as stop_batch
from workbench.dashboards import batches as module
from workbench.dashboards.batches import TEMPLATES, Batches
from workbench.errors import InputError
from workbench.training.status import process_began

SUPPLIED = "supplied: train.ipynb"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a folder of runs; every look looks at everything."""
    monkeypatch.setattr(module, "PERIOD", 0.0)
    (tmp_path / "runs").mkdir()
    return tmp_path


@pytest.fixture
def batches(place):
    return Batches(place / "runs", place)


def asked(batches, **command):
    batches.obey(command)
    return batches.look()


def until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_notebooks_with_parameters_are_found_and_no_others(place, batches):
    notebook(place / "train.ipynb")
    (place / "more").mkdir()
    notebook(place / "more" / "ours.ipynb", parameters="rate: float = 1.0\nseed = 0\nfirst.second = 1")
    (place / "plain.ipynb").write_text('{"cells": []}')
    (place / "torn.ipynb").write_text("{")
    for other in (".hidden", "runs/batch", "a/b/c"):
        (place / other).mkdir(parents=True)
        notebook(place / other / "other.ipynb")
    (place / "runs" / "batch" / "batch.json").touch()
    found = dict(asked(batches, kind="find")["notebooks"])
    assert found == {
        "more/ours.ipynb": ["rate", "seed"],
        "train.ipynb": ["x", "seed", "output"],
        SUPPLIED: ["environment", "steps", "learning_rate", "clip", "seed"],
    }


def test_the_supplied_notebook_trains_with_what_it_has():
    declared = parameters_of(TEMPLATES / "train.ipynb")
    defaults = wb.PPO()
    assert float(declared["learning_rate"]) == defaults.learning_rate
    assert float(declared["clip"]) == defaults.clip


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ({"notebook": "../train.ipynb", "grid": ""}, "notebook '../train.ipynb' is unknown"),
        ({"notebook": SUPPLIED, "grid": "rate=1"}, "parameter 'rate' is unknown"),
        ({"notebook": SUPPLIED, "grid": "clip"}, "names no values"),
        ({"notebook": SUPPLIED, "grid": "clip=1 seed=4..1"}, "write a range upwards"),
        ({"notebook": SUPPLIED, "grid": "--folder=/tmp"}, "names no values"),
        ({"notebook": SUPPLIED, "grid": 'clip="1'}, "close every quotation"),
        ({"notebook": SUPPLIED, "grid": "clip=" + "1," * 2000}, "write at most"),
        ({"notebook": SUPPLIED, "grid": "clip=1", "workers": 0}, "workers=0 is out of range"),
    ],
)
def test_what_cannot_be_executed_is_refused_in_a_sentence(batches, command, text, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    batches.obey({"kind": "find"})
    remark = asked(batches, kind="begin", **command)["remark"]
    assert text in remark["text"]
    assert remark["tone"] == "error"


def test_values_with_spaces_are_quoted(place, batches, monkeypatch):
    begun = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: begun.append(command))
    notebook(place / "a.ipynb")
    batches.find()
    batches.begin("a.ipynb", """output='a b',"c" x=1""", None)
    batches._begun.pop()[1].close()
    assert begun[0][-2:] == ["--grid=output=a b,c", "--grid=x=1"]


def test_a_batch_is_executed_watched_and_ended(place, batches):
    waits = f"import os, pathlib, threading\npathlib.Path({str(place)!r}, f'pid-{{x}}').write_text(str(os.getpid()))\n"
    notebook(place / "a.ipynb", waits + "if x: threading.Event().wait()")
    batches.obey({"kind": "find"})
    shown = asked(batches, kind="begin", notebook="a.ipynb", grid="x=0..1 seed=7", workers=1)
    assert shown["remark"]["tone"] == "good", shown
    until((place / "pid-1").exists)
    (row,) = batches.look()["batches"]
    counts = {"tasks": 2, "done": 1, "failed": 0}
    assert row == {"name": row["name"], "notebook": "a.ipynb", **counts, "executed": True}
    assert row["name"].startswith("a-")
    folder = place / "runs" / row["name"]
    given = [task["seed"] for task in json.loads((folder / "batch.json").read_bytes())["tasks"]]
    assert given == [7, 7]
    assert asked(batches, kind="end", batch=row["name"])["remark"] is None
    until(lambda: not batches.look()["batches"][0]["executed"])
    kernel = int((place / "pid-1").read_text())
    until(lambda: not Path(f"/proc/{kernel}").exists())
    assert batches.look()["batches"] == [row | {"executed": False}]
    assert "no process of this machine executes it" in asked(batches, kind="end", batch=row["name"])["remark"]["text"]
    assert "batch 'other' is unknown" in asked(batches, kind="end", batch="other")["remark"]["text"]
    assert progress_of(folder).done == 1


def test_a_batch_that_does_not_come_to_execute_anything_says_why(place, batches):
    notebook(place / "a.ipynb")
    batches.obey({"kind": "find"})
    batches.begin("a.ipynb", "x=1", None)
    (process, log, name) = batches._begun[0]
    process.kill()
    process.wait()
    log.seek(0)
    log.truncate()
    log.write(b"first\nfolder='x' cannot be written\n")
    assert batches.look()["remark"] == {"text": f"{name}: folder='x' cannot be written", "tone": "error"}


def test_how_far_a_batch_is_is_read_from_its_folder(tmp_path):
    tasks = tasks_of({"x": [1, 2, 3]}, None)
    source = notebook(tmp_path / "a.ipynb")
    folder = BatchFolder(tmp_path / "deep" / "b")
    folder.begin(source, tasks)
    for task, state in zip(tasks, ("done", "timeout"), strict=False):
        folder.clear(task)
        folder.finish(task, End(state, 1.0, 1))
    assert find_batches(tmp_path) == [folder.path]
    seen = progress_of(folder.path)
    assert (seen.tasks, seen.done, seen.failed, seen.executed) == (3, 1, 1, False)
    with folder.executing():
        assert progress_of(folder.path).executed
    assert not progress_of(folder.path).executed
    here = {"host": socket.gethostname(), "pid": os.getpid(), "began": process_began(os.getpid())}
    for other in ({"host": "elsewhere"}, {"began": here["began"] + 1}, {"pid": None}):
        (folder.path / "process.json").write_text(json.dumps(here | other))
        assert not progress_of(folder.path).executed
    (folder.path / "process.json").write_text("{")
    assert not progress_of(folder.path).executed
    with pytest.raises(InputError, match="no process of this machine executes it"):
        stop_batch(folder.path)
    (folder.path / "batch.json").write_text("[]")
    assert progress_of(folder.path) is None


def test_the_page_begins_batches_where_it_was_allowed(place, monkeypatch):
    monkeypatch.chdir(place)
    make_run(place / "runs", "one", rising(1))
    assert wb.dashboard("runs")._batches is None
    assert wb.dashboard("runs/one", batches=True)._batches is None
    assert isinstance(wb.dashboard("runs", batches=True)._batches, Batches)
