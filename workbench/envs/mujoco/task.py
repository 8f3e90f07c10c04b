"""What a MuJoCo task is: which model, what an episode starts from, what is observed, what is rewarded.

B: lanes, n: lanes that start an episode, K: components of an action. A task's functions take::

    s    live arrays, lanes first: qpos [B, nq], qvel [B, nv], ctrl [B, K] and the task's fields of the physics;
         action [B, K] float32, the step's; before [B], what position said after the step before
    p    the task's options by name; dt and timestep in seconds; qpos0 [nq], nv, body_mass [nbody]; body,
         which maps names to indices

They keep the order and the precision of Gymnasium's arithmetic (the cost of control is float32, as actions are), so
that rewards agree to the last bit, or in norms and mass centres nearly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.envs.mujoco.noise import Noise

Array = npt.NDArray[Any]
State = SimpleNamespace
Parameters = SimpleNamespace
Start = tuple[Array, Array]
Outcome = tuple[Array, Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task.

    Attributes:
        model: A file among Gymnasium's MuJoCo models.
        frames: Steps of the model under one action.
        start: (noise, p) -> positions [n, nq] and velocities [n, nv].
        observe: (s, p) -> arrays [B, k], which side by side are the observation.
        reward: (s, p) -> reward [B], and terminated [B] or False.
        position: (s, p) -> [B], the position in m whose change is rewarded.
        fields: What the functions read of `mujoco.MjData` besides positions, velocities and controls.
        options: Gymnasium's arguments of the same names, with its defaults.
        time_limit: Steps after which an episode is truncated.
    """

    model: str
    frames: int
    start: Callable[[Noise, Parameters], Start]
    observe: Callable[[State, Parameters], tuple[Array, ...]]
    reward: Callable[[State, Parameters], Outcome]
    position: Callable[[State, Parameters], Array] | None = None
    fields: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    time_limit: int = 1000


RUNNER = {"forward_reward_weight": 1.0, "exclude_current_positions_from_observation": True}
ALIVE = {"healthy_reward": 1.0, "terminate_when_unhealthy": True}


def between(bounds: tuple[float, float], x: Array) -> Array:
    """Return where `x` lies strictly between the bounds; what is not a number does not."""
    inside: Array = (bounds[0] < x) & (x < bounds[1])
    return inside


def finite(s: State) -> Array:
    """Return where positions and velocities are numbers, [B]."""
    numbers: Array = np.isfinite(s.qpos).all(axis=1) & np.isfinite(s.qvel).all(axis=1)
    return numbers


def squares(x: Array) -> Array:
    """Return the sum of squares of each lane, [B], in the precision of `x`."""
    total: Array = np.sum(np.square(x.reshape(len(x), -1)), axis=1)
    return total


def distance(x: Array) -> Array:
    """Return the length of each lane's vector, [B]."""
    return np.sqrt(squares(x))


def uniform_start(noise: Noise, p: Parameters) -> Start:
    """Draw positions and velocities uniformly around the model's own."""
    scale = p.reset_noise_scale
    return p.qpos0 + noise.uniform(-scale, scale, len(p.qpos0)), noise.uniform(-scale, scale, p.nv)


def normal_start(noise: Noise, p: Parameters) -> Start:
    """Draw positions uniformly around the model's own, and velocities normally."""
    scale = p.reset_noise_scale
    return p.qpos0 + noise.uniform(-scale, scale, len(p.qpos0)), scale * noise.normal(p.nv)


def root_x(s: State, _: Parameters) -> Array:
    """Return the position of a root that slides along x."""
    x: Array = s.qpos[:, 0]
    return x


def own_motion(s: State, p: Parameters, place: int) -> tuple[Array, ...]:
    """Return positions but for the first `place`, those in the world, unless these are asked for; and velocities."""
    return s.qpos[:, place * p.exclude_current_positions_from_observation :], s.qvel


def progress(s: State, p: Parameters, position: Callable[[State, Parameters], Array] = root_x) -> Array:
    """Return the reward for moving along x, [B]."""
    reward: Array = p.forward_reward_weight * ((position(s, p) - s.before) / p.dt)
    return reward


def survival(s: State, p: Parameters, healthy: Array, cost: Array, position: Any = root_x) -> Outcome:
    """Return the reward for moving along x and for health [B], less the cost, and where that ends an episode."""
    reward = progress(s, p, position) + healthy * p.healthy_reward - cost
    return reward, ~healthy & p.terminate_when_unhealthy
