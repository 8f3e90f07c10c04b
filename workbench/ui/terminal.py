"""Show a trainer's progress: one calm live display in a terminal, a plain line now and then anywhere else."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from workbench.events import Evaluated, Event, Progress, RolledBack, Started, Stopped
from workbench.ui.resources import Resources

PLAIN_INTERVAL = 10.0
"""Seconds between two lines where there is no terminal."""

REFRESHES_PER_SECOND = 2

LOSSES = ("policy_loss", "value_loss", "critic_loss", "entropy")
"""The columns of a metrics row shown beside the return, where a row has them."""

SPENT = "_seconds"
"""Ends the names of columns that say what time has gone to so far; of these, what `PARTS` names is shown."""

GREY = "grey37"
"""Of what is not there yet, and of time that nobody accounts for."""

PARTS = {"forward": "blue", "environment": "green", "rollout": "cyan", "learn": "magenta", "other": GREY}
"""What time goes to, in the order shown, and the colour of each."""

LEAST_SHARE = 0.015
"""Of the time, that is worth words beside its bar."""

LABEL, WIDTH = 10, 24
"""Columns of a line's label, and of its bar or curve; a line fits into 80."""

HISTORY = WIDTH
"""How many points the curve of the episode return keeps."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_REASONS = {"steps": "finished", "target": "target reached", "stopped": "stopped", "failed": "failed"}
_displayed: set[int] = set()


class Trains(Protocol):
    """What the display asks of a trainer."""

    algorithm: Any

    @property
    def id(self) -> str:
        """Name the run."""

    def subscribe(self, callback: Callable[[Event], None], /) -> Callable[[], None]:
        """Call `callback` with each event; return the function that ends it."""


def duration(seconds: float) -> str:
    """Write a time in seconds as `m:ss` or `h:mm:ss`; `-:--` when it is not known."""
    if not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def magnitude(number: float) -> str:
    """Write a rate in three significant digits: `950`, `12.3 k`, `1.24 M`."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"


def size(count: float) -> str:
    """Write a number of bytes: `620 MB`, `1.24 GB`."""
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def sparkline(values: list[float]) -> str:
    """Draw `values` as a row of blocks from their least to their greatest."""
    low, high = min(values), max(values)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in values)


class Curve:
    """The course of one number over a run in a bounded number of points: halve the resolution when they are full."""

    def __init__(self, capacity: int) -> None:
        self.points: list[float] = []
        self._capacity, self._stride, self._seen = capacity, 1, 0

    def add(self, value: float) -> None:
        """Take the next value; keep it if it falls on the current stride."""
        if self._seen % self._stride == 0:
            self.points.append(value)
        self._seen += 1
        if len(self.points) > self._capacity:
            self.points = self.points[::2]
            self._stride *= 2


