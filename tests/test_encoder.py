import copy

import gymnasium.spaces as S
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from tests.spaces_strategy import seeds, spaces, value
from workbench.networks.encoder import Flatten
from workbench.spaces import SpaceTree


def numbers(dtype, shape, pick):
    """Finite numbers of all sizes; 64-bit integers that float32 rounds."""
    if dtype.kind == "b":
        return pick.random(shape) < 0.5
    if dtype.kind == "f":
        return (pick.normal(size=shape) * 10.0 ** pick.integers(-3, 4)).astype(dtype)
    bounds = np.iinfo(dtype)
    return pick.integers(bounds.min, bounds.max, size=shape, endpoint=True, dtype=dtype)


def check(space, seed):
    tree, pick = SpaceTree(space), np.random.default_rng(seed)
    flatten, rows, expected = Flatten(tree), tree.rows(3), []
    for row in rows:
        plain = value(space, pick, content=numbers)
        tree.encode(plain, row)
        with np.errstate(over="ignore"):
            expected.append(S.flatten(space, plain).astype(np.float32))
    found = flatten(torch.from_numpy(rows))
    assert found.dtype == torch.float32
    assert found.shape == (3, flatten.features) == np.shape(expected)
    np.testing.assert_array_equal(found.numpy(), np.array(expected))


def flattenable(space):
    """Whether Gymnasium's flatten knows what to do: it concatenates at least one array."""
    parts = space.spaces.values() if isinstance(space, S.Dict) else getattr(space, "spaces", None)
    return parts is None or (len(parts) > 0 and all(map(flattenable, parts)))


@settings(max_examples=200, deadline=None)
@given(spaces().filter(flattenable), seeds)
def test_features_are_those_of_gymnasium(space, seed):
    check(space, seed)


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None)
@given(spaces().filter(flattenable), seeds)
def test_features_are_those_of_gymnasium_in_a_thousand_spaces(space, seed):
    check(space, seed)


def test_rows_of_float32_are_their_own_features():
    space = S.Dict(a=S.Box(-1, 1, (2,)), b=S.Tuple((S.Box(-1, 1, (2, 2)), S.Box(-1, 1, ()))))
    flatten = Flatten(SpaceTree(space))
    rows = torch.randn(4, 7)
    assert flatten(rows) is rows
    assert flatten.features == 7
    assert Flatten(SpaceTree(S.Box(-1, 1, (2,), np.float64))).features == 2


def test_large_integers_are_rounded_as_often_as_gymnasium_does():
    # Just above the middle between two numbers of float32; float64 puts it on the middle.
    large = np.int64(2**60 + 2**36 + 1)
    assert np.float32(large) != np.float32(np.float64(large))
    bounds = np.iinfo(np.int64)
    whole = S.Box(bounds.min, bounds.max - 1, (1,), np.int64)
    for space, plain in (
        (whole, large[None]),
        (S.Tuple((whole, S.Box(-1, 1, (1,)))), (large[None], np.float32([0.5]))),
    ):
        tree = SpaceTree(space)
        rows = tree.rows(1)
        tree.encode(plain, rows[0])
        found = Flatten(tree)(torch.from_numpy(rows))[0].numpy()
        np.testing.assert_array_equal(found, S.flatten(space, plain).astype(np.float32))


MIXED = S.Dict(n=S.Discrete(3, start=4), m=S.MultiDiscrete([2, 3], start=[0, -1]), x=S.Box(-1, 1, (2,)))


def test_it_works_in_inference_and_has_nothing_to_learn_or_to_save():
    tree = SpaceTree(MIXED)
    flatten = Flatten(tree)
    rows = torch.from_numpy(tree.rows(2))
    view = tree.view(rows)
    view["n"][:] = torch.tensor([6, 3])  # 3 is none of its values
    view["m"][:] = torch.tensor([[1, -1], [0, 1]])
    view["x"][:] = torch.tensor([[0.5, -0.5], [1.0, 2.0]])
    expected = [[0, 0, 1, 0, 1, 1, 0, 0, 0.5, -0.5], [0, 0, 0, 1, 0, 0, 0, 1, 1, 2]]
    with torch.inference_mode():
        assert flatten(rows).tolist() == expected
    assert copy.deepcopy(flatten)(rows).tolist() == expected
    assert not list(flatten.parameters())
    assert not flatten.state_dict()
    assert flatten(rows[:0]).shape == (0, 10)


def test_it_moves_to_a_device_with_its_module():
    flatten = Flatten(SpaceTree(MIXED)).to("meta")
    rows = torch.empty(5, SpaceTree(MIXED).components, dtype=torch.uint8, device="meta")
    assert flatten(rows).shape == (5, 10)
    assert flatten(rows).device.type == "meta"
