"""The machine code that copies nested values to rows: `workbench_kernels.flatten`, compiled once for all spaces.

It reads Python's objects, so whoever calls it holds the GIL, and keeps it: what is copied may not go away meanwhile.
"""

import hashlib
import inspect
import sys
import sysconfig
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import NativeValue, intrinsic, models, register_model, unbox

from workbench_kernels import flatten
from workbench_kernels.targets import cpu, drivers
from workbench_kernels.targets.fingerprint import fingerprint

AVAILABLE = (
    not cpu.UNCOMPILED
    and sys.implementation.name == "cpython"
    and (sys.byteorder, sys.maxsize) == ("little", 2**63 - 1)
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
    and object.__basicsize__ == flatten.VALUE
)
"""Whether objects look as `flatten` expects, and nobody changes them while they are read."""

WORD, INT, BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
POINTER = BYTE.as_pointer()


class _Object(types.Opaque):
    """Any Python object, borrowed."""

    def __init__(self) -> None:
        super().__init__("workbench.Object")


OBJECT = _Object()
register_model(_Object)(models.OpaqueModel)


@unbox(_Object)  # type: ignore[untyped-decorator]
def _borrow(_: Any, value: Any, __: Any) -> Any:
    return NativeValue(value)


def _primitive(returned: Any, *taken: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make an intrinsic of `emit(builder, *values)`."""

    def made(emit: Callable[..., Any]) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            value = emit(builder, *arguments)
            return cgutils.get_null_value(POINTER) if value is None else value

        def typed(_: Any, *__: Any) -> Any:
            return returned(*taken), codegen

        # numba binds arguments by names, and asks here for them.
        typed.__name__ = emit.__name__
        vars(typed)["__signature__"] = inspect.signature(emit)
        return intrinsic(typed)

    return made


def _at(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _external(builder: Any, name: str, returned: Any, *taken: Any) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(returned, taken), name)


@_primitive(types.int64, OBJECT)
def address_of(builder: Any, value: Any) -> Any:
    """Return the address of an object."""
    return builder.ptrtoint(value, WORD)


@_primitive(types.int64, types.int64)
def load(builder: Any, address: Any) -> Any:
    """Return the word at an address."""
    return builder.load(_at(builder, address, WORD), align=8)


@_primitive(types.int64, types.int64)
def load_int(builder: Any, address: Any) -> Any:
    """Return the C int at an address."""
    return builder.sext(builder.load(_at(builder, address, INT), align=4), WORD)


@_primitive(types.void, types.int64, types.int64)
def store(builder: Any, address: Any, word: Any) -> None:
    """Write the word at an address."""
    builder.store(word, _at(builder, address, WORD), align=8)


def _move(count: int) -> Any:
    kind = ir.IntType(8 * count) if count <= 8 else ir.VectorType(BYTE, count)

    def copy_count(builder: Any, target: Any, source: Any) -> None:
        builder.store(builder.load(_at(builder, source, kind), align=1), _at(builder, target, kind), align=1)

    return _primitive(types.void, types.int64, types.int64)(copy_count)


@_primitive(types.void, types.int64, types.int64, types.int64)
def copy_many(builder: Any, target: Any, source: Any, size: Any) -> None:
    """Copy bytes."""
    cgutils.raw_memcpy(builder, _at(builder, target, BYTE), _at(builder, source, BYTE), size, 1, align=1)


@_primitive(types.void, types.int64, types.int64)
def narrow_one(builder: Any, target: Any, source: Any) -> None:
    """Round a float64 to a float32."""
    wide = builder.load(_at(builder, source, ir.DoubleType()), align=1)
    builder.store(builder.fptrunc(wide, ir.FloatType()), _at(builder, target, ir.FloatType()), align=1)


def narrow(target: Any, source: Any, count: Any) -> None:
    """Round `count` float64 to float32."""
    for k in range(count):
        narrow_one(target + 4 * k, source + 8 * k)


@_primitive(types.int64, types.int64, types.int64)
def item(builder: Any, dictionary: Any, key: Any) -> Any:
    """Return the address of a value in a dictionary, or 0, with no exception left behind."""
    get = _external(builder, "PyDict_GetItemWithError", POINTER, POINTER, POINTER)
    found = builder.call(get, [_at(builder, dictionary, BYTE), _at(builder, key, BYTE)])
    with builder.if_then(cgutils.is_null(builder, found), likely=False):
        builder.call(_external(builder, "PyErr_Clear", ir.VoidType()), [])
    return builder.ptrtoint(found, WORD)


@_primitive(types.boolean, types.int64, types.int64)
def whole_number(builder: Any, target: Any, number: Any) -> Any:
    """Write a Python int as an int64; return whether it is within its bounds."""
    beyond = cgutils.alloca_once(builder, INT)
    convert = _external(builder, "PyLong_AsLongLongAndOverflow", WORD, POINTER, INT.as_pointer())
    value = builder.call(convert, [_at(builder, number, BYTE), beyond])
    fits = builder.icmp_signed("==", builder.load(beyond), ir.Constant(INT, 0))
    with builder.if_then(fits):
        builder.store(value, _at(builder, target, WORD), align=1)
    return fits


@_primitive(types.int64)
def slots(builder: Any) -> Any:
    """Return the address of `SLOTS` words."""
    return builder.ptrtoint(cgutils.alloca_once(builder, WORD, size=flatten.SLOTS), WORD)


walk: Any = flatten.walk
batch: Any = flatten.batch


def _write(value: Any, row: int, program: int, first: int) -> Any:
    return walk(address_of(value), row, program, first, 0, 0)


def _batch(value: Any, program: int, first: int, lanes: int, runs: int, rows: int, stride: int, width: int) -> Any:
    return batch(address_of(value), program, first, lanes, runs, rows, stride, width)


class Code(NamedTuple):
    """Machine code, called past numba's dispatch; `flatten.walk` and `flatten.batch` of Python objects."""

    write: Callable[[Any, int, int, int], int]
    batch: Callable[[Any, int, int, int, int, int, int, int], int]


@cache
def code() -> Code:
    """Load the machine code from the disk cache, or compile it."""
    sources = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in (flatten.__file__, __file__)]
    key = fingerprint(extra={"how": cpu.HOW, "sources": sources})
    names: dict[str, Any] = {
        "load": load,
        "load_int": load_int,
        "store": store,
        "copy_many": copy_many,
        "narrow": narrow,
        "item": item,
        "whole_number": whole_number,
        "slots": slots,
        **{f"copy{count}": _move(count) for count in (1, 2, 4, 8, 16, 32)},
    }
    for part in (
        flatten.copy,
        flatten.put,
        flatten.look,
        flatten.walk,
        flatten.merge,
        flatten.copy_runs,
        flatten.batch,
    ):
        names[part.__name__] = drivers.bind(part, key, **names)
    holding = {name: value for name, value in cpu.OPTIONS.items() if name != "nogil"}
    built = []
    for function, words in ((_write, 3), (_batch, 7)):
        bound = drivers.bind(function, key, walk=names["walk"], batch=names["batch"])
        cpu.compilable(bound)
        signature = types.int64(OBJECT, *[types.int64] * words)
        built.append(cpu._compile(bound, signature, **holding).overloads[signature.args].entry_point)
    return Code(*built)


