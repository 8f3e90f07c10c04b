"""The algorithms, one file each. They know no loop, no disk and no user interface."""

from typing import Any

from workbench.algorithms.ppo import PPO
from workbench.algorithms.sac import SAC

ALGORITHMS: dict[str, type[Any]] = {"ppo": PPO, "sac": SAC}
"""By the name the command line uses."""

__all__ = ["ALGORITHMS", "PPO", "SAC"]
