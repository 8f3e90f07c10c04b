"""The training loop: collect, learn, record; pause, stop and answer requests between iterations."""

import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from workbench.events import Emitter, HyperparameterChanged, Paused, Progress, Resumed
from workbench.hyperparameters import declared, values
from workbench.training import faults
from workbench.training.control import Control
from workbench.training.learner import Learner, Outcome
from workbench.training.metrics import Metrics
from workbench.training.rows import Means, Pace

RECENT = 100
"""Episodes in the moving mean that is compared with a target return."""


class Loop:
    """Owns the counters of a run and drives a learner. Counters are integers without bounds: nothing drifts.

    Attributes:
        steps: Environment steps taken, all lanes together.
        iterations: Rounds of collecting and learning.
        nanoseconds: Time spent collecting and learning.
        spent: Nanoseconds by what they went to: as the learner names it, and "other" around it, without pauses.
        episodes: Episodes that ended.
        recent: Returns of the newest `RECENT` of them.
        logged: The scalars of the newest updates.
        between: Whether no iteration is under way, so that what a checkpoint keeps belongs together.
    """

    saved = (
        "algorithm",
        "source",
        "settings",
        "steps",
        "iterations",
        "nanoseconds",
        "spent",
        "episodes",
        "recent",
        "running",
    )

    def __init__(self, learner: Learner, metrics: Metrics, emitter: Emitter) -> None:
        self.learner = learner
        self.algorithm, self.source, self.running = learner.algorithm, learner.source, learner.episodes
        self.metrics = metrics
        self.emitter = emitter
        self.control = Control()
        self.steps = self.iterations = self.nanoseconds = self.episodes = 0
        self.spent: dict[str, int] = {}
        self.recent: deque[float] = deque(maxlen=RECENT)
        self.logged: dict[str, float] = {}
        self.between = True
        self._resting = False
        self._settings = values(self.algorithm)
        self._changed: dict[str, tuple[int, Any]] = {}
        self._pace = Pace()
        self._seen: dict[str, float] = {}
        self._begin_row()

    @property
    def seconds(self) -> float:
        """Time spent collecting and learning."""
        return 1e-9 * self.nanoseconds

    @property
    def settings(self) -> dict[str, Any]:
        """The hyperparameters in force; live ones are put back from a checkpoint."""
        return values(self.algorithm)

    @settings.setter
    def settings(self, saved: dict[str, Any]) -> None:
        for name, value in saved.items():
            setattr(self.algorithm, name, value)
        self._settings = values(self.algorithm)

    def run(self, goal: int, after: Callable[[], bool]) -> str:
        """Iterate until `goal` steps, until `after` says that it is enough, or until a stop is asked for.

        Args:
            goal: Steps of the whole run.
            after: Called after each iteration, outside the training time (for evaluations and checkpoints).

        Returns:
            "steps", "target" or "stopped".
        """
        try:
            reason = self._run(goal, after)
        except BaseException:
            with suppress(Exception):  # it would hide the reason
                self.hold()
            raise
        self.hold()
        return reason

    def _run(self, goal: int, after: Callable[[], bool]) -> str:
        clock = time.perf_counter_ns
        self.learner.prepare()
        self._resting = False
        left = clock()
        while True:
            self._outside += clock() - left
            if self.steps >= goal:
                return "steps"
            self._rest()
            left = clock()
            if self.learner.processes.any(self.control.stopping.is_set()):
                return "stopped"
            self.note_changes()
            self.algorithm.clock = self.steps, goal
            started = clock()
            self._outside += started - left
            self.between = False
            outcome, self.logged = self.learner.collect(), self.learner.learn()
            left = clock()
            self._count(outcome, left - started)
            self.between = True
            done = after()
            if self._pace.due(self.iterations, left):
                self.end_row()
            if done:
                return "target"

    def _rest(self) -> None:
        """Answer requests, and wait as long as a pause lasts."""
        if self.control.paused:
            self.hold()
            self.end_row()  # what is shown in a pause is what was done
            if not self._resting:
                self.emitter.emit(Paused(self.steps))
            self._resting = True
        self.control.wait_while_paused()
        if self._resting and not self.control.paused:
            self._resting = False
            if not self.control.stopping.is_set():
                self.emitter.emit(Resumed(self.steps))

    def hold(self) -> None:
        """Let nothing run on its own until the next iteration: somebody looks at, saves or changes what it holds.

        What fails at that leaves the environment in the middle of something, like a failed iteration.
        """
        between, self.between = self.between, False
        self.learner.hold()
        self.between = between

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes, of `seed` if given: somebody else has played in the environment."""
        self.learner.restart(seed)

    def forget_row(self) -> None:
        """Begin a new row: what was counted since the last one no longer happened."""
        self._changed.clear()
        self._begin_row()

    def _begin_row(self) -> None:
        self._means = Means()
        self._first = self.iterations, self.steps, self.nanoseconds
        self._ended, self._return, self._length = 0, 0.0, 0
        self._extra: dict[str, float] = {}
        self._outside = 0
        self._seen = dict(self.learner.spent)

    def _count(self, outcome: Outcome, nanoseconds: int) -> None:
        """Count what an iteration brought.

        Raises:
            NumericsError: If it learned something that is not finite.
        """
        if not math.isfinite(sum(self.logged.values())):
            faults.check(self.algorithm, self.logged, self.steps)
        self.steps += outcome.steps
        self.nanoseconds += nanoseconds
        self.iterations += 1
        self._means.add(self.logged)
        returns = outcome.returns
        if len(returns):
            self.episodes += len(returns)
            self.recent.extend(returns[-RECENT:].tolist())
            self._ended += len(returns)
            self._return += float(returns.sum(dtype="f8"))
            self._length += int(outcome.lengths.sum(dtype="i8"))

    def note(self, **numbers: float) -> None:
        """Add columns to the row under way."""
        self._extra |= numbers

    def end_row(self) -> None:
        """Record what happened since the last row: the means of what was logged, and how far the run is."""
        for name, (steps, old) in self._changed.items():
            self.metrics.append_change(steps, name, old, self._settings[name])
        self._changed.clear()
        iterations, steps, nanoseconds = self._first
        if self.iterations == iterations and not self._extra:
            return
        row = self._means.take()
        if self._ended:
            row |= {"episode_return": self._return / self._ended, "episode_length": self._length / self._ended}
        row["episodes"] = self.episodes
        if "learning_rate" in declared(self.algorithm):
            row.setdefault("learning_rate", self.algorithm.learning_rate)
        if self.nanoseconds > nanoseconds:
            row["steps_per_second"] = 1e9 * (self.steps - steps) / (self.nanoseconds - nanoseconds)
        row["seconds"] = self.seconds
        for name, seconds in self.learner.spent.items():
            self._spend(name, round(1e9 * (seconds - self._seen.get(name, 0.0))))
        self._spend("other", self._outside)
        row |= {f"{name}_seconds": 1e-9 * spent for name, spent in self.spent.items()}
        row |= {"iterations": self.iterations - iterations, **self._extra}
        self._begin_row()
        self.metrics.append(self.steps, row)
        self.emitter.emit(Progress(self.steps, row))

    def _spend(self, name: str, nanoseconds: int) -> None:
        self.spent[name] = self.spent.get(name, 0) + nanoseconds

    def note_changes(self) -> None:
        """Find the live hyperparameters that changed; they are recorded with the row under way."""
        now = values(self.algorithm)
        if now == self._settings:
            return
        before, self._settings = self._settings, now
        for name, new in now.items():
            if new != before[name]:
                self._changed.setdefault(name, (self.steps, before[name]))
                self.emitter.emit(HyperparameterChanged(self.steps, name, before[name], new))
