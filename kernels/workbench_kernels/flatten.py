"""Copy nested values to rows of memory: the loops, in the numba subset, over addresses.

A program describes a space: `HEAD` words, then a record of `RECORD` words for each dictionary, tuple and leaf in the
order of a walk, then the shapes. A run is the bytes of each lane that lie side by side in the source and in the row.

The functions above `copy` are what a target replaces: here they are Python's, through ctypes, and reach the fields that
CPython and numpy publish for C extensions, which stand where they do on every 64-bit CPython that has a GIL.
"""

import ctypes
from typing import Any

WORD = 8
"""Bytes."""

# A program's head: how many records, how many leaves, types by their addresses, and what float64 is (see `KIND`).
RECORDS, LEAVES, ARRAY, DICT, ORDERED, TUPLE, INT, FLOAT, DOUBLE, DOUBLES = range(0, 10 * WORD, WORD)
HEAD = 10 * WORD

# A record. Leaves alone have what stands behind `NEXT`.
FETCH, PARENT, NAME = range(0, 3 * WORD, WORD)
"""How the value is found: as `WHOLE`, or in the parent's slot by `KEY` or `INDEX`."""
SLOT, LENGTH = range(3 * WORD, 5 * WORD, WORD)
"""Where a dictionary or tuple is kept meanwhile, `LEAF` for a leaf; the length of a tuple, `NAMED` for a dictionary."""
BEGIN, END, NEXT = range(5 * WORD, 8 * WORD, WORD)
"""The first leaf in it, the one after its last, and the address behind its last record, counted from the program's."""
KIND, SCALAR, NUMBER, AXES, SHAPE, OFFSET, SIZE = range(8 * WORD, 15 * WORD, WORD)
"""The dtype as numpy numbers it, its scalar type, which Python number fits too; how many axes, and where in the program
the shape and the strides stand; the place and the size in a row, bytes."""
RECORD = 16 * WORD
WHOLE, KEY, INDEX = range(3)
LEAF = NAMED = -1
NOTHING, WHOLE_NUMBER, WIDE, NARROW = range(4)
"""Python's int for int64, its float for float64 and for float32."""
SLOTS = 16
"""Dictionaries and tuples in one another, at most."""

# A run, and what a gathered leaf has as well: the object that owns its memory.
SOURCE, STRIDE, PLACE, BYTES, OWNER = range(0, 5 * WORD, WORD)
RUN_WORDS = 5
RUN = RUN_WORDS * WORD
BLOCK = 4096
"""Bytes of rows that are written together. Larger blocks left the cache half-written, where leaves are small (131072 of
them took 3.3 instead of 1.8 milliseconds)."""

# Fields of CPython's and numpy's objects, by their places in bytes.
OBJECT_TYPE = 8
TUPLE_SIZE, TUPLE_ITEMS = 16, 24
VALUE = 16
DATA, DIMENSIONS, SHAPES, STRIDES, BASE, DESCRIPTOR, FLAGS = 16, 24, 32, 40, 48, 56, 64
CONTIGUOUS = 1
DESCRIBED = 24
IDENTITY = 0xFFFFFFFF00FFFFFF - 2**64
"""Of the word at `DESCRIBED`: kind, type and byte order, and the type's number."""


def load(address):
    """Return the word at `address`."""
    return ctypes.c_int64.from_address(address).value


def load_int(address):
    """Return the C int at `address`."""
    return ctypes.c_int32.from_address(address).value


def store(address, word):
    """Write the word at `address`."""
    ctypes.c_int64.from_address(address).value = word


def move(count):
    """Build the function that copies `count` bytes."""

    def copy_count(target, source):
        ctypes.memmove(target, source, count)

    return copy_count


copy1, copy2, copy4, copy8, copy16, copy32 = map(move, (1, 2, 4, 8, 16, 32))


def copy_many(target, source, size):
    """Copy `size` bytes."""
    ctypes.memmove(target, source, size)


def narrow(target, source, count):
    """Round `count` float64 to float32."""
    wide = (ctypes.c_double * count).from_address(source)
    (ctypes.c_float * count).from_address(target)[:] = wide[:]


