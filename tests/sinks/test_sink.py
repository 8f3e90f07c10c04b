"""Names of sinks, missing packages, histograms and the identity of a run."""

import sys
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.sinks.recorder import Recorder
from workbench.errors import InputError, UnknownNameError
from workbench.sinks import SINKS, Histogram, Run, built

DESCRIPTION = {"env": "CartPole-v1", "seed": 1, "created": "2026-01-01T00:00:00+00:00"}


def test_names_classes_and_objects_make_sinks():
    own = Recorder()
    made = built(["tensorboard", wb.sinks.TensorBoard, own])
    assert [type(each) for each in made] == [wb.sinks.TensorBoard, wb.sinks.TensorBoard, Recorder]
    assert made[2] is own
    assert [type(each) for each in built("tensorboard")] == [wb.sinks.TensorBoard]
    assert built(own) == [own]
    assert built(()) == []


def test_what_is_no_sink_is_refused():
    with pytest.raises(UnknownNameError, match=r"sink 'tensorbord' is unknown; did you mean 'tensorboard'\?"):
        built(["tensorbord"])
    with pytest.raises(InputError, match=r"sinks=3 is no sink; pass names \(tensorboard, trackio, wandb\)"):
        built([3])


@pytest.mark.parametrize("name", SINKS)
def test_a_missing_package_is_named_with_the_line_that_installs_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=rf'the package {name} is missing.*pip install "rl-workbench\[{name}\]"'):
        built(name)


def test_an_error_inside_a_package_is_its_own(monkeypatch, tmp_path):
    (tmp_path / "wandb.py").write_text("import a_module_that_is_missing")
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(ModuleNotFoundError, match="a_module_that_is_missing"):
            built("wandb")
    finally:
        sys.modules.pop("wandb", None)


def test_a_run_keeps_its_id_where_it_is_moved_and_has_one_of_its_own():
    run = Run(Path("runs/a"), DESCRIPTION, 0)
    assert run.name == "a"
    assert Run(Path("elsewhere/b"), DESCRIPTION, 500).id == run.id
    assert len({Run(Path("runs/a"), DESCRIPTION | {"seed": seed}, 0).id for seed in range(5)}) == 5
    assert Run(Path("runs/a"), DESCRIPTION | {"id": "0123456789ab"}, 0).id == "0123456789ab"


def test_a_histogram_counts_what_is_finite():
    values = np.concatenate([np.linspace(-1.0, 3.0, 1001), [np.nan, np.inf, -np.inf]])
    histogram = Histogram.of(values.reshape(4, -1))
    assert histogram.counts.sum() == 1001
    assert len(histogram.edges) == len(histogram.counts) + 1
    assert (histogram.edges[0], histogram.edges[-1]) == (-1.0, 3.0)
    assert histogram.counts.max() - histogram.counts.min() <= 1


@pytest.mark.parametrize("value", [0.0, 3, 1e30, -1e-30, 1e300])
def test_a_histogram_of_one_value_has_edges_around_it(value):
    histogram = Histogram.of(np.full(7, value))
    assert histogram.counts.sum() == 7
    assert histogram.edges[0] < value < histogram.edges[-1]
    assert np.isfinite(histogram.edges).all()
    assert (np.diff(histogram.edges) > 0).all()


def test_there_is_no_histogram_of_nothing():
    assert Histogram.of(np.array([np.nan, np.inf])) is None
