"""The machine code that reads nested values: what it understands, and that it says what Python's version says."""

import ctypes
import gc
import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict, defaultdict, namedtuple

import gymnasium.spaces as S
import numpy as np
import pytest
from hypothesis import given, settings

from tests.spaces_strategy import disguised, nest, seeds, spaces, value
from workbench.spaces import SpaceTree
from workbench_kernels import flatten
from workbench_kernels.targets import encode

pytestmark = pytest.mark.skipif(not encode.AVAILABLE, reason="there is no machine code here")

SPACE = S.Dict(
    a=S.Box(-1, 1, (2, 3)),
    b=S.Tuple((S.Discrete(4), S.Box(-1, 1, (), np.float64), S.Box(-1, 1, ()))),
    c=S.Box(0, 9, (3,), np.uint8),
)
PLAIN = {"a": np.ones((2, 3), np.float32), "b": (3, 2.5, np.float32(1.5)), "c": np.arange(3, dtype=np.uint8)}


def prepared(space):
    tree = SpaceTree(space)
    table = encode.program(tree.nested(tree.leaves))
    return tree, table


def interpreted(given_as, row, program, first):
    return flatten.walk(id(given_as), row, program, first, 0, 0)


def understood(space, given_as, write=None):
    """The leaves that are left to Python, and what the row holds of the others."""
    tree, table = prepared(space)
    row, left, first = tree.rows(), [], 0
    while (leaf := (write or encode.code().write)(given_as, row.ctypes.data, table.ctypes.data, first)) >= 0:
        left.append(leaf)
        first = leaf + 1
    return left, row.tobytes()


def test_what_environments_give_is_understood():
    sent = pickle.loads(pickle.dumps(PLAIN["a"]))
    assert sent.dtype is not PLAIN["a"].dtype
    locked, shifted = PLAIN["a"].copy(), np.zeros(25, np.uint8)[1:].view(np.float32).reshape(2, 3)
    locked.flags.writeable = False
    shifted[...] = PLAIN["a"]
    assert not shifted.flags.aligned
    computed = {bytes([code]).decode(): part for code, part in zip(b"abc", PLAIN.values(), strict=True)}
    first = understood(SPACE, PLAIN)
    assert first[0] == []
    for given_as in (
        {**PLAIN, "b": (np.int64(3), np.float64(2.5), np.array(1.5, np.float32))},
        {**PLAIN, "b": (np.array(3), np.array(2.5), np.float64(1.5)), "a": np.ones((2, 3))},
        {**PLAIN, "b": (3, 2.5, 1.5)},
        {"z": None, **PLAIN},
        OrderedDict(reversed(PLAIN.items())),
        computed,
        {**PLAIN, "a": sent},
        {**PLAIN, "a": locked},
        {**PLAIN, "a": shifted},
    ):
        assert understood(SPACE, given_as) == first
        assert understood(SPACE, given_as, interpreted) == first


class Mapped(dict):
    pass


Named = namedtuple("Named", "x y z")

