"""What becomes of a run whose numbers are not finite: it stops with a diagnosis, or goes on from before."""

import dataclasses

from workbench.errors import CheckpointError, NotFiniteError, NumericsError
from workbench.events import RolledBack
from workbench.hyperparameters import declared
from workbench.training import faults
from workbench.training.checkpoints import Checkpoint
from workbench.training.habits import Caretaker
from workbench.training.layout import checkpoints_of, steps_of
from workbench.training.run_directory import newest_sound
from workbench.training.seeding import reseed, seed_at

ATTEMPTS = 3
"""Rollbacks before a run stops, unless it has got beyond the fault meanwhile."""


class Recovery:
    """Examines what ended a run.

    Args:
        care: Of the run.
        seed: Of the run.
    """

    def __init__(self, care: Caretaker, seed: int) -> None:
        self.care, self.seed = care, seed
        self._attempts, self._fault = 0, -1

    def recover(self, error: Exception) -> None:
        """Go back to the last good checkpoint, if that is wanted and may help.

        Raises:
            NumericsError, NotFiniteError: With a diagnosis: what is not finite, where the batch is, what to do.
            Exception: `error` itself, if it comes from something else.
        """
        loop = self.care.loop
        found = faults.diagnose(loop.algorithm, loop.logged)
        named = isinstance(error, NumericsError | NotFiniteError)
        if found is None and not named:
            raise error
        what = f"after step {loop.steps:,} {found}" if found is not None else str(error).rstrip(".")
        last = self._last_good()
        kept = self._keep(what, found)
        if self.care.habits.on_nan == "rollback" and last is not None and self._may_try(last):
            self._roll_back(last, what)
            return
        advice = "lower learning_rate" if found is not None else "mend the environment"
        where = "there is no checkpoint to go on from" if last is None else f"go on from {str(last.path)!r}"
        kind = type(error) if named else NumericsError
        raise kind(f"{what}; {kept}{advice}, and {where}.") from error

    def _last_good(self) -> Checkpoint | None:
        checkpoints = checkpoints_of(self.care.directory.path)
        try:
            return newest_sound(checkpoints) if checkpoints else None
        except CheckpointError:
            return None

    def _keep(self, what: str, found: faults.Diagnosis | None) -> str:
        """Write down what is known; return where, in words."""
        loop = self.care.loop
        about = {
            "steps": loop.steps,
            "what": what,
            **({} if found is None else dataclasses.asdict(found)),
            "logged": {name: str(value) for name, value in loop.logged.items()},
            "hyperparameters": loop.settings,
        }
        learner, run_dir = loop.learner, self.care.directory.path
        try:
            path = faults.keep_evidence(run_dir, loop.steps, about, learner.evidence(), learner.processes.rank)
        except OSError:  # the disk may be part of the trouble
            return ""
        return f"the batch is kept in {str(path)!r}; "

    def _may_try(self, last: Checkpoint) -> bool:
        if steps_of(last.path) > self._fault:  # the run got beyond it
            self._attempts = 0
        self._fault = max(self._fault, self.care.loop.steps)
        self._attempts += 1
        return self._attempts <= ATTEMPTS

    def _roll_back(self, checkpoint: Checkpoint, what: str) -> None:
        owner, loop = self.care.owner, self.care.loop
        at, goal, failed = loop.steps, (owner.goal, owner.target_return), loop.settings
        checkpoint.restore(owner)
        owner.goal, owner.target_return = goal
        loop.forget_row()
        self.care.metrics.take_back(loop.steps)
        reseed(loop.algorithm, self.seed, at, self._attempts)
        loop.restart(seed_at(self.seed, at, self._attempts))
        for name, each in declared(loop.algorithm).items():
            if name.endswith("learning_rate") and each.live:
                rate = min(failed[name], getattr(loop.algorithm, name))  # of earlier rollbacks, or of the checkpoint
                lowered = rate * self.care.habits.rollback_learning_rate
                setattr(loop.algorithm, name, max(lowered, each.low or 0.0))
        loop.emitter.emit(RolledBack(at, loop.steps, what))
