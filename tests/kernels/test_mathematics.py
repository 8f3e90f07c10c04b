import numpy as np
import pytest

from workbench_kernels.mathematics import cosine, sine


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
