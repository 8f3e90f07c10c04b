"""Values against their spaces, leaf by leaf: what does not fit, and a fingerprint of what came."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

Space = gymnasium.Space[Any]


@dataclass(frozen=True)
class Fault:
    """One way in which a value does not fit its space.

    Attributes:
        level: "warning" or "error".
        what: "type", "keys", "shape", "dtype", "finite" or "bounds".
        path: Where: `observation['camera']`.
        message: What came, what the space says, and how to mend it.
    """

    level: str
    what: str
    path: str
    message: str

    @property
    def text(self) -> str:
        """Write the path and the message; the message may begin with an index."""
        return f"{self.path}{'' if self.message.startswith('[') else ' '}{self.message}"


def leaves(space: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the path and the space of every leaf of a nested space."""
    if isinstance(space, Dict):
        for key, inner in space.items():
            yield from leaves(inner, f"{path}[{key!r}]")
    elif isinstance(space, Tuple):
        for index, inner in enumerate(space):
            yield from leaves(inner, f"{path}[{index}]")
    else:
        yield path, space


def faults(space: Any, value: Any, path: str) -> Iterator[Fault]:
    """Yield what is wrong with `value` as an element of `space`, leaf by leaf."""
    if isinstance(space, Dict):
        yield from _dict_faults(space, value, path)
    elif isinstance(space, Tuple):
        if not isinstance(value, tuple) or len(value) != len(space.spaces):
            size = f", of length {len(value)}" if isinstance(value, tuple | list) else ""
            message = f"is of type {type(value).__name__}{size}; return a tuple of {len(space.spaces)}"
            yield Fault("error", "type", path, message)
            return
        for index, inner in enumerate(space):
            yield from faults(inner, value[index], f"{path}[{index}]")
    elif isinstance(space, Box | Discrete | MultiBinary | MultiDiscrete):
        yield from _leaf_faults(space, value, path)
    elif isinstance(space, gymnasium.Space) and not space.contains(value):
        yield Fault(
            "error", "bounds", path, f"is {_short(value)}, which is not in {space}; return what the space holds"
        )


def _dict_faults(space: Dict, value: Any, path: str) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(
            "error", "type", path, f"is of type {type(value).__name__}; return a dict with the keys {list(space)}"
        )
        return
    missing, extra = [key for key in space if key not in value], [key for key in value if key not in space.spaces]
    if missing:
        yield Fault("error", "keys", path, f"lacks {missing}; return every key that the space declares")
    if extra:
        yield Fault("warning", "keys", path, f"has {extra}, which the space does not; declare or drop them")
    for key, inner in space.items():
        if key in value:
            yield from faults(inner, value[key], f"{path}[{key!r}]")


def _limits(space: Any) -> tuple[Any, Any]:
    """Return the least and the greatest values of a leaf."""
    if isinstance(space, Discrete):
        return space.start, space.start + space.n - 1
    if isinstance(space, MultiDiscrete):
        return space.start, space.start + space.nvec - 1
    return (0, 1) if isinstance(space, MultiBinary) else (space.low, space.high)


def _leaf_faults(space: Any, value: Any, path: str) -> Iterator[Fault]:
    whole = isinstance(space, Discrete)
    try:
        array = np.asarray(value)
    except ValueError as error:
        yield Fault("error", "type", path, f"is a ragged {type(value).__name__} ({error}); return an array")
        return
    if array.dtype.kind not in "biuf":
        yield Fault("error", "type", path, f"is {_short(value)} ({type(value).__name__}); return numbers")
        return
    if array.shape != space.shape:
        message = f"has shape {list(array.shape)}, and the space says {list(space.shape)}; return or declare the other"
        yield Fault("error", "shape", path, message)
        return
    numeric = isinstance(value, np.ndarray | np.generic) or (whole and isinstance(value, int))
    if not numeric:
        yield Fault(
            "warning", "type", path, f"is of type {type(value).__name__}; return np.asarray(..., np.{space.dtype})"
        )
    elif not np.can_cast(array.dtype, space.dtype):
        fits = np.can_cast(array.dtype, space.dtype, "same_kind")
        message = f"is {array.dtype}, and the space says {space.dtype}; return .astype(np.{space.dtype})"
        yield Fault("warning" if fits else "error", "dtype", path, message)
        if not fits:
            return
    yield from _range_faults(space, array, path)


def _range_faults(space: Any, array: Any, path: str) -> Iterator[Fault]:
    wrong = ~np.isfinite(array)
    if wrong.any():
        place, count = _first(wrong), int(wrong.sum())
        message = f"{place} is {array[wrong][0]} ({count} of {array.size}); every component must be finite"
        yield Fault("error", "finite", path, message.lstrip())
        return
    low, high = _limits(space)
    with np.errstate(over="ignore"):
        stored = array.astype(space.dtype)
    wrong = (stored < low) | (stored > high)
    if wrong.any():
        least, greatest = (np.broadcast_to(bound, array.shape)[wrong][0] for bound in (low, high))
        message = f"{_first(wrong)} is {array[wrong][0]}, outside {least} to {greatest}; widen the space or clip"
        yield Fault("error", "bounds", path, message.lstrip())


def _first(wrong: Any) -> str:
    """Write the index of the first true element; nothing for a scalar."""
    return str(np.argwhere(wrong)[0].tolist()) if np.ndim(wrong) else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def fingerprint(value: Any, path: str) -> dict[str, bytes]:
    """Return a digest of every leaf of a nested value, by its path: equal if and only if all bits are."""
    if isinstance(value, Mapping):
        parts = ((f"{path}[{key!r}]", inner) for key, inner in value.items())
    elif isinstance(value, tuple):
        parts = ((f"{path}[{index}]", inner) for index, inner in enumerate(value))
    else:
        return {path: _digest(value)}
    return {name: digest for inner_path, inner in parts for name, digest in fingerprint(inner, inner_path).items()}


def _digest(value: Any) -> bytes:
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        head, body = f"{value.dtype} {value.shape}", np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    else:
        head, body = type(value).__name__, memoryview(repr(value).encode())
    hashed = hashlib.blake2b(head.encode(), digest_size=16)
    hashed.update(body)
    return hashed.digest()


def size(value: Any) -> int:
    """Return the bytes of a nested value's arrays; a plain number counts 8."""
    if isinstance(value, Mapping):
        return sum(map(size, value.values()))
    if isinstance(value, tuple | list):
        return sum(map(size, value))
    return int(getattr(value, "nbytes", 8))
