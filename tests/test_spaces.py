import copy
import pickle
import subprocess
import sys

import gymnasium.spaces as S
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from tests.spaces_strategy import disguised, flat, nest, seeds, spaces, spoiled, value
from workbench.errors import InputError
from workbench.spaces import SpaceTree

FEW, MANY = settings(max_examples=200, deadline=None), settings(max_examples=10_000, deadline=None)
NESTED = S.Dict(
    image=S.Box(0, 255, (4, 5), np.uint8),
    parts=S.Tuple((S.Discrete(3, start=-1), S.Box(-1, 1, (2,), np.float64), S.Dict(z=S.MultiBinary(3)))),
    speed=S.Box(-np.inf, np.inf, (3,), np.float32),
)


def by_hand(space):
    """A tree that knows no machine code."""
    tree = SpaceTree(space)
    tree._walk, tree._batch = tree._walk_nothing, tree._batch_nothing
    return tree


def same(found, expected):
    """Whether two leaves are equal to the last bit."""
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert found.tobytes() == expected.astype(found.dtype).tobytes()


def check_layout(space):
    tree = SpaceTree(space)
    kinds = [np.dtype(np.int64) if isinstance(leaf.space, S.Discrete) else leaf.space.dtype for leaf in tree.leaves]
    shapes = [leaf.space.shape for leaf in tree.leaves]
    struct = np.dtype([(f"{k}", *part) for k, part in enumerate(zip(kinds, shapes, strict=True))], align=True)
    fields = [struct.fields[f"{k}"] for k in range(len(kinds))]
    assert [leaf.offset for leaf in tree.leaves] == [offset for _, offset, *_ in fields]
    assert [leaf.nbytes for leaf in tree.leaves] == [field.itemsize for field, *_ in fields]
    assert [tree.dtype.fields[name][:2] for name in tree.dtype.names or ()] == [field[:2] for field in fields]
    if len(set(kinds)) == 1:
        assert tree.storage == kinds[0]
        assert tree.components == sum(int(np.prod(leaf.shape)) for leaf in tree.leaves)
    else:
        assert tree.storage == np.uint8
        assert struct.itemsize <= tree.components < struct.itemsize + 64
        assert tree.components % 64 == 0
    assert tree.dtype.itemsize == tree.components * tree.storage.itemsize
    for leaf, part in zip(tree.leaves, flat(space, nest(space, lambda part: part)), strict=True):
        found = space
        for step in leaf.path:
            found = found[step]
        assert found is part is leaf.space


def check_round_trip(space, seed):
    tree, pick = SpaceTree(space), np.random.default_rng(seed)
    plain, row, hand = value(space, pick), tree.rows(), tree.rows()
    tree.encode(plain, row)
    by_hand(space).encode(plain, hand)
    assert row.tobytes() == hand.tobytes()
    shown = tree.view(row)
    nest(space, lambda _, found, expected: same(found, expected), shown, plain)
    again = tree.rows()
    tree.encode(shown, again)
    assert again.tobytes() == row.tobytes()
    other, again[...] = disguised(space, plain, pick), 0
    tree.encode(other, again)
    hand[...] = 0
    by_hand(space).encode(other, hand)
    assert again.tobytes() == hand.tobytes()
    nest(space, lambda _, found, expected: np.testing.assert_array_equal(found, expected), tree.view(again), plain)


def outcome(write, given_as, rows):
    try:
        write(given_as, rows)
    except InputError as error:
        return str(error)
    return rows.tobytes()


def check_junk(space, seed):
    pick = np.random.default_rng(seed)
    tree, hand = SpaceTree(space), by_hand(space)
    for lead in ((), (2,)):
        given_as = spoiled(space, value(space, pick, lead), pick)
        found, expected = (
            outcome(one.encode_batch if lead else one.encode, given_as, one.rows(*lead)) for one in (tree, hand)
        )
        assert found == expected


