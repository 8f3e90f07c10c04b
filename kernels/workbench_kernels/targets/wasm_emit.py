"""Emit WebAssembly objects: the process that `workbench_kernels.targets.wasm` starts to compile in.

It runs with NUMBA_OPT=0, so that numba's code reaches LLVM as numba wrote it, and not vectorised for the processor at
hand: `python -m workbench_kernels.targets.wasm_emit JOBS FOLDER` reads pickled jobs and writes FOLDER/N.o for job N.
"""

import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import compiler, types
from numba.core.registry import cpu_target
from numba.np import arrayobj

from workbench_kernels import rng
from workbench_kernels.buffers import block_lanes, fields
from workbench_kernels.environment import Environment
from workbench_kernels.targets import cpu, drivers, wasm
from workbench_kernels.targets.fingerprint import reachable

TRIPLE = "wasm32-unknown-unknown"
FEATURES = "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext,+mutable-globals"
"""What every engine of WebAssembly 2.0 has. Relaxed SIMD would give other bits on other machines."""

INT, LONG, FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
BOOLEAN = types.Array(types.boolean, 2, "C")
ARRAYS = {"float32": types.Array(types.float32, 2, "C"), "int32": types.Array(types.int32, 2, "C"), "bool": BOOLEAN}

see = drivers.see


def seed_lanes(addresses: Any, lanes: Any, seed: Any) -> None:
    """Start the streams of all lanes, as `rng.seed_lanes` does."""
    random = see(addresses, lanes)[wasm.RANDOM]
    key = np.uint32(rng.stream_key(seed))
    for lane in range(lanes):
        i = np.uintp(lane)
        random[rng.COUNT, i] = np.uint32(0)
        random[rng.STREAM, i] = np.uint32(i)
        random[rng.KEY, i] = key


def flags() -> Any:
    """Return numba's flags: divisions without exceptions, no reference counts, no wrappers for Python."""
    found: Any = compiler.Flags()
    found.error_model = "numpy"
    found.nrt = False
    found.no_cpython_wrapper = True
    found.no_cfunc_wrapper = True
    return found


