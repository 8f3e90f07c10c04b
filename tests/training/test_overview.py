"""The overview of a run says what its journal says."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from workbench.training import journal, overview
from workbench.training.metrics import Metrics, read_metrics


@pytest.fixture
def metrics(tmp_path):
    made = Metrics()
    made.open(tmp_path)
    yield made
    made.close()


def rows(metrics, start, end):
    for k in range(start, end):
        metrics.append(
            100 * k, {"episode_return": float(k % 37), **({"evaluation_return": float(k)} if k % 5 == 0 else {})}
        )


def same(directory):
    """Compare the overview with all rows of the journal."""
    found, whole = overview.read(directory).curves, read_metrics(directory)
    assert set(found) == set(whole.names()) - {"steps"}
    for name, curve in found.items():
        np.testing.assert_array_equal(curve, whole.series(name), err_msg=name)


def test_without_an_overview_the_journal_is_read(metrics, tmp_path):
    rows(metrics, 1, 50)
    assert not (tmp_path / overview.FILE).exists()
    same(tmp_path)


def test_an_overview_and_the_rows_after_it(metrics, tmp_path):
    rows(metrics, 1, 50)
    metrics.append_change(3000, "clip", 0.2, 0.1)
    metrics.sync()
    rows(metrics, 50, 60)
    metrics.append_change(5000, "clip", 0.1, 0.3)
    same(tmp_path)
    assert overview.read(tmp_path).changes == metrics.changes()
    assert len(metrics.changes()) == 2
    assert load_file(tmp_path / overview.FILE)["episode_return"].shape == (2, 49)


def test_only_the_rows_after_it_are_read(metrics, tmp_path):
    rows(metrics, 1, 50)
    metrics.sync()
    text = (tmp_path / journal.FILE).read_bytes()
    (tmp_path / journal.FILE).write_bytes(b" " * len(text))
    rows(metrics, 50, 60)
    steps, values = overview.read(tmp_path).curves["episode_return"]
    assert steps.tolist() == [100.0 * k for k in range(1, 60)]
    assert values.tolist() == [float(k % 37) for k in range(1, 60)]


def test_what_was_taken_back_is_not_in_it(metrics, tmp_path):
    rows(metrics, 1, 50)
    metrics.append_change(4500, "clip", 0.2, 0.1)
    metrics.sync()
    rows(metrics, 50, 60)
    metrics.take_back(4000)
    rows(metrics, 41, 43)
    same(tmp_path)
    steps, _ = overview.read(tmp_path).curves["episode_return"]
    assert steps[-1] == 4200
    assert overview.read(tmp_path).changes == []


def test_segments_that_were_closed_meanwhile_are_read(tmp_path):
    metrics = Metrics(limit=1 << 16)
    metrics.open(tmp_path)
    rows(metrics, 1, 50)
    metrics.sync()
    rows(metrics, 50, 300)
    metrics.close()
    assert len(journal.segments(tmp_path)) > 2
    same(tmp_path)


def test_segments_that_were_merged_across_it_are_read_anew(tmp_path):
    metrics = Metrics(limit=1 << 16)
    metrics.open(tmp_path)
    rows(metrics, 1, 100)
    metrics.sync()
    number, offset = journal.position(tmp_path)
    rows(metrics, 100, 4000)
    assert journal.after(tmp_path, number, offset) is None
    metrics.close()
    steps, _ = overview.read(tmp_path).curves["episode_return"]
    assert steps[-1] == 399_900
    assert steps[0] < 9900  # nothing is missing where the overview ended


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}", b"nonsense" * 40])
def test_a_torn_overview_is_passed_over(metrics, tmp_path, content):
    rows(metrics, 1, 50)
    (tmp_path / overview.FILE).write_bytes(content)
    same(tmp_path)


def test_an_overview_that_lies_beyond_the_journal_is_passed_over(metrics, tmp_path):
    rows(metrics, 1, 50)
    metrics.sync()
    metrics.close()
    text = (tmp_path / journal.FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / journal.FILE).write_bytes(b"".join(text[:20]))
    same(tmp_path)


def test_a_long_run_keeps_its_spikes_in_few_points(metrics, tmp_path):
    rows(metrics, 1, 5000)
    metrics.append(500_000, {"episode_return": 1e6})
    rows(metrics, 5001, 9000)
    metrics.sync()
    steps, values = overview.read(tmp_path).curves["episode_return"]
    assert len(steps) <= overview.POINTS
    assert steps[values == 1e6].tolist() == [500_000]
    assert steps[-1] == 899_900
    assert np.all(np.diff(steps) > 0)


def test_no_metrics_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no metrics"):
        overview.read(tmp_path)