def check_batch(space, seed):
    tree, pick = SpaceTree(space), np.random.default_rng(seed)
    lanes = int(pick.integers(0, 5))
    batch = value(space, pick, (lanes,))
    expected = tree.rows(lanes)
    for k in range(lanes):
        tree.encode(nest(space, lambda _, part, k=k: part[k], batch), expected[k])
    other = nest(space, lambda _, part: np.stack([part, part], 1)[:, 0], batch)  # views with other leaves' strides
    doubled, between = tree.rows(2 * lanes), tree.rows(2 * lanes)
    between.view(np.uint8)[...] = 1
    between[1::2] = expected
    for given_as, rows in (
        (batch, tree.rows(lanes)),
        (batch, doubled[1::2]),
        (disguised(space, batch, pick), tree.rows(lanes)),
        (other, tree.rows(lanes)),
        (tree.view(expected), tree.rows(lanes)),
        (tree.view(expected.copy()), doubled[1::2]),
        (tree.view(between[1::2]), doubled[1::2]),
        (tree.view(expected[::-1].copy()[::-1]), tree.rows(lanes)),
    ):
        tree.encode_batch(given_as, rows)
        assert rows.tobytes() == expected.tobytes()
    assert not doubled[::2].any()
    mixed = tree.rows(lanes)
    by_hand(space).encode_batch(batch, mixed)
    assert mixed.tobytes() == expected.tobytes()


def check_views(space, seed):
    tree, pick = SpaceTree(space), np.random.default_rng(seed)
    whole = tree.rows(4, 3)
    for rows in (whole, whole[::2], whole.swapaxes(0, 1), whole[1], whole[2, 1], whole[::-1, None]):
        lead = rows.shape[:-1]
        tensor = torch.from_numpy(rows) if min(rows.strides, default=0) >= 0 else None
        mirrored = None if tensor is None else flat(space, tree.view(tensor))
        for k, (leaf, part) in enumerate(zip(tree.leaves, flat(space, tree.view(rows)), strict=True)):
            assert part.shape == (*lead, *leaf.shape)
            assert part.dtype == leaf.dtype
            if mirrored is not None:
                assert mirrored[k].shape == part.shape
                assert mirrored[k].dtype == getattr(torch, leaf.dtype.name)
            if part.size == 0:
                continue
            assert part.__array_interface__["data"][0] == rows.__array_interface__["data"][0] + leaf.offset
            assert np.shares_memory(part, rows)
            content = value(leaf.space, pick, lead)
            part[...] = content
            same(part, content)
            if mirrored is not None:
                assert mirrored[k].data_ptr() == rows.__array_interface__["data"][0] + leaf.offset
                assert mirrored[k].untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()
                same(mirrored[k].numpy(), content)


@FEW
@given(spaces())
def test_sizes_and_offsets_are_those_of_an_aligned_struct(space):
    check_layout(space)


@FEW
@given(spaces(), seeds)
def test_what_is_encoded_is_seen_again_bit_for_bit_however_it_was_given(space, seed):
    check_round_trip(space, seed)


@FEW
@given(spaces(), seeds)
def test_a_batch_is_encoded_like_its_lanes(space, seed):
    check_batch(space, seed)


@FEW
@given(spaces(), seeds)
def test_views_alias_the_rows_in_numpy_and_torch(space, seed):
    check_views(space, seed)


@FEW
@given(spaces(), seeds)
def test_junk_is_refused_by_machine_code_as_by_hand(space, seed):
    check_junk(space, seed)


@pytest.mark.slow(minutes=5)
@MANY
@given(spaces(), seeds)
def test_all_of_this_holds_for_ten_thousand_spaces(space, seed):
    check_layout(space)
    check_round_trip(space, seed)
    check_batch(space, seed)
    check_views(space, seed)
    check_junk(space, seed)


