"""Going on with a run: in the same configuration, from one of its checkpoints."""

import json
from pathlib import Path
from typing import Any

from workbench.errors import InputError
from workbench.training.checkpoints import Checkpoint
from workbench.training.layout import checkpoints_of, is_run
from workbench.training.run_directory import choose, describe
from workbench.training.seeding import seed_at

CONFIGURATION = ("env", "backend", "options", "lanes", "algorithm", "seed")
"""What must be the same, beside every hyperparameter."""


def check_same(path: Path, run: dict[str, Any], asked: dict[str, Any]) -> None:
    """Compare a run's description with what is asked for now.

    Raises:
        InputError: If they differ; it names the first difference.
    """
    asked = json.loads(json.dumps(asked))  # a tuple is a list there
    pairs = [(name, run.get(name), asked[name]) for name in CONFIGURATION]
    names = {**run["hyperparameters"], **asked["hyperparameters"]}
    pairs += [(name, run["hyperparameters"].get(name), asked["hyperparameters"].get(name)) for name in names]
    for name, was, now in pairs:
        if was != now:
            raise InputError(
                f"{name}={now!r} does not fit the run in run_dir={str(path)!r}, which has {name}={was!r}; pass the "
                f"same, or choose another run_dir."
            )


def resume_in_place(trainer: Any) -> None:
    """Let `trainer` go on with what is in its run directory, if that was begun already.

    Raises:
        InputError: If another configuration was trained there.
        CheckpointError: If there are checkpoints, and none that is sound.
    """
    run_dir = trainer.run_dir
    if not is_run(run_dir):
        return
    check_same(run_dir, describe(run_dir), trainer.description)
    if checkpoints_of(run_dir):
        go_on(trainer, *choose(run_dir))
    trainer.directory.loaded = True


def go_on(trainer: Any, run_dir: Path | None, checkpoint: Checkpoint) -> None:
    """Put `trainer` where `checkpoint` was taken; further metrics and checkpoints go on in `run_dir`, if it is given.

    Raises:
        CheckpointError: If the checkpoint is of another network, algorithm or environment.
    """
    checkpoint.restore(trainer)
    trainer.resumed_from = checkpoint.path
    trainer.loop.forget_row()
    if trainer.env.backend != "native":  # its state is not ours to keep: the episodes of the checkpoint are over
        trainer.loop.restart(seed_at(trainer.seed, trainer.steps))
    if run_dir is not None:
        trainer.metrics.read(trainer.run_dir, trainer.steps)
        trainer.directory.loaded = True
