"""The benchmark of vectorisation, whose contestants have any number of lanes."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "benchmarks" / "vectorisation.py"


@pytest.fixture(scope="module")
def vectorisation():
    spec = importlib.util.spec_from_file_location("vectorisation", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("lanes", "batch"), [(1, 1), (2, 1), (5, 2)])
def test_the_first_half_of_the_lanes_is_at_least_one(vectorisation, lanes, batch):
    build = vectorisation.contestants(lanes)["processes, the first half"]
    # In threads, which take the same arguments, and see the class without importing this benchmark again.
    step, close = build(vectorisation.Pictures, backend="threads")
    assert [step() for _ in range(3)] == [batch] * 3
    close()
