"""Runs as the side panel shows them."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.labserver.runfolders import write_run, write_status
from workbench.errors import InputError
from workbench.labserver import listing
from workbench.labserver.listing import Listing, rounded, sparkline

ROWS = [
    (step, {"episode_return": 2.0 * step, "steps_per_second": 1000.0, "seconds": step / 1000}) for step in (1, 2, 4)
]


def test_a_run_is_described(tmp_path):
    git = {"revision": "0123456789abcdef", "dirty": True}
    run = write_run(tmp_path / "runs" / "one", seed=7, lanes=64, learner="native", git=git, rows=ROWS)
    (tmp_path / "a.ipynb").touch()
    write_status(run, goal=8, steps=5, seconds=0.005, episode_return=10.0, notebook=str(tmp_path / "a.ipynb"))
    answer = Listing(tmp_path).read("runs")
    assert answer["total"] == 1
    assert answer["runs"] == [
        {
            "path": "runs/one",
            "name": "one",
            "env": "CartPole-v1",
            "algorithm": "ppo",
            "seed": 7,
            "lanes": 64,
            "created": "2026-01-02T03:04:05+00:00",
            "learner": "native",
            "revision": "0123456789+",
            "state": "running",
            "steered": False,
            "goal": 8,
            "error": None,
            "notebook": "a.ipynb",
            "steps": 5,
            "seconds": 0.005,
            "steps_per_second": 1000.0,
            "episode_return": 10.0,
            "curve": {"at": [0.0, 0.3333, 1.0], "value": [2.0, 4.0, 8.0]},
        }
    ]


def test_what_a_run_did_not_say_is_taken_from_its_metrics(tmp_path):
    write_run(tmp_path / "runs" / "old", rows=ROWS)
    (record,) = Listing(tmp_path).read("runs")["runs"]
    assert (record["state"], record["steps"], record["seconds"], record["episode_return"]) == ("stopped", 4, 0.004, 8.0)
    assert record["notebook"] is None


def test_the_active_come_first_and_the_newest_next(tmp_path):
    for name, day in (("b", 2), ("a", 1), ("c", 3)):
        write_run(tmp_path / "x" / "runs" / name, created=f"2026-01-0{day}T00:00:00+00:00")
    write_run(tmp_path / "runs" / "d", created="2026-01-04T00:00:00+00:00")
    write_status(tmp_path / "x" / "runs" / "a", "paused")
    paths = [record["path"] for record in Listing(tmp_path).read("runs")["runs"]]
    assert paths == ["x/runs/a", "runs/d", "x/runs/c", "x/runs/b"]


def test_of_many_the_newest_are_told_and_all_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MOST", 2)
    for day in (1, 2, 3):
        write_run(tmp_path / "runs" / str(day), created=f"2026-01-0{day}T00:00:00+00:00")
    answer = Listing(tmp_path).read("runs")
    assert ([record["name"] for record in answer["runs"]], answer["total"]) == (["3", "2"], 3)


def test_only_what_changed_is_read_again(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write_run(tmp_path / "runs" / name, rows=ROWS)
    read, original = [], listing.course
    monkeypatch.setattr(listing, "course", lambda run: read.append(run.name) or original(run))
    runs = Listing(tmp_path)
    first = runs.read("runs")
    assert sorted(read) == ["a", "b"]
    assert runs.read("runs") == first
    assert len(read) == 2
    with (tmp_path / "runs" / "a" / "metrics.jsonl").open("a") as file:
        file.write('{"steps": 9, "episode_return": 5.0}\n')
    assert {record["name"]: record["steps"] for record in runs.read("runs")["runs"]} == {"a": 9, "b": 4}
    assert read[2:] == ["a"]


def test_a_sick_run_is_told_and_spoils_nothing(tmp_path):
    write_run(tmp_path / "runs" / "well", rows=ROWS)
    (tmp_path / "runs" / "sick").mkdir()
    (tmp_path / "runs" / "sick" / "run.json").write_text("{")
    damaged = {
        "a": '{"steps": "x", "loss": 1}',
        "b": '{"steps": 1, "episode_return": [1]}',
        "c": '{"change": 5}\n{"resumed_at": 1}',
    }
    for name, line in damaged.items():
        (write_run(tmp_path / "runs" / name) / "metrics.jsonl").write_text(f"{line}\n")
    odd = write_run(tmp_path / "runs" / "odd", env=3, seed=[], created=4, learner={}, git="x", lanes=float("nan"))
    write_status(odd, "stopped", steps=float("nan"), goal=float("inf"), steps_per_second=float("inf"), notebook=5)
    records = {record["name"]: record for record in Listing(tmp_path).read("runs")["runs"]}
    assert records["sick"]["error"].startswith("cannot be read: ")
    assert records["sick"]["curve"] == {"at": [], "value": []}
    assert (records["odd"]["steps"], records["odd"]["lanes"], records["odd"]["env"]) == (0, None, "")
    assert records["well"]["steps"] == 4
    for name in damaged:
        assert records[name]["error"].startswith("its metrics cannot be read: ")
        assert records[name]["curve"] == {"at": [], "value": []}
    json.dumps(records, allow_nan=False)


def test_a_folder_that_goes_is_empty(tmp_path):
    runs = Listing(tmp_path)
    run = write_run(tmp_path / "runs" / "a")
    assert runs.read("runs")["total"] == 1
    (run / "run.json").unlink()
    run.rmdir()
    (tmp_path / "runs").rmdir()
    assert runs.read("runs") == {"runs": [], "total": 0}


def test_a_folder_outside_is_refused(tmp_path):
    with pytest.raises(InputError, match="leads out"):
        Listing(tmp_path / "root").read("../runs")


def test_a_sparkline_is_the_mean_over_equal_shares_of_the_steps():
    steps = np.arange(4800, dtype=np.float64)
    drawn = sparkline(steps, np.where(steps % 2, 1.0, 3.0) + np.where(steps < 2400, 0.0, 10.0))
    assert len(drawn["at"]) == 48
    assert drawn["value"][:23] == [2.0] * 23
    assert drawn["value"][25:] == [12.0] * 23
    assert (drawn["at"][0], drawn["at"][-1]) == (0.0, 1.0)
    assert drawn["at"] == sorted(drawn["at"])


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_points_are_no_curve(count):
    assert sparkline(np.arange(count, dtype=np.float64), np.ones(count)) == {"at": [], "value": []}


@pytest.mark.parametrize(
    ("value", "shown"), [(1234567.0, 1234600.0), (-0.000123456, -0.00012346), (float("nan"), None)]
)
def test_numbers_are_short_and_finite(value, shown):
    assert rounded(value) == shown


def test_the_server_imports_no_torch_and_begins_without_numpy():
    script = (
        "import sys, workbench.labserver.handlers; assert not {'numpy', 'pandas', 'torch'} & set(sys.modules);"
        "import workbench.labserver.listing; assert not {'torch', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
