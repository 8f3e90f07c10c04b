"""Matrices of a tile of lanes, in flat float32 arrays; a target may know faster code for the same sums.

L: lanes of a tile. A matrix is an array and the place of its first element; rows lie one after another, and a row is
contiguous. Tiles are [features, L], so that vector registers hold lanes.
"""

import numpy as np

LANES = 64
"""L: four registers of AVX-512. Places of matrices and row lengths are multiples of 16."""
LANE_COUNT = np.uintp(LANES)
"""L, for loops over lanes. Places in them are unsigned too: a signed one might be negative, and numba's test for that
keeps loops from vectorising."""


ZERO = np.float32(0.0)


ANY = np.float32(-np.inf)
"""What no sum is below."""
ZEROS, SUMS = -1, -2
"""What the sums of `dense` begin with, if not with a bias: nothing, or what is there."""


def dense(out, at, weight, place, row, column, x, source, rows, inner, columns, start, least):
    """Multiply matrices: out[r, c] = max(least, start + sum over k of weight[r, k] * x[k, c]).

    Args:
        out, at: [rows, columns] float32, written; no other argument may overlap it.
        weight, place: Its element [r, k] stands at `place + r * row + k * column`.
        row, column: Strides of `weight`, in elements: a transposed matrix exchanges them.
        x, source: [inner, columns] float32.
        rows, inner, columns: Sizes; `columns` is a multiple of 16.
        start: `ZEROS`; `SUMS`, what `out` holds; or the place in `weight` of a bias for each row.
        least: float32; `ANY` holds nothing up. No sum that is NaN becomes it.
    """
    for r in range(rows):
        for c in range(columns):
            total = ZERO
            if start == SUMS:
                total = out[at + r * columns + c]
            elif start >= 0:
                total = weight[start + r]
            for k in range(inner):
                total += weight[place + r * row + k * column] * x[source + k * columns + c]
            out[at + r * columns + c] = max(total, least)


def transpose(out, at, x, source, rows, columns):
    """Write out[c, r] = x[r, c], both sizes multiples of 16."""
    for r in range(rows):
        for c in range(columns):
            out[at + c * rows + r] = x[source + r * columns + c]


def row_sums(out, at, x, source, rows, columns):
    """Add the sum of each row of x [rows, columns] to out [rows]; `columns` is a multiple of 16."""
    for r in range(rows):
        total = ZERO
        for c in range(columns):
            total += x[source + r * columns + c]
        out[at + r] += total
