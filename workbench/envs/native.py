"""Vector environments over the kernels: Gymnasium's `VectorEnv` outward, preallocated aligned buffers inward."""

import functools
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from workbench.errors import InputError
from workbench_kernels import rng, spaces
from workbench_kernels.arrays import aligned
from workbench_kernels.targets import cpu
from workbench_kernels.targets import python as python_target


def gymnasium_space(space: spaces.Space) -> gymnasium.Space[Any]:
    """Translate a kernel file's description into Gymnasium's."""
    if isinstance(space, spaces.Discrete):
        return gymnasium.spaces.Discrete(space.n)
    low, high = (np.array(bound, dtype=np.float32) for bound in space)
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


@functools.cache
def _kernels(reset: Any, step: Any, observe: Any, target: str, parallel: bool) -> tuple[Any, Any]:
    environment = SimpleNamespace(reset=reset, step=step, observe=observe)
    if target == "python":
        return python_target.vector_reset(environment), python_target.vector_step(environment)
    return cpu.vector_reset(environment), cpu.vector_step(environment, parallel=parallel)


class NativeVectorEnvironment(VectorEnv[Any, Any, Any]):
    """Lanes of a kernel environment, stepped together.

    Autoreset is same-step: see `workbench.spec.VectorEnvironment`. The arrays that `reset` and `step` return are views
    of the buffers, overwritten by the next call; copy what must last.

    Args:
        environment: A kernel file, or any object with its names (`workbench_kernels.envs`).
        lanes: How many copies run side by side.
        seed: The seed of the first `reset` that names none.
        target: "cpu", or "python" for the slow oracle.
        threads: 1, or more to spread blocks of lanes over all of numba's threads. One is right beside a torch policy,
            whose own threads would wait for the same cores.

    Raises:
        InputError: If an argument is out of range.
    """

    backend = "native"
    saved = ("state", "random", "elapsed", "buffer")

    def __init__(self, environment: Any, lanes: int, *, seed: int = 0, target: str = "cpu", threads: int = 1) -> None:
        check_lanes(lanes)
        if target not in ("cpu", "python"):
            raise InputError(f"target={target!r} is unknown; choose 'cpu' or 'python'.")
        if threads < 1:
            raise InputError(f"threads={threads} leaves nobody to step; pass 1 or more.")
        self.environment = environment
        self.id = environment.ID
        self.lanes = self.num_envs = lanes
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.single_observation_space = gymnasium_space(environment.OBSERVATION)
        self.single_action_space = gymnasium_space(environment.ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, lanes)
        self.action_space = batch_space(self.single_action_space, lanes)
        self._seed = check_seed(seed)
        functions = environment.reset, environment.step, environment.observe
        self._reset, self._step = _kernels(*functions, target, threads > 1)
        self._limit = np.int32(environment.TIME_LIMIT)
        self._allocate()

    def _allocate(self) -> None:
        lanes, components = self.lanes, len(self.environment.OBSERVATION.low)
        self.state = aligned((len(self.environment.STATE), lanes), np.float32)
        self.random = aligned((rng.ROWS, lanes), np.uint32)
        self.elapsed = aligned((lanes,), np.int32)
        self.buffer = aligned((components, lanes), np.float32)
        self.final_buffer = aligned((components, lanes), np.float32)
        self.observation, self.final_observation = self.buffer.T, self.final_buffer.T
        self.reward = aligned((lanes,), np.float32)
        self.terminated = aligned((lanes,), np.bool_)
        self.truncated = aligned((lanes,), np.bool_)
        actions = self.environment.ACTIONS
        self._discrete = isinstance(actions, spaces.Discrete)
        shape = (lanes,) if self._discrete else (len(actions.low), lanes)
        self._action = aligned(shape, np.int32 if self._discrete else np.float32)
        self._unsigned = self._action.view(np.uint32)
        rng.seed_lanes(self.random, self._seed)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:  # noqa: ARG002
        """Start a new episode in every lane; a seed starts the lanes' random streams anew. There are no options.

        Returns:
            The observation [B, O] float32, a view, and an empty dict.

        Raises:
            InputError: If `seed` is not an integer of up to 64 bits.
        """
        if seed is not None:
            rng.seed_lanes(self.random, check_seed(seed))
        self._reset(self.state, self.random, self.elapsed, self.buffer)
        return self.observation, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane by one step, and reset those that ended.

        Args:
            actions: [B] integers (Discrete) or [B, A] floats (Box).

        Returns:
            observation [B, O] float32, reward [B] float32 per step, terminated and truncated [B] bool, and an info dict
            with Gymnasium's `final_obs` [B, O] (every lane's successor before the reset) and its mask `_final_obs` [B].

        Raises:
            InputError: If the actions have another shape or kind, or lie outside the action space.
        """
        self._take(actions)
        self._step(
            self.state,
            self.random,
            self.elapsed,
            self._limit,
            self._action,
            self.reward,
            self.terminated,
            self.truncated,
            self.final_buffer,
            self.buffer,
        )
        info = {"final_obs": self.final_observation, "_final_obs": self.terminated | self.truncated}
        return self.observation, self.reward, self.terminated, self.truncated, info

    def _take(self, actions: Any) -> None:
        """Copy the actions into the kernel's buffer, checked."""
        array = np.asarray(actions)
        expected = tuple(reversed(self._action.shape))
        if array.shape != expected:
            raise InputError(f"actions have shape {list(array.shape)}; pass {list(expected)}, one a lane.")
        try:
            np.copyto(self._action, array.T, casting="same_kind")
        except TypeError:
            raise InputError(f"actions of dtype {array.dtype} do not fit {self.single_action_space}.") from None
        if self._discrete and self._unsigned.max() >= self.environment.ACTIONS.n:
            lane = int(self._unsigned.argmax())
            raise InputError(
                f"actions[{lane}]={array[lane]} is out of range; choose 0 to {self.environment.ACTIONS.n - 1}."
            )


def check_lanes(lanes: Any) -> int:
    """Return `lanes`.

    Raises:
        InputError: If it is not a positive integer.
    """
    if isinstance(lanes, bool) or not isinstance(lanes, int | np.integer) or lanes < 1:
        raise InputError(f"lanes={lanes!r} is not a number of environments; pass an integer of at least 1.")
    return int(lanes)


def check_seed(seed: Any) -> int:
    """Return `seed`.

    Raises:
        InputError: If it is not an integer from 0 to 2**64 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise InputError(f"seed={seed!r} is not a seed; pass an integer from 0 to 2**64 - 1.")
    return int(seed)
