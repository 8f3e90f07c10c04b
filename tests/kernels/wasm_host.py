"""A host of WebAssembly modules in wasmtime: the arrays of a batch as numpy's, over the module's memory."""

import ctypes
import functools

import numpy as np
import wasmtime

from workbench_kernels.buffers import fields
from workbench_kernels.targets import wasm


@functools.cache
def engine():
    return wasmtime.Engine()


class Instance:
    """An instance of a module, and its memory."""

    def __init__(self, module):
        self.store = wasmtime.Store(engine())
        self.module = wasmtime.Module(engine(), module)
        self.exports = wasmtime.Instance(self.store, self.module, []).exports(self.store)
        self.memory = self.exports["memory"]
        self.base = self.exports["__heap_base"].value(self.store)

    def call(self, name, *arguments):
        self.exports[name](self.store, *arguments)

    def bytes(self, end):
        """Grow the memory to `end` and return it; what was returned before is stale."""
        pages = -(-end // 65536) - self.memory.size(self.store)
        if pages > 0:
            self.memory.grow(self.store, pages)
        size = self.memory.data_len(self.store)
        address = ctypes.addressof(self.memory.data_ptr(self.store).contents)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))


class WasmLanes(Instance):
    """`lanes` copies of an environment, reset; its arrays are attributes, shaped as those of `Buffers`."""

    def __init__(self, environment, module, lanes, *, seed=0):
        super().__init__(module)
        self.lanes = lanes
        described = fields(environment)
        self.table, addresses, end = wasm.layout(described, lanes, self.base)
        memory = self.bytes(end)
        memory[self.table : self.table + 8 * len(described)].view(np.uint64)[:] = [*addresses.values()]
        for field in described:
            start = addresses[field.name]
            flat = memory[start : start + field.bytes_per_lane * lanes].view(field.dtype)
            shape = (*field.shape, lanes)
            setattr(self, field.name, flat.reshape(shape[::-1]).T if field.lane_major else flat.reshape(shape))
        for row, value in enumerate(environment.settings.values(), start=len(environment.state)):
            self.state[row] = value
        self.call("seed", self.table, lanes, seed - (seed >> 63 << 64))
        self.reset()

    def reset(self):
        self.call("reset", self.table, self.lanes)

    def step(self, limit, autoreset=True):
        self.call("step", self.table, self.lanes, limit, int(autoreset))


class WasmScans(Instance):
    """The recursions over time."""

    def run(self, name, *values):
        """Run `name` on numpy arrays and numbers; write the arrays back."""
        arrays = [value for value in values if isinstance(value, np.ndarray)]
        starts, end = [], self.base
        for array in arrays:
            starts.append(-(-end // 64) * 64)
            end = starts[-1] + array.nbytes
        memory = self.bytes(end)
        places = [memory[start : start + array.nbytes] for start, array in zip(starts, arrays, strict=True)]
        for place, array in zip(places, arrays, strict=True):
            place[:] = array.view(np.uint8).ravel()
        pointers = iter(starts)
        given = [next(pointers) if isinstance(value, np.ndarray) else float(value) for value in values]
        self.call(name, *arrays[0].shape, *given)
        for place, array in zip(places, arrays, strict=True):
            array.view(np.uint8).ravel()[:] = place
