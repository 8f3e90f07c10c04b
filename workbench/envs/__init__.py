"""Vector environments: the native ones by id, and everything that Gymnasium has registered."""

from typing import Any

import gymnasium

from workbench.envs.adapter import GymnasiumVectorEnvironment
from workbench.envs.native import NativeVectorEnvironment, check_lanes, check_seed
from workbench.errors import InputError, unknown_name
from workbench.spec import VectorEnvironment
from workbench_kernels.envs import ENVIRONMENTS as NATIVE

__all__ = [
    "NATIVE",
    "GymnasiumVectorEnvironment",
    "NativeVectorEnvironment",
    "check_lanes",
    "check_seed",
    "make",
]


def make(env: Any, lanes: int, *, seed: int = 0, backend: str = "auto", threads: int = 1) -> VectorEnvironment:
    """Build a vector environment.

    Args:
        env: An id ("CartPole-v1"), or a kernel environment: a module or object as described in
            `workbench_kernels.envs`.
        lanes: How many copies run side by side.
        seed: Of the lanes' random streams.
        backend: "native" (our kernels), "gymnasium" (the original), or "auto": native where it exists.
        threads: For the native backend; see `NativeVectorEnvironment`.

    Raises:
        InputError: If an argument is out of range.
        UnknownNameError: If no environment has this id.
    """
    if backend not in ("auto", "native", "gymnasium"):
        raise InputError(f"backend={backend!r} is unknown; choose 'auto', 'native' or 'gymnasium'.")
    if not isinstance(env, str):
        if not all(hasattr(env, name) for name in ("ID", "OBSERVATION", "ACTIONS", "reset", "step", "observe")):
            raise InputError(
                f"env={env!r} is not an environment; pass an id such as 'CartPole-v1', or a kernel module."
            )
        return NativeVectorEnvironment(env, lanes, seed=seed, threads=threads)
    if env in NATIVE and backend != "gymnasium":
        return NativeVectorEnvironment(NATIVE[env], lanes, seed=seed, threads=threads)
    if backend == "native":
        raise unknown_name("native environment", env, NATIVE)
    if env not in gymnasium.registry and ":" not in env:
        raise unknown_name("environment", env, {*NATIVE, *gymnasium.registry})
    return GymnasiumVectorEnvironment(env, lanes, seed=seed)
