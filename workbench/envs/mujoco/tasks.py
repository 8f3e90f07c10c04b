"""The tasks by Gymnasium's ids."""

from workbench.envs.mujoco import arms, bodies, pendulums, runners
from workbench.envs.mujoco.task import Task

TASKS: dict[str, Task] = {
    "HalfCheetah-v5": runners.HALF_CHEETAH,
    "Hopper-v5": runners.HOPPER,
    "Walker2d-v5": runners.WALKER2D,
    "Swimmer-v5": runners.SWIMMER,
    "InvertedPendulum-v5": pendulums.INVERTED_PENDULUM,
    "InvertedDoublePendulum-v5": pendulums.INVERTED_DOUBLE_PENDULUM,
    "Reacher-v5": arms.REACHER,
    "Pusher-v5": arms.PUSHER,
    "Ant-v5": bodies.ANT,
    "Humanoid-v5": bodies.HUMANOID,
    "HumanoidStandup-v5": bodies.HUMANOID_STANDUP,
}