def program(nested: Any) -> np.ndarray | None:
    """Describe a space to the machine code.

    Args:
        nested: A leaf, or leaves in dictionaries and tuples; a leaf has `dtype`, `shape`, and `offset` and `nbytes` in
            a row. The words hold addresses of keys: keep it alive.

    Returns:
        [W] int64, or None if a key is neither a string nor an integer, or the space is too deep.
    """
    records: list[list[int]] = []
    shapes: list[int] = []
    leaves = 0

    def add(node: Any, fetch: int, parent: int, name: int, depth: int) -> None:
        nonlocal leaves
        record = [fetch, parent, name, flatten.LEAF, flatten.NAMED, leaves, leaves + 1, 0]
        records.append(record)
        if type(node) not in (dict, tuple):
            leaves += 1
            strides = [prod(node.shape[k + 1 :]) * node.dtype.itemsize for k in range(len(node.shape))]
            number = {"q": flatten.WHOLE_NUMBER, "l": flatten.WHOLE_NUMBER, "d": flatten.WIDE, "f": flatten.NARROW}
            record += [_kind(node.dtype), id(node.dtype.type), number.get(node.dtype.char, flatten.NOTHING)]
            record += [len(node.shape), len(shapes) * flatten.WORD, node.offset, node.nbytes]
            shapes.extend((*node.shape, *strides))
        else:
            record[3:5] = depth, flatten.NAMED if type(node) is dict else len(node)
            for k, part in enumerate(node.items() if type(node) is dict else node):
                if type(node) is dict:
                    add(part[1], flatten.KEY, depth, id(part[0]), depth + 1)
                else:
                    add(part, flatten.INDEX, depth, k, depth + 1)
            record[6] = leaves
        record[7] = flatten.HEAD + len(records) * flatten.RECORD

    if not _within_reach(nested):
        return None
    add(nested, flatten.WHOLE, 0, 0, 0)
    head = [len(records), leaves, *map(id, (np.ndarray, dict, OrderedDict, tuple, int, float, np.float64))]
    head.append(_kind(np.dtype(np.float64)))
    first = flatten.HEAD + len(records) * flatten.RECORD
    table = np.zeros((len(records), flatten.RECORD // flatten.WORD), np.int64)
    for row, record in zip(table, records, strict=True):
        row[: len(record)] = record
    table[:, flatten.SHAPE // flatten.WORD] += first
    return np.array([*head, *table.flat, *shapes], np.int64)


def _kind(dtype: np.dtype[Any]) -> int:
    return int(flatten.load(id(dtype) + flatten.DESCRIBED) & flatten.IDENTITY)


def _within_reach(node: Any, depth: int = 0) -> bool:
    if type(node) not in (dict, tuple):
        return True
    keys = node if type(node) is dict else ()
    parts: Iterable[Any] = node.values() if type(node) is dict else node
    return (
        depth < flatten.SLOTS
        and all(type(key) in (str, int) for key in keys)
        and all(_within_reach(part, depth + 1) for part in parts)
    )
