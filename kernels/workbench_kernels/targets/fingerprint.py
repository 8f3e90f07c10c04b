"""Walk the functions a kernel is made of: to compile them all, and to know when any of them changed."""

import hashlib
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

Function = Callable[..., Any]


def _names(code: CodeType) -> set[str]:
    nested = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*nested)


def _source(value: Any) -> Any:
    """Return the Python function of one that numba has compiled already; anything else as it is."""
    return getattr(value, "py_func", value)


def references(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield each global and closure value that `function` names, modules opened up to what it could use of them."""
    names = _names(function.__code__)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    values = {name: _source(function.__globals__[name]) for name in names if name in function.__globals__}
    values.update((name, _source(cell.cell_contents)) for name, cell in cells)
    for name, value in sorted(values.items()):
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] not in ("numpy", "math"):
            yield from (
                (f"{name}.{part}", _source(getattr(value, part))) for part in sorted(names) if hasattr(value, part)
            )
        else:
            yield name, value


def reachable(function: FunctionType) -> list[FunctionType]:
    """Return `function` and every plain Python function it calls, callees first."""
    found: dict[FunctionType, None] = {}

    def visit(current: FunctionType) -> None:
        for _, value in references(current):
            if isinstance(value, FunctionType) and value is not current and value not in found:
                visit(value)
        found[current] = None

    visit(function)
    return list(found)


def _code(code: CodeType) -> str:
    constants = [_code(constant) if isinstance(constant, CodeType) else repr(constant) for constant in code.co_consts]
    return repr((code.co_code, code.co_names, code.co_varnames, constants))


def _value(value: Any) -> str:
    """Write a constant so that no two differ and look alike."""
    if isinstance(value, np.ndarray):
        return repr((value.dtype.str, value.shape, value.tobytes()))
    if isinstance(value, tuple | list):
        return repr((type(value).__name__, [_value(part) for part in value]))
    if isinstance(value, type) and value.__module__.partition(".")[0] not in ("builtins", "numpy"):
        # An enumeration, or a class whose attributes are constants.
        parts = {name: part for name, part in vars(value).items() if name[:1] != "_"}
        parts |= {name: member.value for name, member in getattr(value, "__members__", {}).items()}
        return repr((value.__qualname__, [(name, _value(part)) for name, part in sorted(parts.items())]))
    return repr((type(value).__name__, value))


def _is_constant(value: Any) -> bool:
    return isinstance(value, type) or not (callable(value) or isinstance(value, ModuleType))


def fingerprint(*functions: Function, extra: Any = ()) -> int:
    """Return 62 bits that change when the code of any function reached, or a constant it names, or `extra` changes."""
    digest = hashlib.sha256(repr(extra).encode())
    for function in functions:
        if isinstance(function, FunctionType):
            for part in reachable(function):
                constants = [(name, _value(value)) for name, value in references(part) if _is_constant(value)]
                digest.update(repr((part.__qualname__, _code(part.__code__), part.__defaults__, constants)).encode())
    return int.from_bytes(digest.digest()[:8], "little") >> 2
