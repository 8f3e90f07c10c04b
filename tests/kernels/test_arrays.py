import numpy as np
import pytest

from workbench_kernels.arrays import aligned


@pytest.mark.parametrize("shape", [(1,), (4, 7), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.bool_, np.int64])
def test_aligned_arrays_start_on_a_cache_line_and_are_zero(shape, dtype):
    array = aligned(shape, dtype)
    assert array.ctypes.data % 64 == 0
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert not array.any()