class Summary:
    """The latest state of a run, as the events tell it."""

    def __init__(self) -> None:
        self.steps, self.goal = 0, 0
        self.reason: str | None = None
        self.row: dict[str, float] = {}
        self.rate = math.nan
        self.returns, self.last_return = Curve(HISTORY), math.nan
        self.evaluation, self.best = math.nan, math.nan
        self.rollbacks = 0
        self._first: dict[str, float] = {}
        self._first_steps = 0

    def take(self, event: Event) -> None:
        """Bring the state up to date with `event`."""
        self.steps = event.steps
        if isinstance(event, Started):
            self.goal, self.reason, self.rate = event.goal, None, math.nan
            self._first = {}
        elif isinstance(event, Progress):
            self.row = event.row
            if not self._first:
                self._first, self._first_steps = event.row, event.steps
            rate = event.row.get("steps_per_second", math.nan)
            if math.isfinite(rate):
                self.rate = rate if math.isnan(self.rate) else 0.9 * self.rate + 0.1 * rate
            episode_return = event.row.get("episode_return", math.nan)
            if math.isfinite(episode_return):
                self.returns.add(episode_return)
                self.last_return = episode_return
        elif isinstance(event, Evaluated):
            self.evaluation, self.best = event.mean, event.mean if math.isnan(self.best) else max(event.mean, self.best)
        elif isinstance(event, RolledBack):
            self.rollbacks += 1
        elif isinstance(event, Stopped):
            self.reason = event.reason

    def shares(self) -> dict[str, float]:
        """Return what share of the time went to each part, since the first row: that one compiles."""
        spent = {name: self._passed(name + SPENT) for name in PARTS if name + SPENT in self.row}
        total = sum(spent.values())
        return {name: seconds / total for name, seconds in spent.items()} if total > 0 else {}

    def _passed(self, name: str) -> float:
        return self.row[name] - self._first.get(name, 0.0)

    @property
    def remaining(self) -> float:
        """Estimate the seconds until the goal, with what lies between iterations; NaN before the first measurement."""
        passed = sum(self._passed(name) for name in self.row if name.endswith(SPENT))
        rate = (self.steps - self._first_steps) / passed if passed > 0 else self.rate
        return (self.goal - self.steps) / rate if rate > 0 else math.nan

    def numbers(self, names: tuple[str, ...] = ("episode_return", *LOSSES)) -> Iterator[tuple[str, str]]:
        """Yield those columns of the last row that are known: a name, and a value in four significant digits."""
        for name in names:
            value = self.row.get(name, math.nan)
            if math.isfinite(value):
                yield name.replace("_", " "), f"{value:.4g}"

    def line(self) -> str:
        """Say it all in one line without control characters."""
        share = f" ({self.steps / self.goal:.0%})" if self.goal else ""
        head = f"{self.steps:,}/{self.goal:,} steps{share}"
        rate = f"{magnitude(self.rate)} steps/s" if math.isfinite(self.rate) else ""
        end = _REASONS.get(self.reason, self.reason) if self.reason else f"ETA {duration(self.remaining)}"
        numbers = [f"{name} {value}" for name, value in self.numbers()]
        if math.isfinite(self.evaluation):
            numbers.append(f"evaluation {self.evaluation:.4g}")
        shares = [f"{name} {share:.0%}" for name, share in self.shares().items()]
        return "  ".join(part for part in (head, rate, end, *numbers, *shares) if part)


