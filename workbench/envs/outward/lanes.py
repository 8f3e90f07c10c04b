"""What the adapters share: checks of what they are given, and operations on observations and lanes. B: lanes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from workbench.envs.native import NativeVectorEnvironment
from workbench.errors import InputError
from workbench.spec import VectorEnvironment

EXTRAS = {
    "pettingzoo": {"pettingzoo": "pettingzoo"},
    "sb3": {"stable_baselines3": "stable-baselines3"},
    "torchrl": {"torchrl": "torchrl", "tensordict": "torchrl"},
}
"""The modules that each extra brings, and what to ask the package index for."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Say that `extra` brings an optional module that is imported within.

    Raises:
        InputError: If it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        project = EXTRAS[extra].get((error.name or "").partition(".")[0])
        if project is None:
            raise
        raise InputError(
            f"{project} is not installed: pip install 'rl-workbench[{extra}]', or {project} alone."
        ) from None


def check_environment(env: Any, library: str) -> None:
    """Check that `env` is a vector environment whose lanes end and start as `library`'s are made to.

    Raises:
        InputError: If it is not.
    """
    if not isinstance(env, VectorEnv):
        raise InputError(f"env={env!r} is not a vector environment; build one with workbench.envs.make(env, lanes).")
    if not isinstance(env, VectorEnvironment):
        raise InputError(
            f"env={env!r} is a vector environment of others; pass it through workbench.make first: "
            f"workbench.make(env, {env.num_envs})."
        )
    check_open(env)
    if env.metadata["autoreset_mode"] is not AutoresetMode.SAME_STEP:
        raise InputError(
            f"env of {env.id!r} does not reset lanes that end; build it with autoreset=True for {library}."
        )
    if getattr(env, "staggered", False):
        raise InputError(f"env of {env.id!r} staggers its lanes, and {library} steps all at once; leave batch out.")


def check_actors(env: Any, library: str, advice: str) -> None:
    """Check that one agent acts in each lane of `env`, in every step.

    Raises:
        InputError: If several act, or none in the step after the end of an episode.
    """
    if getattr(env, "mode", None) is AutoresetMode.NEXT_STEP:
        raise InputError(
            f"env of {env.id!r} has next-step autoreset, where nobody acts in the step after an episode's end, and "
            f"{library} acts in every step; build it with same-step autoreset: gymnasium.make_vec(..., "
            f"vector_kwargs={{'autoreset_mode': gymnasium.vector.AutoresetMode.SAME_STEP}})."
        )
    agents = getattr(getattr(env, "environment", env), "agents", 1)
    if agents != 1:
        raise InputError(f"env of {env.id!r} has {agents} agents a lane, and {library} knows one; {advice}.")


def check_open(env: Any) -> None:
    """Check that `env` is open.

    Raises:
        InputError: If it was closed.
    """
    if env.closed:
        raise InputError(f"env of {env.id!r} is closed; make a new one.")


def check_active(env: VectorEnvironment, info: Mapping[str, Any]) -> None:
    """Check that somebody acts in every lane.

    Raises:
        InputError: If `info` says that a lane is not active.
    """
    active = info.get("active")
    if active is not None and not active.all():
        lane = int(np.argmin(active))
        raise InputError(
            f"lane {lane} of {env.id!r} has no agent that acts now, and every lane needs one here; wrap an environment "
            f"of one agent, without next-step autoreset."
        )


def mapped(function: Callable[..., Any], *trees: Any) -> Any:
    """Apply `function` to the arrays of nested observations, which have one structure."""
    first = trees[0]
    if isinstance(first, Mapping):
        return {name: mapped(function, *(tree[name] for tree in trees)) for name in first}
    if isinstance(first, tuple):
        return tuple(mapped(function, *parts) for parts in zip(*trees, strict=True))
    return function(*trees)


def copied(observation: Any) -> Any:
    """Return a copy whose arrays are contiguous, lanes first."""
    return mapped(lambda array: np.array(array, order="C"), observation)


def successor(observation: Any, final: Any, ended: Any) -> Any:
    """Return what followed the last actions: a copy of `observation`, of `final` in lanes that `ended` [B]."""

    def merge(now: Any, last: Any) -> Any:
        merged = np.array(now, order="C")
        merged[ended] = last[ended]
        return merged

    return mapped(merge, observation, final) if ended.any() else copied(observation)


@contextmanager
def held(env: NativeVectorEnvironment, lanes: Any) -> Iterator[None]:
    """Leave `lanes` [B] bool as they are, whatever is done to `env` within: their part of every buffer is put back."""
    arrays = env.buffers.arrays
    kept = [array[..., lanes] for array in arrays]
    try:
        yield
    finally:
        for array, content in zip(arrays, kept, strict=True):
            array[..., lanes] = content


def shown(env: NativeVectorEnvironment) -> tuple[Any, Any]:
    """Return the observation and the final observation [B, ...] that the buffers of `env` hold now."""
    shape = env.observation_space.shape
    return env.observation.reshape(shape), env.final_observation.reshape(shape)
