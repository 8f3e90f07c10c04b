"""Vector environments: the native ones by id, and everything that Gymnasium has registered."""

from typing import Any

import gymnasium

from workbench.envs.adapter import GymnasiumVectorEnvironment
from workbench.envs.native import NativeVectorEnvironment, check_lanes, check_seed
from workbench.errors import InputError, unknown_name
from workbench.spec import VectorEnvironment
from workbench_kernels import Environment
from workbench_kernels.envs import ENVIRONMENTS as NATIVE
from workbench_kernels.envs import make as make_kernel
from workbench_kernels.envs import namespaced

__all__ = [
    "NATIVE",
    "GymnasiumVectorEnvironment",
    "NativeVectorEnvironment",
    "check_lanes",
    "check_seed",
    "environment",
    "make",
    "native_id",
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
    env: Any, lanes: int, *, seed: int = 0, backend: str = "auto", threads: int = 1, **options: Any
) -> VectorEnvironment:
    """Build a vector environment.

    Args:
        env: An id ("CartPole-v1"), or a kernel environment of your own (`workbench_kernels.Environment`).
        lanes: How many copies run side by side.
        seed: Of the lanes' random streams.
        backend: "native" (our kernels), "gymnasium" (the original), or "auto": native where it exists.
        threads: For the native backend; see `NativeVectorEnvironment`.
        options: Of a native environment, such as `size=20`.

    Raises:
        InputError: If an argument is out of range.
        UnknownNameError: If no environment has this id.
    """
    if backend not in ("auto", "native", "gymnasium"):
        raise InputError(f"backend={backend!r} is unknown; choose 'auto', 'native' or 'gymnasium'.")
    if not isinstance(env, str):
        if not isinstance(env, Environment):
            raise InputError(
                f"env={env!r} is not an environment; pass an id such as 'CartPole-v1', or a "
                f"workbench_kernels.Environment."
            )
        if options or backend == "gymnasium":
            given = ", ".join(options) or f"backend={backend!r}"
            raise InputError(f"{given} given with an environment that is built already; leave it out.")
        return NativeVectorEnvironment(env, lanes, seed=seed, threads=threads)
    if native_id(env) and backend != "gymnasium":
        return NativeVectorEnvironment(environment(env, **options), lanes, seed=seed, threads=threads)
    if backend == "native":
        raise unknown_name("native environment", env, NATIVE)
    if env not in gymnasium.registry and ":" not in env:
        raise unknown_name("environment", env, {*NATIVE, *gymnasium.registry})
    if options:
        raise InputError(f"{', '.join(options)} given to {env!r}, which is Gymnasium's; only native ones take options.")
    return GymnasiumVectorEnvironment(env, lanes, seed=seed)
