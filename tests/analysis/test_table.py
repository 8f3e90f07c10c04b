"""The table of runs: what it holds, what it filters, and how it reads."""

import math
import os
import re

import pytest

import workbench as wb
from tests.analysis.made import constant, make_run
from workbench.analysis.table import record
from workbench.errors import InputError, UnknownNameError
from workbench.training.files import as_json


@pytest.fixture
def folder(tmp_path):
    make_run(
        tmp_path, "a", constant(10.0), seed=1, learning_rate=1e-3, hidden=[64, 64], created="2026-01-01T10:00:00+00:00"
    )
    make_run(
        tmp_path,
        "b",
        constant(20.0, end=2000),
        seed=2,
        learning_rate=1e-2,
        hidden=[64, 64],
        created="2026-01-02T10:00:00+00:00",
    )
    make_run(tmp_path, "c", [], algorithm="sac", seed=3, tau=0.5, created="2026-01-03T10:00:00+00:00")
    status = {
        "state": "failed",
        "steps": 2500,
        "goal": 4000,
        "seconds": 3.0,
        "host": os.uname().nodename,
        "pid": os.getpid(),
    }
    (tmp_path / "b" / "status.json").write_bytes(as_json(status))
    (tmp_path / "sick").mkdir()
    (tmp_path / "sick" / "run.json").write_text("{")
    return tmp_path


def names(table):
    return [run.name for run in table]


def test_a_record_is_what_the_run_left(folder):
    runs = {run.name: run for run in wb.runs(folder)}
    found = record(runs["a"])
    assert (found["env"], found["algorithm"], found["seed"], found["state"]) == ("CartPole-v1", "ppo", 1, "stopped")
    assert (found["steps"], found["seconds"], found["episode_return"]) == (1000, 1.0, 10.0)
    assert (found["git"], found["dirty"]) == ("abcdef123456", False)
    assert record(runs["b"])["steps"] == 2500  # its status is newer than its rows
    young = record(runs["c"])
    assert (young["steps"], young["seconds"]) == (0, 0.0)
    assert math.isnan(young["episode_return"])
    assert set(record(runs["sick"])) == {"run", "error"}


def test_the_table_as_a_frame(folder):
    frame = wb.runs(folder).to_pandas().set_index("run")
    assert list(frame.columns[:6]) == ["env", "algorithm", "learning_rate", "seed", "git", "dirty"]
    assert frame.loc["a", "learning_rate"] == 1e-3
    assert frame.loc["b", "steps"] == 2500
    assert "cannot be read" in frame.loc["sick", "error"]
    assert "error" not in wb.runs(folder, algorithm="ppo").to_pandas()


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ({"algorithm": "ppo"}, ["a", "b"]),
        ({"learning_rate": 1e-2}, ["b"]),
        ({"learning_rate": [1e-3, 1e-2], "seed": 1}, ["a"]),
        ({"seed": {2, 3}}, ["b", "c"]),
        ({"hidden": [64, 64]}, ["a", "b"]),
        ({"hidden": [64]}, []),
        ({"state": "failed"}, ["b"]),
        ({"steps": lambda steps: steps > 0}, ["a", "b"]),
        ({"episode_return": lambda value: value > 15}, ["b"]),
        ({"environment": "CartPole-v1", "tau": 0.5}, ["c"]),
        ({"git": lambda revision: revision.startswith("abc")}, ["a", "b", "c"]),
        ({}, ["sick", "a", "b", "c"]),
    ],
)
def test_runs_are_chosen_by_conditions(folder, conditions, wanted):
    assert sorted(names(wb.runs(folder).where(**conditions))) == sorted(wanted)
    assert names(wb.runs(folder, **conditions)) == names(wb.runs(folder).where(**conditions))


def test_a_number_is_met_although_it_was_rounded(folder):
    assert names(wb.runs(folder).where(learning_rate=0.1 * 0.1)) == ["b"]


def test_what_no_run_has_is_refused(folder):
    with pytest.raises(UnknownNameError, match="condition 'learning_rte' is unknown; did you mean 'learning_rate'"):
        wb.runs(folder).where(learning_rte=1)
    with pytest.raises(InputError, match="is no folder"):
        wb.runs(folder / "nowhere")


def test_the_table_as_a_text(folder):
    text = str(wb.runs(folder))
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert lines["run"].split() == [
        "run",
        "state",
        "environment",
        "algorithm",
        "learning_rate",
        "seed",
        "revision",
        "steps",
        "return",
        "created",
    ]
    assert lines["a"].split() == [
        "a",
        "stopped",
        "CartPole-v1",
        "ppo",
        "0.001",
        "1",
        "abcdef1",
        "1,000",
        "10.0",
        "2026-01-01",
        "10:00",
    ]
    assert "cannot be read" in lines["sick"]
    assert repr(wb.runs(folder)) == f"<RunTable of 4 runs in {folder}>"


def test_a_revision_with_changes_has_a_mark(folder):
    table = wb.runs(folder, seed=1)
    table[0].description["git"]["dirty"] = True
    assert "abcdef1*" in str(table)


def test_many_runs_are_not_all_printed(tmp_path):
    for number in range(50):
        make_run(tmp_path, f"{number:02d}")
    lines = str(wb.runs(tmp_path)).splitlines()
    assert len(lines) == 42
    assert lines[1].startswith("10")
    assert lines[-1] == "and 10 older runs; to_pandas() has them all"


def test_the_table_in_html_needs_nothing_else(folder):
    make_run(folder, "<i>", constant(1.0), learning_rate=5.0)
    page = wb.runs(folder).html()
    assert "&lt;i&gt;" in page
    assert "<i>" not in page
    assert not re.search(r"(src|href)=|https?://|@import", page)
    assert page.count("<tr>") == 6
    assert '<td class=wbr-number data-value="1000">1,000</td>' in page
    assert '<span class=wbr-state data-state="failed">failed</span>' in page


def test_the_output_is_html_over_a_text(folder, tmp_path):
    table = wb.runs(folder)
    assert set(table._repr_mimebundle_()) == {"text/plain", "text/html"}
    (tmp_path / "empty").mkdir()
    assert wb.runs(tmp_path / "empty")._repr_mimebundle_() == {"text/plain": f"no runs in {tmp_path / 'empty'}"}


def test_the_table_is_saved(folder, tmp_path):
    table = wb.runs(folder, algorithm="ppo")
    assert table.save(tmp_path / "new" / "t.csv").read_text().startswith("run,env,algorithm,learning_rate")
    assert table.save(tmp_path / "t.md").read_text().startswith("| run | state |")
    assert table.save(tmp_path / "t.html").read_text().startswith("<!doctype html>")
    with pytest.raises(InputError, match=r"choose one of .html, .md, .csv"):
        table.save(tmp_path / "t.xlsx")


def test_it_goes_as_it_is_into_a_comparison(folder):
    assert len(wb.runs(folder)) == 4
    assert wb.compare(wb.runs(folder).where(algorithm="ppo")).groups == ["learning_rate=0.001", "learning_rate=0.01"]
