"""A research workbench for reinforcement learning, in the notebook.

import workbench as wb

trainer = wb.Trainer("CartPole-v1", wb.PPO(), seed=1)
trainer.train(1_000_000, target_return=475)
trainer.evaluate(episodes=100)
"""

import workbench.openmp  # noqa: F401  # isort: skip  (before torch)
from workbench.algorithms import PPO
from workbench.envs import make
from workbench.trainer import Trainer, load
from workbench.training.metrics import read_metrics
from workbench.version import __version__

__all__ = ["PPO", "Trainer", "__version__", "load", "make", "read_metrics"]
