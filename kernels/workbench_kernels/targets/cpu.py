"""Vector units and threads: numba compiles a driver around the lane functions, blocks of lanes spread over threads.

The machine code takes the addresses of the arrays, and is compiled for their dtypes and layout before it runs: a call
unpacks one argument instead of fourteen, and nothing depends on what numba would make of an array of one lane.
"""

import hashlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import config, types
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys
from numba.extending import intrinsic, register_jitable
from numba.np import arrayobj

from workbench_kernels.buffers import Buffers, block_lanes, fields
from workbench_kernels.environment import Environment
from workbench_kernels.targets import drivers
from workbench_kernels.targets.fingerprint import fingerprint, reachable

CHECKED = bool(config.BOUNDSCHECK)  # type: ignore[attr-defined]
"""Whether out-of-bounds accesses raise (NUMBA_BOUNDSCHECK=1): other machine code, which numba's cache does not see."""

UNCOMPILED = bool(config.DISABLE_JIT)  # type: ignore[attr-defined]

OPTIONS: Any = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""How drivers are compiled. They allocate nothing, so numba may leave reference counts alone: touched in an inner loop
they keep it from vectorising (GAE on [128, 4096]: 0.60 ms with them, 0.19 ms without)."""

CALLED = "workbench_kernels.learner"
"""Whose functions are not inlined by force: they are pages long, and one is named many times.

All others are. Left to itself LLVM calls a large step, and a loop that calls does not vectorise: Acrobot 11 against
109 M steps/s. It is also what keeps apart two builds of one file, whose functions have the same names: called, one that
comes from the disk cache and one compiled beside it met under one symbol in the linker."""

HOW = [OPTIONS, CHECKED, hashlib.sha256(Path(__file__).read_bytes()).hexdigest()]
"""What decides the machine code beside the lane functions and the drivers: this file."""

_registered: set[Callable[..., Any]] = set()
_launch = threading.Lock()


def compilable(function: Callable[..., Any], *apart: Callable[..., Any]) -> Any:
    """Let numba compile `function` and what it calls wherever a driver names them, but for what is `apart`."""
    for part in reachable(function):  # type: ignore[arg-type]
        if part not in _registered and part not in apart:
            register_jitable(forceinline=not part.__module__.startswith(CALLED))(part)
            _registered.add(part)
    return function


def thread_count() -> int:
    """Return how many threads a parallel kernel uses, numba's being started if they were not.

    Where they are OpenMP's, starting them gives this thread's parallel regions a thread a core, torch's among them; so
    what `torch.set_num_threads` had said is put back.
    """
    torch = sys.modules.get("torch")
    torchs = torch.get_num_threads() if torch else 0
    count = numba.get_num_threads()
    if torch and torch.get_num_threads() != torchs:
        torch.set_num_threads(torchs)
    return count


class _Cache(FunctionCache):
    """numba's cache on disk, which loads machine code without first getting ready to compile.

    numba's own fills its registries of everything that it can compile, and imports SciPy where that is installed: 0.1
    to 0.25 of the 0.3 seconds that the first use of an environment took. Machine code needs the runtime alone.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compile result for `sig`, or None if it is not cached."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def _compile(function: Any, signature: Any = None, *, parallel: bool = False, **options: Any) -> Any:
    """Compile `function`, for `signature` now or else for what it is called with."""
    if parallel:
        thread_count()
    compiled = numba.njit(parallel=parallel, **(options or OPTIONS))(function)
    if UNCOMPILED:
        return compiled
    compiled._cache = _Cache(function)
    if signature is not None:
        compiled.compile(signature)
        compiled.disable_compile()
    return compiled


def views(environment: Environment) -> Any:
    """Build the intrinsic that makes the addresses of `environment`'s buffers arrays, in compiled code.

    The arrays own nothing, and their leading axes are constants. (numba's `carray` does not compile without reference
    counts.)
    """
    described = fields(environment)
    arrays = types.Tuple(
        [
            types.Array(numba.from_dtype(np.dtype(f.dtype)), len(f.shape) + 1, "F" if f.lane_major else "C")
            for f in described
        ]
    )

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        lanes = context.cast(builder, arguments[1], signature.args[1], types.intp)
        values = []
        for k, (f, kind) in enumerate(zip(described, arrays, strict=True)):
            array = context.make_array(kind)(context, builder)
            address = builder.load(builder.gep(table, [context.get_constant(types.intp, k)]))
            shape = [*(context.get_constant(types.intp, n) for n in f.shape), lanes]
            itemsize = context.get_constant(types.intp, np.dtype(f.dtype).itemsize)
            strides = [itemsize]
            for n in shape[:-1] if f.lane_major else shape[:0:-1]:
                strides.append(builder.mul(strides[-1], n))
            arrayobj.populate_array(
                array,
                data=builder.inttoptr(address, array.data.type),
                shape=shape,
                strides=strides if f.lane_major else strides[::-1],
                itemsize=itemsize,
                meminfo=None,
            )
            values.append(array._getvalue())
        return context.make_tuple(builder, arrays, values)

    @intrinsic
    def see(_: Any, addresses: Any, lanes: Any) -> Any:
        return arrays(addresses, lanes), codegen

    return see


