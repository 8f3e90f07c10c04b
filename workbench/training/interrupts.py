"""What ends training from outside, as a request to stop: Ctrl-C, a notebook's interrupt, a scheduler, Python's end.

Whichever it is, the present iteration ends, and everything is saved.
"""

import contextlib
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Protocol

PATIENCE = 60.0
"""Seconds that the end of Python waits for the iterations of all trainers to end."""


class Stoppable(Protocol):
    """Trains in a thread."""

    def stop(self) -> None:
        """End after the present iteration."""

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end."""


_started: "weakref.WeakSet[Stoppable]" = weakref.WeakSet()


def stop_at_exit(trainer: Stoppable) -> None:
    """Let `trainer` stop with everything saved when Python ends, instead of vanishing in the middle of an iteration."""
    if not _started:
        # Python's own `atexit` comes too late: by then the pools of threads that iterations use are gone.
        with contextlib.suppress(RuntimeError):  # Python is ending already
            threading._register_atexit(_stop_all)  # type: ignore[attr-defined]
    _started.add(trainer)


def _stop_all() -> None:
    trainers = list(_started)
    for trainer in trainers:
        trainer.stop()
    for trainer in trainers:
        with contextlib.suppress(Exception):  # nobody is left to be told
            trainer.wait(PATIENCE)


@contextlib.contextmanager
def stop_on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Turn the first interrupt, and a scheduler's SIGTERM, into a call of `stop`. Only the main thread has any.

    A second interrupt is Python's again. SIGTERM, where nobody else handles it, ends the process after the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    terminates = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    terminated = threading.Event()

    def interrupted(*_: object) -> None:
        signal.signal(signal.SIGINT, previous)
        stop()

    def terminate(*_: object) -> None:
        terminated.set()
        stop()

    signal.signal(signal.SIGINT, interrupted)
    if terminates:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if terminates:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if terminated.is_set():
            _stop_all()
            signal.raise_signal(signal.SIGTERM)
