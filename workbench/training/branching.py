"""Going back to a checkpoint, and on from there in a folder of its own."""

import secrets
from pathlib import Path
from typing import Any

from workbench.errors import CheckpointError
from workbench.events import Rewound
from workbench.training.checkpoints import STATE, Checkpoint, read_checkpoint
from workbench.training.habits import Caretaker
from workbench.training.layout import CHECKPOINTS, best_of, checkpoints_of, steps_of
from workbench.training.resuming import go_on
from workbench.training.run_directory import RunDirectory


def chosen_checkpoint(run_dir: Path, to: int | str | Path) -> Checkpoint:
    """Read the checkpoint that `to` names, as `Trainer.rewind` says.

    Raises:
        CheckpointError: If there is none, or it is damaged.
    """
    if to == "best":
        best = best_of(run_dir)
        if best is None:
            raise CheckpointError(f"to='best': {str(run_dir)!r} has no best checkpoint yet; pass a number of steps.")
        return read_checkpoint(run_dir / CHECKPOINTS / best["checkpoint"])
    if isinstance(to, str | Path):
        path = Path(to) if (Path(to) / STATE).exists() else run_dir / CHECKPOINTS / to
        if not (path / STATE).exists():
            raise CheckpointError(f"to={str(to)!r} is no checkpoint; pass a number of steps, 'best', or its folder.")
        return read_checkpoint(path)
    before = [path for path in checkpoints_of(run_dir) if steps_of(path) <= to]
    if not before:
        there = ", ".join(f"{steps_of(path):,}" for path in checkpoints_of(run_dir)) or "none"
        raise CheckpointError(f"to={to!r}: there is no checkpoint of at most so many steps; there are: {there}.")
    return read_checkpoint(before[-1])


def branch(trainer: Any, care: Caretaker, checkpoint: Checkpoint) -> None:
    """Put `trainer` where `checkpoint` was taken, in a new run directory that says what it came from.

    Raises:
        CheckpointError: If the checkpoint is of another network, algorithm or environment.
        RunDirectoryError: If the new folder cannot be written.
    """
    at, goal, old = trainer.steps, (trainer.goal, trainer.target_return), trainer.directory
    go_on(trainer, None, checkpoint)
    trainer.goal, trainer.target_return = goal
    steps = trainer.steps
    trainer.description["branched_from"] = {"run": old.path.name, "steps": steps}
    path = old.path.with_name(f"{old.path.name.partition('@')[0]}@{steps}-{secrets.token_hex(2)}")
    trainer.metrics.go_back(steps)
    care.copy_to(path)
    trainer.directory = care.directory = RunDirectory(path, old.keep_last)
    trainer.directory.loaded = True
    trainer.loop.emitter.emit(Rewound(at, steps, str(old.path), str(path)))
