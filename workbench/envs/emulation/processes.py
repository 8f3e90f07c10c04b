"""Workers in processes of their own, which share the board's memory with whoever hired them."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from mmap import mmap
from multiprocessing import connection, reduction, spawn
from typing import Any

from workbench.envs.emulation.board import LETTERS, Bell, Board, Layout, shared_memory
from workbench.envs.emulation.crews import GRACE, Crew, Plan, WorkerError, fail
from workbench.envs.emulation.interface import Interface
from workbench.envs.emulation.worker import Worker, close_all, copies
from workbench.errors import InputError
from workbench_kernels.targets import signals

START_TIMEOUT = 120.0
"""Seconds for a worker to import and build its environments, at least."""

START_METHODS = ("forkserver", "spawn")


class Processes(Crew):
    """Processes that share the board's memory.

    They do not import the caller's script again, so it needs no `if __name__ == "__main__"`: what it defines comes
    along by value.
    """

    def __init__(self, plan: Plan, start_method: str) -> None:
        build = pickled(plan.build, "env")
        memory, descriptor = shared_memory(plan.layout.nbytes())
        super().__init__(Board(plan.layout, memory))
        self._owner = os.getpid()
        context: Any = multiprocessing.get_context(start_method)
        if start_method == "forkserver":
            context.set_forkserver_preload(["workbench.envs.emulation.processes"])
        self._processes: list[Any] = []
        self._connections: list[Any] = []
        try:
            for index in range(plan.layout.workers):
                self._start(context, index, descriptor, (plan.layout, build, plan.max_agents, index, plan.share(index)))
            for index, ours in enumerate(self._connections):
                if not ours.poll(START_TIMEOUT):
                    raise WorkerError(index, f"not ready after {START_TIMEOUT} s")
                self._read(index, ours)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(descriptor)

    def _start(self, context: Any, index: int, descriptor: int, task: Any) -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), name=f"workbench {index}", daemon=True)
        with _without_main():
            process.start()
        theirs.close()
        self._processes.append(process)
        self._connections.append(ours)
        try:
            reduction.send_handle(ours, descriptor, process.pid)
            ours.send(task)
        except OSError:
            raise WorkerError(index, "its process ended while it started") from None

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

    def envs(self) -> list[Any]:
        """Return the environments that are in this process: none."""
        return []

    def options(self, options: Any) -> None:
        """Give the options of the next resets."""
        letter = pickled(options, "options")
        for ours in self._connections:
            ours.send_bytes(letter)
        self.board.notes[LETTERS] += 1

    def look(self) -> None:
        """Raise what a worker met, or that one is gone."""
        for ours in connection.wait(self._connections, timeout=0):
            self._read(self._connections.index(ours), ours)

    def dismiss(self) -> None:
        """End the processes, by force if they do not end in time."""
        if os.getpid() != self._owner:  # a fork of whoever hired them
            return
        self._ask_to_end()
        deadline = time.monotonic() + self.grace
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

    def close(self) -> None:
        """End the processes, which close their environments."""
        self.dismiss()


def pickled(value: Any, name: str) -> bytes:
    """Return `value` for another process, with what a script or a cell defines.

    Raises:
        InputError: If it cannot be pickled.
    """
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        raise InputError(
            f"{name}={value!r} cannot go to another process ({type(error).__name__}: {error}); leave out what holds "
            f"locks or files, or choose backend='serial'."
        ) from error


class _Line:
    """The connection to the parent, as a worker that sleeps uses it."""

    def __init__(self, parent: Any) -> None:
        self._parent = parent
        self._early: list[Any] = []

    def alive(self) -> bool:
        """Take what came before its announcement; tell whether the parent is there."""
        try:
            if self._parent.poll(0):
                self._early.append(self._parent.recv_bytes())
        except (EOFError, OSError):
            return False
        return True

    def letter(self) -> Any:
        """Return what was announced."""
        import cloudpickle

        return cloudpickle.loads(self._early.pop(0) if self._early else self._parent.recv_bytes())


def serve(parent: Any) -> None:
    """Be a worker in a process of its own: `parent` sends memory and task, and hears "ready", or what failed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    import cloudpickle

    try:
        descriptor = reduction.recv_handle(parent)
        layout, build, max_agents, index, share = parent.recv()
    except (EOFError, OSError):
        return  # the parent is gone
    board = Board(layout, mmap(descriptor, layout.nbytes()))
    os.close(descriptor)
    bell = Bell(board)
    envs: list[Any] = []
    try:
        copies(cloudpickle.loads(build), len(share), made=envs)
        interface = Interface(envs[0], max_agents)
        if layout_of(interface) != layout_of_board(layout):
            raise InputError(
                f"env has other spaces in this process than in the one that asked: {interface.tree.space} and "
                f"{interface.heads.original}; let them not depend on where it is made."
            )
        worker = Worker(board, bell, interface, index, share, envs)
        parent.send(("ready", ""))
        line = _Line(parent)
        worker.serve(line.letter, line.alive)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the parent may be gone
            parent.send((f"{type(error).__name__}: {error}", traceback.format_exc()))
        fail(board, bell, index)
    finally:
        close_all(envs)


def layout_of(interface: Interface) -> tuple[Any, ...]:
    """Return what of an interface decides a layout."""
    tree, heads = interface.tree, interface.heads
    return tree.components, tree.storage.str, interface.agents, len(heads.nvec), len(heads.low), interface.choices


def layout_of_board(layout: Layout) -> tuple[Any, ...]:
    """Return the same of a layout."""
    counts = layout.agents, layout.discrete, layout.continuous, layout.choices
    return layout.components, layout.storage, *counts


_starting = threading.Lock()


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep multiprocessing from running the caller's script again in a process that starts."""
    with _starting:
        prepare, here = spawn.get_preparation_data, threading.get_ident()

        def lean(name: str) -> dict[str, Any]:
            found = prepare(name)
            if threading.get_ident() != here:  # somebody else starts a process of his own
                return found
            return {key: value for key, value in found.items() if not key.startswith("init_main")}

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
