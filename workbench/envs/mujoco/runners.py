"""HalfCheetah, Swimmer, Hopper and Walker2d: run along x in a plane, and do not fall."""

import numpy as np

from workbench.envs.mujoco.task import (
    ALIVE,
    RUNNER,
    Array,
    Outcome,
    Parameters,
    State,
    Task,
    between,
    normal_start,
    own_motion,
    progress,
    root_x,
    squares,
    survival,
    uniform_start,
)


def cheetah_observation(s: State, p: Parameters) -> tuple[Array, ...]:
    """Show positions and velocities, without the place in x."""
    return own_motion(s, p, place=1)


def swimmer_observation(s: State, p: Parameters) -> tuple[Array, ...]:
    """Show positions and velocities, without the place in x and y."""
    return own_motion(s, p, place=2)


def running_reward(s: State, p: Parameters) -> Outcome:
    """Reward speed, less the cost of control."""
    return progress(s, p) - p.ctrl_cost_weight * squares(s.action), False


def walker_observation(s: State, p: Parameters) -> tuple[Array, ...]:
    """Show positions without the place in x, and velocities clipped."""
    positions, velocities = own_motion(s, p, place=1)
    return positions, np.clip(velocities, -10, 10)


def upright(s: State, p: Parameters) -> Array:
    """Return where height and pitch are in range, [B]."""
    return between(p.healthy_z_range, s.qpos[:, 1]) & between(p.healthy_angle_range, s.qpos[:, 2])


def walker_reward(s: State, p: Parameters) -> Outcome:
    """Reward speed and health, less the cost of control."""
    return survival(s, p, upright(s, p), p.ctrl_cost_weight * squares(s.action))


def hopper_reward(s: State, p: Parameters) -> Outcome:
    """Reward as the walker is; health also asks that no angle and no velocity leaves its range."""
    within = between(p.healthy_state_range, s.qpos[:, 2:]).all(1) & between(p.healthy_state_range, s.qvel).all(1)
    return survival(s, p, within & upright(s, p), p.ctrl_cost_weight * squares(s.action))


HALF_CHEETAH = Task(
    model="half_cheetah.xml",
    frames=5,
    start=normal_start,
    observe=cheetah_observation,
    reward=running_reward,
    position=root_x,
    options={**RUNNER, "ctrl_cost_weight": 0.1, "reset_noise_scale": 0.1},
)

SWIMMER = Task(
    model="swimmer.xml",
    frames=4,
    start=uniform_start,
    observe=swimmer_observation,
    reward=running_reward,
    position=root_x,
    options={**RUNNER, "ctrl_cost_weight": 1e-4, "reset_noise_scale": 0.1},
)

HOPPER = Task(
    model="hopper.xml",
    frames=4,
    start=uniform_start,
    observe=walker_observation,
    reward=hopper_reward,
    position=root_x,
    options={
        **RUNNER,
        **ALIVE,
        "ctrl_cost_weight": 1e-3,
        "healthy_state_range": (-100.0, 100.0),
        "healthy_z_range": (0.7, float("inf")),
        "healthy_angle_range": (-0.2, 0.2),
        "reset_noise_scale": 5e-3,
    },
)

WALKER2D = Task(
    model="walker2d_v5.xml",
    frames=4,
    start=uniform_start,
    observe=walker_observation,
    reward=walker_reward,
    position=root_x,
    options={
        **RUNNER,
        **ALIVE,
        "ctrl_cost_weight": 1e-3,
        "healthy_z_range": (0.8, 2.0),
        "healthy_angle_range": (-1.0, 1.0),
        "reset_noise_scale": 5e-3,
    },
)
