"""Reacher and Pusher: bring a fingertip to a target, or an object to a goal."""

import numpy as np

from workbench.envs.mujoco.noise import Noise
from workbench.envs.mujoco.task import Array, Outcome, Parameters, Start, State, Task, distance, squares


def apart(s: State, p: Parameters, one: str, other: str) -> Array:
    """Return the vector [B, 3] from the body `other` to the body `one`, m."""
    vector: Array = s.xpos[:, p.body[one]] - s.xpos[:, p.body[other]]
    return vector


def reacher_start(noise: Noise, p: Parameters) -> Start:
    """Draw the arm near its rest, and the target anywhere in a disc of 0.2 m."""
    qpos = p.qpos0 + noise.uniform(-0.1, 0.1, len(p.qpos0))
    # The root makes a radius whose disc is uniform: no draw is refused, as Gymnasium's are outside the disc.
    radius, angle = 0.2 * np.sqrt(noise.uniform(0, 1, 1)[:, 0]), noise.uniform(0, 2 * np.pi, 1)[:, 0]
    qpos[:, -2], qpos[:, -1] = radius * np.cos(angle), radius * np.sin(angle)
    qvel = noise.uniform(-0.005, 0.005, p.nv)
    qvel[:, -2:] = 0
    return qpos, qvel


def reacher_observation(s: State, p: Parameters) -> tuple[Array, ...]:
    """Show the arm's angles and velocities, the target, and the way to it."""
    angles = s.qpos[:, :2]
    return np.cos(angles), np.sin(angles), s.qpos[:, 2:], s.qvel[:, :2], apart(s, p, "fingertip", "target")[:, :2]


def reacher_reward(s: State, p: Parameters) -> Outcome:
    """Reward nearness to the target, less the cost of control."""
    near = -distance(apart(s, p, "fingertip", "target")) * p.reward_dist_weight
    return near - squares(s.action) * p.reward_control_weight, False


def pusher_start(noise: Noise, p: Parameters) -> Start:
    """Draw the object on its side of the table, more than 0.17 m from the goal; the arm is at rest."""
    qpos = np.tile(p.qpos0, (len(noise.lanes), 1))
    qpos[:, -4:] = 0
    near = np.ones(len(qpos), dtype=np.bool_)
    while near.any():
        again = noise.of(near)
        qpos[near, -4], qpos[near, -3] = again.uniform(-0.3, 0, 1)[:, 0], again.uniform(-0.2, 0.2, 1)[:, 0]
        near = distance(qpos[:, -4:-2]) <= 0.17
    qvel = noise.uniform(-0.005, 0.005, p.nv)
    qvel[:, -4:] = 0
    return qpos, qvel


def pusher_observation(s: State, p: Parameters) -> tuple[Array, ...]:
    """Show the arm's angles and velocities, and where the fingertip, the object and the goal are."""
    return s.qpos[:, :7], s.qvel[:, :7], *(s.xpos[:, p.body[name]] for name in ("tips_arm", "object", "goal"))


def pusher_reward(s: State, p: Parameters) -> Outcome:
    """Reward nearness of object and goal, and of fingertip and object, less the cost of control."""
    near = -distance(apart(s, p, "object", "tips_arm")) * p.reward_near_weight
    there = -distance(apart(s, p, "object", "goal")) * p.reward_dist_weight
    return there - squares(s.action) * p.reward_control_weight + near, False


REACHER = Task(
    model="reacher.xml",
    frames=2,
    start=reacher_start,
    observe=reacher_observation,
    reward=reacher_reward,
    fields=("xpos",),
    options={"reward_dist_weight": 1.0, "reward_control_weight": 1.0},
    time_limit=50,
)

PUSHER = Task(
    model="pusher_v5.xml",
    frames=5,
    start=pusher_start,
    observe=pusher_observation,
    reward=pusher_reward,
    fields=("xpos",),
    options={"reward_near_weight": 0.5, "reward_dist_weight": 1.0, "reward_control_weight": 0.1},
    time_limit=100,
)
