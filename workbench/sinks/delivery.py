"""How a sink is reached: by a thread of its own, through a queue of bounded length."""

import queue
import sys
import threading
import warnings
from collections.abc import Callable

from workbench.sinks.sink import Run, Sink

CAPACITY = 1000
"""Calls that wait for a sink at most."""

PATIENCE = 60.0
"""Seconds that the end of training waits for a sink."""


Call = Callable[[Sink], None]


def warn(what: str, error: Exception) -> None:
    """Warn of what became of a sink, which ends no training: not even where warnings are errors."""
    reason = f"{type(error).__name__}: {error}"
    try:
        warnings.warn(
            f"{what} ({reason}); training goes on, and the run directory holds all of it.", RuntimeWarning, stacklevel=3
        )
    except RuntimeWarning as warning:
        print(warning, file=sys.stderr)


class Delivery:
    """Calls a sink while training goes on.

    Nothing waits for it but `join`. Rows that find the queue full become one row, with the newest value of each name,
    that goes later; a histogram or a video that finds it full is dropped. The first call that raises is the last.

    Args:
        sink: Opened at once, by the thread.
        run: What it is opened for.
        turn: Held while the sink is open, so that one delivery follows another.

    Attributes:
        sink: As given.
        error: What it raised.
    """

    def __init__(self, sink: Sink, run: Run, turn: threading.Lock) -> None:
        self.sink = sink
        self._reported = False
        self.error: Exception | None = None
        self._calls: queue.Queue[Call | None] = queue.Queue(CAPACITY)
        self._late: dict[str, float] = {}
        self._late_steps, self._reason = 0, "failed"
        name = f"workbench sink {type(sink).__name__}"
        self._thread = threading.Thread(target=self._serve, args=(run, turn), name=name, daemon=True)
        self._thread.start()

    def scalars(self, steps: int, row: dict[str, float]) -> None:
        """Deliver a row now, or with the next one."""
        row = self._late | row
        delivered = self.offer(lambda sink: sink.scalars(steps, row))
        self._late, self._late_steps = ({} if delivered else row), steps

    def offer(self, call: Call) -> bool:
        """Have `call` made with the sink, unless too many wait; tell whether it will be."""
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            return False
        return True

    def end(self, reason: str) -> None:
        """Let the thread close the sink when it has made all calls."""
        self._reason = reason
        row, steps = self._late, self._late_steps
        last: list[Call] = [lambda sink: sink.scalars(steps, row)] if row else []
        try:
            for call in (*last, None):
                self._calls.put(call, timeout=PATIENCE)
        except queue.Full:
            self.error = self.error or TimeoutError(f"it takes nothing for {PATIENCE:.0f} s")

    def join(self) -> None:
        """Wait until the sink is closed, within reason."""
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self.error = self.error or TimeoutError(f"it has not closed within {PATIENCE:.0f} s")

    def report(self) -> None:
        """Warn, once, if the sink has failed."""
        if self.error is not None and not self._reported:
            self._reported = True
            warn(f"sink {type(self.sink).__name__} failed and hears no more", self.error)

    def _serve(self, run: Run, turn: threading.Lock) -> None:
        with turn:
            self._call(lambda sink: sink.open(run))
            opened = self.error is None
            while (call := self._calls.get()) is not None:
                if self.error is None:
                    self._call(call)
            if opened:
                self._call(lambda sink: sink.close(self._reason))

    def _call(self, call: Call) -> None:
        try:
            call(self.sink)
        except Exception as error:  # a sink may fail in any way, and training goes on
            self.error = self.error or error
