"""Trainers from what was saved."""

from pathlib import Path
from typing import Any

from workbench.algorithms import ALGORITHMS
from workbench.errors import CheckpointError, InputError
from workbench.trainer import Trainer
from workbench.training.environments import is_built, rebuilt
from workbench.training.resuming import go_on
from workbench.training.run_directory import choose, describe


def load(
    path: str | Path,
    *,
    which: str = "last",
    env: Any = None,
    device: str | None = None,
    **settings: Any,
) -> Trainer:
    """Load a trainer that was saved, or a checkpoint of a run; training goes on where it was.

    Args:
        path: A run directory, a folder that `save` wrote, or one checkpoint inside either.
        which: Of a run directory, the "last" checkpoint, or the "best" one. If the last one is damaged, the one before
            is taken, with a warning.
        env: The environment, where it is not found by its id (a kernel of your own, a lambda, ...). A class, a function
            or a name gets the options that the run's environment was built with.
        device: Where the network lives now; where it was if None.
        settings: Further arguments of `Trainer`, in the place of those that the run began with.

    Raises:
        CheckpointError: If nothing there can be loaded.
        InputError: If an argument is out of range.
    """
    path = Path(path)
    if which not in ("last", "best"):
        raise InputError(f"which={which!r} is unknown; choose 'last' or 'best'.")
    description = describe(path)
    name = description["algorithm"]
    if name not in ALGORITHMS:
        raise CheckpointError(
            f"path={str(path)!r} was trained by {name!r}, which this version does not know; upgrade it."
        )
    run_dir, checkpoint = choose(path, which)
    learner = description.get("learner", "auto")
    source = env if is_built(env) else rebuilt(env, description)
    try:
        trainer = Trainer(
            source,
            ALGORITHMS[name](**description["hyperparameters"]),
            seed=description["seed"],
            device=device or description["device"],
            run_dir=run_dir,
            **{"backend": "auto" if learner == "native" else learner, **description.get("habits", {}), **settings},
        )
        go_on(trainer, run_dir, checkpoint)
    except BaseException:
        if source is not env:
            source.close()
        raise
    return trainer
