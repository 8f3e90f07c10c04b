"""Which environment a run trains in, and how it is found again."""

import json
from typing import Any

from gymnasium.vector import VectorEnv

from workbench import envs
from workbench.errors import CheckpointError, InputError
from workbench.spec import VectorEnvironment
from workbench_kernels import Environment

LANES = 128
"""Lanes of a native environment where none are asked for."""

EMULATED_LANES = 16
"""Copies of an environment that others wrote, where none are asked for."""


def environment_for(env: Any, lanes: int | None, backend: str, workers: int | None) -> VectorEnvironment:
    """Return the vector environment to train in: `env` itself if it is one, else lanes of it; see `Trainer`."""
    if isinstance(env, VectorEnvironment | VectorEnv):
        found = envs.adopt(env)
        if lanes not in (None, found.lanes):
            raise InputError(f"lanes={lanes} does not fit env, which has {found.lanes}; leave lanes out.")
        if backend != "auto" or workers is not None:
            raise InputError(f"backend={backend!r}, workers={workers} given with a vector environment; leave them out.")
        return found
    native = isinstance(env, Environment) or (isinstance(env, str) and envs.native_id(env) is not None)
    count = (LANES if native and backend in ("auto", "native") else EMULATED_LANES) if lanes is None else lanes
    return envs.adopt(envs.make(env, count, backend=backend, workers=workers))


def rebuilt(source: Any, description: dict[str, Any], *, as_built: bool) -> VectorEnvironment:
    """Build the environment of a run again: `source`, with the options of the run if it comes from there."""
    options = description.get("options", {}) if as_built else {}
    if options is None:
        raise CheckpointError(
            f"env={description['env']!r} was built with options that are no plain values; build it again, and pass it "
            f"as env=."
        )
    backend = "auto" if isinstance(source, Environment) else description["backend"]
    workers = description.get("workers") if backend in ("threads", "processes") else None
    made = envs.make(source, description["lanes"], backend=backend, workers=workers, **_tuples(options))
    return envs.adopt(made)


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
