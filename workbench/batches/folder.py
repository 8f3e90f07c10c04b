"""A batch on disk: `batch.json` says what it is, and each task has a folder with its notebook, its runs and its result.

batches/NAME/
batch.json                    the notebook's fingerprint, and the parameters of every task
process.json                  who executes it; gone when that has ended
0000-learning_rate=0.01-.../
notebook.ipynb              as it was executed, also of one that failed
runs/                       where its trainers keep their runs
result.parquet, result.json what it wrote to its parameter `output`, if it has one
task.json                   how it ended; without it, it is still to be done
results.parquet               a row a result: parameters, state, what came out
summary.ipynb
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.analysis.runs import find_runs
from workbench.batches.plan import Task
from workbench.errors import InputError
from workbench.training.files import write_json
from workbench.training.status import process_began

if TYPE_CHECKING:
    import pandas

PROCESS = "process.json"
BATCH, TASK, NOTEBOOK, RUNS, RESULT = "batch.json", "task.json", "notebook.ipynb", "runs", "result"
RESULTS, SUMMARY = "results.parquet", "summary.ipynb"
FINAL = ("episode_return", "evaluation_return", "episode_length", "steps_per_second")
"""Of a run, what its result says: the newest value of these metrics, beside its steps and seconds."""


@dataclass(frozen=True)
class End:
    """How a task ended.

    Attributes:
        state: "done", "failed", or "timeout".
        seconds: Between its beginning and its end, the last attempt alone.
        attempts: How often it was begun.
        error: Why it failed, in one line.
    """

    state: str
    seconds: float
    attempts: int
    error: str | None = None


class BatchFolder:
    """Where a batch is kept.

    Args:
        path: The folder; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, notebook: Path, tasks: list[Task]) -> None:
        """Write down what the batch is, or make sure that what is there is the same.

        Raises:
            InputError: If another batch is there.
        """
        about = {
            "notebook": notebook.name,
            "sha256": hashlib.sha256(notebook.read_bytes()).hexdigest(),
            "tasks": [task.parameters for task in tasks],
        }
        found = self._about()
        if found is None:
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self.path / BATCH, about)
        elif found != about:
            what = next(name for name in about if found.get(name) != about[name])
            raise InputError(f"folder={str(self.path)!r} holds a batch with another {what}; choose a new folder.")

    def _about(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads((self.path / BATCH).read_bytes())
        except FileNotFoundError:
            if self.path.is_dir() and any(self.path.iterdir()):
                raise InputError(f"folder={str(self.path)!r} holds something else; choose a new folder.") from None
            return None
        except ValueError as error:
            raise InputError(f"folder={str(self.path)!r} has no readable {BATCH} ({error}); remove it.") from error
        return found

    @contextlib.contextmanager
    def executing(self) -> Iterator[None]:
        """Say that this process executes the batch, as long as the block takes."""
        pid = os.getpid()
        write_json(self.path / PROCESS, {"host": socket.gethostname(), "pid": pid, "began": process_began(pid) or 0})
        try:
            yield
        finally:
            (self.path / PROCESS).unlink(missing_ok=True)

    def of(self, task: Task) -> Path:
        """Return the folder of a task."""
        return self.path / task.name

    def end_of(self, task: Task) -> End | None:
        """Return how a task ended; None if it is still to be done."""
        try:
            return End(**json.loads((self.of(task) / TASK).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def clear(self, task: Task) -> Path:
        """Make room for a task that begins, and return its folder."""
        folder = self.of(task)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / RUNS).mkdir(parents=True)
        return folder

    def finish(self, task: Task, end: End) -> None:
        """Write down how a task ended."""
        write_json(self.of(task) / TASK, end.__dict__)

    def results(self, tasks: list[Task]) -> "pandas.DataFrame":
        """Return a row a result: the task's parameters, how it ended, and what it wrote or its runs reached."""
        import pandas

        rows = []
        for task in tasks:
            end = self.end_of(task) or End("to do", math.nan, 0)
            state = {"task": task.number, **task.parameters, "state": end.state, "task_seconds": end.seconds}
            found = self._written(task) or self._reached(task) or [{}]
            rows += [state | {name: value for name, value in row.items() if name not in state} for row in found]
        return pandas.DataFrame(rows)

    def _written(self, task: Task) -> list[dict[str, Any]]:
        """Return what the notebook wrote to its parameter `output`."""
        import pandas

        stem = self.of(task) / RESULT
        try:
            if stem.with_suffix(".parquet").exists():
                found: list[Any] = pandas.read_parquet(stem.with_suffix(".parquet")).to_dict("records")
            elif stem.with_suffix(".json").exists():
                content = json.loads(stem.with_suffix(".json").read_bytes())
                found = content if isinstance(content, list) else [content]
            else:
                return []
        except (OSError, ValueError):  # a task that was killed while it wrote
            return []
        return [_flat(row) for row in found if isinstance(row, dict)]

    def _reached(self, task: Task) -> list[dict[str, Any]]:
        """Return what the runs of a task reached."""
        folder = self.of(task) / RUNS
        rows = []
        for run in find_runs(folder) if folder.is_dir() else []:
            curves = run.curves([*FINAL, "seconds"])
            last = {name: float(values[-1]) for name, (_, values) in curves.items()}
            steps = int(max((at[-1] for at, _ in curves.values()), default=0))
            rows.append({"run": str(run.path.relative_to(self.path)), "steps": steps, **last})
        return rows


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is no plain value: a table has no room for it."""
    return {name: value for name, value in row.items() if value is None or isinstance(value, bool | int | float | str)}
