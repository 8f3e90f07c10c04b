"""Native lanes with next-step autoreset, which Gymnasium's wrappers of observations insist on. B: lanes."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from workbench.envs.native import NativeVectorEnvironment
from workbench.envs.outward.lanes import check_environment, check_open, copied, held, shown, successor
from workbench.errors import InputError
from workbench.spec import VectorEnvironment

FLAGS = ("agent_reward", "agent_terminated", "cost")
"""Infos about a step, which are zero where none was taken."""


class NextStepLanes(VectorEnv[Any, Any, Any]):
    """Lanes for Gymnasium's wrappers; see `workbench.envs.outward.as_gymnasium`.

    Args:
        env: A native vector environment with same-step autoreset.

    Raises:
        InputError: If it is none.
    """

    def __init__(self, env: VectorEnvironment) -> None:
        if not isinstance(env, NativeVectorEnvironment):
            raise InputError(
                f"env={env!r} is not native: its lanes cannot stand still while others step, as next-step autoreset "
                f"asks; pass what workbench.envs.make builds of a native id, or give gymnasium.vector.SyncVectorEnv "
                f"the environment itself."
            )
        check_environment(env, "Gymnasium")
        self.env = env
        self.id = env.id
        self.num_envs = env.lanes
        self.render_mode = env.render_mode
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space, self.single_action_space = env.single_observation_space, env.single_action_space
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self._waiting = np.zeros(env.lanes, np.bool_)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every lane; return copies of the observation [B, ...] and of the native infos.

        Raises:
            InputError: If `seed` is none, options are given, or the environment is closed.
        """
        check_open(self)
        observation, info = self.env.reset(seed=seed, options=options)
        self._waiting = np.zeros(self.num_envs, np.bool_)
        return copied(observation), copied(info)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane by one step; for a lane that ended in the last one, that is its reset.

        Args:
            actions: [B, ...], of the action space in every lane, although it does not matter in those that are reset.

        Returns:
            Copies of the observation [B, ...], which is the final one where a lane ends, of reward [B] float32,
            terminated and truncated [B] bool, and of the native infos.

        Raises:
            InputError: If the actions do not fit, or the environment is closed.
        """
        check_open(self)
        waiting = self._waiting
        # The lanes that wait were reset when they ended.
        with held(self.env, waiting):
            _, reward, terminated, truncated, info = self.env.step(actions)
            reward, terminated, truncated = reward.copy(), terminated.copy(), truncated.copy()
        reward[waiting], terminated[waiting], truncated[waiting] = 0.0, False, False
        ended = self._waiting = terminated | truncated
        # From the buffers, which hold the waiting lanes' own again.
        infos = {
            name: np.array(getattr(self.env, name), order="C")
            for name in info
            if name not in ("final_obs", "_final_obs")
        }
        for name in infos.keys() & FLAGS:
            infos[name][waiting] = 0
        if "global_state" in infos:
            infos["global_state"][ended] = self.env.final_global_state[ended]
        return successor(*shown(self.env), ended), reward, terminated, truncated, infos

    def render(self) -> Any:
        """Return a picture of every lane, or None without a render mode."""
        return self.env.render()

    def close_extras(self, **kwargs: Any) -> None:  # noqa: ARG002
        """Close `env`."""
        self.env.close()
