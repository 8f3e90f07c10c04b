"""Any registered Gymnasium id behind the same interface: Gymnasium steps, our buffers hold the result."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FlattenObservation

from workbench.envs.native import check_lanes, check_seed
from workbench.errors import EnvironmentFaultError, InputError
from workbench_kernels.arrays import aligned


class GymnasiumVectorEnvironment:
    """Lanes of a Gymnasium environment, stepped one after the other in this process.

    Observations are flattened to [B, O] float32, discrete actions count from 0. Autoreset is
    same-step: see `workbench.spec.VectorEnvironment`.

    Args:
        environment_id: A registered Gymnasium id.
        lanes: How many copies run side by side.
        seed: The seed of the first `reset` that names none.

    Raises:
        InputError: If an argument is out of range, or the observation space cannot be flattened to numbers.
    """

    backend = "gymnasium"
    saved = ("steps",)

    def __init__(self, environment_id: str, lanes: int, *, seed: int = 0) -> None:
        self.id = environment_id
        self.lanes = check_lanes(lanes)
        self._seed: int | None = check_seed(seed)
        self.steps = 0
        self._env = SyncVectorEnv([self._make] * lanes, autoreset_mode=AutoresetMode.SAME_STEP)
        self.single_observation_space = self._env.single_observation_space
        self.single_action_space = self._env.single_action_space
        self._first_action = 0
        if isinstance(self.single_action_space, gymnasium.spaces.Discrete):
            self._first_action = int(self.single_action_space.start)
            self.single_action_space = gymnasium.spaces.Discrete(int(self.single_action_space.n))
        components = gymnasium.spaces.flatdim(self.single_observation_space)
        self.observation = aligned((lanes, components), np.float32)
        self.final_observation = aligned((lanes, components), np.float32)
        self.reward = aligned((lanes,), np.float32)
        self.terminated = aligned((lanes,), np.bool_)
        self.truncated = aligned((lanes,), np.bool_)

    def _make(self) -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(self.id)
        space = env.observation_space
        flat = gymnasium.spaces.flatten_space(space) if space.is_np_flattenable else None
        if not isinstance(flat, gymnasium.spaces.Box):
            raise InputError(f"observation space {space} of {self.id!r} has no fixed size; wrap it into a Box.")
        return env if isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 1 else FlattenObservation(env)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every lane; return the observation [B, O] float32 and an empty dict.

        Raises:
            EnvironmentFaultError: If an observation is not a number.
        """
        first = self._seed if seed is None else check_seed(seed)
        self._seed = None
        # Gymnasium seeds lane i with seed + i, within numpy's 32 bits.
        observation, _ = self._env.reset(seed=None if first is None else first % 2**31, options=options)
        self.observation[...] = observation
        self._check(self.observation, "observation")
        return self.observation, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane by one step, and reset those that ended; the returns are those of the native environment.

        Raises:
            EnvironmentFaultError: If an observation or a reward is not a number.
        """
        observation, reward, self.terminated[...], self.truncated[...], info = self._env.step(
            np.asarray(actions) + self._first_action
        )
        self.steps += 1
        self.observation[...] = self.final_observation[...] = observation
        self.reward[...] = reward
        ended = self.terminated | self.truncated
        for lane in np.flatnonzero(ended):
            self.final_observation[lane] = info["final_obs"][lane]
        self._check(self.final_observation, "observation")
        self._check(self.observation, "observation")
        self._check(self.reward, "reward")
        result = {"final_obs": self.final_observation, "_final_obs": ended}
        return self.observation, self.reward, self.terminated, self.truncated, result

    def _check(self, values: Any, what: str) -> None:
        if not np.isfinite(values.sum()) and not np.isfinite(values).all():
            lane = int(np.argwhere(~np.isfinite(values))[0, 0])
            raise EnvironmentFaultError(
                f"{what} of lane {lane} is {values[lane].tolist()} at step {self.steps} of {self.id!r}; "
                f"mend the environment: every {what} must be finite."
            )

    def close(self) -> None:
        """Close the environments."""
        self._env.close()
