"""Batches seen from outside: how far each is, whether somebody executes it, and how to stop that."""

import contextlib
import json
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.batches.folder import BATCH, PROCESS, TASK, BatchFolder
from workbench.batches.plan import Task
from workbench.errors import InputError
from workbench.training.status import is_running

DEPTH = 2
"""Folders below the one that is searched in which batches are found."""


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes:
        path: Its folder.
        notebook: Its notebook's name.
        tasks: How many there are; `done` and `failed` of them have ended, those that took too long among the latter.
        executed: Whether a process of this machine executes it now.
    """

    path: Path
    notebook: str
    tasks: int
    done: int
    failed: int
    executed: bool


def find_batches(folder: Path) -> list[Path]:
    """Return the folders of batches at or under `folder`, by name."""
    patterns = ["/".join([*["*"] * depth, BATCH]) for depth in range(DEPTH + 1)]
    found = [path.parent for pattern in patterns for path in folder.glob(pattern)]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def progress_of(path: Path) -> Progress | None:
    """Return how far the batch in `path` is; None if there is none that can be read."""
    try:
        about = json.loads((path / BATCH).read_bytes())
        tasks = [Task(number, parameters) for number, parameters in enumerate(about["tasks"])]
        notebook = str(about["notebook"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    folder = BatchFolder(path)
    ends = [folder.end_of(task) for task in tasks if (folder.of(task) / TASK).exists()]
    done = sum(end is not None and end.state == "done" for end in ends)
    return Progress(path, notebook, len(tasks), done, len(ends) - done, _process(path) is not None)


def stop(path: Path) -> None:
    """Ask the process that executes the batch in `path` to end: its notebooks end, and what is done stays.

    Raises:
        InputError: If no process of this machine executes it.
    """
    process = _process(path)
    if process is None:
        raise InputError(f"batch {path.name}: no process of this machine executes it; refresh the page.")
    with contextlib.suppress(ProcessLookupError):  # it has ended just now
        os.kill(process, signal.SIGTERM)


def _process(path: Path) -> int | None:
    """Return the number of the process that executes the batch in `path`, if one of this machine does."""
    try:
        found: dict[str, Any] = json.loads((path / PROCESS).read_bytes())
        pid, began = int(found["pid"]), int(found["began"])
        here = found["host"] == socket.gethostname()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if here and is_running(pid, began) else None
