"""Vector environments: the native ones by id, and everything that others wrote."""

from typing import Any

from gymnasium.vector import VectorEnv

from workbench.envs.agents import AgentLanes
from workbench.envs.emulation import BACKENDS, EmulatedVectorEnvironment
from workbench.envs.mujoco import TASKS, MujocoVectorEnvironment
from workbench.envs.native import NativeVectorEnvironment, check_lanes, check_seed
from workbench.envs.sources import source_of
from workbench.envs.wrapped import WrappedVectorEnvironment
from workbench.errors import InputError, unknown_name
from workbench.spec import VectorEnvironment
from workbench_kernels import Environment
from workbench_kernels.envs import ENVIRONMENTS as NATIVE
from workbench_kernels.envs import make as make_kernel
from workbench_kernels.envs import namespaced

__all__ = [
    "BACKENDS",
    "NATIVE",
    "TASKS",
    "EmulatedVectorEnvironment",
    "MujocoVectorEnvironment",
    "NativeVectorEnvironment",
    "WrappedVectorEnvironment",
    "adopt",
    "check_lanes",
    "check_seed",
    "environment",
    "make",
    "native_id",
    "source_of",
]


def native_id(id: str) -> str | None:
    """Return the native environment's id for `id`, which may be Gymnasium's name of it; None if there is none."""
    return id if id in NATIVE else next((name for name in NATIVE if namespaced(name) == id), None)


def environment(id: str, **options: Any) -> Environment:
    """Return the kernel environment `id`, with options such as `size=20`.

    Raises:
        UnknownNameError: If no native environment has this id.
        InputError: If it has no such option, or the option is out of range.
    """
    known = native_id(id)
    if known is None:
        raise unknown_name("native environment", id, NATIVE)
    try:
        return make_kernel(known, **options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{', '.join(f'{k}={v!r}' for k, v in options.items())} does not fit {id!r}: {error}"
        ) from error


def make(
    env: Any,
    lanes: int,
    *,
    seed: int = 0,
    backend: str = "auto",
    threads: int | None = None,
    workers: int | None = None,
    batch: int | None = None,
    timeout: float = 60.0,
    max_agents: int | None = None,
    **options: Any,
) -> VectorEnvironment:
    """Build a vector environment.

    Args:
        env: An id ("CartPole-v1", "ALE/Pong-v5"), "module:factory", a class or a function that makes one environment, a
            kernel environment of your own (`workbench_kernels.Environment`), or a vector environment of Gymnasium's.
        lanes: How many copies run side by side. An environment of several agents takes as many lanes as it has agents.
        seed: Of the lanes' random streams.
        backend: "native" (our kernels), "serial", "threads" or "processes" (others' environments, or the original of a
            native id), or "auto": native where it exists, else serial.
        threads: Of the native backend: one if None, and of MuJoCo's tasks one a core.
        workers: Of the threads and processes backends; one a core if None.
        batch: Lanes that `recv` returns; fewer than `lanes` staggers them. Not native.
        timeout: Seconds after which a worker counts as hung. Not native.
        max_agents: Lanes an environment, where agents come and go; as many as it lists if None.
        options: Of the environment, such as `size=20`.

    Raises:
        InputError: If an argument is out of range.
        UnknownNameError: If no environment has this id.
        EnvironmentFaultError: If the environment cannot be built.
    """
    backend = {"gymnasium": "serial"}.get(backend, backend)  # the name of runs of earlier versions
    if backend not in ("auto", "native", *BACKENDS):
        raise InputError(f"backend={backend!r} is unknown; choose 'auto', 'native', {', '.join(map(repr, BACKENDS))}.")
    check_lanes(lanes)
    if isinstance(env, Environment | VectorEnv):
        if options or backend not in ("auto", "native"):
            given = ", ".join(options) or f"backend={backend!r}"
            raise InputError(f"{given} given with an environment that is built already; leave it out.")
        if isinstance(env, VectorEnv):
            return env if isinstance(env, VectorEnvironment) else WrappedVectorEnvironment(env)
        return NativeVectorEnvironment(env, lanes, seed=seed, threads=1 if threads is None else threads)
    if isinstance(env, str) and backend in ("auto", "native"):
        if native_id(env):
            kernel = environment(env, **options)
            return NativeVectorEnvironment(kernel, lanes, seed=seed, threads=1 if threads is None else threads)
        if env in TASKS:
            return MujocoVectorEnvironment(env, lanes, seed=seed, threads=threads, **options)
    if backend == "native":
        raise unknown_name("native environment", env if isinstance(env, str) else repr(env), {*NATIVE, *TASKS})
    return EmulatedVectorEnvironment(
        source_of(env, **options),
        lanes,
        seed=seed,
        backend="serial" if backend == "auto" else backend,
        workers=workers,
        batch=batch,
        timeout=timeout,
        max_agents=max_agents,
    )


def adopt(env: Any) -> VectorEnvironment:
    """Return `env`, a vector environment, as one that the trainer understands: itself, if it does already."""
    if isinstance(env, NativeVectorEnvironment) and env.environment.agents > 1:
        return AgentLanes(env)
    return env if isinstance(env, VectorEnvironment) else WrappedVectorEnvironment(env)
