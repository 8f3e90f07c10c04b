"""Where an environment comes from: whatever names or makes one, as a function that builds one copy."""

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium

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
    """

    id: str
    build: Callable[[], Any]
    options: dict[str, Any] = field(default_factory=dict)


def source_of(env: Any, **options: Any) -> Source:
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
        return Source(env.spec.id, functools.partial(_registered, env.spec, options), options)
    if not callable(env):
        raise InputError(
            f"env={env!r} is not an environment; pass an id such as 'CartPole-v1', 'module:factory', a class, a "
            f"function that makes one, a workbench_kernels.Environment or a vector environment."
        )
    inner = env.func if isinstance(env, functools.partial) else env
    module, name = getattr(inner, "__module__", None), getattr(inner, "__qualname__", type(inner).__name__)
    return Source(f"{module}:{name}", functools.partial(env, **options) if options else env, options)


def _named(id: str, options: dict[str, Any]) -> Source:
    module, colon, name = id.partition(":")
    if colon:
        found = _attribute(module, name)
        if callable(found):
            return Source(id, functools.partial(_call, module, name, options), options)
        if name not in gymnasium.registry:
            raise InputError(
                f"env={id!r}: module {module!r} has no function or class {name!r}, nor registers such an id."
            )
        return Source(id, functools.partial(_registered, id, options), options)
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
    return Source(id, functools.partial(_registered, id, options), options)


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


def _registered(id: Any, options: dict[str, Any]) -> Any:
    """Make a registered environment, without Gymnasium's checker: it would warn once a lane; `wb.check` tells all."""
    if isinstance(id, str) and id.partition("/")[0] in PLUGINS:
        importlib.import_module(PLUGINS[id.partition("/")[0]])
    return gymnasium.make(id, **{"disable_env_checker": True, **options})
