"""What the dashboard knows of a folder is what lies there, whatever happens to it meanwhile."""

import gc
import json
import shutil
import weakref

import numpy as np
import pytest

from tests.dashboards.conftest import STEPS
from workbench.analysis.runs import Run
from workbench.dashboards import folder as module
from workbench.dashboards.folder import Folder, folder_at, spark
from workbench.training.status import FILE


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every look looks at everything."""
    for name in ("PERIOD", "SEARCH", "SPARK_PERIOD"):
        monkeypatch.setattr(module, name, 0.0)


def looked(folder):
    folder.look(60.0)
    return {row["id"]: row for row in folder.rows()}


def test_the_rows_say_what_the_runs_say(folder):
    watched = Folder(folder)
    rows = looked(watched)
    assert list(rows) == ["first", "second"]
    status = Run(folder / "second").status()
    assert rows["second"] == {
        "id": "second",
        "environment": "CartPole-v1",
        "algorithm": "Trivial",
        "seed": 1,
        "state": "stopped",
        "steps": STEPS,
        "goal": STEPS,
        "steps_per_second": None,  # it has none now
        "episode_return": status.episode_return,
        "heard": status.heard,
        "error": None,
    }
    assert rows["second"]["episode_return"] > rows["first"]["episode_return"]
    assert watched.sparks() == dict.fromkeys(rows, watched.sparks()["first"])  # the same line, twice as high


def test_a_run_that_goes_on_is_followed(live, folder):
    watched = Folder(folder)
    first = looked(watched)["live"]
    assert first["state"] == "running"
    live.pause()
    while looked(watched)["live"]["state"] != "paused":
        pass
    assert looked(watched)["live"]["steps"] == live.steps >= first["steps"]
    assert len(watched.sparks()["live"]) > 1


def test_runs_come_and_go(folder):
    watched = Folder(folder)
    looked(watched)
    shutil.copytree(folder / "first", folder / "third")
    shutil.rmtree(folder / "second")
    assert set(looked(watched)) == {"first", "third"}
    shutil.rmtree(folder)
    assert looked(watched) == {}
    folder.mkdir()
    assert looked(watched) == {}


def test_another_run_of_the_same_name_is_another_run(folder):
    watched = Folder(folder)
    before = looked(watched)["first"]
    shutil.rmtree(folder / "first")
    shutil.copytree(folder / "second", folder / "first")
    after = looked(watched)["first"]
    assert (before["seed"], after["seed"]) == (0, 1)
    assert after["episode_return"] == looked(watched)["second"]["episode_return"]


DAMAGE = {
    "a torn line": ("metrics.jsonl", lambda text: text[:-7]),
    "half of the metrics": ("metrics.jsonl", lambda text: text[: len(text) // 2]),
    "no metrics": ("metrics.jsonl", None),
    "empty metrics": ("metrics.jsonl", lambda text: b""),
    "binary metrics": ("metrics.jsonl", lambda text: b"\xff\x00" * 500),
    "half of an overview": ("overview.safetensors", lambda text: text[: len(text) // 2]),
    "no overview": ("overview.safetensors", None),
    "half of a status": ("status.json", lambda text: text[: len(text) // 2]),
    "no status": ("status.json", None),
    "another status": ("status.json", lambda text: b'{"state": 3}'),
    "half of a description": ("run.json", lambda text: text[: len(text) // 2]),
    "another description": ("run.json", lambda text: b"[]"),
}


@pytest.mark.parametrize("known", [False, True], ids=["before", "meanwhile"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_spoils_no_other(folder, damage, known):
    name, change = DAMAGE[damage]
    watched = Folder(folder)
    if known:
        looked(watched)
    path = folder / "first" / name
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    rows = looked(watched)
    assert (rows["second"]["state"], rows["second"]["steps"]) == ("stopped", STEPS)
    assert rows["first"]["state"] == ("unreadable" if name == "run.json" else "stopped")
    if name == "run.json":
        assert rows["first"]["error"].startswith("cannot be read: ")
    if name == "status.json":  # then the metrics tell
        assert rows["first"]["steps"] == STEPS
    assert watched.entries["second"].course().curves["episode_return"][0][-1] == STEPS
    assert isinstance(watched.entries["first"].course().curves, dict)


def test_what_did_not_change_is_not_read_again(folder, monkeypatch):
    watched, read = Folder(folder), []
    looked(watched)
    watched.entries["first"].course()
    monkeypatch.setattr(module, "_course", lambda run: read.append(("course", run.name)))
    monkeypatch.setattr(Run, "status", lambda run: read.append(("status", run.name)))
    looked(watched)
    watched.entries["first"].course()
    assert read == []


def test_a_look_is_short_and_goes_on_where_it_ended(folder, monkeypatch):
    watched = Folder(folder)
    watched.look(0.0)
    assert len(watched.rows()) == 2
    assert watched.sparks() == {}
    watched.look(60.0)
    assert len(watched.sparks()) == 2


def test_looks_in_a_row_look_once(folder, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 1e9)
    monkeypatch.setattr(module, "SEARCH", 1e9)
    watched = Folder(folder)
    looked(watched)
    status = json.loads((folder / "first" / FILE).read_text())
    (folder / "first" / FILE).write_text(json.dumps({**status, "steps": 1}))
    shutil.rmtree(folder / "second")
    assert looked(watched)["first"]["steps"] == STEPS
    assert len(watched.rows()) == 2


def test_pages_share_a_folder_while_one_of_them_has_it(folder):
    watched = folder_at(folder)
    assert folder_at(folder) is watched
    gone = weakref.ref(watched)
    del watched
    gc.collect()
    assert gone() is None


def test_the_line_of_returns_is_of_means_from_the_lowest_to_the_highest():
    assert spark(np.array([])) == spark(np.array([1.0])) == []
    assert spark(np.array([3.0, 3.0])) == [50, 50]
    assert spark(np.array([-2.0, 0.0, 2.0])) == [0, 50, 100]
    assert spark(np.arange(4000.0)) == [round(100 * k / 39) for k in range(40)]
    values = np.zeros(80)
    values[1::2] = 10.0  # means of two each
    assert spark(values) == [50] * 40