def test_the_layout_of_a_known_space():
    tree = SpaceTree(NESTED)
    assert [leaf.path for leaf in tree.leaves] == [
        ("image",),
        ("parts", 0),
        ("parts", 1),
        ("parts", 2, "z"),
        ("speed",),
    ]
    assert [leaf.offset for leaf in tree.leaves] == [0, 24, 32, 48, 52]
    assert (tree.storage, tree.components, tree.dtype.itemsize) == (np.uint8, 64, 64)
    assert tree.dtype.names == ("image", "parts/0", "parts/1", "parts/2/z", "speed")
    rows = tree.rows(5, 2)
    assert rows.shape == (5, 2, 64)
    assert rows.ctypes.data % 64 == 0
    packed = SpaceTree(S.Tuple((S.Box(-1, 1, (3,)), S.Box(-1, 1, (2, 2)))))
    assert (packed.storage, packed.components, packed.dtype.itemsize) == (np.float32, 7, 28)
    assert len(SpaceTree(S.Dict({"a/b": S.Discrete(2), "a": S.Dict(b=S.Discrete(2))})).dtype.names) == 2


@pytest.mark.parametrize(
    ("space", "path"),
    [
        (S.Text(5), "observation"),
        (S.Dict(a=S.Tuple((S.Sequence(S.Discrete(2)),))), "observation['a'][0]"),
        (S.Dict(g=S.Graph(S.Discrete(2), None)), "observation['g']"),
        (S.Tuple((S.OneOf((S.Discrete(2), S.Discrete(3))),)), "observation[0]"),
        (S.Discrete(2, start=np.uint64(2**63), dtype=np.uint64), "observation"),
    ],
)
def test_a_space_without_a_fixed_size_is_refused_with_its_place(space, path):
    with pytest.raises(InputError) as caught:
        SpaceTree(space)
    assert str(caught.value).startswith(f"{path} is ")


def nested(**changes):
    plain = {
        "image": np.zeros((4, 5), np.uint8),
        "parts": (1, np.zeros(2), {"z": np.zeros(3, np.int8)}),
        "speed": np.zeros(3, np.float32),
    }
    return {key: part for key, part in {**plain, **changes}.items() if part is not nested}


PARTS = nested()["parts"]
WRONG = {
    "None": (None, "observation is NoneType; give a dict with the keys ['image', 'parts', 'speed']"),
    "a list": ([1, 2, 3], "observation is list; give a dict"),
    "a missing key": (
        nested(speed=nested),
        "observation is a dict with the keys ['image', 'parts']; give the key 'speed'",
    ),
    "a list for a dict": (nested(parts=(*PARTS[:2], [0])), "observation['parts'][2] is list; give a dict"),
    "a dict for a tuple": (nested(parts={0: 1, 1: 2, 2: 3}), "observation['parts'] is dict; give a tuple of 3"),
    "a number for a tuple": (nested(parts=3), "observation['parts'] is int; give a tuple of 3"),
    "a short tuple": (nested(parts=PARTS[:2]), "observation['parts'] is tuple of 2; give a tuple of 3"),
    "a dict for a leaf": (nested(speed={"x": 1}), "observation['speed'] is dict of dtype object; give float32 [3]"),
    "None for a leaf": (nested(speed=None), "observation['speed'] is NoneType of dtype object; give float32 [3]"),
    "a string": (nested(speed="fast"), "observation['speed'] is str of dtype <U4; give float32 [3]"),
    "objects": (
        nested(speed=np.array([1, None, 2])),
        "observation['speed'] is ndarray of dtype object; give float32 [3]",
    ),
    "complex": (nested(speed=np.zeros(3, complex)), "observation['speed'] is ndarray of dtype complex128"),
    "a ragged list": (nested(speed=[[1], [2, 3], []]), "observation['speed'] is no array ("),
    "a wrong shape": (
        nested(speed=np.zeros(4, np.float32)),
        "observation['speed'] is float32 [4]; give float32 [3], as Box(",
    ),
    "one axis too many": (nested(speed=np.zeros((1, 3), np.float32)), "observation['speed'] is float32 [1, 3]; give"),
    "a shape for a scalar": (nested(parts=([1], *PARTS[1:])), "observation['parts'][0] is int64 [1]; give int64 []"),
    "floats for integers": (
        nested(image=np.zeros((4, 5))),
        "observation['image'] is float64 [4, 5]; give uint8 [4, 5]",
    ),
    "a float for a choice": (nested(parts=(1.0, *PARTS[1:])), "observation['parts'][0] is float64 []; give int64 []"),
    "too large": (
        nested(image=np.full((4, 5), 256)),
        "observation['image'] is int64 [4, 5] with values from 256 to 256",
    ),
    "negative": (nested(image=np.full((4, 5), -1)), "observation['image'] is int64 [4, 5] with values from -1 to -1"),
    "a huge integer": (nested(parts=(2**63, *PARTS[1:])), "observation['parts'][0] is uint64 [] with values from"),
    "beyond any integer": (nested(parts=(2**70, *PARTS[1:])), "observation['parts'][0] is int of dtype object"),
}


