"""The memory that environments write into and the learner reads: one block, shared by whoever steps them.

E: environments, A: agents of each, B = E * A lanes, M: environments a batch, F: frames (batches) kept, W: workers,
R: components of an observation's row, D: discrete and K: continuous components of an action, N: choices of all discrete
components.
"""

import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench_kernels.arrays import ALIGNMENT, aligned
from workbench_kernels.targets import signals

IDLE, STEP, RESET, SEEDED_RESET = range(4)
"""What is asked of an environment."""

SLICE = 100
"""Milliseconds of sleep at most, between two looks at whether the other side lives."""

SPINS = 3000
"""Looks at a signal before sleeping: some 100 microseconds."""


@dataclass(frozen=True)
class Layout:
    """Which arrays a board has."""

    environments: int
    agents: int
    batch: int
    frames: int
    components: int
    storage: str
    discrete: int
    continuous: int
    choices: int
    workers: int

    @property
    def staggered(self) -> bool:
        """Whether a batch is the first environments that are ready, instead of all."""
        return self.batch < self.environments

    @property
    def signals(self) -> int:
        """How many signals say what is done: one, or one a frame where lanes are staggered. The workers' own follow."""
        return self.frames if self.staggered else 1

    def fields(self) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Return the shape and dtype of each array.

        Rows of a frame are the lanes in order, or where lanes are staggered in the order in which they came.
        """
        lanes, rows = self.environments * self.agents, (self.frames, self.batch * self.agents)
        return {
            "observation": ((*rows, self.components), self.storage),
            "final_observation": ((lanes, self.components), self.storage),
            "reward": (rows, np.float32),
            "terminated": (rows, np.bool_),
            "truncated": (rows, np.bool_),
            "active": (rows, np.bool_),
            "lane": (rows, np.int32),
            "action_mask": ((*rows, self.choices), np.bool_),
            "discrete": ((lanes, self.discrete), np.int64),
            "continuous": ((lanes, self.continuous), np.float32),
            "command": ((self.environments,), np.uint8),
            "seed": ((self.environments,), np.int64),
            "steps": ((self.environments,), np.int64),
            "busy": ((self.workers,), np.int64),
            "turns": ((self.workers,), np.int64),
            "notes": ((len(NOTES),), np.int64),
            "slots": ((1,), np.int64),
            "signals": (((self.signals + self.workers) * signals.WORDS,), np.uint32),
        }

    def nbytes(self) -> int:
        """Return the size of the block."""
        return sum(padded(shape, dtype) for shape, dtype in self.fields().values())


NOTES = FRAME, FAULT, CLOSING, MASKED, LETTERS = range(5)
"""The frame to write, which worker failed (from 1), whether to end, whether action masks were seen, options sent."""


def size_of(shape: tuple[int, ...], dtype: Any) -> int:
    """Return the bytes of an array."""
    return int(np.prod(shape)) * int(np.dtype(dtype).itemsize)


def padded(shape: tuple[int, ...], dtype: Any) -> int:
    """Return the bytes that an array takes: it ends on a cache line, and one more follows (`arrays.aligned`)."""
    return -(-size_of(shape, dtype) // ALIGNMENT) * ALIGNMENT + ALIGNMENT


class Board:
    """The arrays of `layout` over `memory`, as attributes."""

    observation: Any
    final_observation: Any
    reward: Any
    terminated: Any
    truncated: Any
    active: Any
    lane: Any
    action_mask: Any
    discrete: Any
    continuous: Any
    command: Any
    seed: Any
    steps: Any
    busy: Any
    turns: Any
    notes: Any
    slots: Any
    signals: Any

    def __init__(self, layout: Layout, memory: Any) -> None:
        self.layout = layout
        start = 0
        for name, (shape, dtype) in layout.fields().items():
            size = size_of(shape, dtype)
            array = np.frombuffer(memory, np.uint8, size, start).view(dtype).reshape(shape) if size else None
            setattr(self, name, np.zeros(shape, dtype) if array is None else array)
            start += padded(shape, dtype)

    def clear(self) -> None:
        """Set what is not zero at first."""
        self.active[...] = True
        if not self.layout.staggered:
            self.lane[...] = np.arange(self.lane.shape[1])
        self.action_mask[...] = True
        self.busy[...] = -1


class Bell:
    """How workers and the reader of a board tell each other that something is done, across threads and processes."""

    def __init__(self, board: Board) -> None:
        self._signals, self._slots = board.signals, board.slots

    def claim(self, count: int) -> int:
        """Take the next `count` places of the batches; return the first."""
        return int(signals.claim(self._slots, count))

    def advance(self, signal: int, count: int) -> None:
        """Add to a signal."""
        signals.advance(self._signals, signal, count)

    def wait(self, signal: int, target: int) -> bool:
        """Wait until a signal is at `target`; return False if it is not after a `SLICE`."""
        return bool(signals.wait(self._signals, signal, target & 0xFFFFFFFF, SPINS, SLICE))


class Counter:
    """A bell for one thread alone."""

    def __init__(self, layout: Layout) -> None:
        self._slots, self._signals = 0, [0] * (layout.signals + layout.workers)

    def claim(self, count: int) -> int:
        """See `Bell`."""
        self._slots += count
        return self._slots - count

    def advance(self, signal: int, count: int) -> None:
        """See `Bell`."""
        self._signals[signal] += count

    def clear(self) -> None:
        """Start from 0."""
        self._slots, self._signals = 0, [0] * len(self._signals)

    def wait(self, signal: int, target: int) -> bool:
        """See `Bell`."""
        return self._signals[signal] >= target


def private_memory(nbytes: int) -> Any:
    """Allocate memory of this process."""
    return aligned((nbytes,), np.uint8)


def shared_memory(nbytes: int) -> tuple[Any, int]:
    """Allocate memory without a name, and return it with the descriptor by which another process maps it.

    Whoever is killed, the system frees it with the last process that maps it; and the size of /dev/shm, small in
    containers, is no limit to it.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("workbench")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, nbytes)
    return mmap.mmap(descriptor, nbytes), descriptor
