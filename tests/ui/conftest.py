"""Trainers to show, and panels that are closed again."""

import time

import pytest
from faketrainer import FakeTrainer


@pytest.fixture
def trainer():
    return FakeTrainer()


@pytest.fixture
def eventually():
    """Return a function that waits until a condition holds, and fails after ten seconds."""

    def wait(condition, what):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, f"waited ten seconds for {what}"
            time.sleep(0.005)

    return wait


@pytest.fixture
def panel(trainer):
    from workbench.ui.panel import Panel

    made = Panel(trainer)
    yield made
    trainer.stop()
    made.close()
