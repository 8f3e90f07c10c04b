"""A run on disk: `run.json` (what it is), `metrics.jsonl` (what happened), `checkpoints/<steps>/` (where it is).

`best.json` names the checkpoint that did best, which stays however many come after it.
"""

import contextlib
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workbench.errors import CheckpointError, RunDirectoryError
from workbench.training import overview, status
from workbench.training.checkpoints import STATE, Checkpoint, DamagedError, read_checkpoint, save_checkpoint
from workbench.training.faults import FOLDER
from workbench.training.files import remove_folder, replace_folder, write_json
from workbench.training.layout import (
    BEST,
    CHECKPOINTS,
    KEPT,
    RUN,
    best_of,
    checkpoints_of,
    is_run,
    kept_of,
    order,
    steps_of,
)
from workbench.training.metrics import Metrics


def describe(path: Path) -> dict[str, Any]:
    """Return what a run said of itself when it began; `path` is its directory, or one of its checkpoints.

    Raises:
        CheckpointError: If there is no run.
    """
    try:
        if (path / STATE).exists() and not is_run(path.parent.parent):
            description = read_checkpoint(path).about["run"]  # it was copied out of its run
        else:
            run_dir = path.parent.parent if (path / STATE).exists() else path
            description = json.loads((run_dir / RUN).read_bytes())
        description["env"], description["algorithm"], description["hyperparameters"]
    except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"path={str(path)!r} holds no run ({error!r}); pass a run directory, or a folder that Trainer.save wrote."
        ) from error
    found: dict[str, Any] = description
    return found


def choose(path: Path, which: str = "last") -> tuple[Path | None, Checkpoint]:
    """Find the run directory, None of a checkpoint that was copied out of its run, and read the checkpoint to load.

    Args:
        path: A run directory, or one checkpoint inside it.
        which: Of a run directory, "last" or "best". Where the last one is damaged, the one before is taken, with a
            warning.

    Raises:
        CheckpointError: If there is none, or none that is sound.
    """
    if (path / STATE).exists():
        return path.parent.parent if is_run(path.parent.parent) else None, read_checkpoint(path)
    if which == "best":
        best = best_of(path)
        if best is None:
            raise CheckpointError(f"run directory {str(path)!r} has no best checkpoint; pass which='last'.")
        return path, read_checkpoint(path / CHECKPOINTS / best["checkpoint"])
    found = checkpoints_of(path)
    if not found:
        raise CheckpointError(f"run directory {str(path)!r} holds no checkpoint; pass one that was trained.")
    return path, newest_sound(found)


def newest_sound(found: list[Path]) -> Checkpoint:
    """Read the newest checkpoint that is not damaged; warn of those that are.

    Raises:
        CheckpointError: If all are damaged, or the newest that is not cannot be read by this version.
    """
    damaged: list[DamagedError] = []
    for path in reversed(found):
        try:
            checkpoint = read_checkpoint(path)
        except DamagedError as error:
            damaged.append(error)
            continue
        if damaged:
            reasons = " ".join(map(str, damaged))
            warnings.warn(f"going on from checkpoint {str(path)!r}, since {reasons}", stacklevel=2)
        return checkpoint
    raise damaged[0]


