"""Batches begun from the dashboard: `workbench sweep` in a process of its own, over a notebook that lies there."""

import ast
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from workbench.batches import progress
from workbench.batches.folder import BATCH
from workbench.batches.plan import check_known, parameters_of, tasks_of
from workbench.commands.sweep import parsed
from workbench.errors import InputError, unknown_name
from workbench.training.layout import RUN

TAG = "parameters"
"""Of the cell that a batch sets anew."""

TEMPLATES = Path(progress.__file__).parent / "templates"
DEPTH = 2
"""Folders below the working directory in which notebooks are found."""

MOST_FOLDERS = 500
MOST = 50
"""Notebooks, and batches, that are listed, at most."""

PERIOD = 2.0
"""Seconds between two looks at the batches, at least."""

LONGEST = 2000
"""Characters of a grid's text, at most."""

Record = dict[str, Any]


class Batches:
    """The batches of a folder, and the notebooks that could be executed.

    Args:
        folder: Where runs, and batches, are kept.
        workplace: Below which the notebooks lie.
    """

    def __init__(self, folder: Path, workplace: Path) -> None:
        self._folder, self._workplace = folder, workplace
        self._begun: list[tuple[subprocess.Popen[bytes], IO[bytes], str]] = []
        self._notebooks: dict[str, Path] = {}
        self._parameters: dict[str, list[str]] = {}
        self._rows: list[Record] = []
        self._next = 0.0
        self.remark: Record | None = None

    def look(self) -> Record:
        """Return what the page shows: notebooks and their parameters, and how far each batch is, the newest first."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PERIOD
            self._wait()
            found = [progress.progress_of(path) for path in progress.find_batches(self._folder)]
            rows = [self._row(batch) for batch in found if batch is not None]
            self._rows = sorted(rows, key=lambda row: (row["executed"], row["name"][-15:]), reverse=True)[:MOST]
        return {"notebooks": list(self._parameters.items()), "batches": self._rows, "remark": self.remark}

    def obey(self, command: Record) -> None:
        """Do what the page asks, and remark on it."""
        try:
            if command["kind"] == "begin":
                name = self.begin(str(command["notebook"]), str(command["grid"]), command.get("workers"))
                self.remark = {"text": f"{name} has begun.", "tone": "good"}
            elif command["kind"] == "end":
                self.end(str(command["batch"]))
                self.remark = None
            else:
                self.find()
                self.remark = None
        except InputError as error:
            self.remark = {"text": str(error), "tone": "error"}

    def find(self) -> None:
        """Look for notebooks: those below the working directory that have parameters, and those supplied."""
        own = {path.relative_to(self._workplace).as_posix(): path for path in _below(self._workplace, DEPTH)}
        supplied = {f"supplied: {path.name}": path for path in sorted(TEMPLATES.glob("*.ipynb"))}
        found = [(name, path, _parameters(path)) for name, path in (*sorted(own.items())[:MOST], *supplied.items())]
        self._parameters = {name: names for name, _, names in found if names is not None}
        self._notebooks = {name: path for name, path, names in found if names is not None}

    def begin(self, notebook: str, grid: str, workers: int | None) -> str:
        """Execute a notebook for every combination of a grid, in a process of its own; return the batch's name.

        Args:
            notebook: One that was found.
            grid: NAME=VALUE,... for each parameter, with spaces between; values with spaces are quoted, as in a shell.
            workers: How many at a time; half as many as there are cores if None.

        Raises:
            InputError: If there is no such notebook, or the text is no grid of it.
        """
        if notebook not in self._notebooks:
            raise unknown_name("notebook", notebook, self._notebooks)
        if len(grid) > LONGEST:
            raise InputError(f"parameters have {len(grid)} characters; write at most {LONGEST}.")
        if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
            raise InputError(f"workers={workers!r} is out of range; pass an integer of at least 1.")
        try:
            axes = shlex.split(grid)
        except ValueError as error:
            raise InputError(f"parameters={grid!r} cannot be read ({error}); close every quotation.") from None
        source = self._notebooks[notebook]
        (first, *_) = tasks_of(dict(map(parsed, axes)), None)
        check_known(first.parameters, parameters_of(source))
        folder = self._folder / f"{source.stem}-{datetime.now():%Y%m%d-%H%M%S}"
        if folder.exists():
            raise InputError(f"folder={folder.name!r} has just begun; wait a second.")
        command = [sys.executable, "-m", "workbench.cli", "sweep", str(source.absolute())]
        command += ["--folder", str(folder.absolute()), *(f"--grid={axis}" for axis in axes)]
        command += [] if workers is None else ["--workers", str(workers)]
        log = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when the process has ended
        process = subprocess.Popen(
            command,
            cwd=self._workplace,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it goes on when the dashboard ends
        )
        self._begun.append((process, log, folder.name))
        self._next = 0.0
        return folder.name

    def end(self, batch: str) -> None:
        """End a batch; what is done stays.

        Raises:
            InputError: If there is no such batch, or no process of this machine executes it.
        """
        known = {self._name(path): path for path in progress.find_batches(self._folder)}
        if batch not in known:
            raise unknown_name("batch", batch, known)
        progress.stop(known[batch])
        self._next = 0.0

    def _wait(self) -> None:
        """See which of the processes begun here have ended, and remark on one that did not come to execute anything."""
        for each in list(self._begun):
            process, log, name = each
            if process.poll() is None:
                continue
            self._begun.remove(each)
            with log:
                log.seek(0)
                lines = log.read().decode(errors="replace").strip().splitlines()
            if process.returncode and not (self._folder / name / BATCH).exists():
                self.remark = {"text": f"{name}: {lines[-1] if lines else 'it ended without a word'}", "tone": "error"}

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix() if path != self._folder else path.name

    def _row(self, batch: progress.Progress) -> Record:
        counts = {"tasks": batch.tasks, "done": batch.done, "failed": batch.failed, "executed": batch.executed}
        return {"name": self._name(batch.path), "notebook": batch.notebook, **counts}


def batches_of(folder: Path) -> Batches | None:
    """Return the batches of `folder`, begun in the working directory; None if it is a run, which holds no others."""
    return None if (folder / RUN).is_file() else Batches(folder, Path.cwd())


def _below(root: Path, depth: int) -> Iterator[Path]:
    """Find notebooks at or below `root`, not in hidden folders, batches, runs, or environments of Python."""
    level, looked = [root], 0
    for _ in range(depth + 1):
        inner: list[Path] = []
        for place in level[: MOST_FOLDERS - looked]:
            try:
                entries = sorted(os.scandir(place), key=lambda entry: entry.name)
            except OSError:  # it went, or is not ours to read
                continue
            if {entry.name for entry in entries} & {BATCH, RUN, "pyvenv.cfg"} and place != root:
                continue
            for entry in entries:
                if entry.name.startswith((".", "node_modules", "site-packages")):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    inner.append(place / entry.name)
                elif entry.name.endswith(".ipynb"):
                    yield place / entry.name
        looked += len(level)
        level = inner


def _parameters(notebook: Path) -> list[str] | None:
    """Return the names of a notebook's parameters; None where no cell is tagged as theirs, or it cannot be read."""
    try:
        cells = json.loads(notebook.read_bytes())["cells"]
        found = [cell for cell in cells if TAG in cell["metadata"].get("tags", ())]
        if not found:
            return None
        tree = ast.parse("".join(found[0]["source"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SyntaxError):
        return None
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [node.targets[0] if isinstance(node, ast.Assign) else node.target for node in assigned]
    return [target.id for target in targets if isinstance(target, ast.Name)]
