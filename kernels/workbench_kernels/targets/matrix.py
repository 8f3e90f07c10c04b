"""Machine code for the sums of `workbench_kernels.learner.tiles`: blocks of sums that stay in vector registers.

Left to itself LLVM vectorises one loop and keeps no block of sums across the loop over `inner`, so each product would
cost a load and a store of its sum. Here a block of `ROWS` rows by `VECTORS` registers is summed before it is stored.
"""

import itertools
from typing import Any, NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from workbench_kernels.learner import tiles
from workbench_kernels.targets import cpu

INT, FLOAT = ir.IntType(64), ir.FloatType()


class Block(NamedTuple):
    """The shape of the sums in registers: rows, registers a row, and floats a register."""

    rows: int
    vectors: int
    floats: int


def block() -> Block:
    """Choose the shape for this processor: sums, a row of factors and a broadcast must fit its registers."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Block(4, 4, 16)
    return Block(4, 2, 8) if features.get("avx2") else Block(4, 2, 4)


WEBASSEMBLY = Block(4, 2, 4)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


class _Emitter:
    """Writes loops over blocks of a product."""

    def __init__(self, builder: Any, shape: Block) -> None:
        self.builder, self.shape = builder, shape
        self.vector = ir.VectorType(FLOAT, shape.floats)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        # Multiplies and adds at once where the machine can, and never calls a library.
        self.fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{shape.floats}f32")

    def load(self, pointer: Any) -> Any:
        return self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()), align=4)

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, self.builder.bitcast(pointer, self.vector.as_pointer()), align=4)

    def broadcast(self, scalar: Any) -> Any:
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), scalar, ir.Constant(INT, 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.shape.floats), [0] * self.shape.floats)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), zeros)

    def loop(self, start: Any, stop: Any, step: int) -> Any:
        return cgutils.for_range_slice(self.builder, start, stop, INT(step), intp=INT)

    def product(
        self, sums: list[list[Any]], weight: Any, row: Any, column: Any, x: Any, inner: Any, columns: Any
    ) -> None:
        """Write one block: `sums` are places on the stack that the optimiser turns into registers."""
        b, floats = self.builder, self.shape.floats
        with self.loop(INT(0), inner, 1) as (k, _):
            line = b.gep(x, [b.mul(k, columns)])
            factors = [self.load(b.gep(line, [INT(v * floats)])) for v in range(len(sums[0]))]
            at = b.mul(k, column)
            for r, places in enumerate(sums):
                scalar = b.load(b.gep(weight, [b.add(at, b.mul(INT(r), row))]))
                spread = self.broadcast(scalar)
                for place, factor in zip(places, factors, strict=True):
                    b.store(b.call(self.fma, [spread, factor, b.load(place)]), place)

    def block(
        self,
        rows: int,
        vectors: int,
        out: Any,
        weight: Any,
        row: Any,
        column: Any,
        x: Any,
        inner: Any,
        columns: Any,
        start: Any,
        bias: Any,
        least: Any,
    ) -> None:
        b, floats = self.builder, self.shape.floats
        zero = ir.Constant(self.vector, [0.0] * floats)
        sums = [[cgutils.alloca_once(b, self.vector) for _ in range(vectors)] for _ in range(rows)]
        places = [
            [b.gep(out, [b.add(b.mul(INT(r), columns), INT(v * floats))]) for v in range(vectors)] for r in range(rows)
        ]
        for place in itertools.chain(*sums):
            b.store(zero, place)
        with b.if_then(b.icmp_signed("==", start, INT(tiles.SUMS))):
            for place, target in zip(itertools.chain(*sums), itertools.chain(*places), strict=True):
                b.store(self.load(target), place)
        with b.if_then(b.icmp_signed(">=", start, INT(0))):
            for r, line in enumerate(sums):
                spread = self.broadcast(b.load(b.gep(bias, [INT(r)])))
                for place in line:
                    b.store(spread, place)
        self.product(sums, weight, row, column, x, inner, columns)
        floor = self.broadcast(least)
        for line, targets in zip(sums, places, strict=True):
            for place, target in zip(line, targets, strict=True):
                total = b.load(place)
                self.store(b.select(b.fcmp_ordered("<", total, floor), floor, total), target)

    def matrix(
        self,
        out: Any,
        weights: Any,
        weight: Any,
        row: Any,
        column: Any,
        x: Any,
        rows: Any,
        inner: Any,
        columns: Any,
        start: Any,
        least: Any,
    ) -> None:
        """Write the loops: whole blocks of columns and rows first, then what is left of each."""
        b, shape = self.builder, self.shape
        wide = shape.vectors * shape.floats
        whole = b.mul(b.udiv(columns, INT(wide)), INT(wide))
        for vectors, left, right in ((shape.vectors, INT(0), whole), (1, whole, columns)):
            with self.loop(left, right, vectors * shape.floats) as (c, _):
                full = b.mul(b.udiv(rows, INT(shape.rows)), INT(shape.rows))
                done = INT(0)
                for count, end in ((shape.rows, full), (1, rows)):
                    with self.loop(done, end, count) as (r, _):
                        target = b.gep(out, [b.add(b.mul(r, columns), c)])
                        first = b.gep(weight, [b.mul(r, row)])
                        bias = b.gep(weights, [b.add(start, r)])
                        self.block(
                            count,
                            vectors,
                            target,
                            first,
                            row,
                            column,
                            b.gep(x, [c]),
                            inner,
                            columns,
                            start,
                            bias,
                            least,
                        )
                    done = end

    def shuffled(self, first: Any, second: Any, order: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(first, second, mask)

    def transpose(self, out: Any, x: Any, rows: Any, columns: Any) -> None:
        """Write square blocks as wide as a register; interleaving halves log2(floats) times exchanges the axes."""
        b, floats = self.builder, self.shape.floats
        half = floats // 2
        low = [n // 2 + (n % 2) * floats for n in range(floats)]
        high = [place + half for place in low]
        with self.loop(INT(0), rows, floats) as (r, _), self.loop(INT(0), columns, floats) as (c, _):
            place = b.gep(x, [b.add(b.mul(r, columns), c)])
            block = [self.load(b.gep(place, [b.mul(INT(n), columns)])) for n in range(floats)]
            for _ in range(floats.bit_length() - 1):
                pairs = zip(block[:half], block[half:], strict=True)
                block = [self.shuffled(*pair, order) for pair in pairs for order in (low, high)]
            place = b.gep(out, [b.add(b.mul(c, rows), r)])
            for n, line in enumerate(block):
                self.store(line, b.gep(place, [b.mul(INT(n), rows)]))

    def row_sums(self, out: Any, x: Any, rows: Any, columns: Any) -> None:
        """Write the sum of each row: registers first, then halves of the last one."""
        b, floats = self.builder, self.shape.floats
        zero = ir.Constant(self.vector, [0.0] * floats)
        with self.loop(INT(0), rows, 1) as (r, _):
            place = cgutils.alloca_once(b, self.vector)
            b.store(zero, place)
            line = b.gep(x, [b.mul(r, columns)])
            with self.loop(INT(0), columns, floats) as (c, _):
                b.store(b.fadd(b.load(place), self.load(b.gep(line, [c]))), place)
            total, size = b.load(place), floats
            while size > 1:
                size //= 2
                parts = [self.shuffled(total, total, list(range(start, start + size))) for start in (0, size)]
                total = b.fadd(*parts)
            target = b.gep(out, [r])
            b.store(b.fadd(b.load(target), b.extract_element(total, ir.Constant(ir.IntType(32), 0))), target)


def intrinsics(shape: Block) -> tuple[Any, Any, Any]:
    """Return `dense`, `transpose` and `row_sums` of `workbench_kernels.learner.tiles`, for registers of this shape."""

    def emitter(builder: Any) -> _Emitter:
        # Called, not inlined: each is a page of machine code, and is named many times.
        builder.function.attributes.add("noinline")
        return _Emitter(builder, shape)

    @intrinsic
    def dense(_, out, at, weight, place, row, column, x, source, rows, inner, columns, start, least):
        def codegen(context, builder, signature, arguments):
            out, at, weight, place, row, column, x, source, rows, inner, columns, start, least = arguments
            kinds = signature.args
            emitter(builder).matrix(
                _pointer(context, builder, kinds[0], out, at),
                context.make_array(kinds[2])(context, builder, weight).data,
                _pointer(context, builder, kinds[2], weight, place),
                row,
                column,
                _pointer(context, builder, kinds[6], x, source),
                rows,
                inner,
                columns,
                start,
                least,
            )
            return context.get_dummy_value()

        place = types.intp
        kinds = (out, place, weight, place, place, place, x, place, place, place, place, place, types.float32)
        return types.void(*kinds), codegen

    @intrinsic
    def transpose(_, out, at, x, source, rows, columns):
        def codegen(context, builder, signature, arguments):
            out, at, x, source, rows, columns = arguments
            target = _pointer(context, builder, signature.args[0], out, at)
            given = _pointer(context, builder, signature.args[2], x, source)
            emitter(builder).transpose(target, given, rows, columns)
            return context.get_dummy_value()

        return types.void(out, types.intp, x, types.intp, types.intp, types.intp), codegen

    @intrinsic
    def row_sums(_, out, at, x, source, rows, columns):
        def codegen(context, builder, signature, arguments):
            out, at, x, source, rows, columns = arguments
            target = _pointer(context, builder, signature.args[0], out, at)
            given = _pointer(context, builder, signature.args[2], x, source)
            emitter(builder).row_sums(target, given, rows, columns)
            return context.get_dummy_value()

        return types.void(out, types.intp, x, types.intp, types.intp, types.intp), codegen

    return dense, transpose, row_sums


def register(shape: Block) -> None:
    """Let compiled code find the intrinsics where it names the functions; once a process."""
    quick_dense, quick_transpose, quick_row_sums = intrinsics(shape)
    cpu._registered.update((tiles.dense, tiles.transpose, tiles.row_sums))

    @overload(tiles.dense)
    def _(out, at, weight, place, row, column, x, source, rows, inner, columns, start, least):
        def implementation(out, at, weight, place, row, column, x, source, rows, inner, columns, start, least):
            quick_dense(out, at, weight, place, row, column, x, source, rows, inner, columns, start, least)

        return implementation

    @overload(tiles.transpose)
    def _(out, at, x, source, rows, columns):
        def implementation(out, at, x, source, rows, columns):
            quick_transpose(out, at, x, source, rows, columns)

        return implementation

    @overload(tiles.row_sums)
    def _(out, at, x, source, rows, columns):
        def implementation(out, at, x, source, rows, columns):
            quick_row_sums(out, at, x, source, rows, columns)

        return implementation