@intrinsic
def ending(_: Any, terminated: Any, truncated: Any, first: Any, count: Any) -> Any:
    """Return which of up to 64 lanes ended, one bit a lane: two loads, and the sign bits of a comparison.

    It reads 64 flags whatever the count; arrays end 64 bytes before their memory does.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        flags = ir.VectorType(ir.IntType(8), 64)
        read = []
        for kind, value in zip(signature.args[:2], arguments[:2], strict=True):
            data = context.make_array(kind)(context, builder, value).data
            place = builder.bitcast(builder.gep(data, [arguments[2]]), flags.as_pointer())
            read.append(builder.load(place, align=1))
        either = builder.or_(*read)
        bits = builder.icmp_unsigned("!=", either, ir.Constant(flags, [0] * 64))
        word = builder.bitcast(bits, ir.IntType(64))
        unused = builder.sub(ir.Constant(ir.IntType(64), 64), arguments[3])
        return builder.and_(word, builder.lshr(ir.Constant(ir.IntType(64), -1), unused))

    return types.uint64(terminated, truncated, first, count), codegen


@intrinsic
def lowest(_: Any, bits: Any) -> Any:
    """Return the place of the lowest bit that is set."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uintp(bits), codegen


def _key(environment: Environment) -> int:
    """Return a fingerprint of everything that decides the machine code of `environment`."""
    functions = drivers.lane_functions(environment).values()
    described = {"fields": fields(environment), "block": block_lanes(environment), "how": HOW}
    return fingerprint(*functions, extra=described)


def _names(environment: Environment) -> dict[str, Any]:
    """Return what a driver of `environment` is bound to."""
    functions = drivers.lane_functions(environment)
    for function in functions.values():
        compilable(function)
    names: dict[str, Any] = {"BLOCK": block_lanes(environment), **functions}
    return names if UNCOMPILED else {**names, **intrinsics(environment)}


def intrinsics(environment: Environment) -> dict[str, Any]:
    """Return what compiled code does otherwise than the drivers' Python says."""
    found: dict[str, Any] = {"see": views(environment), "lowest": lowest}
    return {**found, "ending": ending} if environment.agents == 1 else found


ADDRESSES = types.Array(types.uint64, 1, "C", readonly=False)


def _handle(b: Buffers) -> Any:
    """Return what a driver takes: addresses, or with the JIT off the arrays themselves."""
    return b.arrays if UNCOMPILED else b.addresses


def vector_reset(environment: Environment) -> Callable[[Buffers], None]:
    """Build the function that resets every lane."""
    bound = drivers.bind(drivers.reset, _key(environment), **_names(environment))
    compiled = _compile(bound, types.void(ADDRESSES, types.intp))

    def reset(b: Buffers) -> None:
        compiled(_handle(b), b.lanes)

    return reset


def vector_step(environment: Environment, *, parallel: bool = False) -> Callable[[Buffers, int, bool], None]:
    """Build the function that advances every lane by one step and resets those that ended.

    Parallel launches take turns: one already uses every core, and not every threading layer that numba may find is safe
    to enter twice.
    """
    key = _key(environment)
    body = drivers.step_together if environment.lane_major else drivers.step_apart
    part = register_jitable(drivers.bind(body, key, **_names(environment)))
    everything = (ADDRESSES, types.intp, types.int32, types.boolean)
    if not parallel:
        compiled = _compile(drivers.bind(drivers.step, key, part=part), types.void(*everything))
    else:
        shared = drivers.bind(drivers.step_shared, key, part=part, BLOCK=block_lanes(environment), loop=numba.prange)
        compiled = _compile(shared, types.void(*everything, types.intp), parallel=True)

    def step(b: Buffers, limit: int, autoreset: bool = True) -> None:
        compiled(_handle(b), b.lanes, limit, autoreset)

    def step_shared(b: Buffers, limit: int, autoreset: bool = True) -> None:
        with _launch:
            compiled(_handle(b), b.lanes, limit, autoreset, numba.get_num_threads())

    chosen: Any = step_shared if parallel else step
    chosen.compiled = compiled
    return chosen  # type: ignore[no-any-return]


def _take_discrete(actions, n, out):  # type: ignore[no-untyped-def]
    """Copy `actions` [B] to `out` [B]; return whether all are from 0 to n - 1."""
    fit = True
    for i in range(out.shape[0]):
        fit &= (actions[i] >= 0) & (actions[i] < n)
        out[i] = actions[i]
    return fit


def _take_box(actions, low, high, out):  # type: ignore[no-untyped-def]
    """Copy `actions` [B, K] to `out` [K, B]; return whether all are within the bounds [K]; no NaN is."""
    fit = True
    for k in range(out.shape[0]):
        for i in range(out.shape[1]):
            fit &= (actions[i, k] >= low[k]) & (actions[i, k] <= high[k])
            out[k, i] = actions[i, k]
    return fit


take_discrete = _compile(_take_discrete, nogil=True, error_model="numpy")
take_box = _compile(_take_box, nogil=True, error_model="numpy")

ROW = 8192
"""Lanes of a recursion that are swept together at most. Long rows stream from memory faster than short ones; beyond
this the running row would leave the caches."""


def scan(kernel: Callable[..., None], *, reverse: bool, parallel: bool = False) -> Callable[..., None]:
    """Build the loops over time (backwards if `reverse`) and lanes; the first argument is [T, B]."""
    names = {"cell": compilable(kernel), "loop": numba.prange if parallel else range}
    key = fingerprint(kernel, extra={"parallel": parallel, "how": HOW})
    driver = drivers.scan_backwards if reverse else drivers.scan_forwards
    compiled = _compile(drivers.bind(driver, key, **names), parallel=parallel)

    def run(first: Any, *arguments: Any) -> None:
        if not parallel:
            compiled(min(first.shape[1], ROW), first, *arguments)
            return
        with _launch:
            width = min(max(-(-first.shape[1] // numba.get_num_threads()), 256), ROW)
            compiled(width, first, *arguments)

    run.compiled = compiled  # type: ignore[attr-defined]
    return run
