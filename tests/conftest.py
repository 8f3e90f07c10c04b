"""What every test gets: no settings from the environment of whoever runs the tests."""

import gc
import os

import pytest

# Compilers make objects by the million and keep them: to look through all of them as often as Python does by itself
# took an eighth of the time of a compilation.
gc.set_threshold(200_000, 20, 100)

if os.environ.get("PYTEST_XDIST_WORKER"):
    # Each of several processes that test side by side, and what they start, has one thread of torch's.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    """Begin with what takes longest: at the end one core would be at it while the others idle."""
    items.sort(key=lambda item: -max((mark.kwargs.get("minutes", 0) for mark in item.iter_markers("slow")), default=0))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in [name for name in os.environ if name.startswith("WORKBENCH_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def refused(capsys):
    """Give a function that runs a command which must fail on its input, and returns the one line it says."""

    def run(*arguments):
        from workbench.cli import main

        assert main(list(arguments)) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run
