"""A vector environment of Gymnasium's kind that somebody else built, whatever its autoreset mode."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

from workbench.envs.emulation.interface import MASK, Interface
from workbench.envs.native import check_seed
from workbench.envs.taking import take
from workbench.errors import EnvironmentFaultError, InputError


class WrappedVectorEnvironment(VectorEnv[Any, Any, Any]):
    """Speaks for `env` as `workbench.spec.VectorEnvironment` says.

    Same-step autoreset is taken as it is. Without autoreset, lanes that ended are reset here, by Gymnasium's
    `reset_mask`. With next-step autoreset, a lane that ended spends one step on its reset: for this step it is not
    `active`, as there is nothing to act on.

    Action masks come in infos, or in observations that are dictionaries, out of which they are taken as emulated
    environments do. Lanes that bring none may do anything.

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
        self._interface = Interface(_Single(env))
        self._single = env.single_action_space
        self.tree, self.heads = self._interface.tree, self._interface.heads
        self.single_observation_space, self.single_action_space = self.tree.space, self.heads.space
        self.observation_space = batch_space(self.single_observation_space, self.lanes)
        self.action_space = batch_space(self.single_action_space, self.lanes)
        self.observation, self.final_observation = self.tree.rows(self.lanes), self.tree.rows(self.lanes)
        self.reward = np.zeros(self.lanes, np.float32)
        self.terminated, self.truncated = np.zeros((2, self.lanes), np.bool_)
        self.active = np.ones(self.lanes, np.bool_)
        self.action_mask: Any = None
        if self._interface.masked:
            self.action_mask = np.ones((self.lanes, self._interface.choices), np.bool_)
        self._discrete = np.zeros((self.lanes, len(self.heads.nvec)), np.int64)
        self._continuous = np.zeros((self.lanes, len(self.heads.low)), np.float32)
        self._views = self.tree.view(self.observation), self.tree.view(self.final_observation)
        self._everyone = np.ones(self.lanes, np.bool_)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every lane.

        Raises:
            InputError: If `seed` is none, or an observation does not fit its space, or an action mask the actions.
        """
        observation, info = self.env.reset(seed=None if seed is None else check_seed(seed) % 2**31, options=options)
        if self.action_mask is None and MASK in info and self.heads.nvec:
            self.action_mask = np.ones((self.lanes, self._interface.choices), np.bool_)
        self._encode(observation, info, self._everyone)
        self.active[...] = True
        return self._views[0], self._infos()

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane by one step; see `workbench.spec.VectorEnvironment`.

        Raises:
            InputError: If the actions do not fit, or an observation does not fit its space, or an action mask the
                actions.
            EnvironmentFaultError: If the last observation of an episode is missing.
        """
        take(self.single_action_space, actions, self._discrete, self._continuous)
        observation, self.reward[...], self.terminated[...], self.truncated[...], info = self.env.step(self._decoded())
        self.steps += 1
        ended = self.terminated | self.truncated
        if self.mode is AutoresetMode.SAME_STEP:
            for lane in np.flatnonzero(ended).tolist():
                self._encode_final(lane, info)
            self._encode(observation, info, self._everyone)
        else:
            self._encode(observation, info, ~ended)  # nobody acts on a last observation
            self.final_observation[ended] = self.observation[ended]
            if self.mode is AutoresetMode.DISABLED and ended.any():
                self._encode(*self.env.reset(options={"reset_mask": ended.copy()}), ended)
        if self.mode is AutoresetMode.NEXT_STEP:
            self.active[...] = ~ended
        infos = {**self._infos(), "final_obs": self._views[1], "_final_obs": ended}
        return self._views[0], self.reward, self.terminated, self.truncated, infos

    def _decoded(self) -> Any:
        """Return the actions as the environment wants them, in arrays of their own: it may keep them."""
        space: Any = self._single
        shape = () if space.shape is None else (self.lanes, *space.shape)
        if isinstance(space, gymnasium.spaces.Discrete | gymnasium.spaces.MultiDiscrete):
            # Counted without a sign, where overflow wraps around and comes out right.
            counting = np.dtype(f"u{space.dtype.itemsize}")
            start = np.reshape(space.start, -1).astype(space.dtype).view(counting)
            return (self._discrete.astype(counting) + start).view(space.dtype).reshape(shape)
        if isinstance(space, gymnasium.spaces.Box) and space.dtype.kind == "f":
            with np.errstate(over="ignore"):
                actions = self._continuous.astype(space.dtype).reshape(shape)
            return np.clip(actions, space.low, space.high, out=actions)
        each = [self.heads.decode(d, c) for d, c in zip(self._discrete, self._continuous, strict=True)]
        out: Any = create_empty_array(space, self.lanes)
        return concatenate(space, each, out)

    def _encode(self, observation: Any, info: dict[str, Any], lanes: Any) -> None:
        """Write observations, and the action masks of `lanes` [B] bool."""
        if self._interface.masked:
            self._mask(observation[MASK], lanes, lanes)
        elif self.action_mask is not None:
            there = np.asarray(info.get(f"_{MASK}", self._everyone), np.bool_) if MASK in info else ~self._everyone
            self._mask(info.get(MASK), lanes, lanes & there)
        elif MASK in info and self.heads.nvec:
            raise InputError("action_mask comes with a step, and none came with the first reset; give one there too.")
        self.tree.encode_batch(self._unmasked(observation), self.observation)

    def _unmasked(self, observation: Any) -> Any:
        return observation if self._interface.key is None else observation[self._interface.key]

    def _mask(self, masks: Any, lanes: Any, there: Any) -> None:
        """Write the masks of `lanes`; all is allowed where there is none."""
        self.action_mask[lanes] = True
        numbers, choices = np.flatnonzero(there), self._interface.choices
        if not len(numbers):
            return
        parts = [np.asarray(part) for part in (masks if isinstance(masks, tuple) else (masks,))]
        given: Any
        if parts[0].dtype == np.object_:  # whatever each lane's environment gave
            numbers = np.array([lane for lane in numbers if parts[0][lane] is not None], np.int64)
            given = [np.concatenate([np.ravel(x) for x in parts[0][lane]]) for lane in numbers]
            sizes = {len(mask) for mask in given}
        else:
            given = np.concatenate([part.reshape(self.lanes, -1) for part in parts], axis=1)[numbers]
            sizes = {given.shape[1]}
        for size in sizes - {choices}:
            raise InputError(f"action_mask has {size} components, and the actions have {choices} choices.")
        legal = np.asarray(given, np.bool_).reshape(len(numbers), choices)
        if not legal.any(axis=1).all():
            raise InputError("action_mask forbids every action; leave one legal.")
        self.action_mask[numbers] = legal

    def _encode_final(self, lane: int, info: dict[str, Any]) -> None:
        final = _of_lane(info["final_obs"], lane) if "final_obs" in info else None
        if final is None:
            raise EnvironmentFaultError(
                f"lane {lane} of {self.id!r} ended without info['final_obs'] at step {self.steps}, which same-step "
                f"autoreset demands; mend the environment."
            )
        self.tree.encode(self._unmasked(final), self.final_observation[lane])

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
        kept = [name for name in values if not (name.startswith("_") and name[1:] in values)]  # not Gymnasium's masks
        return {name: _of_lane(values[name], lane) for name in kept}
    if isinstance(values, tuple):
        return tuple(_of_lane(x, lane) for x in values)
    return values[lane]


class _Single(gymnasium.Env[Any, Any]):
    """What one lane of a vector environment looks like."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        self.observation_space, self.action_space = env.single_observation_space, env.single_action_space
