"""What a trainer is made of, as users name it."""

from typing import Any

import torch

from workbench.algorithms import ALGORITHMS, PPO
from workbench.errors import InputError, unknown_name


def name_of(algorithm: Any) -> str:
    """Return the name of an algorithm: of the registry where it is there, else of its class."""
    return next((name for name, cls in ALGORITHMS.items() if isinstance(algorithm, cls)), type(algorithm).__name__)


def algorithm_for(algorithm: Any) -> Any:
    """Return the algorithm that an instance, a class, a name or None means.

    Raises:
        InputError, UnknownNameError: If it belongs to another trainer, or is not known.
    """
    if algorithm is None:
        return PPO()
    if isinstance(algorithm, str):
        if algorithm not in ALGORITHMS:
            raise unknown_name("algorithm", algorithm, ALGORITHMS)
        return ALGORITHMS[algorithm]()
    if isinstance(algorithm, type):
        return algorithm()
    if getattr(algorithm, "_locked", False):
        name = type(algorithm).__name__
        raise InputError(f"algorithm={name}(...) already belongs to another trainer; pass a new {name}(...).")
    return algorithm


def device_for(device: str) -> torch.device:
    """Return the device called `device`.

    Raises:
        InputError: If it is not there.
    """
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device={device!r} is not available ({reason}); pass device='cpu'.") from error
    return found
