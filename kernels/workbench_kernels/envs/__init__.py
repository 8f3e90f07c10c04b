"""The environments, one file each: lane functions, and `environment(**options)`, which describes them to targets."""

import functools
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from workbench_kernels.environment import Environment


class Entry(NamedTuple):
    """Where an environment stands: the file in this folder, and the options that its id implies."""

    file: str
    options: Mapping[str, Any] = {}


ENVIRONMENTS: dict[str, Entry] = {
    "CartPole-v1": Entry("cartpole"),
}
"""By id: the original's, where an environment is step for step another library's, else "workbench/NAME-vN"."""


def make(id: str, **options: Any) -> Environment:
    """Return the environment `id`, the same object for the same options.

    Raises:
        KeyError: If no environment has this id.
        TypeError: If it has no such option.
        ValueError: If an option is out of range.
    """
    entry = ENVIRONMENTS[id]
    return _built(entry.file, tuple(sorted({**entry.options, **options}.items())))


@functools.cache
def _built(file: str, options: tuple[tuple[str, Any], ...]) -> Environment:
    module = importlib.import_module(f"workbench_kernels.envs.{file}")
    environment: Environment = module.environment(**dict(options))
    return environment
