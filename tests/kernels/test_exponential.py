"""The exponential and the logarithm against numpy's in float64, in Python and compiled."""

import numba
import numpy as np
import pytest

from workbench_kernels.mathematics import exponential, logarithm
from workbench_kernels.targets.cpu import compilable


def table(function, x):
    return np.array([function(value) for value in x])


def compiled(function):
    compilable(function)

    @numba.njit(error_model="numpy")
    def run(x, y):
        for k in range(x.size):
            y[k] = function(x[k])

    def call(x):
        y = np.empty_like(x)
        run(x, y)
        return y

    return call


def positives():
    draw = np.random.default_rng(0)
    wide = np.exp2(draw.uniform(-126, 127.9, 15_000))
    return np.concatenate([wide, np.linspace(0.4, 2.2, 15_001), 1 + np.exp2(draw.uniform(-23, 0, 5_000))]).astype("f")


EXPONENTS = np.concatenate([np.linspace(-87, 88, 20_001), np.linspace(-2, 2, 10_001)]).astype(np.float32)


def test_exponential_stays_within_its_bound():
    y = table(exponential, EXPONENTS)
    exact = np.exp(EXPONENTS.astype(np.float64))
    assert y.dtype == np.float32
    assert np.abs(y / exact - 1).max() < 2e-7
    assert exponential(np.float32(0)) == 1


def test_exponential_holds_its_argument():
    assert exponential(np.float32(-2500)) == exponential(np.float32(-87))
    assert exponential(np.float32(2500)) == exponential(np.float32(88))


def test_logarithm_stays_within_its_bound():
    x = positives()
    y = table(logarithm, x)
    exact = np.log(x.astype(np.float64))
    assert y.dtype == np.float32
    assert (np.abs(y - exact) / np.maximum(np.abs(exact), 1)).max() < 2e-7
    assert logarithm(np.float32(1)) == 0


@pytest.mark.parametrize(("function", "x"), [(exponential, EXPONENTS), (logarithm, positives())])
def test_machine_code_gives_the_same_bits(function, x):
    np.testing.assert_array_equal(compiled(function)(x), table(function, x))
