"""Arrays for kernels: allocated once, aligned to the cache line and to the widest vector register."""

from typing import Any

import numpy as np

ALIGNMENT = 64
"""Bytes: a cache line, and an AVX-512 register."""


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Allocate a zeroed C-contiguous array whose first byte stands on a 64-byte boundary.

    The 64 bytes behind the last one are the array's as well, so that code may read a whole register there.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.zeros(size + 2 * ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    array: np.ndarray = raw[start : start + size].view(dtype).reshape(shape)
    return array
