"""A research workbench for reinforcement learning, in the notebook.

Example:
    >>> import workbench as wb
    >>> trainer = wb.Trainer("CartPole-v1", wb.PPO(), seed=1)
    >>> trainer.train(1_000_000, target_return=475)
    >>> trainer.evaluate(episodes=100)
"""

import importlib
from typing import TYPE_CHECKING, Any

import workbench.openmp  # noqa: F401
from workbench.version import __version__

if TYPE_CHECKING:
    from workbench import events, sinks
    from workbench.algorithms import PPO, SAC
    from workbench.analysis.compare import compare
    from workbench.analysis.table import runs
    from workbench.batches import sweep
    from workbench.checking import check
    from workbench.dashboards import dashboard
    from workbench.envs import environment, make
    from workbench.envs.outward import as_gymnasium, as_pettingzoo, as_sb3, as_torchrl
    from workbench.loading import load
    from workbench.trainer import Trainer
    from workbench.training.metrics import read_metrics
    from workbench.ui.play import play
    from workbench_kernels import Box, Discrete, Environment

__all__ = [
    "PPO",
    "SAC",
    "Box",
    "Discrete",
    "Environment",
    "Trainer",
    "__version__",
    "as_gymnasium",
    "as_pettingzoo",
    "as_sb3",
    "as_torchrl",
    "check",
    "compare",
    "dashboard",
    "environment",
    "events",
    "load",
    "make",
    "play",
    "read_metrics",
    "runs",
    "sinks",
    "sweep",
]

_HOMES = {
    "Box": "workbench_kernels",
    "Discrete": "workbench_kernels",
    "Environment": "workbench_kernels",
    "PPO": "workbench.algorithms",
    "SAC": "workbench.algorithms",
    "Trainer": "workbench.trainer",
    "as_gymnasium": "workbench.envs.outward",
    "as_pettingzoo": "workbench.envs.outward",
    "as_sb3": "workbench.envs.outward",
    "as_torchrl": "workbench.envs.outward",
    "check": "workbench.checking",
    "compare": "workbench.analysis.compare",
    "dashboard": "workbench.dashboards",
    "environment": "workbench.envs",
    "load": "workbench.loading",
    "make": "workbench.envs",
    "play": "workbench.ui.play",
    "read_metrics": "workbench.training.metrics",
    "sweep": "workbench.batches",
    "runs": "workbench.analysis.table",
}

_MODULES = ("events", "sinks")


def __getattr__(name: str) -> Any:
    """Import on first use: torch takes a second, which `workbench --help` need not wait for."""
    if name in _MODULES:
        return importlib.import_module(f"workbench.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