def item(dictionary, key):
    """Return the address of a value in a dictionary, or 0."""
    found, name = (ctypes.cast(address, ctypes.py_object).value for address in (dictionary, key))
    return id(found[name]) if name in found else 0


def whole_number(target, number):
    """Write a Python int as an int64; return whether it is within its bounds."""
    value = ctypes.cast(number, ctypes.py_object).value
    fits: bool = -(2**63) <= value < 2**63
    if fits:
        store(target, value)
    return fits


_slots: Any = (ctypes.c_int64 * SLOTS)()


def slots():
    """Return the address of `SLOTS` words."""
    return ctypes.addressof(_slots)


def copy(target, source, size):
    """Copy `size` bytes; up to 64 of them by two moves that may overlap, without a call."""
    if size > 64:
        copy_many(target, source, size)
    elif size >= 32:
        last = size - 32
        copy32(target, source)
        copy32(target + last, source + last)
    elif size >= 16:
        last = size - 16
        copy16(target, source)
        copy16(target + last, source + last)
    elif size >= 8:
        last = size - 8
        copy8(target, source)
        copy8(target + last, source + last)
    elif size >= 4:
        last = size - 4
        copy4(target, source)
        copy4(target + last, source + last)
    elif size >= 2:
        last = size - 2
        copy2(target, source)
        copy2(target + last, source + last)
    elif size == 1:
        copy1(target, source)


def put(value, record, program, row):
    """Copy a leaf's value to its place in the row; return whether it was understood."""
    target, size, axes = row + load(record + OFFSET), load(record + SIZE), load(record + AXES)
    kind = load(value + OBJECT_TYPE)
    if kind == load(program + ARRAY):
        if load_int(value + DIMENSIONS) != axes or not load_int(value + FLAGS) & CONTIGUOUS:
            return False
        shape, wanted = load(value + SHAPES), program + load(record + SHAPE)
        for axis in range(axes):
            if load(shape + WORD * axis) != load(wanted + WORD * axis):
                return False
        described = load(load(value + DESCRIPTOR) + DESCRIBED) & IDENTITY
        if described == load(record + KIND):
            copy(target, load(value + DATA), size)
            return True
        if described == load(program + DOUBLES) and load(record + NUMBER) == NARROW:
            narrow(target, load(value + DATA), size >> 2)
            return True
        return False
    if axes != 0:
        return False
    if kind == load(record + SCALAR):
        copy(target, value + VALUE, size)
        return True
    number = load(record + NUMBER)
    if number == WHOLE_NUMBER and kind == load(program + INT):
        return whole_number(target, value)
    if kind == load(program + FLOAT) or kind == load(program + DOUBLE):
        if number == WIDE:
            copy8(target, value + VALUE)
            return True
        if number == NARROW:
            narrow(target, value + VALUE, 1)
            return True
    return False


def look(value, record, program, lanes, runs):
    """Note where the values of all lanes of a leaf lie, if each is contiguous; return whether it was understood."""
    axes = load(record + AXES)
    if load(value + OBJECT_TYPE) != load(program + ARRAY) or load_int(value + DIMENSIONS) != axes + 1:
        return False
    shape, strides, wanted = load(value + SHAPES), load(value + STRIDES), program + load(record + SHAPE)
    described = load(load(value + DESCRIPTOR) + DESCRIBED) & IDENTITY
    if load(shape) != lanes or described != load(record + KIND):
        return False
    for axis in range(axes):
        if load(shape + WORD * (axis + 1)) != load(wanted + WORD * axis):
            return False
        if load(strides + WORD * (axis + 1)) != load(wanted + WORD * (axes + axis)):
            return False
    run = runs + RUN * load(record + BEGIN)
    store(run + SOURCE, load(value + DATA))
    store(run + STRIDE, load(strides))
    store(run + PLACE, load(record + OFFSET))
    store(run + BYTES, load(record + SIZE))
    owner = load(value + BASE)
    if owner != 0 and load(owner + OBJECT_TYPE) != load(program + ARRAY):
        owner = 0
    store(run + OWNER, owner)
    return True


