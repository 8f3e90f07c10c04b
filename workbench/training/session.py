"""One training at a time: how a call of `train` or `start` begins and ends, and what others may do meanwhile."""

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from numbers import Integral, Real
from typing import Any

from workbench.errors import AlreadyRunningError, InputError, WorkbenchError
from workbench.events import Emitter, Started, Stopped
from workbench.training.control import GLANCE
from workbench.training.habits import Caretaker
from workbench.training.recovery import Recovery
from workbench.training.status import Heartbeat


class Session:
    """Who trains, and who waits.

    Args:
        trainer: Whose loop runs.
        care: What it does of its own accord.
        emitter: Who is told.
        began: Called when the run directory is open, before training; what it raises keeps it from beginning.

    Attributes:
        worker: The thread that trains; None while nobody does.
        error: What ended the last training; None if nothing did.
    """

    def __init__(self, trainer: Any, care: Caretaker, emitter: Emitter, began: Callable[[], None]) -> None:
        self._trainer, self._care, self._emitter, self._loop = trainer, care, emitter, care.loop
        self._began = began
        self._recovery = Recovery(care, trainer.seed)
        self._heartbeat = Heartbeat(trainer)
        self._alone = trainer.processes.size == 1
        self._first = trainer.processes.rank == 0
        if self._first:
            emitter.subscribe(self._heartbeat)
        self.worker: threading.Thread | None = None
        self.error: BaseException | None = None
        self._busy = threading.Lock()

    @property
    def mine(self) -> bool:
        """Whether the thread that asks is the one that trains."""
        return threading.current_thread() is self.worker

    def begin(self, steps: Any, target_return: Any, paused: bool = False) -> None:
        """Check the request and take the only place at the wheel; `run` gives it back.

        Raises:
            AlreadyRunningError: If somebody has it.
            InputError: If an argument is out of range.
            RunDirectoryError: If the run directory cannot be written.
        """
        whole = isinstance(steps, Integral) or (isinstance(steps, float) and steps.is_integer())
        if isinstance(steps, bool) or not whole or steps < 1:
            raise InputError(f"steps={steps!r} is not a number of environment steps; pass an integer of at least 1.")
        if target_return is not None and not (isinstance(target_return, Real) and math.isfinite(target_return)):
            raise InputError(f"target_return={target_return!r} is no finite number; pass one, or None.")
        if not self._busy.acquire(timeout=0.0 if self.worker is not None else GLANCE):
            raise AlreadyRunningError(f"{self._trainer!r} is already running; call stop() or wait() first.")
        try:
            self._care.begin()
            self._began()
        except BaseException:
            self._care.directory.close()
            self._busy.release()
            raise
        control = self._loop.control
        control.stopping.clear()
        control.resume()
        if paused:
            control.pause()
        self.error = None
        self._trainer.goal = self._loop.steps + int(steps)
        self._trainer.target_return = None if target_return is None else float(target_return)

    def run(self) -> None:
        """Train to the end, whatever it is; `error` says what was raised."""
        reason = "failed"
        self.worker = threading.current_thread()
        try:
            self._emitter.emit(Started(self._loop.steps, self._trainer.goal))
            if not self._loop.steps:
                self._care.checkpoint()
            if not self._loop.between:  # the last iteration was interrupted, in the middle of a step perhaps
                self._loop.restart()
            reason = self._train()
        except BaseException as error:
            self.error = error
            # Whatever failed, it was not training; but of several processes, others may not have failed.
            if self._loop.between and self._alone:
                with suppress(WorkbenchError):
                    self._care.checkpoint()
        finally:
            try:
                with suppress(WorkbenchError):
                    self._loop.end_row()
            finally:
                self._end(reason if self.error is None else "failed")

    def _end(self, reason: str) -> None:
        if self._first:
            self._heartbeat.end(reason, self.error)
        self._care.directory.close()
        self.worker = None
        self._busy.release()
        self._emitter.emit(Stopped(self._loop.steps, reason))

    def _train(self) -> str:
        """Iterate to the end, with a checkpoint there; return the reason for it."""
        while True:
            try:
                reason = self._loop.run(self._trainer.goal, self._care.after_iteration)
                self._care.checkpoint()
                return reason
            except Exception as error:
                self._recovery.recover(error)

    def fail(self, error: Exception) -> None:
        """End training between two iterations, where everything can be saved: a callback raised `error`."""
        self.error = self.error or error
        self._loop.control.stop()

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Stop training, wait until it has ended, and keep others from beginning meanwhile."""
        self._loop.control.stop()
        with self._busy:
            yield

    def between_iterations(self, work: Callable[[], Any]) -> Any:
        """Do `work` while no iteration runs: at once, or on the training thread at its next pause for breath."""
        return work() if self.mine else self._loop.control.between(work, self._busy)

    def glance(self, work: Callable[[], Any]) -> "Future[Any]":
        """Have `work`, short and harmless, done while no iteration runs, without waiting; see `Control.glance`."""
        return self._loop.control.glance(work, self._busy)
