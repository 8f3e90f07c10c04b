import numpy as np
import pytest

from workbench_kernels.mathematics import cosine, sine, sine_cosine, wrap_angle


@pytest.mark.parametrize(("ours", "exact"), [(sine, np.sin), (cosine, np.cos)])
def test_sine_and_cosine_stay_within_their_bound(ours, exact):
    x = np.concatenate([np.linspace(-1000, 1000, 200_001), np.linspace(-4, 4, 100_001)]).astype(np.float32)
    y = ours(x)
    assert y.dtype == np.float32
    assert np.abs(y - exact(x.astype(np.float64))).max() < 3e-7


def test_sine_is_odd_and_exact_at_zero():
    x = np.linspace(0, 10, 1001, dtype=np.float32)
    assert (sine(-x) == -sine(x)).all()
    assert sine(np.float32(0)) == 0


def test_sine_and_cosine_together_stay_within_their_bound_and_the_unit_circle():
    x = np.concatenate([np.linspace(-1000, 1000, 200_001), np.linspace(-4, 4, 100_001)]).astype(np.float32)
    for ours, exact in zip(sine_cosine(x), (np.sin, np.cos), strict=True):
        assert ours.dtype == np.float32
        assert np.abs(ours - exact(x.astype(np.float64))).max() < 3e-7
        assert np.abs(ours).max() <= 1  # observations promise it
    np.testing.assert_array_equal(sine_cosine(x)[0], sine(x))


def test_a_wrapped_angle_differs_by_whole_turns_and_lies_within_half_of_one():
    x = np.concatenate([np.linspace(-1000, 1000, 200_001), np.linspace(-4, 4, 100_001)]).astype(np.float32)
    y = wrap_angle(x)
    assert y.dtype == np.float32
    assert np.abs(y).max() <= np.pi + 3e-7
    turns = (x.astype(np.float64) - y) / (2 * np.pi)
    assert np.abs(turns - np.rint(turns)).max() * 2 * np.pi < 3e-7
    assert wrap_angle(np.float32(3)) == 3
