"""One small run of every algorithm, by every learner that it has, and of PPO with everything that has a state."""

import functools

import torch

import workbench as wb
from workbench.algorithms import ALGORITHMS
from workbench.events import Progress
from workbench.hyperparameters import declared

SMALL = {
    "batch": 32,
    "capacity": 4096,
    "epochs": 2,
    "horizon": 8,
    "learning_starts": 64,
    "minibatches": 2,
    "random_steps": 64,
    "width": 16,
}
"""Hyperparameters that make an iteration quick, where an algorithm declares them."""

LANES = 16
ITERATION = 8 * LANES
WHOLE = 12 * ITERATION
"""Steps of a run; schedules know them."""

RICH = {
    "network": "lstm",
    "segment": 4,
    "normalise_observation": True,
    "normalise_return": True,
    "kl_penalty": 0.2,
    "learning_rate_schedule": "linear",
    "update_rule": "muon",
}


def _settings(name):
    return {key: value for key, value in SMALL.items() if key in declared(ALGORITHMS[name])}


CASES = {
    **{name: (name, "auto", _settings(name)) for name in ALGORITHMS},
    "ppo-torch": ("ppo", "torch", _settings("ppo")),
    "ppo-rich": ("ppo", "torch", {**_settings("ppo"), **RICH}),
    "ppo-float16": ("ppo", "torch", {**_settings("ppo"), "precision": "float16"}),
    "sac-prioritised": ("sac", "auto", {**_settings("sac"), "priority": 0.6, "n_step": 3}),
}


def trainer(case, run_dir, **settings):
    """Build the trainer of a case."""
    torch.set_num_threads(1)
    name, backend, hyperparameters = CASES[case]
    return wb.Trainer(
        wb.make("CartPole-v1", LANES, time_limit=20),
        ALGORITHMS[name](**hyperparameters),
        backend=backend,
        seed=3,
        run_dir=run_dir,
        checkpoint_seconds=3600.0,
        **settings,
    )


def steer(made):
    """Change a live hyperparameter after the third iteration, the same way in every run."""

    def change(event):
        if event.steps == 3 * ITERATION:
            made.algorithm.learning_rate = 5e-4

    if "learning_rate" in declared(made.algorithm):
        made.on(Progress, change)
    return made


@functools.cache
def whole(case, folder):
    """Train a case to its end, once."""
    made = steer(trainer(case, folder / f"whole-{case}"))
    made.train(WHOLE)
    return made
