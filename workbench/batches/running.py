"""Execute notebooks, each in a process of its own with a kernel of its own, several at a time."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workbench.batches.folder import NOTEBOOK, RESULT, RUNS, BatchFolder, End
from workbench.batches.plan import Parameters, Task
from workbench.training.interrupts import stop_on_termination
from workbench.training.layout import RUNS_VARIABLE

OUTPUT = "output"
"""The parameter by which a notebook is told where to write its result."""

GRACE = 10.0
"""Seconds between asking a notebook to end and ending it."""

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LONGEST = 300
"""Characters of an error that are kept."""

Report = Callable[[Task, End], None]


class Runner:
    """Executes the tasks of a batch.

    Args:
        notebook: What is executed.
        folder: Where the batch is kept.
        declared: The notebook's parameters, and their defaults as source text.
        workers: How many at a time.
        timeout: Seconds that one may take, from its beginning; None for any.
        retries: How often one is begun again whose kernel did not start.
    """

    def __init__(
        self,
        notebook: Path,
        folder: BatchFolder,
        declared: Parameters,
        workers: int,
        timeout: float | None,
        retries: int,
    ) -> None:
        self._notebook, self._folder, self._declared = notebook, folder, declared
        self._workers, self._timeout, self._retries = workers, timeout, retries
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def run(self, tasks: list[Task], report: Report) -> None:
        """Execute `tasks`; what is interrupted, by Ctrl-C or SIGTERM, is still to be done."""
        names = "workbench-batch"
        with stop_on_termination(_interrupt), ThreadPoolExecutor(self._workers, thread_name_prefix=names) as pool:
            try:
                for future in [pool.submit(self._execute, task, report) for task in tasks]:
                    future.result()
            except BaseException:  # Ctrl-C, mostly
                pool.shutdown(wait=False, cancel_futures=True)
                self._stop()
                raise

    def _execute(self, task: Task, report: Report) -> None:
        attempt = 1
        end = self._attempt(task, attempt)
        while end is not None and end.state == "failed" and attempt <= self._retries and not self._began(task):
            attempt += 1
            end = self._attempt(task, attempt)
        if end is not None:  # else it was interrupted
            self._folder.finish(task, end)
            report(task, end)

    def _began(self, task: Task) -> bool:
        """Tell whether a cell was executed: else the kernel did not start, and another attempt may help."""
        return any(cell.get("execution_count") for cell in _cells(self._folder.of(task) / NOTEBOOK))

    def _attempt(self, task: Task, attempt: int) -> End | None:
        """Execute a task once."""
        folder = self._folder.clear(task).absolute()
        log = folder / "log.txt"
        started = time.monotonic()
        with log.open("wb") as output:
            process = self._begin(self._command(folder, task), folder, output)
            if process is None:
                return None
            try:
                code: int | None = process.wait(self._timeout)
            except subprocess.TimeoutExpired:
                code = None
                _end(process)
            finally:
                with self._lock:
                    self._processes.discard(process)
        seconds = round(time.monotonic() - started, 3)
        if self._stopping:
            return None
        if code is None:
            return End("timeout", seconds, attempt, f"it took longer than timeout={self._timeout:g} s")
        if code:
            return End("failed", seconds, attempt, _reason(folder / NOTEBOOK, log))
        return End("done", seconds, attempt)

    def _begin(self, command: list[str], folder: Path, output: Any) -> "subprocess.Popen[bytes] | None":
        with self._lock:
            if self._stopping:
                return None
            process = subprocess.Popen(
                command,
                env=self._environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the batch, which asks each of them to end
            )
            self._processes.add(process)
            return process

    def _command(self, folder: Path, task: Task) -> list[str]:
        parameters = dict(task.parameters)
        if OUTPUT in self._declared and OUTPUT not in parameters:
            suffix = ".json" if ".json" in str(self._declared[OUTPUT]) else ".parquet"
            parameters[OUTPUT] = str((folder / RESULT).with_suffix(suffix))
        given = folder / "parameters.json"
        given.write_text(json.dumps(parameters), encoding="utf-8")
        quiet = ["--no-progress-bar", "--log-level", "ERROR"]
        paths = [str(self._notebook), str(folder / NOTEBOOK)]
        return [sys.executable, "-m", "papermill", *paths, "--parameters_file", str(given), *quiet]

    def _environment(self, folder: Path) -> dict[str, str]:
        """Return the environment of a task: its share of the cores, and where its runs go."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        share = str(max(1, cores // self._workers))
        threads = {name: share for name in THREADS if name not in os.environ}
        return {**os.environ, **threads, RUNS_VARIABLE: str(folder / RUNS)}

    def _stop(self) -> None:
        with self._lock:
            self._stopping = True
            processes = list(self._processes)
        for process in processes:
            _end(process)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a notebook to end, so that it ends its kernel; end it if it does not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a kernel ends when its parent has
        process.wait()


def _cells(notebook: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        return [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _reason(notebook: Path, log: Path) -> str:
    """Return why a notebook failed, in one line: the error of its cell, or the last line of its log."""
    for cell in _cells(notebook):
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                return " ".join(f"{output['ename']}: {output['evalue']}".split())[:LONGEST]
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip()[:LONGEST] if lines else "it ended without a word"
