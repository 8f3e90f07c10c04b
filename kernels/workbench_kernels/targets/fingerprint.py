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


def references(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield each global and closure value that `function` names, modules opened up to what it could use of them."""
    names = _names(function.__code__)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    values = {name: function.__globals__[name] for name in names if name in function.__globals__}
    values.update((name, cell.cell_contents) for name, cell in cells)
    for name, value in sorted(values.items()):
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] not in ("numpy", "math"):
            yield from ((f"{name}.{part}", getattr(value, part)) for part in sorted(names) if hasattr(value, part))
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
    if isinstance(value, np.ndarray):
        return repr((value.dtype.str, value.shape, value.tobytes()))
    return repr((type(value).__name__, value))


def fingerprint(*functions: Function, extra: Any = ()) -> int:
    """Return 62 bits that change when the code of any function reached, or a constant it names, or `extra` changes."""
    digest = hashlib.sha256(repr(extra).encode())
    for function in functions:
        if isinstance(function, FunctionType):
            for part in reachable(function):
                constants = [
                    (n, _value(v)) for n, v in references(part) if not callable(v) and not isinstance(v, ModuleType)
                ]
                digest.update(repr((part.__qualname__, _code(part.__code__), part.__defaults__, constants)).encode())
    return int.from_bytes(digest.digest()[:8], "little") >> 2
