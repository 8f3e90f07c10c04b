"""A folder with runs: two that have ended, and a trainer whose run goes on."""

import shutil
import threading

import pytest

from tests.training import trivial
from workbench.events import Progress

STEPS = 40 * trivial.LANES


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """Two runs that have ended; tests work on copies."""
    root = tmp_path_factory.mktemp("recorded")
    for seed, name in enumerate(("first", "second")):
        trainer = trivial.trainer(root / name, seed=seed)
        trainer.algorithm.returns = lambda collected, seed=seed: float(collected * (seed + 1))
        trainer.train(STEPS)
        trainer.close()
    return root


@pytest.fixture
def folder(recorded, tmp_path):
    return shutil.copytree(recorded, tmp_path / "runs")


@pytest.fixture
def live(folder):
    """A trainer that trains until it is closed."""
    trainer = trivial.trainer(folder / "live", seed=7)
    begun = threading.Event()
    trainer.on(Progress, lambda event: begun.set())
    trainer.start(10**12)
    begun.wait()
    yield trainer
    trainer.close()
