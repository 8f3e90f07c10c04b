"""Sinks of the tests stay offline, quiet, and in temporary folders."""

import gc
import os
import sys
import tempfile
import threading

import pytest

os.environ["TRACKIO_DIR"] = tempfile.mkdtemp(prefix="trackio-")  # Trackio reads it when it is imported


@pytest.fixture(scope="session", autouse=True)
def _own_services_end():
    yield
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    settings = {"MODE": "offline", "SILENT": "true", "ERROR_REPORTING": "false", "X_DISABLE_STATS": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(f"WANDB_{name}", value)


@pytest.fixture(autouse=True)
def _no_thread_of_ours_stays():
    yield
    gc.collect()  # a trainer listens as long as it lives
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("workbench")] == []
