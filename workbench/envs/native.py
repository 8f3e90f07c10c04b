"""Vector environments over the kernels: Gymnasium's `VectorEnv` outward, preallocated aligned buffers inward."""

import copy
import functools
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from workbench.errors import InputError
from workbench.spaces import SpaceTree
from workbench_kernels import Discrete, Environment, rng
from workbench_kernels.arrays import aligned
from workbench_kernels.buffers import Buffers
from workbench_kernels.environment import check_time_limit
from workbench_kernels.spaces import Space
from workbench_kernels.targets import cpu
from workbench_kernels.targets import python as python_target

RENDER_FPS = 30


def gymnasium_space(space: Space) -> gymnasium.Space[Any]:
    """Translate a kernel's description into Gymnasium's."""
    if isinstance(space, Discrete):
        return gymnasium.spaces.Discrete(space.n)
    low, high = space.bounds()
    return gymnasium.spaces.Box(low, high, dtype=low.dtype.type)


def single_spaces(environment: Environment) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
    """Return the spaces of one lane's observation and action; several agents are an axis [A, ...] that leads."""
    observation, action = gymnasium_space(environment.observation), gymnasium_space(environment.action)
    if environment.agents == 1:
        return observation, action
    return batch_space(observation, environment.agents), batch_space(action, environment.agents)


@functools.cache
def _kernels(environment: Environment, target: str, parallel: bool) -> tuple[Any, Any]:
    if target == "python":
        return python_target.vector_reset(environment), python_target.vector_step(environment)
    return cpu.vector_reset(environment), cpu.vector_step(environment, parallel=parallel)


