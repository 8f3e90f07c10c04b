"""A run on disk: `run.json` (what it is), `metrics.jsonl` (what happened), `checkpoints/<steps>/` (where it is)."""

import json
import secrets
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.errors import CheckpointError, RunDirectoryError
from workbench.training.checkpoints import STATE, save_checkpoint, write_json
from workbench.training.metrics import FILE as METRICS
from workbench.training.metrics import Metrics

RUN = "run.json"
KEPT = 2
"""Automatic checkpoints that stay, the newest ones."""


def fresh_path(environment: str, algorithm: str) -> Path:
    """Name a new run under `runs/`: what, when, and four random digits for runs of the same second."""
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{environment.replace('/', '_')}-{algorithm}-{moment}-{secrets.token_hex(2)}"


def checkpoints_of(run_dir: Path) -> list[Path]:
    """Return the complete checkpoints of a run directory, oldest first."""
    return sorted(path for path in (run_dir / "checkpoints").glob("[0-9]*") if (path / STATE).exists())


def locate(path: Path) -> tuple[Path, Path, dict[str, Any]]:
    """Find the run directory, the checkpoint to load and the description at `path`.

    Args:
        path: A run directory (its newest checkpoint is meant), or one checkpoint inside it.

    Raises:
        CheckpointError: If there is no run, or no checkpoint.
    """
    chosen = path if (path / STATE).exists() else None
    run_dir = path.parent.parent if chosen else path
    try:
        description = json.loads((run_dir / RUN).read_text(encoding="utf-8"))
        description["env"], description["algorithm"], description["hyperparameters"]
    except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"path={str(path)!r} holds no run ({error!r}); pass a run directory, or a folder that Trainer.save wrote."
        ) from error
    found = [chosen] if chosen else checkpoints_of(run_dir)
    if not found:
        raise CheckpointError(f"run directory {str(run_dir)!r} holds no checkpoint; pass one that was trained.")
    return run_dir, found[-1], description


class RunDirectory:
    """Writes one run.

    Args:
        path: The folder; made by `open`.
        loaded: Whether the run was loaded from there, so that it goes on instead of being refused.
    """

    def __init__(self, path: Path, *, loaded: bool = False) -> None:
        self.path = path
        self._prepared = False
        self._loaded = loaded

    def open(self, description: dict[str, Any], metrics: Metrics, steps: int) -> None:
        """Let `metrics` write here until they are closed.

        The first time, a new run is described; of a loaded one, what came after `steps` is taken back.

        Raises:
            RunDirectoryError: If the folder holds another run, or cannot be written.
        """
        if self._prepared:
            metrics.open(self.path)
        elif self._loaded:
            metrics.resume(self.path, steps)
            _remove((self.path / "checkpoints").glob(".*"))  # a kill's half-written ones
            _remove(path for path in checkpoints_of(self.path) if int(path.name) > steps)
        else:
            if (self.path / RUN).exists():
                raise RunDirectoryError(
                    f"run_dir={str(self.path)!r} holds another run; choose a new one, or go on with it: "
                    f"workbench.load({str(self.path)!r})."
                )
            _describe(self.path, description)
            metrics.open(self.path)
        self._prepared = True

    def checkpoint(self, owner: Any, steps: int) -> Path:
        """Write a checkpoint of `owner`, and remove all but the newest `KEPT`."""
        path = _checkpoint_path(self.path, steps)
        save_checkpoint(owner, path)
        _remove(checkpoints_of(self.path)[:-KEPT])
        return path

    def copy_to(self, target: Path, owner: Any, description: dict[str, Any], steps: int) -> None:
        """Write the run as it stands, with one checkpoint, to another folder; into its own, a further checkpoint."""
        if target.resolve() == self.path.resolve():
            _describe(target, description)
            save_checkpoint(owner, _checkpoint_path(target, steps))
            return
        if target.is_dir() and any(target.iterdir()) and not (target / RUN).exists():
            raise RunDirectoryError(f"path={str(target)!r} holds something else; choose a new folder.")
        _describe(target, description)
        if (self.path / METRICS).exists():
            shutil.copyfile(self.path / METRICS, target / METRICS)
        path = _checkpoint_path(target, steps)
        save_checkpoint(owner, path)
        _remove(other for other in checkpoints_of(target) if other != path)


def _checkpoint_path(run_dir: Path, steps: int) -> Path:
    return run_dir / "checkpoints" / f"{steps:015d}"


def _describe(path: Path, description: dict[str, Any]) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / RUN, description)
    except OSError as error:
        raise RunDirectoryError(f"run_dir={str(path)!r} cannot be written: {error}; choose another.") from error


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
