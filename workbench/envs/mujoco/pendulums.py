"""InvertedPendulum and InvertedDoublePendulum: keep poles upright on a cart."""

import numpy as np

from workbench.envs.mujoco.task import Array, Outcome, Parameters, State, Task, finite, normal_start, uniform_start


def single_observation(s: State, _: Parameters) -> tuple[Array, ...]:
    """Show the whole state."""
    return s.qpos, s.qvel


def single_reward(s: State, _: Parameters) -> Outcome:
    """Reward one for every step but the fall."""
    terminated = ~finite(s) | (np.abs(s.qpos[:, 1]) > 0.2)
    return ~terminated, terminated


def double_observation(s: State, _: Parameters) -> tuple[Array, ...]:
    """Show the cart, the angles' sines and cosines, velocities, and the force that keeps the cart on its rail."""
    angles = s.qpos[:, 1:]
    force = np.clip(s.qfrc_constraint[:, :1], -10, 10)
    return s.qpos[:, :1], np.sin(angles), np.cos(angles), np.clip(s.qvel, -10, 10), force


def double_reward(s: State, p: Parameters) -> Outcome:
    """Reward health, less the tip's distance from upright and the swinging."""
    x, z = s.site_xpos[:, 0, 0], s.site_xpos[:, 0, 2]
    first, second = s.qvel[:, 1], s.qvel[:, 2]
    terminated = z <= 1
    away, swinging = 0.01 * x**2 + (z - 2) ** 2, 1e-3 * first**2 + 5e-3 * second**2
    return p.healthy_reward * ~terminated - away - swinging, terminated


INVERTED_PENDULUM = Task(
    model="inverted_pendulum.xml",
    frames=2,
    start=uniform_start,
    observe=single_observation,
    reward=single_reward,
    options={"reset_noise_scale": 0.01},
)

INVERTED_DOUBLE_PENDULUM = Task(
    model="inverted_double_pendulum.xml",
    frames=5,
    start=normal_start,
    observe=double_observation,
    reward=double_reward,
    fields=("site_xpos", "qfrc_constraint"),
    options={"healthy_reward": 10.0, "reset_noise_scale": 0.1},
)
