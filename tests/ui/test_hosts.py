"""What a host that shows widgets itself is given."""

import pytest

from workbench.ui.display import widget_of
from workbench.ui.hosts import is_cut_off
from workbench.ui.panel import Panel


class Comm:
    """What of a comm is looked at."""

    def __init__(self, closed):
        self._closed = closed


class Widget:
    def __init__(self, comm):
        self.comm = comm


@pytest.mark.parametrize(
    ("comm", "cut_off"), [(None, True), (Comm(True), True), (Comm(False), False), (object(), False)]
)
def test_a_widget_is_cut_off_once_its_comm_is_closed(comm, cut_off):
    assert is_cut_off(Widget(comm)) is cut_off


def test_a_trainer_has_one_panel_until_that_is_cut_off(trainer, monkeypatch):
    first = widget_of(trainer)
    assert isinstance(first, Panel)
    assert widget_of(trainer) is first
    monkeypatch.setattr(first.comm, "_closed", True, raising=False)
    second = widget_of(trainer)
    assert second is not first
    assert (first.publisher.closed, second.publisher.closed) == (True, False)
    second.close()
