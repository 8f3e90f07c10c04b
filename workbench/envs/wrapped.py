"""A vector environment of Gymnasium's kind that somebody else built, whatever its autoreset mode."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from workbench.actions import ActionHeads
from workbench.envs.emulation.interface import MASK
from workbench.envs.native import check_seed
from workbench.envs.taking import take
from workbench.errors import EnvironmentFaultError
from workbench.spaces import SpaceTree


class WrappedVectorEnvironment(VectorEnv[Any, Any, Any]):
    """Speaks for `env` as `workbench.spec.VectorEnvironment` says.

    Same-step autoreset is taken as it is. Without autoreset, lanes that ended are reset here, by Gymnasium's
    `reset_mask`. With next-step autoreset, a lane that ended spends one step on its reset: for this step it is not
    `active`, as there is nothing to act on.

    Args:
        env: From `gymnasium.make_vec`, or anything that subclasses `gymnasium.vector.VectorEnv`.

    Raises:
        InputError: If a space has no fixed size.
    """

    backend = "wrapped"
    saved = ("steps",)
    agents = 1

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        self.env = env
        self.id = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
        self.lanes = self.num_envs = int(env.num_envs)
        self.options: dict[str, Any] = {}
        self.steps = 0
        self.render_mode = env.render_mode
        mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self.mode = mode if isinstance(mode, AutoresetMode) else AutoresetMode(mode)
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space, self._single = env.single_observation_space, env.single_action_space
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.tree = SpaceTree(self.single_observation_space)
        self.heads = ActionHeads(self._single)
        self.single_action_space = self.heads.space
        self.observation, self.final_observation = self.tree.rows(self.lanes), self.tree.rows(self.lanes)
        self.reward = np.zeros(self.lanes, np.float32)
        self.terminated, self.truncated = np.zeros((2, self.lanes), np.bool_)
        self.active = np.ones(self.lanes, np.bool_)
        self.action_mask: Any = None
        self._discrete = np.zeros((self.lanes, len(self.heads.nvec)), np.int64)
        self._continuous = np.zeros((self.lanes, len(self.heads.low)), np.float32)
        self._views = self.tree.view(self.observation), self.tree.view(self.final_observation)
        self._actions: Any = create_empty_array(self._single, self.lanes)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every lane.

        Raises:
            InputError: If `seed` is none, or an observation does not fit its space.
        """
        observation, info = self.env.reset(seed=None if seed is None else check_seed(seed) % 2**31, options=options)
        self._encode(observation, info)
        self.active[...] = True
        return self._views[0], self._infos()

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane by one step; see `workbench.spec.VectorEnvironment`.

        Raises:
            InputError: If the actions do not fit, or an observation does not fit its space.
            EnvironmentFaultError: If the last observation of an episode is missing.
        """
        take(self.single_action_space, actions, self._discrete, self._continuous)
        observation, self.reward[...], self.terminated[...], self.truncated[...], info = self.env.step(self._decoded())
        self.steps += 1
        ended = self.terminated | self.truncated
        if self.mode is AutoresetMode.SAME_STEP:
            for lane in np.flatnonzero(ended).tolist():
                self._encode_final(lane, info)
        elif ended.any():
            self._encode(observation, info)
            self.final_observation[ended] = self.observation[ended]
            if self.mode is AutoresetMode.DISABLED:
                observation, info = self.env.reset(options={"reset_mask": ended})
        self._encode(observation, info)
        if self.mode is AutoresetMode.NEXT_STEP:
            self.active[...] = ~ended
        infos = {**self._infos(), "final_obs": self._views[1], "_final_obs": ended}
        return self._views[0], self.reward, self.terminated, self.truncated, infos

    def _decoded(self) -> Any:
        """Return the actions as the environment wants them."""
        each = [self.heads.decode(d, c) for d, c in zip(self._discrete, self._continuous, strict=True)]
        return concatenate(self._single, each, self._actions)

    def _encode(self, observation: Any, info: dict[str, Any]) -> None:
        self.tree.encode_batch(observation, self.observation)
        if MASK in info and self.heads.nvec:
            if self.action_mask is None:
                self.action_mask = np.ones((self.lanes, sum(self.heads.nvec)), np.bool_)
            for lane in range(self.lanes):
                self.action_mask[lane] = np.ravel(_of_lane(info[MASK], lane))

    def _encode_final(self, lane: int, info: dict[str, Any]) -> None:
        final = _of_lane(info["final_obs"], lane) if "final_obs" in info else None
        if final is None:
            raise EnvironmentFaultError(
                f"lane {lane} of {self.id!r} ended without info['final_obs'] at step {self.steps}, which same-step "
                f"autoreset demands; mend the environment."
            )
        self.tree.encode(final, self.final_observation[lane])

    def _infos(self) -> dict[str, Any]:
        infos = {"active": self.active}
        return infos if self.action_mask is None else {**infos, MASK: self.action_mask}

    def share(self, frames: int) -> None:
        """Keep the buffers here: the environment has its own memory."""

    def rewind(self) -> None:
        """Do nothing: no frames are shared."""

    def like(self, lanes: int, seed: int) -> None:
        """Say that it cannot be built again."""

    def close(self, **kwargs: Any) -> None:
        """Close the environment."""
        self.env.close(**kwargs)
        self.closed = True


def _of_lane(values: Any, lane: int) -> Any:
    """Return what batched, perhaps nested `values` hold of one lane."""
    if isinstance(values, dict):
        return {name: _of_lane(x, lane) for name, x in values.items() if not name.startswith("_")}
    if isinstance(values, tuple):
        return tuple(_of_lane(x, lane) for x in values)
    return values[lane]