def walk(value, row, program, first, lanes, runs):
    """Copy a nested value to a row; or if there are `runs`, note where the values of `lanes` lanes lie.

    Returns:
        The first leaf from `first` on that was not understood, with all before it done; -1 if there is none.
    """
    kept = slots()
    record, end = program + HEAD, program + HEAD + RECORD * load(program + RECORDS)
    while record < end:
        if load(record + END) <= first and load(record + SLOT) == LEAF:
            record += RECORD
            continue
        found = value
        fetch = load(record + FETCH)
        if fetch != WHOLE:
            parent, name = load(kept + WORD * load(record + PARENT)), load(record + NAME)
            found = item(parent, name) if fetch == KEY else load(parent + TUPLE_ITEMS + WORD * name)
        if load(record + SLOT) == LEAF:
            if found == 0 or not (
                look(found, record, program, lanes, runs) if runs else put(found, record, program, row)
            ):
                return load(record + BEGIN)
            record += RECORD
            continue
        known = False
        if found != 0:
            kind, length = load(found + OBJECT_TYPE), load(record + LENGTH)
            if length == NAMED:
                known = kind == load(program + DICT) or kind == load(program + ORDERED)
            else:
                known = kind == load(program + TUPLE) and load(found + TUPLE_SIZE) == length
        if known:
            store(kept + WORD * load(record + SLOT), found)
            record += RECORD
        elif max(load(record + BEGIN), first) < load(record + END):
            return max(load(record + BEGIN), first)
        else:
            record = program + load(record + NEXT)
    return -1


def merge(runs, count):
    """Join runs that lie side by side in the source and in the row, in place; return how many are left.

    Between two parts of one owner's memory that lie as far apart in the row, where padding is, the source is copied
    too.
    """
    last = runs - RUN
    broken = False
    for k in range(count):
        run = runs + RUN * k
        size = load(run + BYTES)
        if size == 0:
            broken = broken or load(run + SOURCE) == 0
            continue
        if last >= runs and not broken:
            between = load(run + PLACE) - load(last + PLACE)
            beside = load(run + SOURCE) - load(last + SOURCE) == between and load(run + STRIDE) == load(last + STRIDE)
            shared = load(run + OWNER) != 0 and load(run + OWNER) == load(last + OWNER)
            if beside and (between == load(last + BYTES) or shared):
                store(last + BYTES, between + size)
                store(last + OWNER, load(run + OWNER) if shared else 0)
                continue
        broken = False
        last += RUN
        for word in range(0, RUN, WORD):
            store(last + word, load(run + word))
    return (last - runs) // RUN + 1


def copy_runs(runs, count, rows, stride, width, lanes):
    """Copy runs to `lanes` rows of `width` bytes, `stride` bytes apart.

    Args:
        runs: The address of one for each leaf; those without a source are left out. They are overwritten.
        count: How many.
        rows, stride, width, lanes: The address of the first row, and what the summary says.
    """
    whole = stride == width
    for k in range(count):
        whole = whole and load(runs + RUN * k + SOURCE) != 0
    left = merge(runs, count)
    if left == 1 and whole and load(runs + STRIDE) == stride:
        copy_many(rows + load(runs + PLACE), load(runs + SOURCE), (lanes - 1) * stride + load(runs + BYTES))
        return
    block = max(BLOCK // width, 1)
    for begin in range(0, lanes, block):
        end = min(begin + block, lanes)
        for k in range(left):
            run = runs + RUN * k
            step, size = load(run + STRIDE), load(run + BYTES)
            source, target = load(run + SOURCE) + begin * step, rows + begin * stride + load(run + PLACE)
            if size == 8:
                for i in range(end - begin):
                    copy8(target + i * stride, source + i * step)
            elif size == 4:
                for i in range(end - begin):
                    copy4(target + i * stride, source + i * step)
            elif size == 1:
                for i in range(end - begin):
                    copy1(target + i * stride, source + i * step)
            else:
                for i in range(end - begin):
                    copy(target + i * stride, source + i * step, size)


def batch(value, program, first, lanes, runs, rows, stride, width):
    """Copy the nested value of `lanes` lanes to rows, once all its leaves from `first` on are understood.

    Returns:
        The first leaf from `first` on that was not understood, and nothing is copied; or -1.
    """
    leaf = walk(value, 0, program, first, lanes, runs)
    if leaf < 0 and lanes > 0 and width > 0:
        copy_runs(runs, load(program + LEAVES), rows, stride, width, lanes)
    return leaf
