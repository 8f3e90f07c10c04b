"""Which environment a run trains in, and how it is found again."""

import functools
import json
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from workbench import envs
from workbench.errors import CheckpointError, InputError
from workbench.spec import VectorEnvironment
from workbench_kernels import Environment

LEARNERS = ("native", "torch", "asynchronous")
"""What learns, by the trainer's backend."""

LANES = 128
"""Lanes of a native environment where none are asked for."""

EMULATED_LANES = 16
"""Copies of an environment that others wrote, where none are asked for."""


def is_built(env: Any) -> bool:
    """Tell whether `env` is a vector environment, which whoever built it closes."""
    return isinstance(env, VectorEnvironment | VectorEnv)


def environment_for(env: Any, lanes: int | None, backend: str, workers: int | None) -> VectorEnvironment:
    """Return the vector environment to train in: `env` itself if it is one, else lanes of it; see `Trainer`."""
    known = ("auto", *LEARNERS, *envs.BACKENDS)
    if backend not in known:
        raise InputError(f"backend={backend!r} is unknown; choose {', '.join(map(repr, known))}.")
    if is_built(env):
        found = envs.adopt(env)
        if isinstance(env, envs.NativeVectorEnvironment) and not env.autoreset:
            raise InputError(f"env of {env.id!r} does not reset lanes that end; build it with autoreset=True.")
        if lanes not in (None, found.lanes):
            raise InputError(f"lanes={lanes} does not fit env, which has {found.lanes}; leave lanes out.")
        if backend not in ("auto", *LEARNERS) or workers is not None:
            raise InputError(f"backend={backend!r}, workers={workers} given with a vector environment; leave them out.")
        return found
    if backend in ("torch", "asynchronous"):
        backend = "auto"
    native = isinstance(env, Environment) or (isinstance(env, str) and envs.native_id(env) is not None)
    count = (LANES if native and backend in ("auto", "native") else EMULATED_LANES) if lanes is None else lanes
    return envs.adopt(envs.make(env, count, backend=backend, workers=workers))


def description_of(env: VectorEnvironment) -> dict[str, Any]:
    """Say, in what JSON can keep, how `env` was built; `rebuilt` reads it."""
    source = getattr(env, "_source", None)
    return {
        "env": env.id,
        "backend": env.backend,
        "options": plain(env.options),
        "lanes": env.lanes // env.agents,
        "settings": getattr(env, "settings", {}),
        "findable": source is None or source.findable,
    }


def rebuilt(env: Any, description: dict[str, Any]) -> VectorEnvironment:
    """Build the environment of a run again.

    Args:
        env: What makes it, where the user passed it again; None to find it by its id. It gets the run's options, beside
            those it brings itself: a partial's keywords, or all of an environment that is built.
        description: What `description_of` said of the run.

    Raises:
        CheckpointError: If it cannot be found by its id, or its options were not kept.
        InputError, UnknownNameError, EnvironmentFaultError: If it cannot be built.
    """
    id, options, lanes = description["env"], description.get("options", {}), description["lanes"]
    backend = description["backend"]
    if env is None and backend == "wrapped":
        raise CheckpointError(
            f"the run was trained in a vector environment, {id!r}, that was passed as an object; pass it again as env=."
        )
    if env is None and not description.get("findable", True):
        raise CheckpointError(
            f"the run's environment {id!r} was made by an object that no name leads to (a lambda, an inner function, a "
            f"bound method, ...); pass it again as env=."
        )
    if env is None and options is None:
        raise CheckpointError(
            f"env={id!r} was built with options that are no plain values; build it again, and pass it as env=."
        )
    if isinstance(env, Environment):
        limit = {name: value for name, value in (options or {}).items() if name == "time_limit"}
        return envs.adopt(envs.make(env, lanes, **limit))
    source = id if env is None else env
    options = {} if options is None or isinstance(env, gymnasium.Env) else _tuples(options)
    if isinstance(env, functools.partial):
        options |= env.keywords
    if backend == "native":
        return envs.adopt(envs.make(source, lanes, backend=backend, **options))
    workers = description.get("workers") if backend in ("threads", "processes") else None
    settings = description.get("settings", {"workers": workers})  # earlier versions kept the workers alone
    return envs.adopt(envs.make(envs.source_of(source, **options), lanes, backend=backend, **settings))


def plain(options: dict[str, Any]) -> dict[str, Any] | None:
    """Return options that JSON can keep; None if it cannot."""
    try:
        return options if _tuples(json.loads(json.dumps(options))) == _tuples(options) else None
    except (TypeError, ValueError):
        return None


def _tuples(value: Any) -> Any:
    """Make tuples of all lists: JSON knows no difference, and environments are known by options that can be hashed."""
    if isinstance(value, dict):
        return {name: _tuples(part) for name, part in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