class NativeVectorEnvironment(VectorEnv[Any, Any, Any]):
    """Lanes of a kernel environment, stepped together.

    Autoreset is same-step: see `workbench.spec.VectorEnvironment`. The arrays that `reset` and `step` return are views
    of the buffers, overwritten by the next call; copy what must last.

    Args:
        environment: As `workbench_kernels.envs.make` builds it, or your own `workbench_kernels.Environment`.
        lanes: How many copies run side by side.
        seed: The seed of the first `reset` that names none.
        target: "cpu", or "python" for the slow oracle.
        threads: 1, or more to spread blocks of lanes over all of numba's threads. One is right beside a torch policy,
            whose own threads would wait for the same cores.
        autoreset: False leaves lanes that ended as they are, until `reset`.
        copy: Whether `reset` and `step` return copies.
        time_limit: Steps after which an episode is truncated; the environment's own if None.
        render_mode: None, or "rgb_array".

    Raises:
        InputError: If an argument is out of range.
    """

    backend = "native"
    saved = ("buffers",)
    agents = 1

    def __init__(
        self,
        environment: Environment,
        lanes: int,
        *,
        seed: int = 0,
        target: str = "cpu",
        threads: int = 1,
        autoreset: bool = True,
        copy: bool = False,
        time_limit: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_lanes(lanes)
        if target not in ("cpu", "python"):
            raise InputError(f"target={target!r} is unknown; choose 'cpu' or 'python'.")
        if threads < 1:
            raise InputError(f"threads={threads} leaves nobody to step; pass 1 or more.")
        if render_mode not in (None, "rgb_array"):
            raise InputError(f"render_mode={render_mode!r} is unknown; choose None or 'rgb_array'.")
        self.environment, self.options = environment, dict(environment.options)
        if time_limit is not None:
            self.options["time_limit"] = time_limit
        self.id = environment.id
        self.lanes = self.num_envs = lanes
        self.render_mode = render_mode
        mode = AutoresetMode.SAME_STEP if autoreset else AutoresetMode.DISABLED
        self.metadata = {"autoreset_mode": mode, "render_modes": ["rgb_array"], "render_fps": RENDER_FPS}
        self.single_observation_space, self.single_action_space = single_spaces(environment)
        self.tree = SpaceTree(self.single_observation_space)
        self.observation_space = batch_space(self.single_observation_space, lanes)
        self.action_space = batch_space(self.single_action_space, lanes)
        self._seed = check_seed(seed)
        self._reset, self._step = _kernels(environment, target, threads > 1)
        self.time_limit = environment.time_limit if time_limit is None else check_limit(time_limit)
        self.target, self.autoreset = target, autoreset
        self._copy_results = copy
        self.buffers = Buffers(environment, lanes)
        self.active = np.ones(lanes, np.bool_)
        self._see()
        self._first_lane = 0
        rng.seed_lanes(self.buffers.random, self._seed)

    def _see(self) -> None:
        """Lay views with the lanes first over the buffers."""
        environment, b = self.environment, self.buffers
        agents = (environment.agents,) if environment.agents > 1 else ()
        shape = (*agents, *environment.observation.shape, self.lanes)
        self._shown, self._final_shown = (
            np.moveaxis(_reshaped(x, shape), -1, 0) for x in (b.observation, b.final_observation)
        )
        self.observation, self.final_observation = (np.moveaxis(x, -1, 0) for x in (b.observation, b.final_observation))
        self.action_mask = np.moveaxis(b.action_mask, -1, 0) if environment.has("action_mask") else None
        self.global_state, self.final_global_state = b.global_state.T, b.final_global_state.T
        self.truncated, self.cost = b.truncated, b.cost
        self.agent_reward, self.agent_terminated = b.reward.T, b.terminated.T
        self.reward = aligned((self.lanes,), np.float32) if agents else b.reward
        self.terminated = aligned((self.lanes,), np.bool_) if agents else b.terminated
        self._action = np.moveaxis(b.action, -1, 0)
        self._bounds: tuple[Any, ...] = ()
        self._shape: tuple[int, ...] = (self.lanes, *agents, *getattr(environment.action, "shape", ()))
        action, columns = environment.action, self.lanes * environment.agents
        if isinstance(action, Discrete):
            self._plain = "ilq"  # dtypes' characters that are taken as they are
            self._scratch = np.empty((columns,), b.action.dtype)
        else:
            self._bounds = tuple(bound.reshape(-1) for bound in action.bounds())
            self._plain = "ilq" if b.action.dtype.kind == "i" else "fd"
            self._scratch = np.empty((action.size, columns), b.action.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> "NativeVectorEnvironment":
        """Return an environment of its own, in the same state: buffers are copied, and views laid over the copies."""
        made = object.__new__(type(self))
        memo[id(self)] = made
        apart = {"buffers", "environment", "_reset", "_step"}
        made.__dict__.update({name: x for name, x in self.__dict__.items() if name in apart or name[:1] != "_"})
        made.__dict__.update({name: copy.copy(x) for name, x in self.__dict__.items() if name not in made.__dict__})
        made.tree, made.options = self.tree, self.options
        for name in ("single_action_space", "action_space", "single_observation_space", "observation_space"):
            setattr(made, name, copy.deepcopy(getattr(self, name), memo))
        made.buffers = copy.deepcopy(self.buffers, memo)
        made._see()
        np.copyto(made.reward, self.reward)
        np.copyto(made.terminated, self.terminated)
        return made

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every lane; a seed starts the lanes' random streams anew. There are no options.

        Returns:
            The observation [B, ...], a view, and a dict with `action_mask` [B, N] and `global_state` [B, G] where the
            environment has them.

        Raises:
            InputError: If `seed` is not an integer of up to 64 bits, or options are given.
        """
        if options:
            raise InputError(
                f"options={options} of reset are unknown to {self.id!r}; it resets all lanes, without any."
            )
        if seed is not None:
            rng.seed_lanes(self.buffers.random, check_seed(seed), self._first_lane)
            self.buffers.state[: len(self.environment.state)] = 0  # some rows outlive episodes; a seed starts afresh
        self._reset(self.buffers)
        result = self._shown, self._extras()
        return copy.deepcopy(result) if self._copy_results else result

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane by one step, and reset those that ended.

        Args:
            actions: [B] integers (Discrete) or [B, K] floats (Box); [B, A] or [B, A, K] with A agents.

        Returns:
            observation [B, ...], reward [B] float32 per step, terminated and truncated [B] bool, and an info dict with
            Gymnasium's `final_obs` [B, ...], valid where its mask `_final_obs` [B] says that the lane ended;
            `action_mask`, `global_state` and `cost` where the environment has them. With A agents, the reward is their
            mean, a lane is terminated when all of them are, and the info holds `agent_reward` and `agent_terminated`
            [B, A].

        Raises:
            InputError: If the actions have another shape or kind, or lie outside the action space.
        """
        self._take(actions)
        self._step(self.buffers, self.time_limit, self.autoreset)
        info = self._extras()
        if self.environment.agents > 1:
            np.mean(self.agent_reward, axis=1, out=self.reward)
            np.all(self.agent_terminated, axis=1, out=self.terminated)
            info.update(agent_reward=self.agent_reward, agent_terminated=self.agent_terminated)
        if self.autoreset:
            info.update(final_obs=self._final_shown, _final_obs=self.terminated | self.truncated)
        if self.environment.has("cost"):
            info["cost"] = self.cost
        result = self._shown, self.reward, self.terminated, self.truncated, info
        return copy.deepcopy(result) if self._copy_results else result

    def share(self, frames: int) -> None:
        """Keep the buffers here: kernels write them with the lanes innermost, and a rollout has them first."""

    def rewind(self) -> None:
        """Do nothing: no frames are shared."""

    def like(self, lanes: int, seed: int) -> "NativeVectorEnvironment":
        """Build the same environment with `lanes` lanes."""
        return NativeVectorEnvironment(self.environment, lanes, seed=seed, time_limit=self.time_limit)

    def part(self, first: int, lanes: int) -> "NativeVectorEnvironment":
        """Build the lanes from `first` to `first + lanes` - 1 of this environment, with their states and streams."""
        made = self.like(lanes, self._seed)
        made.options = dict(self.options)
        made._first_lane = self._first_lane + first
        for array, whole in zip(made.buffers.arrays, self.buffers.arrays, strict=True):
            array[...] = whole[..., first : first + lanes]
        return made

    def _extras(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("action_mask", "global_state") if self.environment.has(name)}

    def _take(self, actions: Any) -> None:
        """Copy the actions into the kernel's buffer, checked."""
        space, b = self.environment.action, self.buffers
        discrete = isinstance(space, Discrete)
        try:
            array: Any = np.asarray(actions)
        except ValueError as error:
            raise InputError(f"actions are no array ({error}); pass one of shape {list(self._shape)}.") from None
        if array.shape != self._shape:
            raise InputError(f"actions have shape {list(array.shape)}; pass {list(self._shape)}, lanes first.")
        if array.dtype.char not in self._plain or not array.dtype.isnative:
            whole = discrete or self._action.dtype.kind == "i"
            if array.dtype.kind not in ("iu" if whole else "iuf"):
                kind = "integers" if whole else "floats"
                raise InputError(f"actions of dtype {array.dtype} do not fit {self.single_action_space}; pass {kind}.")
            self._refuse_outside(array)
            array = array.astype(np.int64 if whole else np.float32)
        array = np.ascontiguousarray(array).reshape(self._action.shape)
        # Several agents are so many more lanes: [B, A] is copied to [A, B] by way of [B * A].
        if self.environment.agents > 1:
            flat = array.reshape(-1) if discrete else array.reshape(-1, array.shape[-1])
            fits = self._copy_checked(flat, self._scratch)
            np.copyto(self._action, self._scratch.T.reshape(array.shape))
        else:
            fits = self._copy_checked(array, b.action)
        if not fits:
            self._refuse_outside(array)

    def _copy_checked(self, array: Any, out: Any) -> bool:
        space = self.environment.action
        if isinstance(space, Discrete):
            return bool(cpu.take_discrete(array, space.n, out))
        low, high = self._bounds
        return bool(cpu.take_box(array, low, high, out))

    def _refuse_outside(self, actions: Any) -> None:
        """Raise if an action lies outside the space."""
        space = self.environment.action
        low, high = (0, space.n - 1) if isinstance(space, Discrete) else space.bounds()
        actions = actions.reshape(self._shape)
        outside = np.argwhere(~((actions >= low) & (actions <= high)))
        if not len(outside):
            return
        place = outside[0].tolist()
        advice = "" if isinstance(space, Discrete) else "; clip in the policy"
        bounds = f"{low} to {high}" if isinstance(space, Discrete) else f"{space.low} to {space.high}"
        raise InputError(f"actions{place}={actions[tuple(place)].item()} is out of range; choose {bounds}{advice}.")

    def set(self, name: str, value: Any) -> None:
        """Set the row `name` of the environment's settings in all lanes, or to [B] values, one a lane.

        Raises:
            InputError: If the environment has no such setting, or the state cannot hold the value.
        """
        settings = self.environment.settings
        if name not in settings:
            raise InputError(f"setting {name!r} is unknown to {self.id!r}; it has: {', '.join(settings) or 'none'}.")
        try:
            self.environment.check_setting(name, value)
            self.buffers.state[self.environment.rows.index(name)] = value
        except (TypeError, ValueError) as error:
            raise InputError(f"setting {name}={value!r}: {error}") from error

    def render(self) -> tuple[Any, ...] | None:
        """Return a picture of every lane, each [H, W, 3] uint8, or None without a render mode.

        Raises:
            InputError: If the environment has no picture.
        """
        if self.render_mode is None:
            return None
        from workbench_kernels.pictures.raster import rasterise

        return tuple(
            rasterise(self.environment, self.buffers.state[:, i], self.buffers.observation[..., i])
            for i in range(self.lanes)
        )


def _reshaped(array: Any, shape: tuple[int, ...]) -> Any:
    """Return a view of `array` [..., O, B] with the components' axis opened up into their shape."""
    inner = shape[array.ndim - 2 : -1]
    strides = [array.strides[-2]]
    for n in inner[:0:-1]:
        strides.insert(0, strides[0] * n)
    return np.lib.stride_tricks.as_strided(array, shape, (*array.strides[:-2], *strides, array.strides[-1]))


def gymnasium_vector(
    num_envs: int = 1,
    *,
    environment: str,
    copy: bool = True,
    max_episode_steps: int | None = None,
    time_limit: int | None = None,
    render_mode: str | None = None,
    **options: Any,
) -> NativeVectorEnvironment:
    """Build what `gymnasium.make_vec("workbench/...", num_envs)` returns: results are copies, as Gymnasium's own are.

    Args:
        num_envs: How many copies run side by side.
        environment: The native id.
        copy: False returns views, overwritten by the next call.
        max_episode_steps, time_limit: Either stands instead of the environment's own limit.
        render_mode: None, or "rgb_array".
        options: Of the environment, such as `size=20`; `threads` goes to the vector environment.
    """
    from workbench.envs import environment as native

    threads = options.pop("threads", 1)
    return NativeVectorEnvironment(
        native(environment, **options),
        num_envs,
        seed=int(np.random.SeedSequence().generate_state(1)[0]),
        threads=threads,
        copy=copy,
        time_limit=max_episode_steps if time_limit is None else time_limit,
        render_mode=render_mode,
    )


def check_limit(steps: Any) -> int:
    """Return `steps`.

    Raises:
        InputError: If it is not an integer from 1 to 2**31 - 1.
    """
    try:
        return check_time_limit(steps)
    except ValueError as error:
        raise InputError(str(error)) from None


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
