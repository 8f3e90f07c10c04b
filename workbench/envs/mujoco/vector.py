"""Lanes of a MuJoCo task: Gymnasium's `VectorEnv` outward, MuJoCo's threads and preallocated buffers inward."""

import math
import os
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NoReturn

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from workbench.envs.mujoco import physics
from workbench.envs.mujoco.noise import Noise
from workbench.envs.mujoco.tasks import TASKS
from workbench.envs.native import check_lanes, check_limit, check_seed
from workbench.errors import EnvironmentFaultError, InputError
from workbench.spaces import SpaceTree
from workbench_kernels import rng
from workbench_kernels.arrays import aligned


class MujocoVectorEnvironment(VectorEnv[Any, Any, Any]):
    """Lanes of one of Gymnasium's MuJoCo tasks (v5), stepped together outside the interpreter's lock.

    From the same state and actions, a lane is Gymnasium's environment step for step; it draws its starts from a stream
    of its own, the same whatever the number of threads. Autoreset is same-step: see `workbench.spec.VectorEnvironment`.
    The arrays that `reset` and `step` return are buffers, overwritten by the next call; copy what must last.

    Args:
        id: One of `TASKS`, such as "HalfCheetah-v5".
        lanes: How many copies run side by side.
        seed: The seed of the first `reset` that names none.
        threads: How many step them; as many as the machine has processors if None, and never more than lanes.
        time_limit: Steps after which an episode is truncated; Gymnasium's own if None.
        options: Of the task, as Gymnasium names them: `ctrl_cost_weight=0.05`.

    Raises:
        InputError: If an argument is out of range, there is no such task, or MuJoCo is missing.
    """

    backend = "native"
    agents = 1
    action_mask = None
    saved = ("state", "random", "elapsed", "before", "observation", "steps")

    def __init__(
        self,
        id: str,
        lanes: int,
        *,
        seed: int = 0,
        threads: int | None = None,
        time_limit: int | None = None,
        **options: Any,
    ) -> None:
        if id not in TASKS:
            raise InputError(
                f"MuJoCo task {id!r} is not native; choose one of {', '.join(TASKS)}, or backend='processes'."
            )
        self.id, self._task = id, TASKS[id]
        self.lanes = self.num_envs = check_lanes(lanes)
        self._threads = _check_threads(threads)
        self.threads = min(self.lanes, self._threads)
        self.time_limit = self._task.time_limit if time_limit is None else check_limit(time_limit)
        # What a checkpoint keeps, and `make` is given to build the same again.
        self.options = _check_options(id, self._task.options, options)
        settings = {**self._task.options, **self.options}
        if self.time_limit != self._task.time_limit:
            self.options["time_limit"] = self.time_limit
        model = physics.load_model(self._task.model)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self._parameters = _parameters(model, self._task.frames, settings)
        self._physics = physics.build(model, self.lanes, self.threads, self._task.frames, self._task.fields)
        self.state = self._physics.state
        self._allocate(model)
        self.steps = 0
        self.random = np.zeros((rng.ROWS, self.lanes), np.uint32)
        rng.seed_lanes(self.random, check_seed(seed))

    def _allocate(self, model: Any) -> None:
        """Make the buffers and the spaces they belong to."""
        lanes, view = self.lanes, self._physics.view
        low, high = model.actuator_ctrlrange.astype(np.float32).T
        self.single_action_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self.before = aligned((lanes,), np.float64)
        self._action = aligned((lanes, model.nu), np.float32)
        self._view = SimpleNamespace(**vars(view), before=self.before, action=self._action)
        components = sum(part.shape[1] for part in self._task.observe(self._view, self._parameters))
        self.single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (components,), np.float64)
        self.tree = SpaceTree(self.single_observation_space)
        self.observation_space = batch_space(self.single_observation_space, lanes)
        self.action_space = batch_space(self.single_action_space, lanes)
        self.observation = aligned((lanes, components), np.float64)
        self.final_observation = aligned((lanes, components), np.float64)
        self.reward = aligned((lanes,), np.float32)
        self.terminated, self.truncated = aligned((lanes,), np.bool_), aligned((lanes,), np.bool_)
        self.active = np.ones(lanes, dtype=np.bool_)
        self.elapsed = np.zeros(lanes, dtype=np.int64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every lane; a seed starts the lanes' random streams anew. There are no options.

        Returns:
            The observation [B, O] float64, a buffer, and an empty dict.

        Raises:
            InputError: If `seed` is not an integer of up to 64 bits, options are given, or the environment is closed.
            EnvironmentFaultError: If MuJoCo fails.
        """
        self._check_open()
        if options:
            raise InputError(
                f"options={options} of reset are unknown to {self.id!r}; it resets all lanes, without any."
            )
        if seed is not None:
            rng.seed_lanes(self.random, check_seed(seed))
        self._start(np.arange(self.lanes, dtype=np.int32))
        return self.observation, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane by one step, and reset those that ended.

        Args:
            actions: [B, K] numbers. Beyond the action space's bounds the motors give no more than at them, and the
                action costs what it says, as in Gymnasium.

        Returns:
            observation [B, O] float64, reward [B] float32 per step, terminated and truncated [B] bool, and an info dict
            with Gymnasium's `final_obs` [B, O], valid where its mask `_final_obs` [B] says that the lane ended.

        Raises:
            InputError: If the actions have another shape or kind or are not finite, or the environment is closed.
            EnvironmentFaultError: If MuJoCo fails, or an observation or a reward is not a number.
        """
        self._check_open()
        self._take(actions)
        self.steps += 1
        self._simulate(self._physics.step)
        reward, terminated = self._task.reward(self._view, self._parameters)
        self._observe(self.final_observation)
        np.copyto(self.reward, reward, casting="unsafe")
        np.copyto(self.terminated, terminated)
        self._check(self.final_observation, "observation")
        self._check(self.reward, "reward")
        self.elapsed += 1
        np.greater_equal(self.elapsed, self.time_limit, out=self.truncated)
        ended = self.terminated | self.truncated
        if ended.any():
            self._start(np.flatnonzero(ended).astype(np.int32))
        else:
            np.copyto(self.observation, self.final_observation)
            self._remember()
        info = {"final_obs": self.final_observation, "_final_obs": ended}
        return self.observation, self.reward, self.terminated, self.truncated, info

    def share(self, frames: int) -> None:
        """Keep the buffers here: a copy of each step is small beside the physics."""

    def rewind(self) -> None:
        """Go on from the buffers as they are: nothing is shared."""

    def like(self, lanes: int, seed: int) -> "MujocoVectorEnvironment":
        """Build the same environment with `lanes` lanes."""
        return MujocoVectorEnvironment(self.id, lanes, seed=seed, threads=self._threads, **self.options)

    def __reduce__(self) -> NoReturn:
        raise InputError(
            f"the lanes of {self.id!r} hold MuJoCo's simulations, which cannot be copied or pickled; build other lanes "
            f"with env.like(lanes, seed), or save a trainer."
        )

    def _take(self, actions: Any) -> None:
        """Copy the actions into the buffer and to the motors."""
        try:
            array = np.asarray(actions)
        except (TypeError, ValueError, RuntimeError) as error:  # what a torch tensor says of its device or gradient
            raise InputError(f"actions are no array ({error}); pass one of shape {list(self._action.shape)}.") from None
        if array.shape != self._action.shape:
            raise InputError(f"actions have shape {list(array.shape)}; pass {list(self._action.shape)}, lanes first.")
        if array.dtype.kind not in "iuf":
            raise InputError(f"actions of dtype {array.dtype} do not fit {self.single_action_space}; pass floats.")
        with np.errstate(over="ignore"):
            np.copyto(self._action, array, casting="same_kind")
        if not np.isfinite(self._action).all():
            place = np.argwhere(~np.isfinite(self._action))[0].tolist()
            raise InputError(f"actions{place}={array[tuple(place)].item()} is not finite; pass numbers.")
        np.copyto(self._view.ctrl, self._action)

    def _start(self, lanes: Any) -> None:
        """Begin an episode in `lanes` [n] int32, ascending, and show what every lane acts on next."""
        qpos, qvel = self._task.start(Noise(self.random, lanes), self._parameters)
        self._simulate(self._physics.restart, lanes, qpos, qvel)
        self.elapsed[lanes] = 0
        self._observe(self.observation)
        self._remember()

    def _observe(self, out: Any) -> None:
        np.concatenate(self._task.observe(self._view, self._parameters), axis=1, out=out)

    def _remember(self) -> None:
        """Keep the positions whose change the next step rewards."""
        if self._task.position is not None:
            np.copyto(self.before, self._task.position(self._view, self._parameters))

    def _simulate(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            function(*arguments)
        except physics.SimulationError as error:
            raise EnvironmentFaultError(
                f"MuJoCo failed in lane {error.lane} at step {self.steps} of {self.id!r}: {error}; reset the lanes."
            ) from error

    def _check_open(self) -> None:
        if self.closed:
            raise InputError(f"the lanes of {self.id!r} are closed; build new ones.")

    def _check(self, values: Any, what: str) -> None:
        numbers = np.isfinite(values)
        if not numbers.all():
            lane = int(np.argwhere(~numbers)[0, 0])
            raise EnvironmentFaultError(
                f"{what} of lane {lane} is {values[lane].tolist()} at step {self.steps} of {self.id!r}: the simulation "
                f"diverged; bound the actions."
            )

    def close_extras(self, **_: Any) -> None:
        """End MuJoCo's threads and free its memory; `close` comes here once."""
        self._physics.close()
        del self._physics, self._view, self.state


def _parameters(model: Any, frames: int, options: Mapping[str, Any]) -> SimpleNamespace:
    """Return what a task's functions know besides the state: see `workbench.envs.mujoco.task`."""
    return SimpleNamespace(
        **options,
        timestep=model.opt.timestep,
        dt=model.opt.timestep * frames,
        qpos0=model.qpos0.copy(),
        nv=model.nv,
        body_mass=model.body_mass.copy(),
        body={model.body(i).name: i for i in range(model.nbody)},
    )


def _check_threads(threads: Any) -> int:
    """Return how many threads are asked for.

    Raises:
        InputError: If it is neither None nor a positive integer.
    """
    if threads is None:
        return os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        raise InputError(f"threads={threads!r} leaves nobody to step; pass an integer of at least 1, or None.")
    return int(threads)


def _check_options(id: str, known: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options in Python's own types, which a checkpoint can keep: bools, floats, and pairs of floats.

    Raises:
        InputError: If the task has no such option, or its value is of another kind or out of range.
    """
    plain: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known:
            raise InputError(
                f"option {name}={value!r} is unknown to the native {id!r}; it has: {', '.join(known)}. "
                f"Gymnasium's others: backend='processes'."
            )
        if isinstance(known[name], bool):
            kind, plain[name] = "True or False", bool(value) if isinstance(value, bool | np.bool_) else None
        elif isinstance(known[name], tuple):
            kind, plain[name] = "two numbers, the lower first", _interval(value)
        else:
            number = _number(value)
            # Uniform draws have no negative width.
            least = 0.0 if name == "reset_noise_scale" else -math.inf
            kind = "a number" if least else "a number of at least 0"
            plain[name] = number if number is not None and math.isfinite(number) and number >= least else None
        if plain[name] is None:
            raise InputError(f"option {name}={value!r} of {id!r} does not fit; pass {kind}, as {known[name]!r} is.")
    return plain


def _number(value: Any) -> float | None:
    """Return a number as a float; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _interval(value: Any) -> tuple[float, float] | None:
    """Return two numbers in order as floats; None if they are none."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(value, tuple | list) or len(value) != 2:
        return None
    low, high = map(_number, value)
    return (low, high) if low is not None and high is not None and low <= high else None
