"""Gymnasium's MuJoCo tasks, all lanes of a step in one call of MuJoCo's threads."""

from workbench.envs.mujoco.task import Task
from workbench.envs.mujoco.tasks import TASKS
from workbench.envs.mujoco.vector import MujocoVectorEnvironment

__all__ = ["TASKS", "MujocoVectorEnvironment", "Task"]
