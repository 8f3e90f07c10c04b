"""What ends training from outside, as a request to stop: Ctrl-C, a notebook's interrupt, a scheduler, Python's end.

Whichever it is, the present iteration ends, and everything is saved.
"""

import contextlib
import signal
import sys
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


class Closable(Protocol):
    """Leaves something behind unless it is closed."""

    def close(self) -> None:
        """Tidy up."""


_closable: "weakref.WeakSet[Closable]" = weakref.WeakSet()
_started: "weakref.WeakSet[Stoppable]" = weakref.WeakSet()


def stop_at_exit(trainer: Stoppable) -> None:
    """Let `trainer` stop with everything saved when Python ends, instead of vanishing in the middle of an iteration."""
    if not _started:
        # Python's own `atexit` comes too late: by then the pools of threads that iterations use are gone.
        with contextlib.suppress(RuntimeError):  # Python is ending already
            threading._register_atexit(_stop_all)  # type: ignore[attr-defined]
    _started.add(trainer)


def close_at_termination(what: Closable) -> None:
    """Close `what` before a scheduler's SIGTERM ends the process, which then runs nothing more of Python's end."""
    _closable.add(what)


def _stop_all() -> None:
    trainers = list(_started)
    for trainer in trainers:
        trainer.stop()
    for trainer in trainers:
        with contextlib.suppress(Exception):  # nobody is left to be told
            trainer.wait(PATIENCE)


@contextlib.contextmanager
def stop_on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Turn the first interrupt into a call of `stop`; a second one is Python's again. Only the main thread has any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object) -> None:
        signal.signal(signal.SIGINT, previous)
        stop()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def stop_on_termination(stop: Callable[[], None]) -> Iterator[None]:
    """Turn a scheduler's SIGTERM, where nobody else handles it, into a call of `stop`, and end the process afterwards.

    Inside another such block it does nothing, so that the outer one ends what it encloses first.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    terminated = threading.Event()

    def terminate(*_: object) -> None:
        terminated.set()
        stop()

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if terminated.is_set():
            _stop_all()
            for each in list(_closable):
                each.close()
            sys.stdout.flush()  # the signal ends the process without
            signal.raise_signal(signal.SIGTERM)
