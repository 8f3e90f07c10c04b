"""Any nested space of numbers as one row of memory: encoded once, seen without a copy.

The seed of this is PufferLib's emulation layer (Suarez 2024, arXiv:2406.12905). B: lanes, R: components of a row.
"""

import ctypes
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from workbench.errors import InputError
from workbench_kernels.arrays import ALIGNMENT, aligned
from workbench_kernels.flatten import RUN_WORDS

INTEGERS, NUMBERS = "biu", "biuf"
"""Kinds of dtypes; a bool is an integer from 0 to 1."""

Path = tuple[Any, ...]

_preparing = threading.Lock()


class Leaf(NamedTuple):
    """A part of a space that is not made of others, and its place in a row.

    Attributes:
        path: Keys and indices that lead to it.
        space: A Box, Discrete, MultiDiscrete or MultiBinary.
        dtype, shape: Of its value in a row.
        offset, nbytes: Its first byte in a row, and how many it has.
    """

    path: Path
    space: gymnasium.Space[Any]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    nbytes: int


def _where(name: str, path: Path) -> str:
    """Write the place of a value as Python would reach it: `observation['images'][0]`."""
    return name + "".join(f"[{step!r}]" for step in path)


def _leaf_spaces(space: gymnasium.Space[Any], name: str, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(space, gymnasium.spaces.Dict):
        for key, part in space.spaces.items():
            yield from _leaf_spaces(part, name, (*path, key))
    elif isinstance(space, gymnasium.spaces.Tuple):
        for index, part in enumerate(space.spaces):
            yield from _leaf_spaces(part, name, (*path, index))
    elif isinstance(
        space,
        gymnasium.spaces.Box
        | gymnasium.spaces.Discrete
        | gymnasium.spaces.MultiDiscrete
        | gymnasium.spaces.MultiBinary,
    ):
        yield path, space
    else:
        raise InputError(
            f"{_where(name, path)} is {space!r}, which has no fixed number of numbers; use Box, Discrete, "
            f"MultiDiscrete, MultiBinary, and Dict and Tuple of these."
        )


def _stored(space: Any, where: str) -> np.dtype[Any]:
    """Return the dtype of a leaf in a row."""
    if not isinstance(space, gymnasium.spaces.Discrete):
        dtype: np.dtype[Any] = np.dtype(space.dtype).newbyteorder("=")
        return dtype
    if int(space.start) + int(space.n) - 1 > np.iinfo(np.int64).max:
        raise InputError(f"{where} is {space!r}, whose values exceed an int64; start lower.")
    return np.dtype(np.int64)


def _nested(space: Any, parts: Iterator[Any]) -> Any:
    if isinstance(space, gymnasium.spaces.Dict):
        return {key: _nested(part, parts) for key, part in space.spaces.items()}
    if isinstance(space, gymnasium.spaces.Tuple):
        return tuple(_nested(part, parts) for part in space.spaces)
    return next(parts)


def _described(dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
    return f"{dtype} {list(shape)}"


class SpaceTree:
    """The layout of a nested space in a row of memory, and the ways into it and out.

    A row holds the leaves in Gymnasium's order, each aligned to its itemsize. If all have one dtype, the row is packed,
    and feeds a network as it is; else it is padded to a multiple of 64 bytes. A Discrete is stored as its value, an
    int64 with the start included.

    Args:
        space: Box, Discrete, MultiDiscrete, MultiBinary, or Dict and Tuple of these, nested at will.
        name: What errors call its values.

    Attributes:
        space, name: As given.
        leaves: In the order of a row.
        dtype: The structured dtype of a row, a field for each leaf.
        storage: The dtype of a row as a plain array: that of all leaves if it is one, else uint8.
        components: R, elements of `storage` in a row.

    Raises:
        InputError: If a part of `space` is of another kind: Text, Sequence, Graph, OneOf.
    """

    def __init__(self, space: gymnasium.Space[Any], name: str = "observation") -> None:
        self.space, self.name = space, name
        found = [(path, part, _stored(part, _where(name, path))) for path, part in _leaf_spaces(space, name)]
        dtypes = {dtype for _, _, dtype in found}
        leaves, end = [], 0
        for path, part, dtype in found:
            offset = -(-end // dtype.itemsize) * dtype.itemsize
            shape: tuple[int, ...] = tuple(part.shape)
            leaves.append(Leaf(path, part, dtype, shape, offset, prod(shape) * dtype.itemsize))
            end = offset + leaves[-1].nbytes
        self.leaves = tuple(leaves)
        self.storage: np.dtype[Any] = dtypes.pop() if len(dtypes) == 1 else np.dtype(np.uint8)
        self.nbytes = -(-end // ALIGNMENT) * ALIGNMENT if dtypes else end
        self.components = self.nbytes // self.storage.itemsize
        self.dtype = self._structured()
        self._walk: Callable[[Any, int, int, int], int] = self._walk_first
        self._batch: Callable[[Any, int, int, int, int, int, int, int], int] = self._batch_nothing
        self._program: Any = None
        self._address = 0

    def _structured(self) -> np.dtype[Any]:
        names = ["/".join(map(str, leaf.path)) or self.name for leaf in self.leaves]
        if len(set(names)) < len(names):
            names = [f"{name}#{k}" for k, name in enumerate(names)]
        formats = [(leaf.dtype, leaf.shape) for leaf in self.leaves]
        offsets = [leaf.offset for leaf in self.leaves]
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.nbytes})

    def __reduce__(self) -> tuple[Any, ...]:
        return SpaceTree, (self.space, self.name)

    def __repr__(self) -> str:
        return f"SpaceTree({self.space!r}: {len(self.leaves)} leaves, {self.components} of {self.storage})"

    def rows(self, *shape: int) -> np.ndarray:
        """Allocate zeroed rows `[*shape, R]`, the first on a 64-byte boundary."""
        return aligned((*shape, self.components), self.storage)

    def encode(self, value: Any, row: np.ndarray) -> None:
        """Write a nested value to one row.

        Args:
            value: As `space` says: numpy arrays and scalars, numbers, or lists of these, in dictionaries and tuples.
                The dtypes may differ if nothing but precision is lost; keys that the space lacks are left out.
            row: [R], contiguous, of dtype `storage`; written.

        Raises:
            InputError: If the value does not fit the space; it names the part.
        """
        self._check_written(row, 1, "")
        self.write(value, row.ctypes.data)

    def write(self, value: Any, address: int) -> None:
        """Write a nested value to the row at `address`; otherwise like `encode`.

        A leaf that the machine code does not know is written by `_write_leaf`, which knows all.
        """
        leaf = self._walk(value, address, self._address, 0)
        while leaf >= 0:
            self._write_leaf(self.leaves[leaf], value, address)
            leaf = self._walk(value, address, self._address, leaf + 1)

    def _walk_first(self, value: Any, address: int, _: int, first: int) -> int:
        """Get the machine code, then call it."""
        self.prepare()
        return self._walk(value, address, self._address, first)

    def _walk_nothing(self, _value: Any, _address: int, _program: int, first: int) -> int:
        """Understand no leaf from the `first` on."""
        return first if first < len(self.leaves) else -1

    def _batch_nothing(self, _value: Any, _program: int, first: int, *_: int) -> int:
        return first if first < len(self.leaves) else -1

    def prepare(self) -> None:
        """Compile what writes, if it is not: the first `encode` does so too, and takes longer."""
        from workbench_kernels.targets import encode

        # Once only: another thread may be about to use the address of the first program.
        with _preparing:
            if self._walk != self._walk_first:
                return
            program = encode.program(self.nested(self.leaves)) if encode.AVAILABLE else None
            if program is None:
                self._walk = self._walk_nothing
                return
            code = encode.code()
            self._program, self._address = program, program.ctypes.data
            self._walk, self._batch = code

    def _write_leaf(self, leaf: Leaf, value: Any, address: int) -> None:
        array = self._fitting(leaf, self._part(value, leaf.path), ())
        if leaf.nbytes:
            memory: Any = (ctypes.c_ubyte * leaf.nbytes).from_address(address + leaf.offset)
            with np.errstate(over="ignore"):
                np.ndarray(leaf.shape, leaf.dtype, memory)[...] = array

    def _part(self, value: Any, path: Path) -> Any:
        """Follow `path` into a nested value."""
        space: Any = self.space
        for k, step in enumerate(path):
            if isinstance(space, gymnasium.spaces.Dict):
                if not isinstance(value, Mapping):
                    raise self._refusal(path[:k], type(value).__name__, f"a dict with the keys {list(space)}")
                if step not in value:
                    raise self._refusal(path[:k], f"a dict with the keys {list(value)}", f"the key {step!r} as well")
            elif not isinstance(value, tuple | list) and not (isinstance(value, np.ndarray) and value.ndim):
                raise self._refusal(path[:k], type(value).__name__, f"a tuple of {len(space.spaces)}")
            elif len(value) != len(space.spaces):
                came = f"{type(value).__name__} of {len(value)}"
                raise self._refusal(path[:k], came, f"a tuple of {len(space.spaces)}")
            value, space = value[step], space[step]
        return value

    def _fitting(self, leaf: Leaf, value: Any, lead: tuple[int, ...]) -> np.ndarray:
        """Return `value` as an array [*lead, ...] that may be cast to the leaf's dtype."""

        def misfit(came: str) -> InputError:
            wanted = _described(leaf.dtype, (*lead, *leaf.shape))
            return self._refusal(leaf.path, came, f"{wanted}, as {leaf.space!r} says")

        try:
            array = np.asarray(value)
        except (ValueError, TypeError, RuntimeError) as error:
            raise misfit(f"no array ({error})") from error
        if array.dtype.kind not in NUMBERS:
            raise misfit(f"{type(value).__name__} of dtype {array.dtype}")
        came = _described(array.dtype, array.shape)
        if array.shape != (*lead, *leaf.shape):
            raise misfit(came)
        if leaf.dtype.kind in INTEGERS and array.dtype != leaf.dtype and array.size:
            if array.dtype.kind not in INTEGERS:
                raise misfit(came)
            low, high = (0, 1) if leaf.dtype.kind == "b" else (np.iinfo(leaf.dtype).min, np.iinfo(leaf.dtype).max)
            least, most = int(array.min()), int(array.max())
            if least < low or most > high:
                raise misfit(f"{came} with values from {least} to {most}")
        return array

    def _refusal(self, path: Path, came: str, wanted: str) -> InputError:
        return InputError(f"{_where(self.name, path)} is {came}; give {wanted}.")

    def encode_batch(self, values: Any, rows: np.ndarray) -> None:
        """Write the nested values of B lanes to rows.

        Args:
            values: As for `encode`, with B in front of each leaf's shape.
            rows: [B, R] of dtype `storage`, each row contiguous; written. May not overlap `values`.

        Raises:
            InputError: If a value does not fit the space; it names the part.
        """
        self._check_written(rows, 2, "B, ")
        if self._walk == self._walk_first:
            self.prepare()
        runs = np.zeros((len(self.leaves), RUN_WORDS), np.int64)
        where = runs.ctypes.data, rows.ctypes.data, rows.strides[0], self.nbytes
        leaf = self._batch(values, self._address, 0, len(rows), *where)
        while leaf >= 0:
            known = self.leaves[leaf]
            array = self._fitting(known, self._part(values, known.path), rows.shape[:1])
            with np.errstate(over="ignore"):
                self._leaf_view(known, rows)[...] = array
            leaf = self._batch(values, self._address, leaf + 1, len(rows), *where)

    def view(self, rows: Any) -> Any:
        """Return the nested values of `rows` without a copy.

        Args:
            rows: [..., R] of dtype `storage`, a numpy array or a torch tensor, contiguous in the last axis.

        Returns:
            Dictionaries and tuples as `space` says; leaves `[..., *shape]` that are views of `rows`.

        Raises:
            InputError: If the rows do not fit, or torch lacks a leaf's dtype.
        """
        return self.nested(self.parts(rows))

    def parts(self, rows: Any) -> list[Any]:
        """Return the leaves of `view`, without their nesting."""
        if isinstance(rows, np.ndarray):
            self._check_rows(rows, rows.dtype == self.storage, rows.strides[-1:] == (rows.itemsize,))
            return [self._leaf_view(leaf, rows) for leaf in self.leaves]
        import torch

        if not isinstance(rows, torch.Tensor):
            raise InputError(f"rows are {type(rows).__name__}; give a numpy array or a torch tensor.")
        storage = getattr(torch, self.storage.name, None)
        self._check_rows(rows, rows.dtype == storage, rows.stride()[-1:] == (1,))
        return [self._leaf_tensor(leaf, rows) for leaf in self.leaves]

    def _check_written(self, rows: np.ndarray, axes: int, lead: str) -> None:
        packed = rows.strides[-1:] == (rows.itemsize,)
        self._check_rows(rows, rows.dtype == self.storage, packed, lead, rows.ndim == axes and rows.flags.writeable)

    def _check_rows(self, rows: Any, same: bool, packed: bool, lead: str = "..., ", fits: bool = True) -> None:
        whole = packed or self.components == 1 or 0 in rows.shape
        if same and fits and whole and rows.shape[-1:] == (self.components,):
            return
        raise InputError(
            f"rows {_described(rows.dtype, rows.shape)} do not fit {self.name}; give {self.storage} "
            f"[{lead}{self.components}], contiguous in the last axis and writeable, as SpaceTree.rows makes them."
        )

    def nested(self, parts: Iterable[Any]) -> Any:
        """Arrange `parts`, one for each leaf, in dictionaries and tuples as `space` says."""
        return _nested(self.space, iter(parts))

    def _leaf_view(self, leaf: Leaf, rows: np.ndarray) -> np.ndarray:
        first, size = leaf.offset // self.storage.itemsize, leaf.nbytes // self.storage.itemsize
        part: np.ndarray = rows[..., first : first + size].view(leaf.dtype)
        return part.reshape((*rows.shape[:-1], *leaf.shape))

    def _leaf_tensor(self, leaf: Leaf, rows: Any) -> Any:
        import torch

        kind = getattr(torch, leaf.dtype.name, None)
        if kind is None:
            raise InputError(f"{_where(self.name, leaf.path)} is of {leaf.dtype}, which torch lacks; use float64.")
        shape = (*rows.shape[:-1], *leaf.shape)
        if 0 in shape:  # has no memory to look at, and its strides may not allow it
            return rows.new_empty(shape, dtype=kind)
        first, size = leaf.offset // self.storage.itemsize, leaf.nbytes // self.storage.itemsize
        part = rows[..., first : first + size]
        return (part if kind == rows.dtype else part.view(kind)).view(shape)
