"""Batches: what is planned, what is executed, what becomes of a half-finished one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from workbench.batches import sweep
from workbench.batches.folder import BatchFolder, End
from workbench.batches.plan import parameters_of, tasks_of
from workbench.commands.sweep import parsed
from workbench.errors import InputError, UnknownNameError
from workbench.training.layout import RUNS_VARIABLE, fresh_path


def notebook(path, *cells, parameters="x = 1\nseed = 0\noutput = 'result.parquet'"):
    made = new_notebook(cells=[new_code_cell(parameters, metadata={"tags": ["parameters"]})])
    made.cells += [new_code_cell(cell) for cell in cells]
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, path)
    return path


HEARS_INTERRUPTS = """import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs lack
from workbench.cli import main
sys.exit(main())
"""
WRITES = "import pandas\npandas.DataFrame({'square': [x * x], 'seed_seen': [seed]}).to_parquet(output)"


# Plans.


def test_a_task_for_each_combination_and_each_seed():
    tasks = tasks_of({"a": [1, 2], "b": "x"}, 2)
    assert [task.parameters for task in tasks] == [
        {"a": 1, "b": "x", "seed": 0},
        {"a": 1, "b": "x", "seed": 1},
        {"a": 2, "b": "x", "seed": 0},
        {"a": 2, "b": "x", "seed": 1},
    ]
    assert tasks[3].name == "0003-a=2-b=x-seed=1"


def test_names_are_folders_whatever_the_values():
    (task,) = tasks_of({"env": "ALE/Pong-v5 .. %", "text": "y" * 200}, None)
    assert task.name.startswith("0000-env=ALE_Pong-v5_.._-text=yyy")
    assert len(task.name) <= 80


@pytest.mark.parametrize(
    ("grid", "seeds", "text"),
    [
        ({"a": []}, None, "is empty"),
        ({"a": [[1]]}, None, "pass numbers, strings, booleans or None"),
        ({"seed": [1]}, 2, "leave one of them out"),
        ({}, 0, "holds no seeds"),
        ({}, [-1], "holds no seeds"),
        ({}, True, "no number of seeds"),
        ({}, 1.5, "no number of seeds"),
    ],
)
def test_what_is_no_grid_is_refused(grid, seeds, text):
    with pytest.raises(InputError, match=text):
        tasks_of(grid, seeds)


def test_a_notebook_says_what_its_parameters_are(tmp_path):
    assert parameters_of(notebook(tmp_path / "a.ipynb"))["x"] == "1"
    made = new_notebook(cells=[new_code_cell("x = 1")])
    nbformat.write(made, tmp_path / "b.ipynb")
    with pytest.raises(InputError, match="tag the cell that sets them 'parameters'"):
        parameters_of(tmp_path / "b.ipynb")
    (tmp_path / "c.ipynb").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        parameters_of(tmp_path / "c.ipynb")
    with pytest.raises(InputError, match="is not there"):
        parameters_of(tmp_path / "d.ipynb")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"workers": 0}, "workers=0"),
        ({"retries": -1}, "retries=-1"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": True}, "timeout=True"),
    ],
)
def test_what_is_out_of_range_is_refused(tmp_path, settings, text):
    with pytest.raises(InputError, match=text):
        sweep(notebook(tmp_path / "a.ipynb"), folder=tmp_path / "b", **settings)


def test_a_parameter_that_the_notebook_has_not_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'seed'"):
        sweep(notebook(tmp_path / "a.ipynb"), {"seeds": [1]}, folder=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_another_batch_or_something_else_is_not_overwritten(tmp_path):
    folder, source = BatchFolder(tmp_path / "b"), notebook(tmp_path / "a.ipynb")
    folder.begin(source, tasks_of({"x": [1]}, None))
    folder.begin(source, tasks_of({"x": [1]}, None))
    with pytest.raises(InputError, match="another tasks"):
        folder.begin(source, tasks_of({"x": [2]}, None))
    notebook(source, "1")
    with pytest.raises(InputError, match="another sha256"):
        folder.begin(source, tasks_of({"x": [1]}, None))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds something else"):
        BatchFolder(tmp_path / "c").begin(source, [])


# Executions.


def test_a_batch_is_executed_summed_up_and_done_once(tmp_path, capsys):
    source = notebook(tmp_path / "a.ipynb", WRITES)
    ended = []
    batch = sweep(source, {"x": [2, 3]}, seeds=[5], folder=tmp_path / "b", report=lambda *end: ended.append(end))
    found = pandas.read_parquet(tmp_path / "b" / "results.parquet")
    assert found[["x", "seed", "state", "square", "seed_seen"]].to_dict("records") == [
        {"x": 2, "seed": 5, "state": "done", "square": 4, "seed_seen": 5},
        {"x": 3, "seed": 5, "state": "done", "square": 9, "seed_seen": 5},
    ]
    assert [end.state for _, end in ended] == ["done", "done"]
    summary = nbformat.read(tmp_path / "b" / "summary.ipynb", 4)
    assert [cell.execution_count for cell in summary.cells if cell.cell_type == "code"] == [1, 2]
    sweep(source, {"x": [2, 3]}, seeds=[5], folder=tmp_path / "b", report=lambda *end: ended.append(end))
    assert len(ended) == 2
    assert set(batch.states().values()) == {"done"}
    assert repr(batch).endswith("b: 2 done>")


def test_one_that_fails_says_why_and_is_tried_again(tmp_path, capsys):
    flag = tmp_path / "mended"
    source = notebook(
        tmp_path / "a.ipynb", f"import pathlib\nassert x == 1 or pathlib.Path({str(flag)!r}).exists(), 'no'"
    )
    batch = sweep(source, {"x": [1, 2]}, folder=tmp_path / "b", workers=1)
    assert batch.states() == {0: "done", 1: "failed"}
    end = json.loads((tmp_path / "b" / "0001-x=2" / "task.json").read_text())
    assert (end["error"], end["attempts"]) == ("AssertionError: no", 1)
    assert "2/2  0001-x=2  failed after" in capsys.readouterr().out
    flag.touch()
    again = sweep(source, {"x": [1, 2]}, folder=tmp_path / "b", workers=1)
    assert again.states() == {0: "done", 1: "done"}
    printed = capsys.readouterr().out
    assert "2/2  0001-x=2  done" in printed
    assert "0000" not in printed


@pytest.mark.slow
def test_a_kernel_that_does_not_start_is_tried_again(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "1")
    made = nbformat.read(source, 4)
    made.metadata["kernelspec"]["name"] = "no-such-kernel"
    nbformat.write(made, source)
    batch = sweep(source, folder=tmp_path / "b", retries=1, report=lambda *end: None)
    end = json.loads((tmp_path / "b" / batch.tasks[0].name / "task.json").read_text())
    assert (end["state"], end["attempts"]) == ("failed", 2)
    assert "no-such-kernel" in end["error"]


@pytest.mark.slow
def test_one_that_takes_too_long_is_ended(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "import threading\nthreading.Event().wait()")
    batch = sweep(source, folder=tmp_path / "b", timeout=3.0, report=lambda *end: None)
    assert batch.states() == {0: "timeout"}


@pytest.mark.slow
def test_runs_of_a_task_are_its_result(tmp_path):
    trains = "import workbench as wb\nt = wb.Trainer('CartPole-v1', wb.PPO(horizon=8), lanes=8, seed=seed)\nt.train(x)"
    source = notebook(tmp_path / "a.ipynb", trains, parameters="x = 1\nseed = 0")
    batch = sweep(source, {"x": 640}, seeds=1, folder=tmp_path / "b", report=lambda *end: None)
    (row,) = batch.results().to_dict("records")
    assert (row["state"], row["steps"], row["seed"]) == ("done", 640, 0)
    assert (tmp_path / "b" / row["run"] / "run.json").exists()
    assert row["episode_return"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_an_interrupted_batch_goes_on(tmp_path, request, sign, code):
    """Ctrl-C, or a scheduler's SIGTERM, ends every notebook and its kernel; what was done stays done."""
    waits = (
        f"import os, pathlib, threading\npathlib.Path({str(tmp_path)!r}, f'pid-{{x}}').write_text(str(os.getpid()))\n"
    )
    source = notebook(tmp_path / "a.ipynb", waits + "if x: threading.Event().wait()")
    flags = ["--grid", "x=0,1", "--workers", "1", "--folder", str(tmp_path / "b")]
    command = [sys.executable, "-c", HEARS_INTERRUPTS, "sweep", str(source), *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    request.addfinalizer(process.kill)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid-1").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, sign)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert (b"interrupted; the same command" in out) == (sign == signal.SIGINT)
    kernel = int((tmp_path / "pid-1").read_text() or 0)
    while kernel and Path(f"/proc/{kernel}").exists():
        assert time.monotonic() < deadline + 60
        time.sleep(0.05)
    folder, tasks = BatchFolder(tmp_path / "b"), tasks_of({"x": [0, 1]}, None)
    assert [folder.end_of(task) and folder.end_of(task).state for task in tasks] == ["done", None]


def test_results_that_were_torn_are_passed_over(tmp_path):
    folder, (task,) = BatchFolder(tmp_path), tasks_of({"x": 1}, None)
    folder.clear(task)
    (folder.of(task) / "result.parquet").write_bytes(b"PAR1")
    folder.finish(task, End("failed", 1.0, 1, "killed"))
    assert folder.results([task]).to_dict("records") == [{"task": 0, "x": 1, "state": "failed", "task_seconds": 1.0}]


# The command line, and where runs go.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=1,2.5,1e-3", ("a", [1, 2.5, 1e-3])),
        ("env=CartPole-v1", ("env", ["CartPole-v1"])),
        ("f=True,None,'a'", ("f", [True, None, "a"])),
        ("seed=-1..2,7", ("seed", [-1, 0, 1, 2, 7])),
        ("path=../a,1...2", ("path", ["../a", "1...2"])),
    ],
)
def test_values_are_read_as_python_reads_them(text, found):
    assert parsed(text) == found


@pytest.mark.parametrize("text", ["a", "=1", "a=", "a b=1"])
def test_what_names_no_values_is_refused(text):
    with pytest.raises(InputError, match="write NAME=VALUE,VALUE"):
        parsed(text)


@pytest.mark.parametrize("text", ["a=4..1", "a=0..10000"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(InputError, match="write a range upwards, of at most 10000 numbers"):
        parsed(text)


def test_runs_go_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv(RUNS_VARIABLE, str(tmp_path))
    assert fresh_path("A", "b").parent == tmp_path
    monkeypatch.delenv(RUNS_VARIABLE)
    assert fresh_path("A", "b").parent == Path("runs")