A = PLAIN["a"]
LEFT = {
    "None": (None, [0, 1, 2, 3, 4]),
    "a list": ([PLAIN], [0, 1, 2, 3, 4]),
    "a number": (3.5, [0, 1, 2, 3, 4]),
    "a missing key": ({"a": A, "b": PLAIN["b"]}, [4]),
    "a subclass of dict": (Mapped(PLAIN), [0, 1, 2, 3, 4]),
    "a default": (defaultdict(int, PLAIN), [0, 1, 2, 3, 4]),
    "a list for a tuple": ({**PLAIN, "b": list(PLAIN["b"])}, [1, 2, 3]),
    "a short tuple": ({**PLAIN, "b": PLAIN["b"][:2]}, [1, 2, 3]),
    "a dict for a tuple": ({**PLAIN, "b": {}}, [1, 2, 3]),
    "an empty tuple": ({**PLAIN, "b": ()}, [1, 2, 3]),
    "a named tuple": ({**PLAIN, "b": Named(*PLAIN["b"])}, [1, 2, 3]),
    "None for a leaf": ({**PLAIN, "a": None}, [0]),
    "a list for a leaf": ({**PLAIN, "a": A.tolist()}, [0]),
    "a number for an array": ({**PLAIN, "a": np.float32(1)}, [0]),
    "big endian": ({**PLAIN, "a": A.astype(">f4")}, [0]),
    "float16": ({**PLAIN, "a": A.astype(np.float16)}, [0]),
    "integers of that size": ({**PLAIN, "a": A.view(np.int32)}, [0]),
    "objects": ({**PLAIN, "a": A.astype(object)}, [0]),
    "a column": ({**PLAIN, "a": np.ones((2, 6), np.float32)[:, ::2]}, [0]),
    "the other order": ({**PLAIN, "a": A.copy("F")}, [0]),
    "turned around": ({**PLAIN, "c": PLAIN["c"][::-1]}, [4]),
    "transposed": ({**PLAIN, "a": A.T}, [0]),
    "one axis more": ({**PLAIN, "a": A[None]}, [0]),
    "one axis less": ({**PLAIN, "a": A.ravel()}, [0]),
    "a masked array": ({**PLAIN, "a": np.ma.asarray(A)}, [0]),
    "a matrix": ({**PLAIN, "a": A.view(np.recarray)}, [0]),
    "a bool": ({**PLAIN, "b": (True, *PLAIN["b"][1:])}, [1]),
    "another integer": ({**PLAIN, "b": (np.int32(1), *PLAIN["b"][1:])}, [1]),
    "too large": ({**PLAIN, "b": (2**63, *PLAIN["b"][1:])}, [1]),
    "too small": ({**PLAIN, "b": (-(2**63) - 1, *PLAIN["b"][1:])}, [1]),
    "far too large": ({**PLAIN, "b": (10**40, *PLAIN["b"][1:])}, [1]),
    "a float for a choice": ({**PLAIN, "b": (1.0, *PLAIN["b"][1:])}, [1]),
    "an integer for a float": ({**PLAIN, "b": (1, 2, 3)}, [2, 3]),
    "one-element arrays": ({**PLAIN, "b": tuple(np.ones((1,), kind) for kind in ("i8", "f8", "f4"))}, [1, 2, 3]),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_not_understood_is_left_to_python(case):
    given_as, expected = LEFT[case]
    left, row = understood(SPACE, given_as)
    assert left == expected
    assert understood(SPACE, given_as, interpreted) == (left, row)


def test_the_bounds_of_integers_and_of_keys_are_kept():
    tree, table = prepared(S.Discrete(3))
    row = tree.rows()
    for number in (2**63 - 1, -(2**63), 2**31, -1, 0):
        assert encode.code().write(number, row.ctypes.data, table.ctypes.data, 0) == -1
        assert row[0] == number
    numbered = S.Dict({1: S.Discrete(2), "1": S.Discrete(3)})
    assert understood(numbered, {1: 5, "1": 6}) == ([], np.array([5, 6]).tobytes())
    for strange in (S.Dict({(1, 2): S.Discrete(2)}), S.Dict({1.5: S.Discrete(2)})):
        assert prepared(strange)[1] is None
    deep = S.Discrete(2)
    for _ in range(flatten.SLOTS + 1):
        deep = S.Tuple((deep,))
    assert prepared(deep)[1] is None
    assert prepared(deep.spaces[0])[1] is not None


def test_a_part_without_leaves_may_be_anything():
    for space, given_as in (
        (S.Tuple((S.Discrete(2), S.Tuple(()))), (1, [])),
        (S.Tuple((S.Tuple(()), S.Discrete(2))), (None, 1)),
        (S.Dict(a=S.Dict({}), b=S.Discrete(2)), {"b": 1}),
    ):
        assert understood(space, given_as) == ([], np.int64(1).tobytes())
        assert understood(space, given_as, interpreted) == ([], np.int64(1).tobytes())


class Hostile:
    """Hashes like a key of the space, and fails to compare."""

    def __hash__(self):
        return hash("a")

    def __eq__(self, other):
        raise RuntimeError("not comparable")


def test_a_key_that_fails_to_compare_leaves_no_exception_behind():
    hostile = {Hostile(): 1}
    assert understood(S.Dict(a=S.Discrete(2)), hostile)[0] == [0]
    with pytest.raises(RuntimeError, match="not comparable"):
        SpaceTree(S.Dict(a=S.Discrete(2))).encode(hostile, np.zeros(1, np.int64))


def test_no_reference_is_taken_or_lost():
    tree, wrong = SpaceTree(SPACE), {**PLAIN, "a": A.astype(">f4")}
    row, rows = tree.rows(), tree.rows(2)
    batch = nest(SPACE, lambda _, part: np.stack([part, part]), PLAIN)
    key = "a"
    watched = [PLAIN, A, PLAIN["b"], PLAIN["c"], key, A.dtype, batch, batch["a"], wrong["a"]]
    tree.encode(PLAIN, row)
    gc.collect()
    before = [sys.getrefcount(part) for part in watched]
    for _ in range(1000):
        tree.encode(PLAIN, row)
        tree.encode(wrong, row)
        tree.encode_batch(batch, rows)
    gc.collect()
    assert [sys.getrefcount(part) for part in watched] == before


@settings(max_examples=150, deadline=None)
@given(spaces(), seeds)
def test_python_and_machine_code_say_the_same(space, seed):
    tree, table = prepared(space)
    if table is None:
        return
    pick = np.random.default_rng(seed)
    plain = value(space, pick)
    for given_as in (plain, disguised(space, plain, pick)):
        assert understood(space, given_as) == understood(space, given_as, interpreted)
    lanes = 3
    batch = value(space, pick, (lanes,))
    for given_as in (batch, disguised(space, batch, pick)):
        found = []
        for run in (encode.code().batch, lambda v, *rest: flatten.batch(id(v), *rest)):
            runs, rows, first, left = np.zeros((len(tree.leaves), flatten.RUN_WORDS), np.int64), tree.rows(lanes), 0, []
            where = runs.ctypes.data, rows.ctypes.data, rows.strides[0], tree.nbytes
            while (leaf := run(given_as, table.ctypes.data, first, lanes, *where)) >= 0:
                left.append(leaf)
                first = leaf + 1
            found.append((left, rows.tobytes(), runs.tobytes()))
        assert found[0] == found[1]


def runs_of(space, batch, rows):
    """How a batch is copied: (place, bytes, stride) of the runs, once those that lie side by side are joined."""
    tree, table = prepared(space)
    runs = np.zeros((len(tree.leaves), flatten.RUN_WORDS), np.int64)
    first = 0
    while (leaf := flatten.walk(id(batch), 0, table.ctypes.data, first, len(rows), runs.ctypes.data)) >= 0:
        first = leaf + 1
    count = flatten.merge(runs.ctypes.data, len(tree.leaves))
    return [(place, size, stride) for _, stride, place, size, _ in runs[:count].tolist()]


def test_runs_that_lie_side_by_side_are_joined():
    tree = SpaceTree(SPACE)
    rows = tree.rows(5)
    end = tree.leaves[-1].offset + tree.leaves[-1].nbytes
    assert runs_of(SPACE, tree.view(rows), rows) == [(0, end, tree.nbytes)]
    assert runs_of(SPACE, tree.view(rows[::2][:2]), rows[:2]) == [(0, end, 2 * tree.nbytes)]
    apart = nest(SPACE, lambda _, part: part.copy(), tree.view(rows))
    assert runs_of(SPACE, apart, rows) == [(leaf.offset, leaf.nbytes, leaf.nbytes) for leaf in tree.leaves]
    # One leaf of another dtype: what lies around it is joined on either side, and it is not overwritten.
    odd = {**tree.view(rows), "b": (tree.view(rows)["b"][0].astype(np.int32), *tree.view(rows)["b"][1:])}
    first = tree.leaves[2].offset
    assert runs_of(SPACE, odd, rows) == [(0, 24, tree.nbytes), (first, end - first, tree.nbytes)]


def test_a_leaf_given_otherwise_is_not_overwritten_by_what_lies_around_it():
    tree = SpaceTree(SPACE)
    pick = np.random.default_rng(0)
    batch = value(SPACE, pick, (6,), lambda dtype, shape, pick: pick.integers(0, 100, shape).astype(dtype))
    expected = tree.rows(6)
    tree.encode_batch(batch, expected)
    source = expected.copy()
    for number, leaf in enumerate(tree.leaves):
        parts = tree.parts(source)
        parts[number] = parts[number].astype(parts[number].dtype.newbyteorder(">"))
        view_of_it = tree.parts(source)[number]
        kept = view_of_it.copy()
        view_of_it[...] = 77
        rows = tree.rows(6)
        tree.encode_batch(tree.nested(parts), rows)
        view_of_it[...] = kept
        assert rows.tobytes() == expected.tobytes(), leaf.path


@pytest.mark.parametrize("owners", [1, 2])
def test_memory_between_arrays_that_no_array_owns_is_not_read(owners):
    space = S.Dict(a=S.Box(0, 9, (1,), np.uint8), b=S.Discrete(2))
    tree = SpaceTree(space)
    memory = (ctypes.c_ubyte * 64)(*range(64))
    owning = [(ctypes.c_ubyte * 64).from_buffer(memory) for _ in range(owners)]
    a = np.ndarray((2, 1), np.uint8, owning[0], 0, (16, 1))
    batch = {"a": a, "b": np.ndarray((2,), np.int64, owning[-1], 8, (16,))}
    assert (batch["a"].base is batch["b"].base) == (owners == 1)
    assert len(runs_of(space, batch, tree.rows(2))) == 2
    rows = tree.rows(2)
    tree.encode_batch(batch, rows)
    assert rows[:, 0].tolist() == [0, 16]
    assert not rows[:, 1:8].any()
    assert tree.view(rows)["b"].tobytes() == bytes([*range(8, 16), *range(24, 32)])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 1000])
