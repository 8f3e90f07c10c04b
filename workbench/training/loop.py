"""The training loop: collect, learn, record; pause, stop and answer requests between iterations."""

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from workbench.errors import NumericsError
from workbench.events import Emitter, HyperparameterChanged, Progress
from workbench.hyperparameters import declared, values
from workbench.training.learner import Learner
from workbench.training.metrics import Metrics

RECENT = 100
"""Episodes in the moving mean that is compared with a target return."""


class Control:
    """What other threads ask of the loop. It is read between iterations, so nothing is ever interrupted half-way."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Condition()

    @property
    def paused(self) -> bool:
        """Whether a pause was asked for."""
        return not self._running.is_set()

    def pause(self) -> None:
        """Ask the loop to wait after its present iteration."""
        self._running.clear()

    def resume(self) -> None:
        """Let a paused loop go on."""
        with self._wake:
            self._running.set()
            self._wake.notify_all()

    def stop(self) -> None:
        """Ask the loop to end after its present iteration, paused or not."""
        with self._wake:
            self.stopping.set()
            self._wake.notify_all()

    def ask(self, work: Callable[[], Any]) -> "Future[Any]":
        """Have `work` done on the loop's thread between two iterations."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:  # handed to the thread that asked
                future.set_exception(error)

        with self._wake:
            self._requests.put(run)
            self._wake.notify_all()
        return future

    def answer(self) -> None:
        """Do the work asked for."""
        while not self._requests.empty():
            self._requests.get()()

    def wait_while_paused(self) -> None:
        """Answer requests until the loop may go on or must stop."""
        self.answer()
        while self.paused and not self.stopping.is_set():
            with self._wake:
                if self.paused and not self.stopping.is_set() and self._requests.empty():
                    self._wake.wait()
            self.answer()


class Loop:
    """Owns the counters of a run and drives a learner.

    Attributes:
        steps: Environment steps taken, all lanes together.
        seconds: Time spent collecting and learning.
        episodes: Episodes that ended.
        recent: Returns of the newest `RECENT` of them.
    """

    saved = (
        "algorithm",
        "source",
        "settings",
        "steps",
        "seconds",
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
        self.steps = 0
        self.seconds = 0.0
        self.episodes = 0
        self.recent: deque[float] = deque(maxlen=RECENT)
        self._settings = values(self.algorithm)

    @property
    def settings(self) -> dict[str, Any]:
        """The hyperparameters in force; live ones are put back from a checkpoint."""
        return dict(self._settings)

    @settings.setter
    def settings(self, saved: dict[str, Any]) -> None:
        for name, value in saved.items():
            setattr(self.algorithm, name, value)
        self._settings = values(self.algorithm)

    def run(self, goal: int, reached: Callable[[], bool], after: Callable[[], None]) -> str:
        """Iterate until `goal` steps, until `reached` says so, or until a stop is asked for.

        Args:
            goal: Steps of the whole run.
            reached: Asked after each iteration.
            after: Called after each iteration, outside the training time (for checkpoints).

        Returns:
            "steps", "target" or "stopped".
        """
        while True:
            self.control.wait_while_paused()
            if self.control.stopping.is_set():
                return "stopped"
            if self.steps >= goal:
                return "steps"
            self._note_changes()
            self.algorithm.clock = self.steps, goal
            started, before = time.perf_counter(), self.steps
            row = self._iterate()
            elapsed = time.perf_counter() - started
            self.seconds += elapsed
            row["steps_per_second"] = (self.steps - before) / elapsed
            row["seconds"] = self.seconds
            self.metrics.append(self.steps, row)
            self.emitter.emit(Progress(self.steps, row))
            done = reached()
            after()
            if done:
                return "target"

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes, of `seed` if given: somebody else has played in the environment."""
        self.learner.restart(seed)

    def _iterate(self) -> dict[str, float]:
        """Collect experience, learn from it, and return the row of metrics."""
        outcome = self.learner.collect()
        row = self.learner.learn()
        self.steps += outcome.steps
        watched = ("policy_loss", "value_loss", "gradient_norm")
        if not math.isfinite(sum(row[name] for name in watched if name in row)):
            raise NumericsError(
                f"losses at step {self.steps} are not finite ({row}); lower learning_rate, and go on from the last "
                f"checkpoint."
            )
        returns, lengths = outcome.returns, outcome.lengths
        self.episodes += len(returns)
        self.recent.extend(returns[-RECENT:].tolist())
        if len(returns):
            row |= {"episode_return": float(returns.mean()), "episode_length": float(lengths.mean())}
        return {"episodes": float(self.episodes), "learning_rate": float(self.algorithm.learning_rate)} | row

    def _note_changes(self) -> None:
        """Record the live hyperparameters that changed since the last iteration."""
        now = values(self.algorithm)
        for name in declared(self.algorithm):
            if now[name] != self._settings[name]:
                self.metrics.append_change(self.steps, name, self._settings[name], now[name])
                self.emitter.emit(HyperparameterChanged(self.steps, name, self._settings[name], now[name]))
        self._settings = now
