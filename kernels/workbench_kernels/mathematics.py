"""Elementary functions as polynomials: no library call, so they vectorise and give the same bits on every target."""

import numpy as np

ONE = np.float32(1.0)
TWO = np.float32(2.0)
HALF = np.float32(0.5)
INVERSE_PI = np.float32(0.318309886)
HALF_PI = np.float32(1.57079632679)
# pi in three parts of few significant bits: q * part is exact for |q| < 2**11 (Cody and Waite 1980).
PI_HIGH = np.float32(3.140625)
PI_MIDDLE = np.float32(0.0009675025939941406)
PI_LOW = np.float32(1.509958e-07)
# Minimax of sin(r)/r in r**2 on [-pi/2, pi/2].
S1 = np.float32(-0.16666657)
S2 = np.float32(0.008333017)
S3 = np.float32(-0.00019806615)
S4 = np.float32(2.6000548e-06)


def sine(x):
    """Return sin(x), x in radians, float32; absolute error below 3e-7 for |x| <= 1000."""
    turns = np.rint(x * INVERSE_PI)
    r = ((x - turns * PI_HIGH) - turns * PI_MIDDLE) - turns * PI_LOW
    odd = turns - TWO * np.floor(turns * HALF)
    s = r * r
    wave = r + r * s * (S1 + s * (S2 + s * (S3 + s * S4)))
    return wave * (ONE - TWO * odd)


def cosine(x):
    """Return cos(x), x in radians, float32; absolute error below 3e-7 for |x| <= 1000."""
    turns = np.rint(x * INVERSE_PI - HALF)
    half_turns = turns + HALF
    r = ((x - half_turns * PI_HIGH) - half_turns * PI_MIDDLE) - half_turns * PI_LOW
    odd = turns - TWO * np.floor(turns * HALF)
    s = r * r
    wave = r + r * s * (S1 + s * (S2 + s * (S3 + s * S4)))
    return wave * (TWO * odd - ONE)
