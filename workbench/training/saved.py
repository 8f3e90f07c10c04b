"""What objects keep: an object lists in `saved` what it is made of, and this file takes it apart and puts it back.

Tensors and arrays go under dotted names, everything else becomes JSON. Lists, tuples, dictionaries and numbers of any
depth are kept as they are; so are optimisers with their settings, schedulers, and generators of random numbers.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

Tensors = dict[str, Tensor]
Scalars = dict[str, Any]
MARK = "$"
"""Begins the key of a JSON object that stands for what JSON has no word for."""


@runtime_checkable
class Stateful(Protocol):
    """What torch's optimisers, schedulers and scalers have in common."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it is made of."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Take it back."""


def walk(owner: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what `owner.saved` names, and what those objects save in turn, under dotted names."""
    for name in owner.saved:
        yield from _walk(getattr(owner, name), prefix + name)


def _walk(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "saved") and not isinstance(value, torch.nn.Module):
        yield from walk(value, key + ".")
    elif _holds_owners(value):
        for name, part in _parts(value):
            yield from _walk(part, f"{key}.{name}")
    else:
        yield key, value


def gather(owner: Any, tensors: Tensors, scalars: Scalars, prefix: str = "") -> None:
    """Collect what `walk` finds into tensors and JSON scalars.

    Tensors on the CPU and arrays are not copied: write or clone them before anything changes.

    Raises:
        TypeError: If something is of a kind that cannot be kept.
    """
    for key, value in walk(owner, prefix):
        if isinstance(value, torch.nn.Module):
            for name, x in value.state_dict().items():
                _put(x, f"{key}.{name}", tensors, scalars)
        elif isinstance(value, torch.Generator):
            tensors[key] = value.get_state()
        elif isinstance(value, np.random.Generator):
            scalars[key] = encoded(value.bit_generator.state, key, tensors)
        elif isinstance(value, Stateful):
            scalars[key] = encoded(value.state_dict(), key, tensors)
        else:
            _put(value, key, tensors, scalars)


def _put(value: Any, key: str, tensors: Tensors, scalars: Scalars) -> None:
    if isinstance(value, Tensor):
        tensors[key] = _tensor(value, key)
    else:
        scalars[key] = encoded(value, key, tensors)


def _holds_owners(value: Any) -> bool:
    """Tell whether `value` is a list, tuple or dictionary of objects that are filled in place."""
    kinds = (torch.nn.Module, torch.Generator, np.random.Generator, Stateful)
    return isinstance(value, list | tuple | dict) and any(
        isinstance(part, kinds) or hasattr(part, "saved") for _, part in _parts(value)
    )


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _tensor(value: Any, key: str) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    try:
        return torch.from_numpy(value if value.flags.writeable and min(value.strides, default=0) >= 0 else value.copy())
    except TypeError as error:
        raise TypeError(f"{key} is an array of {value.dtype}, which no checkpoint keeps; use numbers.") from error


def encoded(value: Any, key: str, tensors: Tensors) -> Any:
    """Return `value` as JSON; tensors and arrays inside it are put into `tensors`, under names that begin with `key`.

    Raises:
        TypeError: If something is of a kind that cannot be kept.
    """

    def inner(part: Any, name: Any) -> Any:
        return encoded(part, f"{key}.{name}", tensors)

    if isinstance(value, np.generic):
        return {f"{MARK}numpy": str(value.dtype), "value": encoded(value.item(), key, tensors)}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {f"{MARK}float": str(value)}
    if isinstance(value, Tensor | np.ndarray):
        tensors[key] = _tensor(value, key)
        return {f"{MARK}{'tensor' if isinstance(value, Tensor) else 'array'}": key}
    if isinstance(value, list):
        return [inner(part, index) for index, part in enumerate(value)]
    if isinstance(value, tuple | deque):
        return {f"{MARK}{type(value).__name__}": [inner(part, index) for index, part in enumerate(value)]}
    if isinstance(value, dict):
        if all(isinstance(name, str) and not name.startswith(MARK) for name in value):
            return {name: inner(part, name) for name, part in value.items()}
        return {f"{MARK}dict": [[encoded(name, key, tensors), inner(part, name)] for name, part in value.items()]}
    raise TypeError(
        f"{key} is a {type(value).__name__}, which no checkpoint keeps; name its parts in a `saved` of its own."
    )


DECODERS: dict[str, Callable[[Any, dict[str, Any], Tensors], Any]] = {
    "float": lambda content, *_: float(content),
    "numpy": lambda content, whole, tensors: np.dtype(content).type(decoded(whole["value"], tensors)),
    "tensor": lambda content, _, tensors: tensors[content],
    "array": lambda content, _, tensors: tensors[content].numpy().copy(),
    "tuple": lambda content, _, tensors: tuple(decoded(part, tensors) for part in content),
    "deque": lambda content, _, tensors: deque(decoded(part, tensors) for part in content),
    "dict": lambda content, _, tensors: {decoded(k, tensors): decoded(part, tensors) for k, part in content},
}


def decoded(content: Any, tensors: Tensors) -> Any:
    """Return what `encoded` made JSON of."""
    if isinstance(content, list):
        return [decoded(part, tensors) for part in content]
    if isinstance(content, dict):
        mark = next(iter(content), "")
        if mark.startswith(MARK):
            return DECODERS[mark.removeprefix(MARK)](content[mark], content, tensors)
        return {name: decoded(part, tensors) for name, part in content.items()}
    return content


def scatter(owner: Any, tensors: Tensors, scalars: Scalars, prefix: str = "") -> None:
    """Put back what `gather` collected: in place where something of its kind stands, in the order of `owner.saved`.

    A tensor where there was none goes to `owner.device`.

    Raises:
        KeyError, ValueError, RuntimeError: If something is missing, or has another shape or type.
    """
    for name in owner.saved:
        value, key = getattr(owner, name), prefix + name
        settable = getattr(getattr(type(owner), name, None), "fset", None) is not None
        found = _kept(key, tensors, scalars) if settable else _filled(value, key, tensors, scalars)
        if settable or found is not value:
            setattr(owner, name, found.to(owner.device) if isinstance(found, Tensor) else found)


def _kept(key: str, tensors: Tensors, scalars: Scalars) -> Any:
    return decoded(scalars[key], tensors) if key in scalars else tensors[key]


def _filled(value: Any, key: str, tensors: Tensors, scalars: Scalars) -> Any:
    """Return `value`, filled with what was kept under `key`; what was kept itself, where `value` cannot be filled."""
    if isinstance(value, torch.nn.Module):
        _fill_module(value, key, tensors, scalars)
    elif hasattr(value, "saved"):
        scatter(value, tensors, scalars, key + ".")
    elif isinstance(value, torch.Generator):
        value.set_state(tensors[key])
    elif isinstance(value, np.random.Generator):
        value.bit_generator.state = decoded(scalars[key], tensors)
    elif isinstance(value, torch.optim.Optimizer):
        _fill_optimiser(value, decoded(scalars[key], tensors), key)
    elif isinstance(value, Stateful):
        value.load_state_dict(decoded(scalars[key], tensors))
    elif _holds_owners(value):
        parts = {name: _filled(part, f"{key}.{name}", tensors, scalars) for name, part in _parts(value)}
        return parts if isinstance(value, dict) else type(value)(parts.values())
    else:
        return _filled_plainly(value, key, tensors, scalars)
    return value


def _filled_plainly(value: Any, key: str, tensors: Tensors, scalars: Scalars) -> Any:
    """Copy numbers and containers into the ones that stand there, whoever else may hold them."""
    if isinstance(value, Tensor | np.ndarray) and key in tensors:
        kept = tensors[key]
        if isinstance(value, Tensor) and value.is_inference():  # nobody may write to it any more
            return kept.to(value.device)
        _check(value, kept, key)
        (value if isinstance(value, Tensor) else torch.from_numpy(value)).copy_(kept)
        return value
    found = _kept(key, tensors, scalars)
    if isinstance(value, dict) and isinstance(found, dict):
        value.clear()
        value.update(found)
    elif isinstance(value, list | deque) and isinstance(found, type(value)):
        value.clear()
        value.extend(found)
    else:
        return found
    return value


def _check(value: Any, kept: Tensor, key: str) -> None:
    like = value if isinstance(value, Tensor) else torch.from_numpy(value[:0] if value.ndim else value)
    if tuple(value.shape) != tuple(kept.shape):
        raise ValueError(f"{key} has shape {list(kept.shape)}, not {list(value.shape)}")
    if like.dtype != kept.dtype:
        raise ValueError(f"{key} is of type {kept.dtype}, not {like.dtype}")


def _fill_module(module: torch.nn.Module, key: str, tensors: Tensors, scalars: Scalars) -> None:
    state = {}
    for name, x in module.state_dict().items():
        inner = f"{key}.{name}"
        if isinstance(x, Tensor):
            _check(x, tensors[inner], inner)
            state[name] = tensors[inner]
        else:
            state[name] = decoded(scalars[inner], tensors)
    module.load_state_dict(state)


def _fill_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any], key: str) -> None:
    """Load `state` into the tensors that the optimiser has: a backend may look at the same memory."""
    before = {parameter: dict(held) for parameter, held in optimiser.state.items()}
    optimiser.load_state_dict(state)
    for parameter, held in optimiser.state.items():
        for name, x in before.get(parameter, {}).items():
            if isinstance(x, Tensor):
                _check(x, held[name], f"{key}.{name}")
                held[name] = x.copy_(held[name])
