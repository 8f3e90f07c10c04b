"""The one thread that writes a panel's traits."""

import threading
import time
import weakref
from typing import Protocol

PERIOD = 0.1  # seconds between two looks at the trainer
SHORTEST = 0.04  # seconds between two looks, however often it is woken
LINGER = 1.0  # seconds without change after which the thread ends


class Publishable(Protocol):
    """What is looked after."""

    def publish(self) -> bool:
        """Bring the traits up to date; return whether there may soon be more to say."""


class Publisher:
    """Call `publish` of a panel about ten times a second while there is something to say, on a daemon thread.

    It holds the panel weakly. The thread ends when the panel is gone or closed, or has been quiet for `LINGER`
    seconds; `wake` brings it back.

    Args:
        panel: What is looked after.
        shortest: Seconds between two looks, however often it is woken.
    """

    def __init__(self, panel: Publishable, shortest: float = SHORTEST) -> None:
        self._panel = weakref.ref(panel)
        self._shortest = shortest
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def closed(self) -> bool:
        """Whether the thread has ended for good."""
        return self._closed.is_set()

    def wake(self) -> None:
        """Publish soon; return at once, on any thread."""
        with self._lock:
            if self._closed.is_set():
                return
            self._woken.set()
            if not self.alive:
                self._thread = threading.Thread(target=self._run, name="workbench-panel", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread for good; do not wait for it."""
        self._closed.set()
        self._woken.set()

    def _run(self) -> None:
        quiet_since = time.monotonic()
        while not self._closed.wait(self._shortest):
            self._woken.wait(PERIOD - self._shortest)
            self._woken.clear()
            panel = self._panel()
            if panel is None or self._closed.is_set():
                return
            if panel.publish():
                quiet_since = time.monotonic()
            del panel  # A strong reference here would keep the panel from being collected while this thread waits.
            with self._lock:
                if time.monotonic() - quiet_since > LINGER and not self._woken.is_set():
                    self._thread = None
                    return