def test_every_size_is_copied_whole_and_no_further(size):
    space = S.Dict(a=S.Box(0, 255, (size,), np.uint8), b=S.Box(0, 255, (3,), np.uint8), c=S.Discrete(2))
    pick = np.random.default_rng(size)
    tree = SpaceTree(space)
    batch = value(space, pick, (50,))
    rows = tree.rows(50)
    tree.encode_batch(batch, rows)
    nest(space, lambda _, found, part: np.testing.assert_array_equal(found, part), tree.view(rows), batch)
    covered = np.zeros(tree.nbytes, bool)
    for leaf in tree.leaves:
        covered[leaf.offset : leaf.offset + leaf.nbytes] = True
    assert not rows[:, ~covered].any()
    row = np.full(tree.nbytes + 64, 0xAB, np.uint8)
    one = nest(space, lambda _, part: part[7], batch)
    tree.write(one, row.ctypes.data)
    assert (row[: tree.nbytes][~covered] == 0xAB).all()
    assert (row[tree.nbytes :] == 0xAB).all()
    np.testing.assert_array_equal(tree.view(row[: tree.nbytes])["a"], batch["a"][7])


def test_the_machine_code_is_found_again(tmp_path):
    script = (
        "import json\n"
        "from workbench_kernels.targets import cpu, encode\n"
        "made, compile = [], cpu._compile\n"
        "cpu._compile = lambda *a, **k: made.append(compile(*a, **k)) or made[-1]\n"
        "encode.code()\n"
        "print(json.dumps([sum(f.stats.cache_hits.values()) for f in made]))\n"
    )
    given_environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    hits = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=given_environment)
        assert done.returncode == 0, done.stderr
        hits.append(json.loads(done.stdout))
    assert hits == [[0, 0], [1, 1]]
