"""The side panel steers a trainer through its control channel."""

import time

import pytest

import workbench as wb
from tests.labserver.runfolders import write_run
from workbench.errors import InputError
from workbench.labserver.listing import Listing
from workbench.labserver.steering import steer
from workbench.ui.steering import SteeringError


@pytest.fixture
def trainer(tmp_path):
    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, seed=1, run_dir=tmp_path / "runs" / "a")
    trainer.start(1_000_000_000)
    yield trainer
    trainer.stop()
    trainer.wait()
    trainer.close()


def test_a_trainer_does_what_is_asked(tmp_path, trainer):
    def told(state):
        """Wait until the run tells that it is in `state` and has begun: it does at the end of an iteration."""
        deadline = time.monotonic() + 30
        listing = Listing(tmp_path)
        while (record := listing.read("runs")["runs"][0])["state"] != state or not record["steps"]:
            assert time.monotonic() < deadline, record
            time.sleep(0.01)
        return record["steered"]

    assert told("running")
    steer(tmp_path, {"run": "runs/a", "kind": "pause"})
    assert trainer.status == "paused"
    assert told("paused")
    steer(tmp_path, {"run": "runs/a", "kind": "resume"})
    assert trainer.status == "running"
    steer(tmp_path, {"run": "runs/a", "kind": "stop"})
    trainer.wait()
    assert trainer.status == "stopped"
    assert told("stopped")
    steer(tmp_path, {"run": "runs/a", "kind": "start"})
    assert trainer.status == "running"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"run": "runs/a", "kind": "set", "name": "clip", "value": 1}, "kind='set' is unknown"),
        ({"run": "runs/a"}, "kind=None is unknown"),
        ([], "kind=None is unknown"),
        (None, "kind=None is unknown"),
        ({"run": 3, "kind": "stop"}, "run=3 is no path"),
        ({"run": "../runs/a", "kind": "stop"}, "leads out of the server's folder"),
    ],
)
def test_anything_else_is_refused(tmp_path, message, reason):
    with pytest.raises(InputError, match=reason):
        steer(tmp_path, message)


def test_where_nobody_listens_it_says_so(tmp_path):
    write_run(tmp_path / "runs" / "a")
    with pytest.raises(SteeringError, match=r"no trainer of run .* listens"):
        steer(tmp_path, {"run": "runs/a", "kind": "stop"})
