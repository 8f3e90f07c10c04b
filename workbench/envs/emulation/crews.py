"""The workers of a vector environment, and what they leave behind when one fails: nothing."""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.envs.emulation.board import (
    CLOSING,
    FAULT,
    IDLE,
    LETTERS,
    SLICE,
    Bell,
    Board,
    Counter,
    Layout,
    private_memory,
)
from workbench.envs.emulation.interface import Interface
from workbench.envs.emulation.worker import Worker, close_all, copies
from workbench.errors import InputError

GRACE = 5.0
"""Seconds for workers to close their environments before they are killed."""

HASTE = 1.0
"""The same, once one of them has failed."""


class WorkerError(Exception):
    """A worker failed.

    Attributes:
        index: Which.
        details: Its traceback.
    """

    def __init__(self, index: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.index, self.details = index, details

    @classmethod
    def of(cls, index: int, error: BaseException) -> "WorkerError":
        """Tell of an error that is being handled."""
        return cls(index, f"{type(error).__name__}: {error}", traceback.format_exc())


@dataclass(frozen=True)
class Plan:
    """What workers are to step.

    Attributes:
        layout, interface: Of the environments.
        build: Makes one.
        envs: Those that are there already.
        max_agents: As the user gave it.
    """

    layout: Layout
    interface: Interface
    build: Callable[[], Any]
    envs: list[Any]
    max_agents: int | None

    def share(self, index: int) -> range:
        """Return the environments of a worker: as many as any other has, or one more."""
        count, workers = self.layout.environments, self.layout.workers
        return range(index * count // workers, (index + 1) * count // workers)

    def workers(self, board: Board, bell: Bell | Counter) -> list[Worker]:
        """Build what environments are missing, and share them out to workers in this process."""
        made = list(self.envs)
        try:
            copies(self.build, self.layout.environments - len(made), made=made)
        except InputError:
            raise
        except Exception as error:
            raise WorkerError.of(0, error) from error
        shares = map(self.share, range(self.layout.workers))
        return [
            Worker(board, bell, self.interface, index, share, made[share.start : share.stop])
            for index, share in enumerate(shares)
        ]


class Serial:
    """The caller steps all lanes itself."""

    def __init__(self, plan: Plan) -> None:
        self.board = Board(plan.layout, private_memory(plan.layout.nbytes()))
        self.board.clear()
        self.bell = Counter(plan.layout)
        self.grace = GRACE
        (self._worker,) = plan.workers(self.board, self.bell)

    def envs(self) -> list[Any]:
        """Return the environments."""
        return self._worker.envs

    def options(self, options: Any) -> None:
        """Give the options of the next resets."""
        self._worker.options = options

    def post(self, workers: Any) -> None:  # noqa: ARG002
        """Let workers look at their commands."""
        try:
            self._worker.sweep()
        except Exception as error:
            raise WorkerError.of(0, error) from error

    def watch(self, timeout: float) -> None:
        """Do nothing: whoever asks is the worker."""

    def wait(self, signal: int, target: int, timeout: float) -> None:  # noqa: ARG002
        """Wait for a signal of the board."""
        assert self.bell.wait(signal, target)

    def forget(self) -> None:
        """Forget what was under way when an interrupt came."""
        self.board.command[...] = IDLE
        self.bell.clear()

    def dismiss(self) -> None:
        """Do nothing: there is nobody to send home."""

    def close(self) -> None:
        """Close the environments."""
        error = close_all(self._worker.envs)
        if error is not None:
            raise error


class Crew:
    """What threads and processes share: the signals."""

    board: Board
    bell: Bell

    def __init__(self, board: Board) -> None:
        board.clear()
        self.board, self.bell = board, Bell(board)
        self.grace = GRACE
        self._watched = 0.0
        self._seen: dict[int, tuple[tuple[int, int], float]] = {}

    def post(self, workers: Any) -> None:
        """Let workers look at their commands."""
        for index in workers:
            self.bell.advance(self.board.layout.signals + index, 1)

    def wait(self, signal: int, target: int, timeout: float) -> None:
        """Wait for a signal of the board.

        Raises:
            WorkerError: If a worker failed, died, or was busy with one environment for longer than `timeout` seconds.
        """
        while not self.bell.wait(signal, target):
            self.watch(timeout)
        if self.board.notes[FAULT]:
            self.look()

    def watch(self, timeout: float) -> None:
        """Look after workers that fail while others go on, a few times a second.

        Raises:
            WorkerError: As `wait`.
        """
        now = time.monotonic()
        if now < self._watched + SLICE / 2000:
            return
        self._watched = now
        if self.board.notes[CLOSING]:
            raise WorkerError(0, "it was closed meanwhile")
        self.look()
        for index, state in enumerate(zip(self.board.busy.tolist(), self.board.turns.tolist(), strict=True)):
            known, since = self._seen.get(index, (None, now))
            if state != known:
                self._seen[index] = state, now
            elif state[0] >= 0 and now - since > timeout:
                raise WorkerError(index, f"no answer within timeout={timeout} s")

    def look(self) -> None:
        """Raise what a worker met."""
        raise NotImplementedError

    def _ask_to_end(self) -> None:
        self.board.notes[CLOSING] = 1
        self.post(range(self.board.layout.workers))


class Threads(Crew):
    """Threads of this process: for environments that release the GIL. One that hangs cannot be ended, only left."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(Board(plan.layout, private_memory(plan.layout.nbytes())))
        self._options: Any = None
        self._faults: list[WorkerError] = []
        self._workers = plan.workers(self.board, self.bell)
        self._threads = [
            threading.Thread(target=self._serve, args=(worker,), name=f"workbench {worker.index}", daemon=True)
            for worker in self._workers
        ]
        for thread in self._threads:
            thread.start()

    def _serve(self, worker: Worker) -> None:
        try:
            worker.serve(lambda: self._options, lambda: True)
        except Exception as error:
            self._faults.append(WorkerError.of(worker.index, error))
            fail(self.board, self.bell, worker.index)

    def envs(self) -> list[Any]:
        """Return the environments."""
        return [env for worker in self._workers for env in worker.envs]

    def options(self, options: Any) -> None:
        """Give the options of the next resets."""
        self._options = options
        self.board.notes[LETTERS] += 1

    def look(self) -> None:
        """Raise what a worker met."""
        for error in self._faults:
            raise error

    def dismiss(self) -> None:
        """End the threads."""
        self._ask_to_end()
        deadline = time.monotonic() + self.grace
        for thread in self._threads:
            if thread is not threading.current_thread():  # which may be the one that collects garbage
                thread.join(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """End the threads, and close the environments of those that ended."""
        self.dismiss()
        ended = zip(self._workers, self._threads, strict=True)
        error = close_all([env for worker, thread in ended if not thread.is_alive() for env in worker.envs])
        if error is not None:
            raise error


def fail(board: Board, bell: Bell, index: int) -> None:
    """Tell the reader of the board, whichever signal it waits for, that a worker failed."""
    board.notes[FAULT] = index + 1
    for signal_ in range(board.layout.signals):
        bell.advance(signal_, board.layout.environments)
