"""Random nested spaces, values of them down to the last bit, and the many ways in which an environment may give one."""

from collections import OrderedDict

import gymnasium.spaces as S
import numpy as np
from hypothesis import strategies as st

DTYPES = [np.dtype(name) for name in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")]
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)
POSITIVE = st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple)
KEYS = st.text("ab/_", max_size=3) | st.integers(0, 3) | st.tuples(st.integers(0, 1))
seeds = st.integers(0, 2**32 - 1)


def limits(dtype):
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


@st.composite
def boxes(draw, few=False):
    """A Box of any dtype; of at most 300 integers a component if they are to be `few`."""
    dtype, shape = draw(st.sampled_from(DTYPES)), draw(SHAPES)
    pick = np.random.default_rng(draw(seeds))
    if dtype.kind == "f":
        ends = np.sort(pick.normal(scale=10.0 ** pick.integers(-3, 4), size=(2, *shape)), 0).astype(dtype)
        low = np.where(pick.random(shape) < 0.3, -np.inf, ends[0]).astype(dtype)
        high = np.where(pick.random(shape) < 0.3, np.inf, ends[1]).astype(dtype)
        return S.Box(
            low, np.where(pick.random(shape) < 0.1, low if np.isfinite(low).all() else high, high), dtype=dtype
        )
    least, most = limits(dtype)
    starts = pick.integers(least, most, size=shape, endpoint=True, dtype=dtype)
    width = min(300 if few else 2**62, most)
    ends = [min(int(start) + int(pick.integers(0, width, endpoint=True)), most) for start in starts.flat]
    return S.Box(starts, np.array(ends, dtype).reshape(shape), dtype=dtype)


@st.composite
def discretes(draw):
    dtype = draw(st.sampled_from([np.int64, np.int64, np.int32, np.uint8]))
    start = draw(st.integers(0 if dtype is np.uint8 else -5, 5))
    return S.Discrete(draw(st.integers(1, 9)), start=start, dtype=dtype)


@st.composite
def multi_discretes(draw):
    shape, dtype = draw(POSITIVE), draw(st.sampled_from([np.int64, np.int8, np.uint32]))
    pick = np.random.default_rng(draw(seeds))
    start = pick.integers(0 if dtype is np.uint32 else -3, 4, shape)
    return S.MultiDiscrete(pick.integers(1, 6, shape), dtype=dtype, start=start)


def binaries():
    return POSITIVE.map(S.MultiBinary)


@st.composite
def spaces(draw, few=False, depth=3):
    """A leaf of any kind, or dictionaries and tuples in one another, up to `depth`."""
    kind = draw(st.integers(0, 7)) if depth else 0
    if kind < 2:
        return draw(boxes(few) | discretes() | multi_discretes() | binaries())
    inner = spaces(few, depth - 1)
    return (
        S.Tuple(draw(st.lists(inner, max_size=4)))
        if kind < 4
        else S.Dict(draw(st.dictionaries(KEYS, inner, max_size=4)))
    )


def nest(space, leaf, *others):
    """Apply `leaf(space, *parts)` to every leaf of a space and of the values beside it."""
    if isinstance(space, S.Dict):
        return {key: nest(part, leaf, *(other[key] for other in others)) for key, part in space.spaces.items()}
    if isinstance(space, S.Tuple):
        return tuple(nest(part, leaf, *(other[k] for other in others)) for k, part in enumerate(space.spaces))
    return leaf(space, *others)


def flat(space, value):
    """List the leaves of a value."""
    found = []
    nest(space, lambda _, part: found.append(part), value)
    return found


def bits(dtype, shape, pick):
    """Random bits: every NaN, every integer."""
    if dtype.kind == "b":
        return pick.random(shape) < 0.5
    return np.frombuffer(pick.bytes(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape).copy()


def value(space, pick, lead=(), content=bits):
    """A value as the space says, [*lead, ...]: choices within it, and `content(dtype, shape, pick)` for numbers."""

    def leaf(part):
        shape = (*lead, *part.shape)
        if isinstance(part, S.Box):
            return np.asarray(content(part.dtype, shape, pick))
        if isinstance(part, S.MultiBinary):
            return pick.integers(0, 2, shape).astype(part.dtype)
        n = part.n if isinstance(part, S.Discrete) else part.nvec
        chosen = (pick.integers(0, np.broadcast_to(n, shape)) + part.start).astype(part.dtype)
        return chosen if shape else part.dtype.type(chosen)

    return nest(space, leaf)


def _disguises(array, pick):
    """Ways to give the same numbers that are not the plain one."""
    yield lambda: array.astype(array.dtype.newbyteorder(">"))
    yield lambda: array.copy("F")
    yield lambda: np.stack([array, array], -1)[..., 0]
    yield lambda: np.ma.asarray(array)
    yield lambda: np.frombuffer(b"x" + array.tobytes(), np.uint8)[1:].view(array.dtype).reshape(array.shape)
    if array.dtype.kind in "iub":
        # numpy makes floats of a list with integers on both sides of 2**63.
        yield array.tolist if array.size and array.dtype != np.uint64 else array.copy
        yield lambda: array.astype(np.int64 if array.size == 0 or int(array.max()) < 2**63 else np.uint64)
    elif not np.isnan(array).any():
        yield lambda: array.astype(np.float64)
        yield array.astype(np.float64).tolist if array.size else array.copy
        yield lambda: array.astype(np.longdouble)
    if array.ndim == 0:
        yield lambda: array[()]
        yield lambda: np.asarray(array)


def disguised(space, plain, pick):
    """The same value, given otherwise: dictionaries and tuples as well as leaves."""
    if isinstance(space, S.Dict):
        parts = {key: disguised(part, plain[key], pick) for key, part in space.spaces.items()}
        kind = pick.integers(4)
        return (
            OrderedDict(reversed(parts.items())) if kind == 0 else Custom(parts) if kind == 1 else parts | {"zz": None}
        )
    if isinstance(space, S.Tuple):
        parts = [disguised(part, plain[k], pick) for k, part in enumerate(space.spaces)]
        return parts if pick.integers(2) else tuple(parts)
    if pick.integers(2):
        return plain
    ways = list(_disguises(np.asarray(plain), pick))
    return ways[pick.integers(len(ways))]()


JUNK = [
    None,
    1,
    -1.5,
    "text",
    b"",
    (),
    [],
    {},
    {"a": 1},
    (1, 2),
    [[1], [2, 3]],
    object(),
    int,
    np.float32(3),
    2**80,
    1j,
]
JUNK += [np.zeros(0), np.zeros((2, 3)), np.array(None), np.array("x"), np.zeros(2, "i4,f4"), np.datetime64(0, "s")]
JUNK += [np.zeros((1, 0, 2)), np.ma.masked, float("nan"), np.zeros(3, ">f8"), range(3), iter(()), np.zeros(3)[::-1]]


def spoiled(space, plain, pick):
    """The value with junk in some places, which may fit by accident."""
    if pick.random() < 0.2:
        return JUNK[pick.integers(len(JUNK))]
    if isinstance(space, S.Dict):
        parts = {key: spoiled(part, plain[key], pick) for key, part in space.spaces.items()}
        return {key: part for key, part in parts.items() if pick.random() < 0.95}
    if isinstance(space, S.Tuple):
        return tuple(spoiled(part, plain[k], pick) for k, part in enumerate(space.spaces))
    return plain


class Custom(dict):
    """A dictionary that finds its values otherwise than one."""

    def __init__(self, parts):
        super().__init__(dict.fromkeys(parts))
        self.parts = parts

    def __getitem__(self, key):
        return self.parts[key]
