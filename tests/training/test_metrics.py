import json
import math

import numpy as np
import pytest

from workbench.errors import RunDirectoryError
from workbench.training.metrics import Metrics, read_metrics


def test_rows_become_columns_with_gaps():
    metrics = Metrics()
    metrics.append(10, {"loss": 1.0})
    metrics.append(20, {"loss": 0.5, "episode_return": 9.0, "kl": math.nan})
    assert len(metrics) == 2
    assert metrics.names() == ["steps", "loss", "episode_return"]
    steps, returns = metrics.series("episode_return")
    assert (steps.tolist(), returns.tolist()) == ([20.0], [9.0])
    assert metrics.last("loss") == 0.5
    assert math.isnan(metrics.last("nothing"))
    assert metrics.series("nothing")[0].size == 0
    frame = metrics.to_pandas()
    assert list(frame.columns) == ["steps", "loss", "episode_return"]
    np.testing.assert_array_equal(frame["episode_return"], [np.nan, 9.0])


def test_a_torn_line_is_ignored_and_never_joined_with_the_next(tmp_path):
    metrics = Metrics()
    metrics.open(tmp_path)
    metrics.append(1, {"loss": 1.0})
    metrics.append(2, {"loss": 9.0})
    metrics.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"steps": 3, "lo')  # a kill
    assert read_metrics(tmp_path).series("loss")[0].tolist() == [1.0, 2.0]
    metrics.resume(tmp_path, 1)  # joined to the torn line, the mark that takes back step 2 would be lost with it
    metrics.append(2, {"loss": 0.5})
    metrics.close()
    assert read_metrics(tmp_path).series("loss")[1].tolist() == [1.0, 0.5]


def test_what_came_after_the_checkpoint_is_taken_back(tmp_path):
    first = Metrics()
    first.open(tmp_path)
    for steps in (1, 2, 3):
        first.append(steps, {"loss": float(steps)})
    first.append_change(3, "clip", 0.2, 0.1)
    first.close()
    second = read_metrics(tmp_path)
    second.rewind(2)
    assert second.changes() == []
    second.resume(tmp_path, 2)
    second.append(3, {"loss": 30.0})
    second.close()
    for metrics in (second, read_metrics(tmp_path)):
        assert metrics.series("loss")[1].tolist() == [1.0, 2.0, 30.0]
        assert metrics.changes() == []
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line.get("loss") for line in lines] == [1.0, 2.0, 3.0, None, None, 30.0]  # nothing was erased


def test_a_folder_without_metrics_is_refused(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"holds no metrics\.jsonl; pass a run directory"):
        read_metrics(tmp_path)


def test_memory_stays_bounded_and_keeps_the_whole_course(monkeypatch):
    monkeypatch.setattr("workbench.training.metrics.MOST_ROWS", 64)
    metrics, lengths = Metrics(), []
    for steps in range(1, 10_001):
        metrics.append(steps, {"iterations": 1, "loss": float(steps), "episodes": 2 * steps})
        lengths.append(len(metrics))
        assert metrics.last("loss") == steps  # the newest row always stands alone
        assert metrics.series("steps")[0][-1] == steps
    assert max(lengths) < 64 + 2 * 512
    steps, loss = metrics.series("loss")
    assert metrics.series("iterations")[1].sum() == 10_000
    assert metrics.series("episodes")[1][-1] == 20_000
    assert np.diff(steps).max() <= 10_000 / 32
    assert (loss * metrics.series("iterations")[1]).sum() == pytest.approx(10_000 * 10_001 / 2)
    metrics.rewind(5_000)
    assert 4_500 < metrics.series("loss")[0][-1] <= 5_000
    for steps in range(5_001, 6_001):
        metrics.append(steps, {"loss": float(steps)})
    assert metrics.last("loss") == 6_000
    assert len(metrics) < 64 + 2 * 512


def test_a_change_between_two_trainings_is_written_too(tmp_path):
    metrics = Metrics()
    metrics.append_change(0, "clip", 0.2, 0.3)  # before there is a file: what a run begins with is told elsewhere
    metrics.open(tmp_path)
    metrics.append(1, {"loss": 1.0, "nothing": math.inf})
    metrics.close()
    metrics.append_change(1, "clip", 0.3, 0.1)
    assert [change["new"] for change in read_metrics(tmp_path).changes()] == [0.1]
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0]) == {"steps": 1, "loss": 1.0}
