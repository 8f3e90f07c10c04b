"""Train the tasks that an algorithm must master, several seeds each, and compare with thresholds fixed beforehand.

`notebooks/benchmarks/returns.ipynb` calls it. Hyperparameters are those that were found for the environment
(`workbench.algorithms.tuned`), else the defaults.
"""

import multiprocessing
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import workbench as wb
from workbench import benchmark
from workbench.algorithms import ALGORITHMS
from workbench.algorithms.tuned import TUNED
from workbench.functional import iqm, stratified_bootstrap
from workbench.hyperparameters import values
from workbench.machine import processor, processors, versions

EPISODES = 100
BINS = 60
"""Points of a curve."""


@dataclass(frozen=True)
class Task:
    """What is trained, for how long, and what it is to reach.

    Attributes:
        title: For tables and pictures.
        environment, algorithm: By their names.
        threshold: The return that the interquartile mean over seeds is to reach.
        steps: Environment steps after which it is evaluated.
        further: Steps that it is trained on for, so that the curve shows what comes after; schedules last to their end.
        lanes: The trainer's choice if None.
        settings: Hyperparameters that make the task what it is.
        control: Whether it is a negative control, which is to stay at the threshold or below.
    """

    title: str
    environment: str
    algorithm: str
    threshold: float
    steps: int
    lanes: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    control: bool = False
    further: int = 0


LSTM = {"network": "lstm"}
POSITIONS, BREAKOUT = "workbench/CartPolePositions-v0", "MinAtar/Breakout-v1"
TASKS = {
    "cartpole": Task("CartPole", "CartPole-v1", "ppo", 500.0, 1_000_000),
    "acrobot": Task("Acrobot", "Acrobot-v1", "ppo", -90.0, 1_000_000),
    "mountain_car_continuous": Task(
        "MountainCarContinuous, normalised",
        "MountainCarContinuous-v0",
        "ppo",
        90.0,
        1_000_000,
        settings={"normalise_observation": True, "normalise_return": True},
    ),
    "pendulum": Task("Pendulum", "Pendulum-v1", "ppo", -250.0, 500_000),
    "pendulum_sac": Task("Pendulum", "Pendulum-v1", "sac", -200.0, 20_000, lanes=16),
    "cartpole_positions": Task("CartPole without velocities, LSTM", POSITIONS, "ppo", 475.0, 2_000_000, settings=LSTM),
    "memory": Task("Memory of 10 steps, LSTM", "workbench/Memory-v0", "ppo", 0.95, 500_000, settings=LSTM),
    "mountain_car": Task("MountainCar, negative control", "MountainCar-v0", "ppo", -200.0, 1_000_000, control=True),
    "breakout": Task("MinAtar Breakout, CNN", BREAKOUT, "ppo", 15.0, 10_000_000, lanes=256, further=10_000_000),
}
LONG = ("breakout",)
"""Tasks of an hour and more, which only run where they are asked for."""


def algorithm_for(task: Task) -> Any:
    """Build the algorithm with the hyperparameters that were found for the environment, and those of the task."""
    found = TUNED.get((task.algorithm, task.environment), {})
    return ALGORITHMS[task.algorithm](**{**found, **task.settings})


def scaled(task: Task, scale: float) -> Task:
    """Return the task with `scale` times the steps, and schedules as long as all of them."""
    steps, further = max(1, int(scale * task.steps)), int(scale * task.further)
    settings = {**task.settings, "schedule_steps": steps + further} if further else task.settings
    return replace(task, steps=steps, further=further, settings=settings)


def run(task: Task, seed: int) -> dict[str, Any]:
    """Train one seed on one thread; return what it reached, and its curve."""
    with (
        tempfile.TemporaryDirectory() as folder,
        benchmark.torch_threads(1),
        benchmark.kernel_threads(1),
    ):
        trainer = wb.Trainer(
            task.environment, algorithm_for(task), seed=seed, lanes=task.lanes, run_dir=Path(folder) / "run"
        )
        trainer.train(task.steps)
        row = {
            "seed": seed,
            "steps": trainer.steps,
            "seconds": trainer.seconds,
            "evaluation_mean": trainer.evaluate(EPISODES).mean,
        }
        if task.further:
            trainer.train(task.further)
        row["curve_steps"] = trainer.steps
        row["curve"] = curve(*trainer.metrics.series("episode_return"), trainer.steps)
        row["backend"], row["lanes"], row["hyperparameters"] = (
            trainer.backend,
            trainer.env.lanes,
            values(trainer.algorithm),
        )
        trainer.close()
    return row


def curve(steps: Any, returns: Any, end: int) -> list[float | None]:
    """Average returns within equal parts of the run; None where no episode ended."""
    part = np.minimum((np.asarray(steps) - 1) * BINS // max(end, 1), BINS - 1).astype(int)
    means = (returns[part == k] for k in range(BINS))
    return [round(float(x.mean()), 3) if len(x) else None for x in means]


def measure(name: str, seeds: int, scale: float = 1.0, workers: int = 1) -> dict[str, Any]:
    """Train a task's seeds, `workers` at a time; return the record of the task.

    The interval is the 95 % percentile interval of the interquartile mean over resampled seeds, the task being the
    one stratum.
    """
    task = scaled(TASKS[name], scale)
    run(replace(task, steps=1, further=0), seeds)  # compiles, which is no training time
    work = partial(run, task)
    if workers == 1:
        rows = [work(seed) for seed in range(seeds)]
    else:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            rows = list(pool.map(work, range(seeds)))
    scores = [row["evaluation_mean"] for row in rows]
    mean = float(iqm(scores))
    first = rows[0]
    hyperparameters, backend, lanes = first["hyperparameters"], first["backend"], first["lanes"]
    seen = [{k: row[k] for k in ("seed", "steps", "seconds", "evaluation_mean")} for row in rows]
    return {
        "title": task.title,
        "environment": task.environment,
        "algorithm": task.algorithm,
        "threshold": task.threshold,
        "control": task.control,
        "iqm": mean,
        "interval": stratified_bootstrap([scores]),
        "reached": mean <= task.threshold if task.control else mean >= task.threshold,
        "median_seconds": statistics.median(row["seconds"] for row in rows),
        "scale": scale,
        "seeds": seen,
        "configuration": {**hyperparameters, "lanes": lanes, "backend": backend, "threads": 1, "workers": workers},
        "curve": {"steps": first["curve_steps"], "returns": [row["curve"] for row in rows]},
        "machine": f"{processor()}, {processors()} cores",
        "versions": versions(),
    }
