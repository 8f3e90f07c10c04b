import gymnasium.spaces as S
import numpy as np
import pytest
from hypothesis import given, settings

from tests.spaces_strategy import flat, nest, seeds, spaces
from workbench.actions import ActionHeads
from workbench.errors import InputError


def draw(heads, pick):
    """Choices and numbers, often at the bounds."""
    discrete = np.array([pick.choice([0, n - 1, pick.integers(n)]) for n in heads.nvec], np.int64)
    low, high = np.maximum(heads.low, -1e9), np.minimum(heads.high, 1e9)
    inner = np.clip(low + pick.random(len(low), np.float32) * (high - low), low, high).astype(np.float32)
    ends = np.where(pick.random(len(low)) < 0.5, low, high)
    return discrete, np.where(pick.random(len(low)) < 0.3, ends, inner).astype(np.float32)


def components(space):
    """How many discrete and continuous components a leaf has, by another count."""
    size = int(np.prod(space.shape))
    return (0, size) if isinstance(space, S.Box) and space.dtype.kind == "f" else (size, 0)


def check(space, seed):
    heads, pick = ActionHeads(space), np.random.default_rng(seed)
    counts = [components(leaf) for leaf in flat(space, nest(space, lambda part: part))]
    assert (len(heads.nvec), len(heads.low)) == (sum(d for d, _ in counts), sum(c for _, c in counts))
    assert heads.low.dtype == heads.high.dtype == np.float32
    assert (heads.low <= heads.high).all()
    discrete, continuous = draw(heads, pick)
    action = heads.decode(discrete, continuous)
    assert space.contains(action)
    nest(space, exactly_typed, action)
    again = heads.encode(action)
    np.testing.assert_array_equal(again[0], discrete)
    assert again[1].dtype == np.float32
    same(space, heads.decode(*again), action)
    place = 0
    for leaf, (_, size) in zip(flat(space, nest(space, lambda part: part)), counts, strict=True):
        if size and leaf.dtype == np.float32:
            np.testing.assert_array_equal(again[1][place : place + size], continuous[place : place + size])
        place += size
    discrete[...], continuous[...] = 0, heads.low
    assert space.contains(action)
    same(space, heads.decode(*again), action)


def exactly_typed(space, part):
    assert type(part) is (space.dtype.type if isinstance(space, S.Discrete) else np.ndarray)
    assert part.dtype == space.dtype
    assert part.shape == space.shape


def same(space, found, expected):
    nest(space, lambda _, one, other: np.testing.assert_array_equal(one, other), found, expected)


@settings(max_examples=200, deadline=None)
@given(spaces(few=True), seeds)
def test_decode_lands_in_the_space_and_encode_is_its_inverse(space, seed):
    check(space, seed)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(spaces(few=True), seeds)
def test_decode_lands_in_two_thousand_spaces(space, seed):
    check(space, seed)


@pytest.mark.parametrize(
    ("space", "flat_space"),
    [
        (S.Discrete(4, start=-2), S.Discrete(4)),
        (S.MultiDiscrete([3, 2], start=[5, 6]), S.MultiDiscrete([3, 2])),
        (S.MultiDiscrete([[3, 2], [1, 4]]), S.MultiDiscrete([3, 2, 1, 4])),
        (S.MultiBinary(3), S.MultiDiscrete([2, 2, 2])),
        (S.Dict(only=S.MultiBinary(1)), S.Discrete(2)),
        (S.Box(-2, 1, (2,), np.int8), S.MultiDiscrete([4, 4])),
        (S.Box(0, 255, (1,), np.uint8), S.Discrete(256)),
        (S.Box(0, 1, (), bool), S.Discrete(2)),
        (S.Box(-2, 3, (2, 2), np.float64), S.Box(-2, 3, (4,))),
        (S.Tuple((S.Box(-2, 3, (1,)), S.Box(0, 1, ()))), S.Box(np.float32([-2, 0]), np.float32([3, 1]))),
        (
            S.Dict(a=S.Discrete(3), b=S.Box(-1, 1, (2,)), c=S.Tuple((S.Discrete(2),))),
            S.Dict(discrete=S.MultiDiscrete([3, 2]), continuous=S.Box(-1, 1, (2,))),
        ),
    ],
)
def test_the_flat_space_of_a_known_one(space, flat_space):
    heads = ActionHeads(space)
    assert heads.space == flat_space
    assert heads.original is space


def test_a_known_action():
    space = S.Dict(
        turn=S.Discrete(3, start=-1),
        arm=S.Tuple((S.Box(-1, 1, (2,)), S.MultiDiscrete([2, 3], start=[10, 20]))),
        level=S.Box(-3, 4, (1,), np.int8),
    )
    heads = ActionHeads(space)
    assert heads.nvec == (3, 2, 3, 8)
    action = heads.decode(np.array([2, 1, 0, 7]), np.float32([0.5, -1]))
    assert action["turn"] == 1
    assert action["arm"][0].tolist() == [0.5, -1.0]
    assert action["arm"][1].tolist() == [11, 20]
    assert action["level"].tolist() == [4]
    discrete, continuous = heads.encode(action)
    assert (discrete.tolist(), continuous.tolist()) == ([2, 1, 0, 7], [0.5, -1.0])


def test_bounds_that_float32_cannot_tell_stay_within_those_of_the_space():
    for low, high in ((0.1, 0.3), (0.1, 0.1), (-1e300, 1e300), (1.0, np.nextafter(1.0, 2.0)), (-np.inf, np.inf)):
        for shape in ((1,), ()):
            space = S.Box(low, high, shape, np.float64)
            heads = ActionHeads(space)
            for bound in (heads.low, heads.high):
                action = heads.decode(np.zeros(0, np.int64), bound)
                exactly_typed(space, action)
                assert space.contains(action)
            assert low == high or (low <= float(heads.low.item()) <= float(heads.high.item()) <= high)
    assert ActionHeads(S.Box(-np.inf, np.inf, (1,), np.float64)).low[0] == -np.inf


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (S.Text(3), r"^action is Text.*use Box, Discrete"),
        (S.Dict(x=S.Sequence(S.Discrete(2))), r"^action\['x'\] is Sequence"),
        (S.Tuple((S.Box(-(2**31), 2**31 - 1, (1,), np.int32),)), r"^action\[0\] is .* with 4294967296 choices"),
    ],
)
def test_a_space_that_nobody_can_choose_in_is_refused(space, message):
    with pytest.raises(InputError, match=message):
        ActionHeads(space)


def test_an_action_that_does_not_fit_is_refused():
    heads = ActionHeads(S.Dict(turn=S.Discrete(3, start=1), force=S.Box(-1, 1, (2,))))
    for action, message in (
        ({"turn": 0, "force": np.zeros(2, np.float32)}, "lies outside"),
        ({"turn": 4, "force": np.zeros(2, np.float32)}, "lies outside"),
        ({"turn": 1, "force": np.zeros(3, np.float32)}, r"action\['force'\] is float32 \[3\]; give float32 \[2\]"),
        ({"turn": 1.5, "force": np.zeros(2)}, r"action\['turn'\] is float64 \[\]; give int64 \[\]"),
        (3, "action is int; give a dict"),
    ):
        with pytest.raises(InputError, match=message):
            heads.encode(action)
