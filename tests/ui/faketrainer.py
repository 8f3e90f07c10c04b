"""A trainer without training: the same face, a made-up learning curve, one row each millisecond or when told."""

import math
import random
import shutil
import tempfile
import threading
import time
import weakref
from pathlib import Path

import numpy as np

from workbench.errors import AlreadyRunningError, CheckpointError
from workbench.events import CheckpointSaved, Emitter, Progress, Rewound, Started, Stopped
from workbench.hyperparameters import configurable, hyperparameter
from workbench.training.metrics import Metrics


@configurable
class PPO:
    learning_rate: float = hyperparameter(3e-3, low=1e-6, high=1e-1, log=True, live=True, help="of Adam, per update")
    clip: float = hyperparameter(0.2, low=0.0, high=1.0, live=True, help="on the probability ratio")
    entropy_coefficient: float = hyperparameter(0.01, low=0.0, high=1.0, live=True, help="weight of the entropy bonus")
    epochs: int = hyperparameter(4, low=1, high=32, live=True, help="passes over each rollout")
    anneal: bool = hyperparameter(False, live=True, help="lower the learning rate to zero at the goal")
    advantage: str = hyperparameter("gae", choices=("gae", "vtrace"), live=True, help="the estimator")
    horizon: int = hyperparameter(128, low=1, help="environment steps per lane between updates")


class FakeMetrics:
    def __init__(self):
        self.rows = []
        self.changed = []

    def __len__(self):
        return len(self.rows)

    def names(self):
        return list(self.rows[0][1]) if self.rows else []

    def series(self, name):
        rows = list(self.rows)
        return np.array([steps for steps, _ in rows], float), np.array([row[name] for _, row in rows], float)

    def changes(self):
        return list(self.changed)

    def last(self, name, default=math.nan):
        if not self.rows:
            return default
        return self.rows[-1][0] if name == "steps" else self.rows[-1][1].get(name, default)


class FakeTrainer:
    id = "CartPole-v1"

    def __init__(self, period=0.001, fail_after=None):
        self.run_dir = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self.run_dir, True)
        self.algorithm = PPO()
        self.metrics = FakeMetrics()
        self.steps, self.goal, self.seconds, self.status, self.error = 0, 0, 0.0, "new", None
        self.target_return = None
        self.period, self.fail_after = period, fail_after
        self._emitter, self._thread = Emitter(), None
        self._go, self._halt = threading.Event(), threading.Event()
        self._random = random.Random(0)

    def _ipython_display_(self):
        from workbench.ui import display_trainer

        display_trainer(self)

    def subscribe(self, callback):
        return self._emitter.subscribe(callback)

    def row(self):
        """Make one iteration's row."""
        self.steps += 2048
        part = self.steps / 600_000
        noise = self._random.gauss
        row = {
            "episode_return": 20 + 475 / (1 + math.exp(8 - 14 * part)) + noise(0, 9 if part < 1 else 2),
            "steps_per_second": 2.7e6 + noise(0, 1.2e5),
            "policy_loss": -0.012 * math.exp(-part) + noise(0, 0.004),
            "value_loss": 8 * math.exp(-2 * part) + abs(noise(0, 0.5)),
            "entropy": 0.69 * math.exp(-part) + noise(0, 0.01),
            "seconds": self.seconds,
            "episodes": self.steps // 100,
        }
        self.metrics.rows.append((self.steps, row))
        self._emitter.emit(Progress(self.steps, row))

    def train(self, steps, target_return=None):
        if self.status in ("running", "paused"):
            raise AlreadyRunningError("the trainer is running; call stop() first.")
        self.goal, self.target_return, self.status = self.steps + steps, target_return, "running"
        self._halt.clear()
        self._go.set()
        self._emitter.emit(Started(self.steps, self.goal))
        reason = "steps"
        try:
            while self.steps < self.goal and not self._halt.is_set():
                self._go.wait()
                time.sleep(self.period)
                self.seconds += self.period
                if self.fail_after is not None and self.steps >= self.fail_after:
                    raise RuntimeError("observation of lane 3 is NaN at step 17")
                self.row()
            self.status = "stopped"
            reason = "stopped" if self._halt.is_set() else "steps"
        except RuntimeError as error:
            self.status, self.error, reason = "failed", error, "failed"
        self._emitter.emit(Stopped(self.steps, reason))

    def start(self, steps, target_return=None, *, paused=False):
        if self.status in ("running", "paused"):
            raise AlreadyRunningError("the trainer is running; call stop() first.")
        if paused:
            self.status, self.goal = "paused", self.steps + steps
            return
        self._thread = threading.Thread(target=self.train, args=(steps, target_return), daemon=True)
        self._thread.start()

    def step(self, iterations=1):
        self.pause()
        for _ in range(iterations):
            self.row()

    def checkpoints(self):
        return sorted((self.run_dir / "checkpoints").glob("*"))

    def save(self):
        path = self.run_dir / "checkpoints" / f"{self.steps:015d}"
        path.mkdir(parents=True, exist_ok=True)
        self._emitter.emit(CheckpointSaved(self.steps, str(path)))
        return path

    def rewind(self, to):
        """Go back as the trainer does, but in one folder: what was left is written where its overview is looked for."""
        if not (self.run_dir / "checkpoints" / to).exists():
            raise CheckpointError(f"to={to!r} is no checkpoint; pass a number of steps, 'best', or its folder.")
        left = Metrics()
        left.open(self.run_dir)
        for steps, row in self.metrics.rows:
            left.append(steps, row)
        left.close()
        before, self.steps = self.steps, int(to)
        self.metrics.rows = [row for row in self.metrics.rows if row[0] <= self.steps]
        self._emitter.emit(Rewound(before, self.steps, str(self.run_dir), str(self.run_dir)))

    def pause(self):
        if self.status == "running":
            self._go.clear()
            self.status = "paused"

    def resume(self):
        if self.status == "paused":
            self.status = "running"
            self._go.set()

    def stop(self):
        self._halt.set()
        self._go.set()

    def wait(self, timeout=None):
        if self._thread is not None:
            self._thread.join(timeout)