class TerminalProgress:
    """Follow `trainer` while the `with` block runs, and leave the terminal as it was.

    The training thread only stores each event; a thread of the display draws, a few times a second. Inside another
    display of the same trainer it does nothing, so that the outer one decides.

    Args:
        trainer: What to follow.
        quiet: Show nothing, and keep an inner display from showing anything.
        file: Where to write; standard output by default. A terminal gets the live display, anything else plain lines.
        clock: Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        trainer: Trains,
        *,
        quiet: bool = False,
        file: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trainer, self._quiet, self._clock = trainer, quiet, clock
        self._console = Console(file=file or sys.stdout, highlight=False)
        self._unicode = "utf" in self._console.encoding
        self._summary, self._resources, self._began = Summary(), Resources(clock), clock()
        self._live: Live | None = None
        self._next_line = 0.0
        self._owner = False
        self._unsubscribe: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        """Begin to follow."""
        self._owner = id(self._trainer) not in _displayed
        if not self._owner:
            return self
        _displayed.add(id(self._trainer))
        if self._quiet:
            return self
        self._next_line = self._clock() + PLAIN_INTERVAL
        self._unsubscribe = self._trainer.subscribe(self._take)
        if self._console.is_terminal:
            self._live = Live(self, console=self._console, refresh_per_second=REFRESHES_PER_SECOND)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Draw the last state and give the terminal back, whatever happened."""
        if self._owner:
            _displayed.discard(id(self._trainer))
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._live is not None:
            self._live.stop()

    def _take(self, event: Event) -> None:
        self._summary.take(event)
        if self._live is None:
            now = self._clock()
            if isinstance(event, Stopped) or (isinstance(event, Progress) and now >= self._next_line):
                self._next_line = now + PLAIN_INTERVAL
                self._console.print(self._summary.line(), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        """Draw the state as it is now, always in as many lines."""
        summary = self._summary
        self._resources.look()
        rate = f"{magnitude(summary.rate)} steps/s" if math.isfinite(summary.rate) else "compiling"
        passed = f"{duration(self._clock() - self._began)} passed  "
        left = (f"{duration(summary.remaining)} left", "bold") if math.isfinite(summary.remaining) else ""
        end = _REASONS.get(summary.reason, summary.reason) if summary.reason else left
        trouble = (f"  rolled back {summary.rollbacks}x" if summary.rollbacks else "", "yellow")
        losses = (part for name, value in summary.numbers(LOSSES) for part in ((f"{name} ", "dim"), f"{value}  "))
        return Group(
            _line((type(self._trainer.algorithm).__name__, "bold"), "  ", (self._trainer.id, "dim"), trouble),
            self._steps(),
            _row("speed", Text(rate, "bold cyan"), passed, end),
            self._time(),
            self._machine(),
            self._returns(),
            _line((f"{'losses':{LABEL}}", "dim"), *losses),
        )

    def _steps(self) -> Text:
        """Draw how far the run is."""
        summary = self._summary
        share = min(1.0, summary.steps / summary.goal) if summary.goal else 0.0
        done = "green" if summary.reason in ("steps", "target") else "cyan"
        bar = self._bar([(share, done, "#"), (1.0 - share, GREY, "-")])
        return _row("steps", bar, (f"{share:.0%}  ", "bold"), f"{summary.steps:,} of {summary.goal:,}")

    def _time(self) -> Text:
        """Draw what training time goes to."""
        shares = self._summary.shares()
        words: list[str | tuple[str, str]] = []
        for name, share in shares.items():
            if share >= LEAST_SHARE:
                words += [(f"{'env' if name == 'environment' else name} ", PARTS[name]), f"{share:.0%}  "]
        return _row("time", self._bar([(share, PARTS[name], name[0]) for name, share in shares.items()]), *words)

    def _machine(self) -> Text:
        """Draw what the process uses."""
        resources = self._resources
        cores = f"{resources.cores:.1f} cores" if math.isfinite(resources.cores) else ""
        gpu = f"  {size(resources.gpu)} on GPU" if resources.gpu else ""
        return _row("machine", Text(cores), f"{size(resources.memory)} memory{gpu}")

    def _returns(self) -> Text:
        """Draw the course of the episode return, its newest value, and that of evaluations."""
        summary = self._summary
        points = summary.returns.points
        curve = Text(sparkline(points) if points and self._unicode else "", "green")
        words: list[str | tuple[str, str]] = [(f"{summary.last_return:.4g}", "bold") if points else ("-", "dim")]
        if math.isfinite(summary.evaluation):
            words += [("  evaluation ", "dim"), f"{summary.evaluation:.4g}", (f"  best {summary.best:.4g}", "dim")]
        return _row("return", curve, *words)

    def _bar(self, parts: list[tuple[float, str, str]]) -> Text:
        """Draw shares, each with its style and the letter that stands for it where there are no lines to draw with."""
        bar, until = Text(), 0.0
        for share, style, letter in parts:
            until += share
            bar.append(("━" if self._unicode else letter) * (round(until * WIDTH) - len(bar)), style)
        return bar


def _row(label: str, picture: Text, *parts: str | tuple[str, str]) -> Text:
    """Lay out a line: a label, a picture or a number, and words."""
    picture.pad_right(WIDTH + 2 - len(picture))
    return _line((f"{label:{LABEL}}", "dim"), picture, *parts)


def _line(*parts: str | tuple[str, str] | Text) -> Text:
    """Join texts and (text, style) pairs into a line that is cut, not wrapped, where the terminal is too narrow."""
    line = Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
    line.rstrip()
    return line
