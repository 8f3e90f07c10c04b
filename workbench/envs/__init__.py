"""Vector environments: the native ones by id, and everything that others wrote."""

from typing import Any

from gymnasium.vector import VectorEnv

from workbench.envs.agents import AgentLanes
from workbench.envs.emulation import BACKENDS, EmulatedVectorEnvironment
from workbench.envs.mujoco import TASKS, MujocoVectorEnvironment
from workbench.envs.native import NativeVectorEnvironment, check_lanes, check_seed
from workbench.envs.sources import Source, source_of
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
    timeout: float | None = None,
    start_method: str | None = None,
    max_agents: int | None = None,
    **options: Any,
) -> VectorEnvironment:
    """Build a vector environment.

    Args:
        env: An id ("CartPole-v1", "ALE/Pong-v5"), "module:factory", a class or a function that makes one environment, a
            kernel environment of your own (`workbench_kernels.Environment`), a vector environment of Gymnasium's, or
            what `source_of` returned.
        lanes: How many copies run side by side. An environment of several agents takes as many lanes as it has agents.
        seed: Of the lanes' random streams.
        backend: "native" (our kernels), "serial", "threads" or "processes" (others' environments, or the original of a
            native id), or "auto": native where it exists, else serial.
        threads: Of the native backend: one if None, and of MuJoCo's tasks one a core.
        workers: Of the threads and processes backends; one a core if None.
        batch: Lanes that `recv` returns; fewer than `lanes` staggers them. Not native.
        timeout: Seconds after which a worker counts as hung; 60 if None. Not native.
        start_method: Of the processes: "forkserver" if None, or "spawn".
        max_agents: Lanes an environment, where agents come and go; as many as it lists if None.
        options: Of the environment, such as `size=20`; of a native one also `time_limit`, in steps.

    Raises:
        InputError: If an argument is out of range, or does not apply to such an environment.
        UnknownNameError: If no environment has this id.
        EnvironmentFaultError: If the environment cannot be built.
    """
    backend = {"gymnasium": "serial"}.get(backend, backend)  # the name of runs of earlier versions
    if backend not in ("auto", "native", *BACKENDS):
        raise InputError(f"backend={backend!r} is unknown; choose 'auto', 'native', {', '.join(map(repr, BACKENDS))}.")
    check_lanes(lanes)
    hired = {"workers": workers, "batch": batch, "timeout": timeout, "start_method": start_method}
    hired["max_agents"] = max_agents
    limit = options.pop("time_limit", None) if _kernel(env, backend) else None
    if isinstance(env, Environment | VectorEnv) and (options or backend not in ("auto", "native")):
        given = ", ".join(options) or f"backend={backend!r}"
        raise InputError(f"{given} given with an environment that is built already; leave it out.")
    if isinstance(env, VectorEnv):
        _refuse({"threads": threads, **hired}, "a vector environment, which is built already", "leave it out")
        return env if isinstance(env, VectorEnvironment) else WrappedVectorEnvironment(env)
    if isinstance(env, Environment):
        _refuse(hired, "a kernel environment, which takes threads alone", "leave it out")
        return NativeVectorEnvironment(
            env, lanes, seed=seed, threads=1 if threads is None else threads, time_limit=limit
        )
    if isinstance(env, str) and backend in ("auto", "native") and (native_id(env) or env in TASKS):
        what = f"the native environment {env!r}, which takes threads alone"
        _refuse(hired, what, f"leave it out, or choose one of backend={', '.join(map(repr, BACKENDS))}")
        if env in TASKS:
            return MujocoVectorEnvironment(env, lanes, seed=seed, threads=threads, **options)
        kernel, threads = environment(env, **options), 1 if threads is None else threads
        return NativeVectorEnvironment(kernel, lanes, seed=seed, threads=threads, time_limit=limit)
    if backend == "native":
        raise unknown_name("native environment", env if isinstance(env, str) else repr(env), {*NATIVE, *TASKS})
    backend = "serial" if backend == "auto" else backend
    _refuse({"threads": threads}, f"backend={backend!r}", "pass workers with backend='threads' or 'processes' instead")
    if backend != "processes":
        _refuse({"start_method": start_method}, f"backend={backend!r}", "leave it out")
    if isinstance(env, Source) and options:
        _refuse(options, "a source, which has its options", "give them to source_of")
    return EmulatedVectorEnvironment(
        env if isinstance(env, Source) else source_of(env, **options),
        lanes,
        seed=seed,
        backend=backend,
        workers=workers,
        batch=batch,
        timeout=60.0 if timeout is None else timeout,
        start_method=start_method,
        max_agents=max_agents,
    )


def _kernel(env: Any, backend: str) -> bool:
    """Tell whether `make` builds lanes of a kernel."""
    named = isinstance(env, str) and backend in ("auto", "native") and native_id(env) is not None
    return named or isinstance(env, Environment)


def _refuse(arguments: dict[str, Any], what: str, advice: str) -> None:
    """Refuse arguments that are given with `what`, to which they do not apply."""
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not None)
    if given:
        raise InputError(f"{given} given with {what}; {advice}.")


def adopt(env: Any) -> VectorEnvironment:
    """Return `env`, a vector environment, as one that the trainer understands: itself, if it does already."""
    if isinstance(env, NativeVectorEnvironment) and env.environment.agents > 1:
        return AgentLanes(env)
    return env if isinstance(env, VectorEnvironment) else WrappedVectorEnvironment(env)