class Module:
    """WebAssembly functions in the making.

    numba believes that addresses have 64 bits. LLVM cuts those down where they become pointers, and lays structures out
    anew, so only the description of the machine is exchanged. `machine` is LLVM's.
    """

    def __init__(self) -> None:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        self.machine = llvm.Target.from_triple(TRIPLE).create_target_machine(features=FEATURES, opt=3)
        self.context = cpu_target.target_context
        self.exports: list[str] = []
        self.parts: list[str] = []

    def export(
        self,
        name: str,
        driver: Callable[..., None],
        names: dict[str, Any],
        signature: tuple[Any, ...],
        parameters: Any,
        convert: Any,
    ) -> None:
        """Compile `driver` and export it.

        Args:
            name: Of the export.
            driver: One of `drivers`.
            names: What its names stand for.
            signature: numba's types of its arguments.
            parameters: LLVM's types of the export's.
            convert: `convert(builder, *parameters)` makes the arguments, one a type of `signature` (flattened).
        """
        function = drivers.bind(driver, 0, **names)
        for part in reachable(function):
            if part is not function:
                cpu.compilable(part)
        cpu_target.typing_context.refresh()
        self.context.refresh()
        compiled = compiler.compile_extra(
            cpu_target.typing_context, self.context, function, signature, types.void, flags(), {}
        )
        module = ir.Module(name)
        entry = ir.Function(module, ir.FunctionType(ir.VoidType(), parameters), name)
        builder = ir.IRBuilder(entry.append_basic_block())
        native = self.context.declare_function(module, compiled.fndesc)
        status, _ = self.context.call_conv.call_function(
            builder, native, types.void, compiled.signature.args, convert(builder, *entry.args)
        )
        with builder.if_then(status.is_error):
            builder.call(module.declare_intrinsic("llvm.trap", (), ir.FunctionType(ir.VoidType(), [])), [])
        builder.ret_void()
        self.exports.append(name)
        self.parts += [str(compiled.library._final_module), str(module)]

    def array(self, builder: Any, kind: Any, address: Any, shape: list[Any]) -> Any:
        """Make numba's array of the memory at `address`, without an owner."""
        itemsize = LONG(1 if kind is BOOLEAN else kind.dtype.bitwidth // 8)
        strides = [itemsize]
        for n in shape[:0:-1]:
            strides.insert(0, builder.mul(strides[0], n))
        made = self.context.make_array(kind)(self.context, builder)
        data = builder.inttoptr(address, made.data.type)
        arrayobj.populate_array(made, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
        return made._getvalue()

    def parse(self, text: str) -> Any:
        """Read numba's code, the description of its machine exchanged for that of WebAssembly."""
        head = f'target datalayout = "{self.machine.target_data}"\ntarget triple = "{TRIPLE}"\n'
        lines = (line for line in text.splitlines() if not line.startswith("target "))
        return llvm.parse_assembly(head + "\n".join(lines))

    def emit(self) -> bytes:
        """Optimise everything together and return the object."""
        whole, *others = map(self.parse, self.parts)
        for other in others:
            whole.link_in(other)
        whole.verify()
        for value in (*whole.functions, *whole.global_variables):
            if not value.is_declaration and value.name not in self.exports:
                value.linkage = "internal"
        tuning = llvm.create_pipeline_tuning_options(speed_level=3)
        tuning.loop_vectorization = tuning.slp_vectorization = True
        passes = llvm.create_pass_builder(self.machine, tuning)
        passes.getModulePassManager().run(whole, passes)
        emitted: bytes = self.machine.emit_object(whole)
        return emitted


def add_environment(module: Module, environment: Environment) -> None:
    """Export `seed`, `reset` and `step` of `environment`."""
    names = {"BLOCK": block_lanes(environment), **cpu.intrinsics(environment), **drivers.lane_functions(environment)}
    count = LONG(len(fields(environment)))

    def export(name: str, driver: Callable[..., None], signature: tuple[Any, ...], more: list[Any]) -> None:
        def convert(builder: Any, table: Any, lanes: Any, *rest: Any) -> list[Any]:
            addresses = module.array(builder, cpu.ADDRESSES, table, [count])
            # A boolean is one bit wide inside, and 32 in WebAssembly.
            bits = [
                builder.icmp_unsigned("!=", value, INT(0)) if kind is types.boolean else value
                for kind, value in zip(signature, rest, strict=True)
            ]
            return [addresses, builder.zext(lanes, LONG), *bits]

        module.export(name, driver, names, (cpu.ADDRESSES, types.intp, *signature), [INT, INT, *more], convert)

    export("seed", seed_lanes, (types.uint64,), [LONG])
    export("reset", drivers.reset, (), [])
    names["part"] = drivers.bind(drivers.step_together if environment.lane_major else drivers.step_apart, 0, **names)
    export("step", drivers.step, (types.int32, types.boolean), [INT, INT])


def environment_object(environment: Environment) -> bytes:
    """Emit `seed`, `reset` and `step` of `environment`."""
    module = Module()
    add_environment(module, environment)
    return module.emit()


def returns_object() -> bytes:
    """Emit the recursions over time."""
    module = Module()

    def export(name: str, reverse: bool) -> None:
        arguments = wasm.arguments(name)
        kinds = [types.float32 if argument.rows is None else ARRAYS[argument.dtype] for argument in arguments]

        def convert(builder: Any, horizon: Any, lanes: Any, *rest: Any) -> list[Any]:
            horizon, lanes = builder.zext(horizon, LONG), builder.zext(lanes, LONG)
            values = []
            for argument, kind, value in zip(arguments, kinds, rest, strict=True):
                if argument.rows is None:
                    values.append(value)
                else:
                    rows = builder.add(horizon, LONG(argument.rows))
                    values.append(module.array(builder, kind, value, [rows, lanes]))
            # The drivers take `width, first, *rest`, and numba hands the rest on as one tuple.
            return [LONG(cpu.ROW), values[0], module.context.make_tuple(builder, signature[2], values[1:])]

        signature = (types.intp, kinds[0], types.StarArgTuple(kinds[1:]))
        driver = drivers.scan_backwards if reverse else drivers.scan_forwards
        parameters = [INT, INT, *(FLOAT if argument.rows is None else INT for argument in arguments)]
        module.export(name, driver, {"cell": wasm.kernel(name)}, signature, parameters, convert)

    for name, reverse in wasm.SCANS.items():
        export(name, reverse)
    return module.emit()


def main(jobs: str, folder: str) -> int:
    """Emit the object of every job that compiles; return 1 if one does not."""
    failed = 0
    for number, (key, job) in enumerate(pickle.loads(Path(jobs).read_bytes())):
        try:
            if wasm.key_of(job) != key:
                raise RuntimeError("Its source changed after its import; restart Python.")
            if isinstance(job, wasm.Learner):
                from workbench_kernels.targets import wasm_learner

                emitted = wasm_learner.learner_object(job.environment)
            else:
                emitted = returns_object() if job is None else environment_object(job)
            (Path(folder) / f"{number}.o").write_bytes(emitted)
        except Exception:  # whatever one job meets, the others have their turn
            failed = 1
            print(f"{wasm.name_of(job)}:", file=sys.stderr)
            traceback.print_exc()
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
