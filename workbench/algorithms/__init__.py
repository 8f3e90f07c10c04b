"""The algorithms, one file each. They know no loop, no disk and no user interface."""

from typing import Any

from workbench.algorithms.ppo import PPO

ALGORITHMS: dict[str, type[Any]] = {"ppo": PPO}
"""By the name the command line uses."""

__all__ = ["ALGORITHMS", "PPO"]
