"""The terminal display on a trainer that only emits events."""

import io
import math
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from workbench.events import Emitter, Evaluated, Progress, RolledBack, Started, Stopped
from workbench.ui import resources
from workbench.ui.resources import Resources
from workbench.ui.terminal import HISTORY, Curve, Summary, TerminalProgress, duration, magnitude, size, sparkline


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


@pytest.mark.parametrize(("count", "text"), [(0, "0 MB"), (619_700_000, "620 MB"), (1.239e9, "1.24 GB")])
def test_size(count, text):
    assert size(count) == text


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


SPENT = {"forward": 2.0, "environment": 1.0, "learn": 6.9, "other": 0.1}


def spent(factor, **more):
    return {f"{name}_seconds": factor * value + more.get(name, 0.0) for name, value in SPENT.items()}


def test_shares_of_time_leave_out_the_first_row():
    summary = Summary()
    summary.take(Started(0, 10_000))
    summary.take(progress(1_000, **spent(0.0, learn=29.0)))
    assert summary.shares() == {}
    summary.take(progress(2_000, **spent(1.0, learn=29.0)))
    assert summary.shares() == pytest.approx({"forward": 0.2, "environment": 0.1, "learn": 0.69, "other": 0.01})
    assert list(summary.shares()) == ["forward", "environment", "learn", "other"]
    assert summary.line().endswith("forward 20%  environment 10%  learn 69%  other 1%")


def test_shares_begin_anew_with_each_training_and_a_run_that_does_not_say_has_none():
    summary = Summary()
    for before in (0.0, 100.0):
        summary.take(Started(0, 10_000))
        summary.take(progress(1_000, **spent(0.0, other=before)))
        summary.take(progress(2_000, **spent(1.0, other=before)))
        assert summary.shares()["learn"] == pytest.approx(0.69)
    summary.take(Started(0, 10_000))
    summary.take(progress(1_000))
    summary.take(progress(2_000))
    assert summary.shares() == {}


def test_the_time_left_counts_what_lies_between_iterations():
    summary = Summary()
    summary.take(Started(0, 10_000))
    summary.take(progress(1_000, learn_seconds=50.0, other_seconds=0.0))
    summary.take(progress(4_000, learn_seconds=53.0, other_seconds=12.0))
    assert summary.remaining == pytest.approx(6_000 / 200)


def test_the_summary_keeps_the_newest_and_the_best_evaluation():
    summary = Summary()
    for mean in (3.0, 7.0, 5.0):
        summary.take(Evaluated(10, mean, 100))
    assert (summary.evaluation, summary.best) == (5.0, 7.0)
    assert "evaluation 5" in summary.line()


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
    for text in ("PPO", "run-1", "2,000 of 2,000", "1 k steps/s", "finished", "value loss", "█", "B memory"):
        assert text in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.fixture
def draw(terminal):
    """Give a function that draws events as lines of text, in a terminal of 80 columns."""

    def draw(*events, encoding="utf-8", look=None):
        trainer, terminal.encoding = Emits(), encoding
        shown = TerminalProgress(trainer, file=terminal, clock=lambda: 65.0)
        shown._began = 0.0
        shown._resources = look or Resources()
        shown._unsubscribe, shown._live = trainer.subscribe(shown._take), True
        for event in events:
            trainer.emitter.emit(event)
        console = Console(file=io.StringIO(), width=80)
        console.print(shown)
        return console.file.getvalue().splitlines()

    return draw


RUN = [
    Started(0, 2_000_000_000),
    progress(10, episode_return=1.0, **spent(0.0)),
    progress(1_000_000_000, episode_return=475.25, policy_loss=-0.01234, entropy=0.5, **spent(1.0)),
    Evaluated(1_000_000_000, 487.0, 100),
    Evaluated(1_000_000_000, 462.0, 100),
]


class Look(Resources):
    def __init__(self):
        super().__init__()
        self.cores, self.memory, self.gpu = 1.94, 619_700_000, 2_000_000_000

    def look(self):
        """Stay as it is."""


def test_the_display_says_it_all_in_eighty_columns(draw):
    assert draw(*RUN, look=Look()) == [
        "PPO  run-1",
        "steps     ━━━━━━━━━━━━━━━━━━━━━━━━  50%  1,000,000,000 of 2,000,000,000",
        "speed     1 k steps/s               1:05 passed  0:10 left",
        "time      ━━━━━━━━━━━━━━━━━━━━━━━━  forward 20%  env 10%  learn 69%",
        "machine   1.9 cores                 620 MB memory  2 GB on GPU",
        "return    ▁█                        475.2  evaluation 462  best 487",
        "losses    policy loss -0.01234  value loss 0.5  entropy 0.5",
    ]


def test_the_display_has_its_lines_from_the_beginning(draw):
    nothing = draw(Started(0, 100))
    assert len(nothing) == len(draw(*RUN)) == 7
    assert "compiling" in nothing[2]
    assert "left" not in nothing[2]


def test_without_unicode_letters_stand_for_lines(draw):
    drawn = draw(*RUN, encoding="ascii")
    assert "############------------" in drawn[1]
    assert "fffffeelllllllllllllllll" in drawn[3]
    assert all(line.isascii() for line in drawn)


def test_rollbacks_are_counted_and_the_end_is_named(draw):
    drawn = draw(*RUN, RolledBack(1_000_000_000, 5, "loss"), Stopped(1_000_000_000, "stopped"))
    assert drawn[0] == "PPO  run-1  rolled back 1x"
    assert drawn[2].endswith("1:05 passed  stopped")


def test_processors_in_use_are_measured_between_two_looks():
    now, used = [10.0], [3.0]
    look = Resources(lambda: now[0], lambda: used[0])
    assert math.isnan(look.cores)
    now[0], used[0] = 10.25, 3.5
    look.look()
    assert math.isnan(look.cores)
    now[0], used[0] = 12.0, 6.0
    look.look()
    assert look.cores == 1.5
    now[0], used[0] = 16.0, 8.0
    look.look()
    assert look.cores == 0.5


def test_memory_in_use_is_seen_to_grow():
    before = resources.resident()
    held = bytearray(100_000_000)
    held[:: resources.resource.getpagesize()] = b"x" * len(held[:: resources.resource.getpagesize()])
    assert 80e6 < resources.resident() - before < 200e6
    assert resources.held_on_gpus() == 0


def test_where_the_system_does_not_say_the_most_so_far_is_shown(monkeypatch, tmp_path):
    now = resources.resident()
    monkeypatch.setattr(resources, "STATM", tmp_path / "none")
    assert now * 0.5 < resources.resident() < now * 20


def test_memory_on_gpus_is_summed_without_waking_one_up(monkeypatch):
    class Cuda:
        initialised = False

        def is_initialized(self):
            return self.initialised

        def device_count(self):
            return 2

        def memory_reserved(self, index):
            return 100 * (index + 1)

    torch = type("torch", (), {"cuda": Cuda()})
    monkeypatch.setitem(resources.sys.modules, "torch", torch)
    assert resources.held_on_gpus() == 0
    torch.cuda.initialised = True
    assert resources.held_on_gpus() == 300


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