class RunDirectory:
    """Writes one run.

    Args:
        path: The folder; made by `open`.
        keep_last: Checkpoints that stay, the newest ones; the best one stays besides.

    Attributes:
        loaded: Whether the run there goes on here; what came after the checkpoint that was loaded is still there.
    """

    def __init__(self, path: Path, keep_last: int = 2) -> None:
        self.path = path
        self.keep_last = keep_last
        self.loaded = False
        self._own = self._open = False
        self._held = contextlib.ExitStack()

    @property
    def best(self) -> dict[str, Any] | None:
        """What is known of the best checkpoint; see `best_of`."""
        return best_of(self.path)

    def open(self, description: dict[str, Any], metrics: Metrics, steps: int) -> None:
        """Let `metrics` write here until `close`.

        The first time, a new run is described; of a loaded one, what came after `steps` is taken back.

        Raises:
            RunDirectoryError: If the folder holds another run, is in use by another trainer, or cannot be written.
        """
        with contextlib.ExitStack() as held:
            held.enter_context(self._entered(description))
            held.callback(metrics.close)
            self._tidy()
            if self.loaded:
                metrics.resume(self.path, steps)
                self._take_back(steps)
                self.loaded = False
            else:
                metrics.open(self.path)
            self._held, self._open = held.pop_all(), True

    def close(self) -> None:
        """Close the metrics, and let others write here."""
        self._open = False
        self._held.close()

    @contextlib.contextmanager
    def _entered(self, description: dict[str, Any]) -> Iterator[None]:
        """Keep others from writing here meanwhile, and make sure that the run is this one."""
        with _writing("run_dir", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            with _locked(self.path):
                if not is_run(self.path):
                    _describe(self.path, description)
                elif not (self.loaded or self._own):
                    raise RunDirectoryError(
                        f"run_dir={str(self.path)!r} holds another run; choose a new one, or go on with it: "
                        f"resume='auto', or workbench.load({str(self.path)!r})."
                    )
                self._own = True
                yield

    def _tidy(self) -> None:
        """Remove what a kill left half-written."""
        for folder in (CHECKPOINTS, FOLDER):
            for hidden in (self.path / folder).glob(".*"):
                shutil.rmtree(hidden, ignore_errors=True)
        for name in (RUN, BEST, KEPT, "metrics", overview.FILE, status.FILE):
            for hidden in self.path.glob(f".{name}.*"):
                hidden.unlink()

    def _take_back(self, steps: int) -> None:
        """Remove checkpoints after `steps`."""
        best = self.best
        if best is not None and best["steps"] > steps:
            (self.path / BEST).unlink()
        _remove(path for path in checkpoints_of(self.path) if steps_of(path) > steps)

    def checkpoint(
        self,
        owner: Any,
        steps: int,
        about: dict[str, Any],
        score: dict[str, Any] | None = None,
        keep: bool = False,
    ) -> Path:
        """Write a checkpoint of `owner`, and remove those that need not stay.

        Args:
            owner: What names its parts in `saved`.
            steps: Of the run.
            about: What to say about it, in JSON.
            score: `mean_return` and `measured_by`, if it is the best so far.
            keep: Whether it stays however many come after it.
        """
        path = free_name(self.path, steps)
        save_checkpoint(owner, path, about)
        if score is not None:
            write_json(self.path / BEST, {"checkpoint": path.name, "steps": steps, **score})
        if keep:
            write_json(self.path / KEPT, {"checkpoints": [*kept_of(self.path), path.name]})
        best = self.best
        kept = {path.name, *kept_of(self.path), *([] if best is None else [best["checkpoint"]])}
        found = checkpoints_of(self.path)
        again = [other for other in found if steps_of(other) == steps and other != path]
        newest = [other for other in found if other not in again][-self.keep_last :]
        _remove(other for other in found if other not in newest and other.name not in kept)
        return path

    def copy_to(
        self, target: Path, owner: Any, description: dict[str, Any], metrics: Metrics, steps: int, about: dict[str, Any]
    ) -> Path:
        """Write the run as it stands, with one checkpoint, to another folder; into its own, a checkpoint that stays.

        Returns:
            The folder, or the checkpoint's.

        Raises:
            RunDirectoryError: If the folder holds something else, is in use by another trainer, or cannot be written.
        """
        if target.resolve() == self.path.resolve():
            with contextlib.nullcontext() if self._open else self._entered(description):
                return self.checkpoint(owner, steps, about, keep=True)
        if target.is_dir() and any(target.iterdir()) and not is_run(target):
            raise RunDirectoryError(f"path={str(target)!r} holds something else; choose a new folder.")
        hidden = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        with _writing("path", target), _locked(target) if target.is_dir() else contextlib.nullcontext():
            try:
                hidden.mkdir(parents=True)
                _describe(hidden, description)
                metrics.copy_to(hidden, steps)
                save_checkpoint(owner, free_name(hidden, steps), about)
                replace_folder(target, hidden)
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
        return target


def free_name(run_dir: Path, steps: int) -> Path:
    """Return where a checkpoint after `steps` goes: a complete one is never replaced, for a kill would leave none."""
    again = [order(path)[1] for path in checkpoints_of(run_dir) if steps_of(path) == steps]
    return run_dir / CHECKPOINTS / (f"{steps:015d}.{max(again) + 1}" if again else f"{steps:015d}")


def _describe(path: Path, description: dict[str, Any]) -> None:
    """Write what a new run is, with a random `id` of its own."""
    write_json(path / RUN, {"id": secrets.token_hex(6), **description})


@contextlib.contextmanager
def _writing(argument: str, path: Path) -> Iterator[None]:
    """Name the folder when something in it cannot be written."""
    try:
        yield
    except RunDirectoryError:  # it names more
        raise
    except OSError as error:
        raise RunDirectoryError(f"{argument}={str(path)!r} cannot be written: {error}; choose another.") from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other trainers from writing to the run meanwhile, where the system can.

    The folder itself is locked: unlike a file in it, it is never replaced by another one.

    Raises:
        RunDirectoryError: If another trainer keeps it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunDirectoryError(
                f"run_dir={str(path)!r} is being written by another trainer; wait for it to end, or choose another."
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(descriptor)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        remove_folder(path)
