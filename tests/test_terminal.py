"""The terminal display on a trainer that only emits events."""

import io
import math
from dataclasses import dataclass, field

import pytest

from workbench.events import Emitter, Progress, Started, Stopped
from workbench.ui.terminal import HISTORY, Curve, Summary, TerminalProgress, duration, magnitude, sparkline


class PPO:
    """A name to show."""


@dataclass
class Emits:
    """The part of a trainer that the display sees."""

    id: str = "run-1"
    algorithm: PPO = field(default_factory=PPO)
    emitter: Emitter = field(default_factory=Emitter)

    def subscribe(self, callback):
        return self.emitter.subscribe(callback)


class Terminal(io.StringIO):
    """A file that says it is a terminal and keeps what was written."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def progress(steps, **row):
    return Progress(steps, {"steps_per_second": 1000.0, "episode_return": 20.0, "value_loss": 0.5, **row})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00"), (59.6, "1:00"), (3725, "1:02:05"), (math.nan, "-:--"), (math.inf, "-:--")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("number", "text"), [(950, "950"), (12_345, "12.3 k"), (1.239e6, "1.24 M"), (3.7e9, "3.7 G")])
def test_magnitude(number, text):
    assert magnitude(number) == text


def test_sparkline_spans_the_blocks_and_survives_a_constant():
    assert sparkline([0.0, 3.5, 7.0]) == "▁▅█"
    assert sparkline([2.0, 2.0]) == "▁▁"


def test_a_curve_stays_bounded_and_keeps_its_beginning():
    curve = Curve(8)
    for value in range(1000):
        curve.add(float(value))
    assert 4 <= len(curve.points) <= 8
    assert curve.points[0] == 0.0
    assert curve.points == sorted(curve.points)
    assert len({b - a for a, b in zip(curve.points, curve.points[1:], strict=False)}) == 1


def test_the_summary_estimates_the_time_left_and_leaves_out_what_is_not_known():
    summary = Summary()
    assert math.isnan(summary.remaining)
    summary.take(Started(0, 10_000))
    summary.take(progress(4_000, kl=math.nan))
    assert summary.remaining == pytest.approx(6.0)
    assert dict(summary.numbers()) == {"episode return": "20", "value loss": "0.5"}
    assert summary.line() == "4,000/10,000 steps (40%)  1 k steps/s  ETA 0:06  episode return 20  value loss 0.5"


def test_without_a_terminal_there_is_a_line_every_ten_seconds_and_one_at_the_end():
    trainer, file, now = Emits(), io.StringIO(), [0.0]
    with TerminalProgress(trainer, file=file, clock=lambda: now[0]):
        trainer.emitter.emit(Started(0, 100))
        for second in range(1, 26):
            now[0] = float(second)
            trainer.emitter.emit(progress(second))
        trainer.emitter.emit(Stopped(25, "target"))
    lines = file.getvalue().splitlines()
    assert [line.split("/")[0] for line in lines] == ["10", "20", "25"]
    assert "target reached" in lines[-1]
    assert "\x1b" not in file.getvalue()


def test_a_terminal_shows_the_run_and_gets_its_cursor_back(terminal):
    trainer = Emits()
    with TerminalProgress(trainer, file=terminal):
        trainer.emitter.emit(Started(0, 2_000))
        for steps in range(1, HISTORY * 3):
            trainer.emitter.emit(progress(steps, episode_return=float(steps)))
        trainer.emitter.emit(Stopped(2_000, "steps"))
    shown = terminal.getvalue()
    for text in ("PPO", "run-1", "2,000 / 2,000 steps", "1 k steps/s", "finished", "value loss", "█"):
        assert text in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_passes_through_and_the_terminal_is_restored(terminal, error):
    trainer = Emits()
    with pytest.raises(error), TerminalProgress(trainer, file=terminal):
        trainer.emitter.emit(Started(0, 10))
        raise error
    written = terminal.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    trainer.emitter.emit(progress(1))
    assert terminal.getvalue() == written


def test_an_inner_display_leaves_the_outer_one_alone(terminal):
    trainer, inner = Emits(), io.StringIO()
    with TerminalProgress(trainer, file=terminal, quiet=True), TerminalProgress(trainer, file=inner):
        trainer.emitter.emit(Started(0, 10))
        trainer.emitter.emit(Stopped(10, "steps"))
    assert inner.getvalue() == terminal.getvalue() == ""
    with TerminalProgress(trainer, file=inner):
        trainer.emitter.emit(Stopped(10, "steps"))
    assert inner.getvalue()