@pytest.mark.parametrize("build", [SpaceTree, by_hand], ids=["compiled", "by hand"])
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_refused_with_its_place_what_came_and_what_fits(case, build):
    wrong, message = WRONG[case]
    tree = build(NESTED)
    with pytest.raises(InputError) as caught:
        tree.encode(wrong, tree.rows())
    assert str(caught.value).startswith(message)
    tree.encode(nested(), tree.rows())


def test_errors_name_what_is_written():
    with pytest.raises(InputError, match=r"^action\['x'\] is float32 \[2\]; give float32 \[3\]"):
        SpaceTree(S.Dict(x=S.Box(-1, 1, (3,))), "action").encode(
            {"x": np.zeros(2, np.float32)}, np.zeros(3, np.float32)
        )


def test_a_wrong_batch_is_refused():
    tree = SpaceTree(NESTED)
    good = {key: (np.zeros(2, np.int64), np.zeros((2, 2)), {"z": np.zeros((2, 3), np.int8)}) for key in ("parts",)}
    good |= {"image": np.zeros((2, 4, 5), np.uint8), "speed": np.zeros((2, 3), np.float32)}
    tree.encode_batch(good, tree.rows(2))
    for wrong, message in (
        (
            {**good, "speed": np.zeros((3, 3), np.float32)},
            "observation['speed'] is float32 [3, 3]; give float32 [2, 3]",
        ),
        ({**good, "speed": np.zeros(3, np.float32)}, "observation['speed'] is float32 [3]; give float32 [2, 3]"),
        ({**good, "image": np.zeros((2, 4, 5))}, "observation['image'] is float64 [2, 4, 5]; give uint8 [2, 4, 5]"),
        ({**good, "parts": good["parts"][:2]}, "observation['parts'] is tuple of 2; give a tuple of 3"),
    ):
        with pytest.raises(InputError) as caught:
            tree.encode_batch(wrong, tree.rows(2))
        assert str(caught.value).startswith(message)


def test_rows_that_do_not_fit_are_refused():
    tree = SpaceTree(NESTED)
    locked = tree.rows()
    locked.flags.writeable = False
    for row in (tree.rows(2), np.zeros(63, np.uint8), np.zeros(64, np.int8), np.zeros(128, np.uint8)[::2], locked):
        with pytest.raises(InputError, match=r"do not fit observation; give uint8 \[64\], contiguous"):
            tree.encode(nested(), row)
    with pytest.raises(InputError, match=r"give uint8 \[B, 64\], contiguous"):
        tree.encode_batch({}, tree.rows())
    bad = (np.zeros((2, 63), np.uint8), np.zeros((2, 64)), np.zeros((64, 2), np.uint8).T, np.zeros((), np.uint8))
    for rows in (*bad, *map(torch.from_numpy, bad)):
        with pytest.raises(InputError, match=r"give uint8 \[\.\.\., 64\], contiguous"):
            tree.view(rows)
    with pytest.raises(InputError, match=r"rows are list; give a numpy array or a torch tensor"):
        tree.view([0] * 64)
    wide = SpaceTree(S.Dict(x=S.Box(-1, 1, (2,), np.longdouble), y=S.Discrete(2)))
    with pytest.raises(InputError, match=r"observation\['x'\] is of .*, which torch lacks"):
        wide.view(torch.from_numpy(wide.rows()))


