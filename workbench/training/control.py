"""What other threads ask of the training loop: to pause, to stop, to do something between two iterations."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

GLANCE = 1.0
"""Seconds that training waits to begin for whoever glances at a trainer that rests."""


class Control:
    """What other threads ask of the loop. It is read between iterations, so nothing is ever interrupted half-way."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._allowed = 0  # iterations during a pause
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Condition()

    @property
    def paused(self) -> bool:
        """Whether a pause was asked for."""
        return not self._running.is_set()

    def pause(self) -> None:
        """Ask the loop to wait after its present iteration."""
        self._running.clear()

    def resume(self) -> None:
        """Let a paused loop go on."""
        with self._wake:
            self._running.set()
            self._allowed = 0
            self._wake.notify_all()

    def step(self, iterations: int = 1) -> None:
        """Let a paused loop take so many iterations, and wait again."""
        with self._wake:
            self._allowed += iterations
            self._wake.notify_all()

    def stop(self) -> None:
        """Ask the loop to end after its present iteration, paused or not."""
        with self._wake:
            self.stopping.set()
            self._wake.notify_all()

    def ask(self, work: Callable[[], Any]) -> "Future[Any]":
        """Have `work` done on the loop's thread between two iterations."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:  # handed to the thread that asked
                future.set_exception(error)

        with self._wake:
            self._requests.put(run)
            self._wake.notify_all()
        return future

    def between(self, work: Callable[[], Any], busy: threading.Lock) -> Any:
        """Do `work` while no iteration runs: at once if nobody holds `busy`, else on the loop's thread; wait for it."""
        while not busy.acquire(blocking=False):
            future = self.ask(work)
            try:
                return future.result(timeout=1.0)
            except TimeoutError:
                # Either the iteration is a long one, or the loop ended before it saw the request.
                if not future.cancel():
                    return future.result()
        try:
            return work()
        finally:
            busy.release()

    def glance(self, work: Callable[[], Any], busy: threading.Lock) -> "Future[Any]":
        """Have `work`, which is short and changes nothing, done while no iteration runs; do not wait for it.

        What it returns is there at once if nobody holds `busy`, else after the present iteration. Training that ends
        may leave it undone: cancel it then, and ask again.
        """
        if not busy.acquire(blocking=False):
            return self.ask(work)
        done: Future[Any] = Future()
        try:
            done.set_result(work())
        except Exception as error:  # handed to whoever looks at the result
            done.set_exception(error)
        finally:
            busy.release()
        return done

    def answer(self) -> None:
        """Do the work asked for."""
        while not self._requests.empty():
            self._requests.get()()

    def wait_while_paused(self) -> None:
        """Answer requests until the loop may go on, take one iteration, or must stop."""
        self.answer()
        while self.paused and not self.stopping.is_set():
            with self._wake:
                if self.paused and self._allowed:
                    self._allowed -= 1
                    return
                if self.paused and not self.stopping.is_set() and self._requests.empty():
                    self._wake.wait()
            self.answer()
