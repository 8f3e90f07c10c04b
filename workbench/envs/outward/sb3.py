"""Lanes as a `VecEnv` of Stable-Baselines3. B: lanes."""

import time
from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from workbench.envs.outward.lanes import check_active, check_actors, check_environment, check_open, copied, mapped
from workbench.errors import InputError
from workbench.spec import VectorEnvironment

ACTIONS = (spaces.Discrete, spaces.MultiDiscrete, spaces.Box)


class LanesVecEnv(VecEnv):
    """Lanes for Stable-Baselines3; see `workbench.envs.outward.as_sb3`.

    The infos of a lane that ended hold `terminal_observation`, `TimeLimit.truncated`, and the `episode` with its return
    `r`, length `l` and time `t` [s] that a `Monitor` would add; those of other lanes are empty, but for the `cost` of
    environments that have one. Every step returns a list of its own. Empty dicts go into the lists of later steps too,
    until somebody writes into them: what is to stay with one step belongs there before the next, or in a copy.

    Lanes are not objects here. `get_attr` and `set_attr` know the native environment's settings, which differ from lane
    to lane, and the vector environment's own attributes, which all lanes share; `env_method` calls the vector
    environment once for all lanes. `env_method("action_masks")` gives the masks [N] that sb3-contrib's MaskablePPO
    asks for.

    Args:
        env: A vector environment in which one agent acts in every lane and step.
        copy: False returns views.

    Raises:
        InputError: If it is none, or SB3 cannot hold its spaces.
    """

    def __init__(self, env: VectorEnvironment, *, copy: bool = True) -> None:
        check_environment(env, "Stable-Baselines3")
        check_actors(env, "Stable-Baselines3", "give it to workbench.envs.outward.as_pettingzoo")
        _check_spaces(env)
        self.env: Any = env
        self._copy = copy
        self._actions: Any = None
        # Vector environments that send and receive step while SB3 waits.
        self._sends = hasattr(env, "send")
        self._settings = getattr(getattr(env, "environment", None), "settings", {})
        self._infos: list[dict[str, Any]] = [{} for _ in range(env.lanes)]
        self._filled: list[int] = []
        self._mask: Any = None
        self._returns = np.zeros(env.lanes)
        self._lengths = np.zeros(env.lanes, np.int64)
        self._started = time.perf_counter()
        super().__init__(env.lanes, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        """Start a new episode in every lane, with the seed and the options that were set; return the observation."""
        check_open(self.env)
        each = self._options
        self._reset_options()  # those that are refused are not to be refused again
        options = each[0]
        if any(other != options for other in each):
            raise InputError(f"options={each} differ between lanes, which reset together; pass one dict.")
        observation, info = self.env.reset(seed=self._seeds[0], options=options or None)
        check_active(self.env, info)
        self._reset_seeds()
        self._mask = info.get("action_mask")
        self._returns[...], self._lengths[...] = 0.0, 0
        return copied(observation) if self._copy else observation

    def step_async(self, actions: Any) -> None:
        """Take the actions [B], [B, D] or [B, K]."""
        check_open(self.env)
        if self._sends:
            self.env.send(actions)
        self._actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Return the observation [B, ...], reward [B] float32, done [B] bool and B infos."""
        if self._actions is None:
            raise InputError("actions are missing; call step_async first.")
        actions, self._actions = self._actions, None
        observation, reward, terminated, truncated, info = self.env.recv() if self._sends else self.env.step(actions)
        check_active(self.env, info)
        self._mask = info.get("action_mask")
        self._returns += reward
        self._lengths += 1
        done = terminated | truncated
        infos = self._told(np.flatnonzero(done).tolist(), terminated, info)
        if self._copy:
            return copied(observation), reward.copy(), done, infos
        return observation, reward, done, infos

    def _told(self, ended: list[int], terminated: Any, info: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the infos of a step in which these lanes ended.

        Most lanes' dicts are empty, and are used again unless somebody wrote into them: as many new ones would take
        longer than a native step of CartPole.
        """
        infos = self._infos
        for lane in self._filled:
            infos[lane] = {}
        if any(infos):
            infos[:] = [{} for _ in infos]
        if "cost" in info:
            infos[:] = [{"cost": cost} for cost in info["cost"].tolist()]
        now = time.perf_counter() - self._started
        for lane in ended:
            infos[lane].update(
                {
                    "terminal_observation": mapped(lambda array, lane=lane: np.array(array[lane]), info["final_obs"]),
                    "TimeLimit.truncated": not terminated[lane],
                    "episode": {"r": float(self._returns[lane]), "l": int(self._lengths[lane]), "t": round(now, 6)},
                }
            )
        self._returns[ended], self._lengths[ended] = 0.0, 0
        self._filled = ended
        return infos.copy()

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_images(self) -> list[Any]:
        """Return a picture [H, W, 3] uint8 of every lane, or Nones without a render mode."""
        return list(self.env.render() or [None] * self.num_envs) if self.render_mode else [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the setting or attribute of each lane."""
        lanes = self._lanes(indices)
        if attr_name in self._settings:
            return self._setting(attr_name)[lanes].tolist()  # type: ignore[no-any-return]
        if attr_name == "action_masks" and self._mask is not None:
            return [lambda lane=lane: self._mask[lane] for lane in lanes]
        value = getattr(self.env, attr_name)
        return [value for _ in lanes]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set a setting in these lanes, or an attribute of all.

        Raises:
            InputError: If the setting cannot have the value, or an attribute is to be set in a part of the lanes.
        """
        lanes = self._lanes(indices)
        if attr_name in self._settings:
            values = self._setting(attr_name).copy()
            values[lanes] = value
            self.env.set(attr_name, values)
            return
        self._check_all(lanes, f"attribute {attr_name!r}")
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of the vector environment once; return what it returned, for each lane.

        Raises:
            InputError: If only a part of the lanes is to be affected.
        """
        lanes = self._lanes(indices)
        if method_name == "action_masks" and self._mask is not None:
            return [self._mask[lane] for lane in lanes]
        if method_name == "render":
            pictures = self.get_images()
            return [pictures[lane] for lane in lanes]
        self._check_all(lanes, f"method {method_name!r}")
        value = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [value for _ in lanes]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """Return whether lanes are wrapped: only, in effect, by a `Monitor`, since the infos hold what it would add."""
        return [issubclass(wrapper_class, Monitor) for _ in self._lanes(indices)]

    def _lanes(self, indices: int | Iterable[int] | None) -> list[int]:
        return list(self._get_indices(indices))

    def _setting(self, name: str) -> Any:
        return self.env.buffers.state[self.env.environment.rows.index(name)]

    def _check_all(self, lanes: list[int], what: str) -> None:
        if set(lanes) != set(range(self.num_envs)):
            raise InputError(f"indices={lanes}: {what} of {self.env.id!r} belongs to all lanes; leave indices out.")


def _check_spaces(env: VectorEnvironment) -> None:
    """Check that SB3 has a policy for the spaces.

    Raises:
        InputError: If it has none.
    """
    observation, action = env.single_observation_space, env.single_action_space
    parts = list(observation.spaces.values()) if isinstance(observation, spaces.Dict) else [observation]
    if any(isinstance(part, spaces.Dict | spaces.Tuple) for part in parts):
        raise InputError(
            f"observation space {observation} of {env.id!r} is nested, and Stable-Baselines3 knows one Dict of arrays; "
            f"flatten it."
        )
    for part in (*parts, action):
        if np.any(getattr(part, "start", 0)):
            raise InputError(f"{part} of {env.id!r} does not count from 0, as Stable-Baselines3 asks; shift it.")
    if not isinstance(action, ACTIONS):
        raise InputError(
            f"action space {action} of {env.id!r} has no policy in Stable-Baselines3; make it Discrete, MultiDiscrete "
            f"or Box."
        )
