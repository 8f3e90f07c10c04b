"""The workers of a vector environment, and what they leave behind when one fails: nothing."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import mmap
from multiprocessing import connection, reduction, spawn
from typing import Any

from workbench.envs.emulation.board import (
    CLOSING,
    FAULT,
    LETTERS,
    SLICE,
    Bell,
    Board,
    Counter,
    Layout,
    private_memory,
    shared_memory,
)
from workbench.envs.emulation.interface import Interface
from workbench.envs.emulation.worker import Worker
from workbench.errors import InputError
from workbench_kernels.targets import signals

GRACE = 2.0
"""Seconds for workers to close their environments before they are killed."""

START_TIMEOUT = 120.0
"""Seconds for a worker to import and build its environments, at least."""

START_METHODS = ("forkserver", "spawn")


class WorkerError(Exception):
    """A worker failed.

    Attributes:
        index: Which.
        details: Its traceback.
    """

    def __init__(self, index: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.index, self.details = index, details


@dataclass(frozen=True)
class Plan:
    """What workers are to step."""

    layout: Layout
    interface: Interface
    build: Callable[[], Any]
    given: Any
    max_agents: int | None

    def share(self, index: int) -> range:
        """Return the environments of a worker: as many as any other has, or one more."""
        count, workers = self.layout.environments, self.layout.workers
        return range(index * count // workers, (index + 1) * count // workers)


class Serial:
    """The caller steps all lanes itself."""

    def __init__(self, plan: Plan) -> None:
        self.board = Board(plan.layout, private_memory(plan.layout.nbytes()))
        self.board.clear()
        self.bell = Counter(plan.layout)
        try:
            share = plan.share(0)
            self._worker = Worker(self.board, self.bell, plan.interface, 0, share, plan.build, plan.given)
        except Exception as error:
            raise WorkerError(0, f"{type(error).__name__}: {error}", traceback.format_exc()) from error

    def options(self, options: Any) -> None:
        """Give the options of the next resets."""
        self._worker.options = options

    def post(self, workers: Any) -> None:  # noqa: ARG002
        """Let workers look at their commands."""
        try:
            self._worker.sweep()
        except Exception as error:
            raise WorkerError(0, f"{type(error).__name__}: {error}", traceback.format_exc()) from error

    def watch(self, since: Any, timeout: float) -> None:
        """Do nothing: whoever asks is the worker."""

    def wait(self, signal: int, target: int, timeout: float) -> None:  # noqa: ARG002
        """Wait for a signal of the board."""
        assert self.bell.wait(signal, target)

    def close(self) -> None:
        """Close the environments."""
        self._worker.close()


class Crew:
    """What threads and processes share: the signals."""

    board: Board
    bell: Bell
    _watched = 0.0

    def post(self, workers: Any) -> None:
        """Let workers look at their commands."""
        for index in workers:
            self.bell.advance(self.board.layout.signals + index, 1)

    def wait(self, signal: int, target: int, timeout: float) -> None:
        """Wait for a signal of the board.

        Raises:
            WorkerError: If a worker failed, died, or has not answered after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self.bell.wait(signal, target):
            self.look()
            if time.monotonic() > deadline:
                busy = [index for index, number in enumerate(self.board.busy) if number >= 0]
                raise WorkerError(busy[0] if busy else 0, f"no answer within timeout={timeout} s")
        if self.board.notes[FAULT]:
            self.look()

    def watch(self, since: Any, timeout: float) -> None:
        """Look after a worker that fails while the others go on, a few times a second.

        Args:
            since: [E], when each environment was given its command, on the monotonic clock.
            timeout: Seconds that it may take.

        Raises:
            WorkerError: As `wait`.
        """
        now = time.monotonic()
        if now < self._watched + SLICE / 1000:
            return
        self._watched = now
        self.look()
        for index, number in enumerate(self.board.busy.tolist()):
            if number >= 0 and since[number] < now - timeout:
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
        self.board = Board(plan.layout, private_memory(plan.layout.nbytes()))
        self.board.clear()
        self.bell = Bell(self.board)
        self._options: Any = None
        self._faults: dict[int, WorkerError] = {}
        self._threads: list[threading.Thread] = []
        self._workers = []
        try:
            for index in range(plan.layout.workers):
                given = plan.given if index == 0 else None
                arguments = (self.board, self.bell, plan.interface, index, plan.share(index), plan.build, given)
                self._workers.append(Worker(*arguments))
        except Exception as error:
            raise WorkerError(index, f"{type(error).__name__}: {error}", traceback.format_exc()) from error
        for worker in self._workers:
            thread = threading.Thread(target=self._serve, args=(worker,), name=f"workbench {worker.index}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, worker: Worker) -> None:
        try:
            worker.serve(lambda: self._options, lambda: True)
        except Exception as error:
            self._faults[worker.index] = WorkerError(
                worker.index, f"{type(error).__name__}: {error}", traceback.format_exc()
            )
            fail(self.board, self.bell, worker.index)

    def options(self, options: Any) -> None:
        """Give the options of the next resets."""
        self._options = options
        self.board.notes[LETTERS] += 1

    def look(self) -> None:
        """Raise what a worker met."""
        for error in self._faults.values():
            raise error

    def close(self) -> None:
        """End the threads and close the environments."""
        self._ask_to_end()
        deadline = time.monotonic() + GRACE
        for worker, thread in zip(self._workers, self._threads, strict=True):
            thread.join(max(0.0, deadline - time.monotonic()))
            if not thread.is_alive():
                worker.close()


class Processes(Crew):
    """Processes that share the board's memory.

    They do not import the caller's script again, so it needs no `if __name__ == "__main__"`: what it defines comes
    along by value.
    """

    def __init__(self, plan: Plan, start_method: str) -> None:
        import cloudpickle

        memory, descriptor = shared_memory(plan.layout.nbytes())
        self.board = Board(plan.layout, memory)
        self.board.clear()
        self.bell = Bell(self.board)
        context: Any = multiprocessing.get_context(start_method)
        if start_method == "forkserver":
            context.set_forkserver_preload(["workbench.envs.emulation.crews"])
        self._processes: list[Any] = []
        self._connections: list[Any] = []
        build = cloudpickle.dumps(plan.build)
        try:
            for index in range(plan.layout.workers):
                ours, theirs = context.Pipe()
                process = context.Process(target=serve, args=(theirs,), name=f"workbench {index}", daemon=True)
                with _without_main():
                    process.start()
                theirs.close()
                self._processes.append(process)
                self._connections.append(ours)
                reduction.send_handle(ours, descriptor, process.pid)
                ours.send((plan.layout, build, plan.max_agents, index, plan.share(index)))
            for index, ours in enumerate(self._connections):
                self._await_start(index, ours)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(descriptor)

    def _await_start(self, index: int, ours: Any) -> None:
        if not ours.poll(START_TIMEOUT):
            raise WorkerError(index, f"not ready after {START_TIMEOUT} s")
        self._read(index, ours)

    def _read(self, index: int, ours: Any) -> None:
        """Take what a worker says; raise if it is bad news."""
        try:
            message, details = ours.recv()
        except (EOFError, OSError):
            process = self._processes[index]
            process.join(GRACE)
            raise WorkerError(index, f"its process ended with exit code {process.exitcode}") from None
        if details:
            raise WorkerError(index, message, details)

    def options(self, options: Any) -> None:
        """Give the options of the next resets."""
        for ours in self._connections:
            ours.send(options)
        self.board.notes[LETTERS] += 1

    def look(self) -> None:
        """Raise what a worker met, or that one is gone."""
        for ours in connection.wait(self._connections, timeout=0):
            self._read(self._connections.index(ours), ours)

    def close(self) -> None:
        """End the processes, by force if they do not end in time."""
        self._ask_to_end()
        deadline = time.monotonic() + GRACE
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in self._processes:
            if process.exitcode is None:
                process.kill()
                process.join()
            process.close()
        for ours in self._connections:
            ours.close()
        self._processes, self._connections = [], []


def fail(board: Board, bell: Bell, index: int) -> None:
    """Tell the reader of the board, whichever signal it waits for, that a worker failed."""
    board.notes[FAULT] = index + 1
    for signal_ in range(board.layout.signals):
        bell.advance(signal_, board.layout.environments)


class _Line:
    """The connection to the parent, as a worker that sleeps uses it."""

    def __init__(self, parent: Any) -> None:
        self._parent = parent
        self._early: list[Any] = []

    def alive(self) -> bool:
        """Take what came before its announcement; the parent's end raises EOFError."""
        if self._parent.poll(0):
            self._early.append(self._parent.recv())
        return True

    def letter(self) -> Any:
        """Return what was announced."""
        return self._early.pop(0) if self._early else self._parent.recv()


def serve(parent: Any) -> None:
    """Be a worker in a process of its own: `parent` sends memory and task, and hears "ready", or what failed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    import cloudpickle

    descriptor = reduction.recv_handle(parent)
    layout, pickled, max_agents, index, share = parent.recv()
    board = Board(layout, mmap(descriptor, layout.nbytes()))
    os.close(descriptor)
    bell, worker = Bell(board), None
    try:
        build = cloudpickle.loads(pickled)
        env = build()
        worker = Worker(board, bell, Interface(env, max_agents), index, share, build, env)
        parent.send(("ready", ""))
        line = _Line(parent)
        worker.serve(line.letter, line.alive)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone
    except BaseException as error:
        parent.send((f"{type(error).__name__}: {error}", traceback.format_exc()))
        fail(board, bell, index)
    finally:
        if worker is not None:
            worker.close()


_starting = threading.Lock()


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep multiprocessing from running the caller's script again in a process that starts."""
    with _starting:
        prepare = spawn.get_preparation_data

        def lean(name: str) -> dict[str, Any]:
            return {key: value for key, value in prepare(name).items() if not key.startswith("init_main")}

        spawn.get_preparation_data = lean
        try:
            yield
        finally:
            spawn.get_preparation_data = prepare


def check_backend(backend: str, start_method: str | None) -> str:
    """Return how processes start.

    Raises:
        InputError: If the backend cannot run here, or the start method is unknown.
    """
    if backend != "serial" and not signals.AVAILABLE:
        raise InputError(
            f"backend={backend!r} needs compiled signals, which this platform or NUMBA_DISABLE_JIT rules out; choose "
            f"'serial'."
        )
    chosen = "forkserver" if start_method is None else start_method
    if chosen not in START_METHODS or chosen not in multiprocessing.get_all_start_methods():
        raise InputError(f"start_method={start_method!r} is not available; choose one of {', '.join(START_METHODS)}.")
    return chosen
