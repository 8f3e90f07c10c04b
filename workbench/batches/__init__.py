"""Batches: one notebook, executed for every combination of a grid and every seed."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.batches.folder import RESULTS, SUMMARY, BatchFolder, End
from workbench.batches.plan import Task, check_known, parameters_of, tasks_of
from workbench.batches.running import Report, Runner
from workbench.batches.summary import write_summary
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas

INSTALL = 'Batches need papermill and pyarrow: pip install "rl-workbench[lab]"'
SUMMARY_SECONDS = 600
__all__ = ["Batch", "sweep"]


class Batch:
    """A batch on disk; see `sweep`.

    Attributes:
        path: Its folder.
        tasks: What it consists of.
    """

    def __init__(self, path: Path, tasks: list[Task]) -> None:
        self.path, self.tasks = path, tasks
        self._folder = BatchFolder(path)

    def __repr__(self) -> str:
        states = list(self.states().values())
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"<Batch {self.path}: {counts}>"

    def states(self) -> dict[int, str]:
        """Return how each task ended, by its number: "done", "failed", "timeout", or "to do"."""
        return {task.number: _state(self._folder.end_of(task)) for task in self.tasks}

    def results(self) -> "pandas.DataFrame":
        """Return a row a result: the task's parameters, how it ended, and what it wrote or its runs reached."""
        return self._folder.results(self.tasks)

    def summarise(self) -> Path | None:
        """Write `results.parquet`, and the summary notebook, executed; return its path, or None if it failed."""
        self.results().to_parquet(self.path / RESULTS)
        path = self.path / SUMMARY
        write_summary(path, self.path.name, [task.parameters for task in self.tasks])
        command = [sys.executable, "-m", "papermill", SUMMARY, SUMMARY, "--no-progress-bar", "--log-level", "ERROR"]
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=self.path,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=SUMMARY_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return None
        return path if done.returncode == 0 else None


def sweep(
    notebook: str | Path,
    grid: Mapping[str, Any] | None = None,
    *,
    seeds: int | Iterable[int] | None = None,
    folder: str | Path | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    retries: int = 2,
    report: Report | None = None,
) -> Batch:
    """Execute a notebook for every combination of values and every seed, several at a time, and sum up what came out.

    Each is a process with a kernel of its own. What a task writes to its parameter `output` (a parquet or JSON file),
    or else what its runs reached, is its result. A batch that was interrupted goes on where it was when the same call
    is made again: what is done is not done again, what failed is tried again.

        wb.sweep("train.ipynb", {"learning_rate": [1e-3, 3e-3]}, seeds=5, folder="batches/rates").results()

    Args:
        notebook: Its path; a cell of it is tagged `parameters`.
        grid: By parameter, a value or several.
        seeds: How many, from 0, or which ones, for the parameter `seed`; None to pass none.
        folder: Where the batch is kept; a new folder under `batches/` if None.
        workers: How many notebooks at a time; half as many as there are cores if None, so that each has two.
        timeout: Seconds that one may take; None for any.
        retries: How often one is begun again whose kernel did not start.
        report: Called with each task that ended, and how; prints a line if None.

    Raises:
        InputError: If an argument is out of range, or `folder` holds something else.
        UnknownNameError: If the notebook has no such parameter.
    """
    try:
        import papermill  # noqa: F401
        import pyarrow  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(f"{INSTALL} ({error.name} is missing).") from error
    cores = os.cpu_count() or 1
    workers = max(1, cores // 2) if workers is None else workers
    for name, value, low in (("workers", workers, 1), ("retries", retries, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise InputError(f"{name}={value!r} is out of range; pass an integer of at least {low}.")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0):
        raise InputError(f"timeout={timeout!r} is out of range; pass a number of seconds above 0, or None.")
    source = Path(notebook)
    declared = parameters_of(source)
    tasks = tasks_of(grid or {}, seeds)
    check_known(tasks[0].parameters, declared)
    path = Path(folder) if folder is not None else Path("batches") / f"{source.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    kept = BatchFolder(path)
    kept.begin(source, tasks)
    batch = Batch(path, tasks)
    left = [task for task in tasks if _state(kept.end_of(task)) != "done"]
    with kept.executing():
        Runner(source, kept, declared, workers, timeout, retries).run(left, report or _Printer(len(tasks), len(left)))
        if (left or not (path / SUMMARY).exists()) and batch.summarise() is None and report is None:
            print(f"the summary could not be made; {path / SUMMARY} says why")
    return batch


def _state(end: End | None) -> str:
    return "to do" if end is None else end.state


class _Printer:
    """Prints a line for each task that ended."""

    def __init__(self, total: int, left: int) -> None:
        self._total, self._ended = total, total - left

    def __call__(self, task: Task, end: End) -> None:
        self._ended += 1
        reason = f": {end.error}" if end.error else ""
        print(f"{self._ended}/{self._total}  {task.name}  {end.state} after {end.seconds:.1f} s{reason}", flush=True)
