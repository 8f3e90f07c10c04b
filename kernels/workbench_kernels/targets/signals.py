"""Counters in shared memory that threads and processes wait for: a short spin, then the kernel's futex.

A signal is a row of 32-bit words, a cache line apart from the next: its value, how many sleep until it changes, and the
value that they wait for. Values only grow, and wrap around.
"""

import platform
import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from workbench_kernels.targets.cpu import UNCOMPILED, _compile

YIELD = 32
"""Looks at a signal between two offers of the core to others."""

WORDS = 16
"""32-bit words a signal: one cache line."""

AVAILABLE = not UNCOMPILED and sys.platform != "win32"
"""Whether signals work here: they need compiled code, and what POSIX offers to sleep with."""

_FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine()) if sys.platform == "linux" else None
_PAUSE: tuple[str, list[int]] | None = {
    "x86_64": ("llvm.x86.sse2.pause", []),
    "aarch64": ("llvm.aarch64.hint", [1]),
    "arm64": ("llvm.aarch64.hint", [1]),
}.get(platform.machine())
_WAIT, _WAKE = 0, 1
_NAP = 50
"""Microseconds between two looks, where there is no futex."""

_LONG, _INT = ir.IntType(64), ir.IntType(32)


def _place(context: Any, builder: Any, kind: Any, words: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, words).data, [index])


def _external(builder: Any, name: str, result: Any, arguments: Any, *, variadic: bool = False) -> Any:
    kind = ir.FunctionType(result, arguments, var_arg=variadic)
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


@intrinsic
def _load(_: Any, words: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(place, "seq_cst", 4)

    return types.uint32(words, index), codegen


@intrinsic
def _store(_: Any, words: Any, index: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], place, "seq_cst", 4)
        return context.get_dummy_value()

    return types.none(words, index, value), codegen


@intrinsic
def _add(_: Any, words: Any, index: Any, amount: Any) -> Any:
    """Add, and return what stood there before."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        return builder.atomic_rmw("add", place, arguments[2], "seq_cst")

    return amount(words, index, amount), codegen


@intrinsic
def _exchange(_: Any, words: Any, index: Any, expected: Any, value: Any) -> Any:
    """Store `value` where `expected` stands; return whether it stood there."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        pair = builder.cmpxchg(place, arguments[2], arguments[3], "seq_cst", "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(words, index, expected, value), codegen


@intrinsic
def _pause(_: Any) -> Any:
    """Tell the core that this is a spin."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        if _PAUSE is not None:
            name, operands = _PAUSE
            hint = _external(builder, name, ir.VoidType(), [_INT] * len(operands))
            builder.call(hint, [ir.Constant(_INT, n) for n in operands])
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def _give_way(_: Any) -> Any:
    """Let another thread have the core, if one waits for it."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        builder.call(_external(builder, "sched_yield", _INT, []), [])
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def _sleep(_: Any, words: Any, index: Any, expected: Any, milliseconds: Any) -> Any:
    """Sleep until woken, as long as the word is `expected`, and `milliseconds` at most."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _FUTEX is None:
            usleep = _external(builder, "usleep", _INT, [_INT])
            builder.call(usleep, [ir.Constant(_INT, _NAP)])
            return context.get_dummy_value()
        place = _place(context, builder, signature.args[0], *arguments[:2])
        timeout = builder.alloca(ir.ArrayType(_LONG, 2))
        thousand = ir.Constant(_LONG, 1000)
        seconds, rest = builder.udiv(arguments[3], thousand), builder.urem(arguments[3], thousand)
        million = ir.Constant(_LONG, 1_000_000)
        for k, value in enumerate((seconds, builder.mul(rest, million))):
            builder.store(value, builder.gep(timeout, [ir.Constant(_INT, 0), ir.Constant(_INT, k)]))
        syscall = _external(builder, "syscall", _LONG, [_LONG], variadic=True)
        operands = [place, ir.Constant(_LONG, _WAIT), builder.zext(arguments[2], _LONG), timeout]
        builder.call(syscall, [ir.Constant(_LONG, _FUTEX), *operands])
        return context.get_dummy_value()

    return types.none(words, index, expected, milliseconds), codegen


@intrinsic
def _wake(_: Any, words: Any, index: Any) -> Any:
    """Wake all who sleep on the word."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _FUTEX is not None:
            place = _place(context, builder, signature.args[0], *arguments)
            syscall = _external(builder, "syscall", _LONG, [_LONG], variadic=True)
            operands = [place, ir.Constant(_LONG, _WAKE), ir.Constant(_LONG, 2**31 - 1)]
            builder.call(syscall, [ir.Constant(_LONG, _FUTEX), *operands])
        return context.get_dummy_value()

    return types.none(words, index), codegen


def _advance(words, signal, amount):
    """Add `amount` to the value, wake those whose target it reaches, and return what it was before."""
    row = signal * WORDS
    before = _add(words, row, np.uint32(amount))
    # Who sleeps has said so, and for what, before he looked at the value a last time.
    if _load(words, row + 1) > 0:
        after = np.uint32(before + np.uint32(amount))
        if np.int32(after - _load(words, row + 2)) >= 0:
            _wake(words, row)
    return before


def _await(words, signal, target, spins, milliseconds):
    """Wait until the value is `target` or beyond; return whether it is, at the latest after `milliseconds`."""
    row = signal * WORDS
    wanted = np.uint32(target)
    for look in range(spins):
        if np.int32(np.uint32(_load(words, row) - wanted)) >= 0:
            return True
        # Where there are fewer cores than who spins, whoever is waited for must get one.
        if look % YIELD == YIELD - 1:
            _give_way()
        else:
            _pause()
    _store(words, row + 2, wanted)
    _add(words, row + 1, np.uint32(1))
    value = _load(words, row)
    if np.int32(np.uint32(value - wanted)) < 0:
        _sleep(words, row, value, milliseconds)
        value = _load(words, row)
    _add(words, row + 1, np.uint32(0xFFFFFFFF))
    return np.int32(np.uint32(value - wanted)) >= 0


def _claim(counters, amount):
    """Add `amount` to a 64-bit counter, and return what it was before."""
    return _add(counters, 0, np.int64(amount))


_OPTIONS: Any = {"nogil": True, "error_model": "numpy", "_nrt": False}

advance = _compile(_advance, **_OPTIONS)
wait = _compile(_await, **_OPTIONS)
claim = _compile(_claim, **_OPTIONS)
