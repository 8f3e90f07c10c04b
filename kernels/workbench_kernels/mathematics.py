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
# Minimax of (cos(r) - 1)/r**2 in r**2 on [-pi/2, pi/2], weighted by r**2.
C1 = np.float32(-0.49999932)
C2 = np.float32(0.041663990)
C3 = np.float32(-0.0013855927)
C4 = np.float32(2.3194387e-05)
INVERSE_TWO_PI = np.float32(0.159154943)
TWO_PI_HIGH = TWO * PI_HIGH
TWO_PI_MIDDLE = TWO * PI_MIDDLE
TWO_PI_LOW = TWO * PI_LOW
INVERSE_LN_2 = np.float32(1.44269504)
# ln(2) in two parts: turns * LN_2_HIGH is exact for the exponents of float32.
LN_2_HIGH = np.float32(0.693359375)
LN_2_LOW = np.float32(-2.12194440e-4)
LEAST_EXPONENT = np.float32(-87.0)
GREATEST_EXPONENT = np.float32(88.0)
EXPONENT_BIAS = np.int32(127)
MANTISSA_BITS = np.int32(23)
MANTISSA = np.int32(0x7FFFFF)
SQRT_HALF_BITS = np.int32(0x3F3504F3)
# Minimax of (exp(r) - 1 - r)/r**2 on [-ln(2)/2, ln(2)/2].
E2 = np.float32(0.5)
E3 = np.float32(0.16666518)
E4 = np.float32(0.0416662)
E5 = np.float32(0.00836895)
E6 = np.float32(0.00139506)
# Minimax of (log(1 + f) - f + f**2/2)/f**3 for 1 + f on [sqrt(1/2), sqrt(2)].
L3 = np.float32(0.33333316)
L4 = np.float32(-0.2500081)
L5 = np.float32(0.20002286)
L6 = np.float32(-0.16624554)
L7 = np.float32(0.14181192)
L8 = np.float32(-0.13128754)
L9 = np.float32(0.12881649)
L10 = np.float32(-0.07859615)


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


def exponential(x):
    """Return exp(x), a float32 scalar; relative error below 2e-7. `x` is held within [-87, 88]."""
    held = min(max(x, LEAST_EXPONENT), GREATEST_EXPONENT)
    turns = np.rint(held * INVERSE_LN_2)
    r = (held - turns * LN_2_HIGH) - turns * LN_2_LOW
    series = ONE + (r + r * r * (E2 + r * (E3 + r * (E4 + r * (E5 + r * E6)))))
    return series * np.int32((np.int32(turns) + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float32)


def logarithm(x):
    """Return log(x), a float32 scalar from 2**-126 up; error below 2e-7, absolute near 1 and relative elsewhere."""
    bits = np.int32(np.float32(x).view(np.int32) - SQRT_HALF_BITS)
    turns = np.float32(bits >> MANTISSA_BITS)
    f = np.int32((bits & MANTISSA) + SQRT_HALF_BITS).view(np.float32) - ONE
    s = f * f
    series = L3 + f * (L4 + f * (L5 + f * (L6 + f * (L7 + f * (L8 + f * (L9 + f * L10))))))
    return turns * LN_2_HIGH + (f - HALF * s + (f * s * series + turns * LN_2_LOW))


def sine_cosine(x):
    """Return sin(x) and cos(x), x in radians, float32; absolute errors below 3e-7 for |x| <= 1000.

    With x = k * pi + r, sin(x) = (-1)**k * sin(r) and cos(x) = (-1)**k * cos(r): both share reduction and sign.
    """
    turns = np.rint(x * INVERSE_PI)
    r = ((x - turns * PI_HIGH) - turns * PI_MIDDLE) - turns * PI_LOW
    odd = turns - TWO * np.floor(turns * HALF)
    sign = ONE - TWO * odd
    s = r * r
    sin = r + r * s * (S1 + s * (S2 + s * (S3 + s * S4)))
    cos = ONE + s * (C1 + s * (C2 + s * (C3 + s * C4)))
    return sin * sign, cos * sign


def wrap_angle(x):
    """Return the angle x [rad] less whole turns, in [-pi, pi] up to one rounding; float32, |x| <= 1000."""
    turns = np.rint(x * INVERSE_TWO_PI)
    return ((x - turns * TWO_PI_HIGH) - turns * TWO_PI_MIDDLE) - turns * TWO_PI_LOW
