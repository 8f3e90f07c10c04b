"""A run says where it is, and whoever reads it knows whether it still goes on."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

import workbench as wb
from workbench.events import Paused, Resumed
from workbench.training import status as module
from workbench.training.files import as_json
from workbench.training.status import FILE, Heartbeat, Status, read_status


def write(folder, **more):
    (folder / FILE).write_bytes(as_json(dataclasses.asdict(Status(**more))))


def here():
    about = Heartbeat(None)._about
    return {"host": about["host"], "pid": about["pid"], "began": about["began"]}


def test_a_run_says_how_it_goes_and_how_it_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/a/cart.ipynb")
    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, run_dir=tmp_path / "run")
    assert read_status(tmp_path / "run").state == "new"
    seen = []
    trainer.on(wb.events.Started, lambda event: seen.append(read_status(trainer.run_dir)))
    trainer.train(2000)
    assert seen[0].state == "running"
    assert seen[0].goal == 2000
    assert seen[0].pid == os.getpid()
    ended = read_status(trainer.run_dir)
    assert (ended.state, ended.reason, ended.steps, ended.goal) == ("stopped", "steps", trainer.steps, 2000)
    assert ended.episode_return == trainer.metrics.last("episode_return")
    assert ended.steps_per_second == trainer.metrics.last("steps_per_second")
    assert ended.notebook == "/home/a/cart.ipynb"
    assert abs(ended.heard - time.time()) < 3600
    trainer.close()


def test_a_pause_is_said_and_told(tmp_path):
    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, run_dir=tmp_path)
    states, told = [], []

    def paused(event):
        states.append(read_status(tmp_path).state)
        told.append(event)
        trainer.resume()

    trainer.on(Paused, paused)
    trainer.on(Resumed, lambda event: (states.append(read_status(tmp_path).state), told.append(event)))
    trainer.on(wb.events.Started, lambda event: trainer.pause())
    trainer.train(2000)
    assert states == ["paused", "running"]
    assert [type(event) for event in told] == [Paused, Resumed]
    trainer.close()


def test_a_pause_that_ends_with_a_stop_is_not_resumed(tmp_path):
    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, run_dir=tmp_path)
    told = []
    trainer.on(Resumed, told.append)
    trainer.on(Paused, lambda event: trainer.stop())
    trainer.on(wb.events.Started, lambda event: trainer.pause())
    trainer.train(2000)
    assert told == []
    assert read_status(tmp_path).reason == "stopped"
    trainer.close()


def test_a_failure_is_said_in_one_line(tmp_path):
    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, run_dir=tmp_path)

    def fail(event):
        raise RuntimeError("two\nlines")

    trainer.subscribe(fail)
    with pytest.raises(RuntimeError):
        trainer.train(2000)
    ended = read_status(tmp_path)
    assert (ended.state, ended.reason, ended.error) == ("failed", "failed", "RuntimeError: two lines")
    trainer.close()


def test_a_process_that_is_gone_is_lost(tmp_path):
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    write(tmp_path, **here() | {"pid": int(child.stdout)}, state="running")
    assert read_status(tmp_path).state == "lost"


@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_process_that_is_there_goes_on(tmp_path, state):
    write(tmp_path, **here(), state=state)
    assert read_status(tmp_path).state == state


@pytest.mark.skipif(module.process_began(os.getpid()) is None, reason="only Linux tells when a process began")
def test_another_process_of_the_same_number_is_not_it(tmp_path):
    write(tmp_path, **here() | {"began": 1}, state="running")
    assert read_status(tmp_path).state == "lost"


@pytest.mark.parametrize(
    ("state", "ago", "found"),
    [("running", 1.0, "running"), ("running", 1e4, "lost"), ("paused", 1e4, "paused"), ("stopped", 1e4, "stopped")],
)
def test_another_machine_is_believed_as_long_as_it_is_heard(tmp_path, state, ago, found):
    write(tmp_path, host="elsewhere", pid=1, state=state, heard=time.time() - ago)
    assert read_status(tmp_path).state == found


@pytest.mark.parametrize("content", [b"", b"[]", b'{"state": 3}', b'{"steps": "many"}', b"\xff\xfe"])
def test_what_is_no_status_is_passed_over(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    assert read_status(tmp_path) == Status("new")
    (tmp_path / "metrics.jsonl").write_bytes(b"")
    assert read_status(tmp_path) == Status("stopped")


def test_a_later_version_may_say_more(tmp_path):
    (tmp_path / FILE).write_text(json.dumps({"state": "stopped", "steps": 3, "mood": "good"}))
    assert read_status(tmp_path).steps == 3