def test_numbers_lose_precision_and_nothing_else():
    tree = SpaceTree(S.Dict(x=S.Box(-np.inf, np.inf, (3,)), n=S.Discrete(5), b=S.Box(0, 1, (2,), bool)))
    row = tree.rows()
    for x in ([0.1, 1e300, np.nan], np.array([0.1, 1e300, np.nan]), np.array([0.1, 1e300, np.nan])[::-1][::-1]):
        tree.encode({"x": x, "n": np.uint8(3), "b": [1, 0]}, row)
        shown = tree.view(row)
        np.testing.assert_array_equal(shown["x"], np.array([np.float32(0.1), np.inf, np.nan]))
        assert shown["n"] == 3
        assert shown["b"].tolist() == [True, False]
    tree.encode({"x": [1, 2, 3], "n": True, "b": [True, True]}, row)
    assert tree.view(row)["x"].tolist() == [1.0, 2.0, 3.0]
    assert tree.view(row)["n"] == 1


def test_a_tree_is_copied_and_pickled_as_its_space():
    tree = SpaceTree(NESTED, "state")
    row = tree.rows()
    tree.encode(nested(), row)
    for other in (pickle.loads(pickle.dumps(tree)), copy.deepcopy(tree), copy.copy(tree)):
        assert (other.space, other.name, other.dtype) == (NESTED, "state", tree.dtype)
        again = other.rows()
        other.encode(nested(parts=(-1, np.ones(2), {"z": np.ones(3, np.int8)})), again)
        assert other.view(again)["parts"][0] == -1
    assert not row.any() or tree.view(row)["parts"][0] == 1


def test_an_empty_space_has_empty_rows():
    for space in (S.Dict({}), S.Tuple(()), S.Dict(a=S.Tuple(()))):
        tree = SpaceTree(space)
        rows = tree.rows(3)
        assert rows.shape == (3, 0)
        tree.encode(nest(space, None), rows[0])
        tree.encode_batch(nest(space, None), rows)
        assert tree.view(rows) == nest(space, None)


def test_parts_without_elements_are_seen_as_well():
    tree = SpaceTree(S.Tuple((S.Box(0, 1, (0,), np.int8), S.Box(0, 1, (2, 0), np.float64))))
    for rows in (tree.rows(3), torch.from_numpy(tree.rows(3)), torch.zeros(3, 0, dtype=torch.uint8)):
        assert [tuple(part.shape) for part in tree.view(rows)] == [(3, 0), (3, 2, 0)]
    tree = SpaceTree(NESTED)
    for rows in (tree.rows(0), torch.from_numpy(tree.rows(0)), torch.from_numpy(tree.rows(0, 3)).transpose(0, 1)):
        assert tuple(tree.view(rows)["speed"].shape) == (*rows.shape[:-1], 3)


WITHOUT = """
import sys
import gymnasium.spaces as S
import numpy as np
from workbench.spaces import SpaceTree

tree = SpaceTree(S.Dict(x=S.Box(-1, 1, (3,)), n=S.Discrete(5)))
assert not {"torch", "numba"} & set(sys.modules), "importing is not cheap"
rows = tree.rows(2)
tree.encode({"x": np.ones(3, np.float32), "n": 4}, rows[0])
tree.encode_batch({"x": np.ones((2, 3), np.float32), "n": np.array([1, 2])}, rows)
assert tree.view(rows)["n"].tolist() == [1, 2]
print(tree._program is None)
"""


@pytest.mark.parametrize("disabled", ["0", "1"])
def test_without_a_compiler_rows_are_written_by_hand(disabled):
    import os

    given_environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled}
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, env=given_environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True" if disabled == "1" else "False"]
