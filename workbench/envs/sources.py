"""Where an environment comes from: whatever names or makes one, as a function that builds one copy."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from workbench.errors import InputError, unknown_name

PLUGINS = {"ALE": "ale_py"}
"""Namespaces of ids whose package registers them when it is imported."""


@dataclass(frozen=True)
class Source:
    """Builds copies of an environment.

    Attributes:
        id: Names it in messages and run directories; where it can, it also finds it again.
        build: Makes one `gymnasium.Env`, PettingZoo `ParallelEnv` or `AECEnv`. Picklable by cloudpickle.
        options: What it was given to build with.
        findable: Whether `source_of(id, **options)` is the same source, in another process as well.
    """

    id: str
    build: Callable[[], Any]
    options: dict[str, Any] = field(default_factory=dict)
    findable: bool = True


def source_of(env: Any, /, **options: Any) -> Source:
    """Find out how to build `env`.

    Args:
        env: An id that Gymnasium has registered ("Acrobot-v1", "ALE/Pong-v5", "package:Id-v0"), "module:factory" with
            anything callable, a class or a callable, or a Gymnasium environment that `gymnasium.make` built.
        options: Given to the class, factory or `gymnasium.make`.

    Raises:
        InputError: If it is none of these, or its module cannot be imported.
        UnknownNameError: If no environment has this id.
    """
    if isinstance(env, str):
        return _named(env, options)
    if isinstance(env, gymnasium.Env):
        if env.spec is None:
            raise InputError(
                f"env={env} is one environment, and every lane needs its own; pass its class, or a function that makes "
                f"one."
            )
        return _instance(env.spec, options)
    if not callable(env):
        raise InputError(
            f"env={env!r} is not an environment; pass an id such as 'CartPole-v1', 'module:factory', a class, a "
            f"function that makes one, a workbench_kernels.Environment or a vector environment."
        )
    inner, positional = env, ()
    if isinstance(env, functools.partial):
        inner, positional, options = env.func, env.args, {**env.keywords, **options}
    module, name = getattr(inner, "__module__", None), getattr(inner, "__qualname__", type(inner).__name__)
    findable = not positional and _holds(module, name, inner)
    return Source(f"{module}:{name}", functools.partial(env, **options) if options else env, options, findable)


def _holds(module: Any, name: str, value: Any) -> bool:
    """Tell whether dotted `name` means `value` in `module`: not so for lambdas, inner functions and bound methods."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value or (inspect.ismethod(value) and bool(found == value))


def _instance(spec: EnvSpec, options: dict[str, Any]) -> Source:
    """Return the source of an environment that `gymnasium.make` built as `spec` says."""
    registered = gymnasium.registry.get(spec.id)
    known = registered is not None and registered.entry_point == spec.entry_point
    given = dict(spec.kwargs)
    if spec.max_episode_steps is not None:
        given["max_episode_steps"] = spec.max_episode_steps
    elif registered is not None and registered.max_episode_steps is not None:
        given["max_episode_steps"] = -1  # which is Gymnasium's word for none
    wrappers = () if registered is None else registered.additional_wrappers
    build = functools.partial(_registered, spec, options)
    return Source(spec.id, build, {**given, **options}, known and spec.additional_wrappers == wrappers)


def _named(id: str, options: dict[str, Any]) -> Source:
    module, colon, name = id.partition(":")
    if colon:
        if not module or module.startswith("."):
            raise InputError(f"env={id!r} names no module before its colon; pass 'module:factory' or an id.")
        found = _attribute(module, name)
        if callable(found):
            return Source(id, functools.partial(_call, module, name, options), options)
        if name not in gymnasium.registry:
            raise InputError(
                f"env={id!r}: module {module!r} has no function or class {name!r}, nor registers such an id."
            )
        return Source(id, functools.partial(_registered, gymnasium.spec(name), options), options)
    namespace = id.partition("/")[0]
    if id not in gymnasium.registry and namespace in PLUGINS:
        try:
            importlib.import_module(PLUGINS[namespace])
        except ModuleNotFoundError as error:
            raise InputError(
                f"env={id!r} needs the package {PLUGINS[namespace].replace('_', '-')}; install it with pip."
            ) from error
    if id not in gymnasium.registry:
        raise unknown_name("environment", id, gymnasium.registry)
    return Source(id, functools.partial(_registered, gymnasium.spec(id), options), options)


def _attribute(module: str, name: str) -> Any:
    """Return what dotted `name` means in `module`, which may lie in the working directory; None if nothing."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"env={module + ':' + name!r}: module {module!r} cannot be imported ({error}).") from error
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _call(module: str, name: str, options: dict[str, Any]) -> Any:
    return _attribute(module, name)(**options)


def _registered(spec: EnvSpec, options: dict[str, Any]) -> Any:
    """Make a registered environment, without Gymnasium's checker: it would warn once a lane; `wb.check` tells all.

    It is made from its specification: where it was registered by a script, a worker does not know its id.
    """
    return gymnasium.make(spec, **{"disable_env_checker": True, **options})
