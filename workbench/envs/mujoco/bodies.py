"""Ant, Humanoid and HumanoidStandup: walk or rise in three dimensions; forces of contact are observed, and cost."""

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
    finite,
    normal_start,
    own_motion,
    squares,
    survival,
    uniform_start,
)

HUMAN = {
    "ctrl_cost_weight": 0.1,
    "reset_noise_scale": 0.01,
    "exclude_current_positions_from_observation": True,
    "include_cinert_in_observation": True,
    "include_cvel_in_observation": True,
    "include_qfrc_actuator_in_observation": True,
    "include_cfrc_ext_in_observation": True,
}


def torso_x(s: State, _: Parameters) -> Array:
    """Return the first body's position."""
    x: Array = s.xpos[:, 1, 0]
    return x


def ant_observation(s: State, p: Parameters) -> tuple[Array, ...]:
    """Show positions and velocities without the place in x and y, and the clipped contact forces on each body."""
    motion = own_motion(s, p, place=2)
    if not p.include_cfrc_ext_in_observation:
        return motion
    return *motion, np.clip(s.cfrc_ext[:, 1:], *p.contact_force_range).reshape(len(s.qpos), -1)


def ant_reward(s: State, p: Parameters) -> Outcome:
    """Reward speed and health, less the costs of control and of contact."""
    low, high = p.healthy_z_range
    healthy = finite(s) & (low <= s.qpos[:, 2]) & (s.qpos[:, 2] <= high)
    contact = p.contact_cost_weight * squares(np.clip(s.cfrc_ext, *p.contact_force_range))
    return survival(s, p, healthy, p.ctrl_cost_weight * squares(s.action) + contact, torso_x)


def mass_centre_x(s: State, p: Parameters) -> Array:
    """Return the position of all bodies' mass centre."""
    x: Array = np.einsum("b,nb->n", p.body_mass, s.xipos[:, :, 0]) / p.body_mass.sum()
    return x


def humanoid_observation(s: State, p: Parameters) -> tuple[Array, ...]:
    """Show positions and velocities without the place in x and y, each body's inertia and velocity, and forces."""
    parts = (
        (p.include_cinert_in_observation, s.cinert[:, 1:]),
        (p.include_cvel_in_observation, s.cvel[:, 1:]),
        (p.include_qfrc_actuator_in_observation, s.qfrc_actuator[:, 6:]),
        (p.include_cfrc_ext_in_observation, s.cfrc_ext[:, 1:]),
    )
    return *own_motion(s, p, place=2), *(x.reshape(len(x), -1) for shown, x in parts if shown)


def humanoid_reward(s: State, p: Parameters) -> Outcome:
    """Reward speed and health, less the costs of control and of contact."""
    contact = np.clip(p.contact_cost_weight * squares(s.cfrc_ext), *p.contact_cost_range)
    cost = p.ctrl_cost_weight * squares(s.ctrl) + contact
    return survival(s, p, between(p.healthy_z_range, s.qpos[:, 2]), cost, mass_centre_x)


def standup_reward(s: State, p: Parameters) -> Outcome:
    """Reward height, less the costs of control and of impact."""
    impact = np.clip(p.impact_cost_weight * squares(s.cfrc_ext), *p.impact_cost_range)
    return s.qpos[:, 2] / p.timestep - p.ctrl_cost_weight * squares(s.ctrl) - impact + 1, False


ANT = Task(
    model="ant.xml",
    frames=5,
    start=normal_start,
    observe=ant_observation,
    reward=ant_reward,
    position=torso_x,
    fields=("xpos", "cfrc_ext"),
    options={
        **RUNNER,
        **ALIVE,
        "ctrl_cost_weight": 0.5,
        "contact_cost_weight": 5e-4,
        "healthy_z_range": (0.2, 1.0),
        "contact_force_range": (-1.0, 1.0),
        "reset_noise_scale": 0.1,
        "include_cfrc_ext_in_observation": True,
    },
)

HUMANOID = Task(
    model="humanoid.xml",
    frames=5,
    start=uniform_start,
    observe=humanoid_observation,
    reward=humanoid_reward,
    position=mass_centre_x,
    fields=("xipos", "cinert", "cvel", "qfrc_actuator", "cfrc_ext"),
    options={
        **HUMAN,
        **ALIVE,
        "forward_reward_weight": 1.25,
        "healthy_reward": 5.0,
        "contact_cost_weight": 5e-7,
        "contact_cost_range": (-float("inf"), 10.0),
        "healthy_z_range": (1.0, 2.0),
    },
)

HUMANOID_STANDUP = Task(
    model="humanoidstandup.xml",
    frames=5,
    start=uniform_start,
    observe=humanoid_observation,
    reward=standup_reward,
    fields=("cinert", "cvel", "qfrc_actuator", "cfrc_ext"),
    options={**HUMAN, "impact_cost_weight": 5e-7, "impact_cost_range": (-float("inf"), 10.0)},
)
