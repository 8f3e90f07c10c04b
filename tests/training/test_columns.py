"""A few columns of a run are those of all its metrics, from whichever file they come."""

import sys

import numpy as np
import pytest

from workbench.errors import RunDirectoryError
from workbench.training import journal, overview
from workbench.training.columns import read_columns
from workbench.training.metrics import Metrics, read_metrics

NAMES = ("seconds", "episode_return", "evaluation_return", "entropy", "nothing")


@pytest.fixture
def metrics(tmp_path):
    made = Metrics(limit=1 << 18)
    made.open(tmp_path)
    yield made
    made.close()


def rows(metrics, start, end):
    """Rows of numbers that no rounding hides; few have an evaluation, and the first ones no return."""
    random = np.random.default_rng(start)
    for k in range(start, end):
        row = {"seconds": k * np.pi, "entropy": float(random.normal()), "clip": 1e-300 * random.random()}
        row |= {"episode_return": float(random.normal())} if k > 7 else {}
        metrics.append(100 * k, row | ({"evaluation_return": float(random.normal())} if k % 50 == 0 else {}))


def same(directory, choices=(("episode_return", "seconds"), NAMES, ("nothing",), ())):
    """Compare choices of columns with all rows, bit for bit."""
    whole = read_metrics(directory).to_pandas()
    for names in choices:
        found = read_columns(directory, names)
        assert set(found) == {"steps", *names} & {*whole}
        for name, values in found.items():
            np.testing.assert_array_equal(values, whole[name].to_numpy(), err_msg=name)


@pytest.fixture(params=["pyarrow", "json"])
def parser(request, monkeypatch):
    if request.param == "json":
        monkeypatch.setitem(sys.modules, "pyarrow", None)


@pytest.mark.usefixtures("parser")
def test_columns_of_a_journal_alone(metrics, tmp_path):
    rows(metrics, 1, 1500)
    metrics.append_change(150_000, "clip", 0.2, 0.1)
    assert len(journal.segments(tmp_path)) > 2
    assert not (tmp_path / overview.FILE).exists()
    same(tmp_path)


@pytest.mark.usefixtures("parser")
def test_rows_that_were_taken_back_are_not_there(metrics, tmp_path):
    rows(metrics, 1, 300)
    metrics.take_back(20_000)
    rows(metrics, 201, 400)
    metrics.take_back(19_950)
    rows(metrics, 200, 250)
    assert read_columns(tmp_path, [])["steps"].tolist() == [100.0 * k for k in range(1, 250)]
    same(tmp_path)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "torn", [b'{"steps": 700, "secon', b'\n{"steps": 7\n{"steps": 9000, "seconds": 2}', b"\xff\n[]\n"]
)
def test_torn_lines_are_passed_over(metrics, tmp_path, torn):
    rows(metrics, 1, 60)
    with (tmp_path / journal.FILE).open("ab") as file:
        file.write(torn)
    same(tmp_path)


def test_an_overview_brings_them_and_the_journal_what_came_after(tmp_path):
    metrics = Metrics()
    metrics.open(tmp_path)
    rows(metrics, 1, 300)
    metrics.sync()
    written = (tmp_path / journal.FILE).stat().st_size
    rows(metrics, 300, 320)
    metrics.take_back(29_500)
    rows(metrics, 296, 330)
    metrics.close()
    same(tmp_path)
    expected = read_columns(tmp_path, NAMES[:3])
    with (tmp_path / journal.FILE).open("r+b") as file:
        file.write(b" " * written)
    found = read_columns(tmp_path, NAMES[:3])
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])


def test_of_a_run_longer_than_memory_an_overview_has_what_its_trainer_has(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.training.metrics.MOST_ROWS", 64)
    metrics = Metrics()
    metrics.open(tmp_path)
    rows(metrics, 1, 1000)
    metrics.sync()
    metrics.close()
    assert len(metrics) < 200
    same(tmp_path, [NAMES[:3]])


@pytest.mark.parametrize("content", [b"", b"nonsense" * 40])
def test_a_torn_overview_is_passed_over(metrics, tmp_path, content):
    rows(metrics, 1, 50)
    (tmp_path / overview.FILE).write_bytes(content)
    same(tmp_path)


def test_no_metrics_are_an_error(tmp_path):
    with pytest.raises(RunDirectoryError, match="holds no metrics"):
        read_columns(tmp_path, ["seconds"])
