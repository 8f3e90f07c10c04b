"""What a trainer does of its own accord between iterations: evaluations, checkpoints, and which one is the best."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import InputError
from workbench.events import CheckpointSaved, Evaluated
from workbench.training import faults
from workbench.training.evaluation import Evaluation
from workbench.training.journal import LIMIT
from workbench.training.loop import RECENT, Loop
from workbench.training.metrics import Metrics
from workbench.training.provenance import now, provenance
from workbench.training.run_directory import RunDirectory

CONFIRMING_EPISODES = 100
"""Greedy episodes whose mean must reach the target return as well."""

LEAST = {"keep_last": 1, "evaluate_every": 1, "evaluate_episodes": 1, "metrics_bytes": 1 << 16}
"""What habits that are integers are at least."""

NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    "checkpoint_seconds": (lambda x: x >= 0.0, "a number of seconds"),
    "evaluate_seconds": (lambda x: x > 0.0, "a number of seconds above 0, or None"),
    "rollback_learning_rate": (lambda x: 0.0 < x <= 1.0, "a factor in (0, 1]"),
}
"""What habits that are finite numbers must fit, and in words."""

OPTIONAL = ("evaluate_every", "evaluate_seconds")

SHARE = 0.05
"""Of the time, at most, that automatic checkpoints may take."""


@dataclass(frozen=True)
class Habits:
    """How a run is looked after; see `workbench.Trainer` for the arguments.

    Raises:
        InputError: If one is out of range.
    """

    checkpoint_seconds: float = 10.0
    keep_last: int = 2
    keep_best: bool = True
    evaluate_every: int | None = None
    evaluate_seconds: float | None = None
    evaluate_episodes: int = 100
    on_nan: str = "stop"
    rollback_learning_rate: float = 1.0
    metrics_bytes: int = LIMIT

    def __post_init__(self) -> None:
        for name, low in LEAST.items():
            value = getattr(self, name)
            wrong = isinstance(value, bool) or not isinstance(value, int) or value < low
            if wrong and not (value is None and name in OPTIONAL):
                raise InputError(f"{name}={value!r} is out of range; pass an integer of at least {low}.")
        for name, (fits, kind) in NUMBERS.items():
            value = getattr(self, name)
            wrong = isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
            if (wrong or not fits(value)) and not (value is None and name in OPTIONAL):
                raise InputError(f"{name}={value!r} is out of range; pass {kind}.")
        if self.on_nan not in ("stop", "rollback"):
            raise InputError(f"on_nan={self.on_nan!r} is unknown; choose 'stop' or 'rollback'.")

    def described(self) -> dict[str, Any]:
        """Return them in JSON."""
        return dataclasses.asdict(self)


class Caretaker:
    """Evaluates and saves a run as its habits say.

    Args:
        owner: The trainer: what a checkpoint is made of.
        habits: When, and how many stay.
        evaluate: Plays so many episodes; the same ones, unless it is told by an `attempt` to play others.
    """

    def __init__(self, owner: Any, habits: Habits, evaluate: Callable[..., Evaluation]) -> None:
        self.owner, self.habits, self.evaluate = owner, habits, evaluate
        self.loop: Loop = owner.loop
        self.metrics: Metrics = owner.metrics
        self.directory: RunDirectory = owner.directory
        self._provenance: dict[str, Any] = {}
        self._next_checkpoint = self._next_evaluation = -math.inf
        self._evaluated_steps = self._attempts = 0

    def begin(self) -> None:
        """Open the run directory and look at the clock: training begins or goes on.

        Raises:
            RunDirectoryError: If the folder holds another run, is in use, or cannot be written.
        """
        self._provenance = self._provenance or provenance()
        self.directory.open(self.described(), self.metrics, self.loop.steps)
        started = time.monotonic()
        self._next_checkpoint = started + self.habits.checkpoint_seconds
        self._next_evaluation = started + (self.habits.evaluate_seconds or math.inf)
        self._evaluated_steps, self._attempts = self.loop.steps, 0

    def described(self) -> dict[str, Any]:
        """Return what the run is, in JSON."""
        return {**self.owner.description, "created": now(), **(self._provenance or provenance())}

    def after_iteration(self) -> bool:
        """Do what is due; return whether the target return is reached."""
        moment, first = time.monotonic(), self.loop.learner.processes.first
        every, steps = self.habits.evaluate_every, self.loop.steps
        if first(moment >= self._next_evaluation) or (
            every is not None and steps // every > self._evaluated_steps // every
        ):
            self._evaluate()
        reached = first(self._reached())
        if first(moment >= self._next_checkpoint) and not reached:
            self.checkpoint()
        return reached

    def _reached(self) -> bool:
        """Tell whether the target return is reached: the moving mean says so, and an evaluation confirms it."""
        target, recent = self.owner.target_return, self.loop.recent
        if target is None or len(recent) < RECENT or math.fsum(recent) / RECENT < target:
            return False
        self._attempts += 1
        return self.evaluate(CONFIRMING_EPISODES, attempt=self._attempts).mean >= float(target)

    def _evaluate(self) -> None:
        result = self.evaluate(self.habits.evaluate_episodes)
        steps = self._evaluated_steps = self.loop.steps
        self._next_evaluation = time.monotonic() + (self.habits.evaluate_seconds or math.inf)
        if not len(result.returns):  # no agent has come
            return
        length = float(result.lengths.mean())
        self.loop.note(evaluation_return=result.mean, evaluation_std=result.std, evaluation_length=length)
        self.loop.emitter.emit(Evaluated(steps, result.mean, len(result.returns)))
        if self._is_best(result.mean):
            self.checkpoint({"mean_return": result.mean, "measured_by": "evaluation"})

    def _is_best(self, mean: float) -> bool:
        best = self.directory.best
        better = self.habits.keep_best and (best is None or mean > best["mean_return"])
        return self.loop.learner.processes.first(better)

    def checkpoint(self, score: dict[str, Any] | None = None) -> None:
        """Write a checkpoint; without a `score`, and where nothing is evaluated, the newest episodes give one.

        Raises:
            NumericsError: If the algorithm's state is not finite.
            RunDirectoryError: If it cannot be written.
        """
        started = time.monotonic()
        self.loop.hold()
        recent = self.loop.recent
        evaluates = self.habits.evaluate_every is not None or self.habits.evaluate_seconds is not None
        if score is None and not evaluates and len(recent) == RECENT:
            mean = math.fsum(recent) / RECENT
            score = {"mean_return": mean, "measured_by": "training"} if self._is_best(mean) else None
        path = self.directory.checkpoint(self.owner, self.loop.steps, self.about(), score)
        ended = time.monotonic()
        self._next_checkpoint = ended + max(self.habits.checkpoint_seconds, (ended - started) / SHARE)
        self.loop.emitter.emit(CheckpointSaved(self.loop.steps, str(path)))

    def about(self) -> dict[str, Any]:
        """Record what is under way, down to the disk, and say what a checkpoint of this moment should say of it.

        Raises:
            NumericsError: If the algorithm's state is not finite, so that there should be no checkpoint.
            RunDirectoryError: If it cannot be written.
        """
        faults.check(self.loop.algorithm, {}, self.loop.steps)
        self.loop.note_changes()
        self.loop.end_row()
        self.metrics.sync()
        return {
            "saved": now(),
            "steps": self.loop.steps,
            "hyperparameters": self.loop.settings,
            "changes": self.metrics.changes(),
            "run": self.described(),
        }

    def copy_to(self, target: Path) -> Path:
        """Write the run as it stands, with one checkpoint, to a folder; into its own, a checkpoint that stays.

        Raises:
            RunDirectoryError: If it cannot be written.
        """
        self.loop.hold()
        about = self.about()
        return self.directory.copy_to(target, self.owner, self.described(), self.metrics, self.loop.steps, about)
