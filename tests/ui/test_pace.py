"""How often pages are told of progress: as often as their drawings allow, and of all else at once."""

import math
import subprocess
import sys

import pytest

from workbench.ui import pace as pacing
from workbench.ui.pace import LONGEST, MOST, RESTED, SHARE, VIEWS_REMEMBERED, WAITING, WINDOW, Pace

CORES = 4
SHARING = """
import os, subprocess, sys
from workbench.ui.pace import waited
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
before = waited()
with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:  # on the same core
    while waited() - before < 0.2:
        pass
    other.kill()
"""


class Clock:
    """Time that goes on when told, and how much of it the process worked."""

    def __init__(self):
        self.now = self.used = self.waited = 100.0

    def monotonic(self):
        return self.now

    def process_time(self):
        return self.used

    def go(self, seconds, cores, waiting=0.0):
        self.now += seconds
        self.used += cores * seconds
        self.waited += waiting * seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    monkeypatch.setattr(pacing, "waited", lambda: clock.waited)
    monkeypatch.setattr(pacing, "processors", lambda: CORES)
    return clock


def busy(clock, pace):
    pace.pause()
    clock.go(WINDOW, CORES)


def test_a_drawing_is_a_share_of_the_time_where_cores_are_scarce(clock):
    pace = Pace()
    pace.hear("page", 0.01)
    busy(clock, pace)
    assert pace.pause() == pytest.approx(0.01 / SHARE)


def test_all_pages_that_are_looked_at_count(clock):
    pace = Pace()
    pace.hear("one", 0.004)
    pace.hear("other", 0.005)
    pace.hear("hidden", None)
    busy(clock, pace)
    assert pace.pause() == pytest.approx(0.009 / SHARE)


@pytest.mark.parametrize(
    ("cores", "waiting", "pause"),
    [
        (MOST * CORES - 0.1, WAITING - 0.01, 0.0),
        (MOST * CORES + 0.1, 0.0, 0.001 / SHARE),
        (0.1, WAITING + 0.01, 0.001 / SHARE),
    ],
)
def test_cores_are_scarce_where_they_are_all_used_or_waited_for(clock, cores, waiting, pause):
    pace = Pace()
    pace.hear("page", 0.001)
    clock.go(WINDOW, cores, waiting)
    assert pace.pause() == pytest.approx(pause)


def test_the_use_of_the_cores_is_measured_over_a_while(clock):
    pace = Pace()
    pace.hear("page", 0.001)
    busy(clock, pace)
    assert pace.pause() > 0
    clock.go(WINDOW / 2, 0.0)
    assert pace.pause() > 0
    clock.go(WINDOW / 2, 0.0)
    assert pace.pause() == 0


def test_a_rest_says_nothing_of_the_training_that_comes(clock):
    pace = Pace()
    pace.hear("page", 0.001)
    busy(clock, pace)
    assert pace.pause() > 0
    clock.go(RESTED + 0.1, 0.0)
    assert pace.pause() > 0
    clock.go(WINDOW, 0.0)
    assert pace.pause() == 0


def test_nobody_waits_for_long(clock):
    pace = Pace()
    pace.hear("page", 5.0)
    busy(clock, pace)
    assert pace.pause() == LONGEST


def test_where_nobody_looks_nothing_is_told(clock):
    pace = Pace()
    assert pace.pause() == 0  # pages that say nothing of themselves are told everything
    assert pace.hear("page", 0.001)
    assert not pace.hear("page", None)
    assert pace.pause() == math.inf
    assert pace.hear("page", 0.001)
    assert not pace.hear("page", 0.002)
    assert pace.pause() == 0


def test_pages_that_are_gone_are_forgotten(clock):
    pace = Pace()
    for view in range(VIEWS_REMEMBERED + 1):
        pace.hear(str(view), None)
    pace.hear("0", 0.01)
    busy(clock, pace)
    assert pace.pause() == pytest.approx(0.01 / SHARE)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long threads wait for a core")
def test_threads_that_share_a_core_wait_for_it():
    subprocess.run([sys.executable, "-c", SHARING], check=True, timeout=60)
