"""One thing asked of a training that may run, and not waited for."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Glance:
    """Asks a trainer to have something short done between two iterations, and keeps what comes of it.

    Args:
        wake: Called when it is there, on whatever thread.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._future: Future[Any] | None = None

    @property
    def pending(self) -> bool:
        """Whether something was asked that `answer` has not returned."""
        return self._future is not None

    def ask(self, trainer: Any, work: Callable[[], Any]) -> None:
        """Have `work` done; see `Trainer.glance`."""
        wake = self._wake
        self._future = trainer.glance(work)
        self._future.add_done_callback(lambda _: wake())

    def answer(self, trainer: Any) -> Any:
        """Return what was asked, once, and raise what it raised; None if it is not there."""
        future = self._future
        if future is None:
            return None
        if not future.done():
            resting = trainer.status not in ("running", "paused")
            if not resting or not future.cancel():  # training that ended leaves undone what it did not see in time
                return None
        self._future = None
        return None if future.cancelled() else future.result()

    def drop(self) -> None:
        """Ask for nothing any more."""
        if self._future is not None:
            self._future.cancel()
            self._future = None
