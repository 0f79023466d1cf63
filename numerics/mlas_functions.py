"""Functions of a float32 number as the vector kernels of ONNX Runtime's MLAS compute them.

Each is a polynomial, or a quotient of two, in fused multiply-adds, and each value is computed by
itself: its place in a tensor has no effect. That was checked with ONNX Runtime on 200,000 values of
each function, infinities, zeros of both signs and NaN among them, without a mismatch.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from numerics import mlas

Floats = npt.NDArray[np.float32]

_EXP_MOST = np.float32(88.7762626647950)  # its exponential is infinite in float32

_LOGISTIC_LIMIT = np.float32(18.0)
_LOGISTIC_ODD = (
    4.37031012579801e-11,
    1.15627324459942e-07,
    6.08574864600143e-05,
    8.51377133304701e-03,
    2.48287947061529e-01,
)
_LOGISTIC_EVEN = (
    6.10247389755681e-13,
    5.76102136993427e-09,
    6.29106785017040e-06,
    1.70198817374094e-03,
    1.16817656904453e-01,
    9.93151921023180e-01,
)

_TANH_LIMIT = np.float32(9.0)
_TANH_ODD = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
_TANH_EVEN = (
    1.19825839466702e-06,
    1.18534705686654e-04,
    2.26843463243900e-03,
    4.89352518554385e-03,
)

_ERF_LIMIT = np.float32(3.925)
_ERF_SPLIT = np.float32(0.921875)  # from there on erf is 1 less an exponential
_ERF_SMALL = (
    -5.99104969e-4,
    4.99339588e-3,
    -2.67667342e-2,
    1.12818025e-1,
    -3.76124859e-1,
    1.28379151e-1,
)
_ERF_LARGE = (
    1.72948930e-5,
    -3.83208680e-4,
    3.88393435e-3,
    -2.42545605e-2,
    1.06777847e-1,
    6.34846687e-1,
    1.28717512e-1,
)
# The exponential in it has a polynomial of its own, of the difference to a power of two.
_ERF_EXPONENTIAL = (
    1.38319808e-3,
    8.37550033e-3,
    4.16689515e-2,
    1.66664466e-1,
    4.99999851e-1,
    1.0,
    1.0,
)


def _polynomial(x: Floats, coefficients: Sequence[float]) -> Floats:
    """The polynomial by Horner's rule, the highest power's coefficient first."""
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result = mlas.fused(result, x, np.float32(coefficient))
    return result


def _clamped(x: Floats, low: np.float32, high: np.float32) -> Floats:
    return np.asarray(np.minimum(np.maximum(x, low), high), dtype=np.float32)


def exponential(x: Floats) -> Floats:
    """exp(x), infinite from about 88.73 on."""
    return mlas.exponential(np.minimum(x, _EXP_MOST))


def logistic(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), within 0 and 1."""
    value = _clamped(x, -_LOGISTIC_LIMIT, _LOGISTIC_LIMIT)
    square = value * value
    odd = _polynomial(square, _LOGISTIC_ODD) * value
    quotient = odd / _polynomial(square, _LOGISTIC_EVEN)
    return _clamped(quotient + np.float32(0.5), np.float32(0.0), np.float32(1.0))


def tanh(x: Floats) -> Floats:
    """The hyperbolic tangent."""
    value = _clamped(x, -_TANH_LIMIT, _TANH_LIMIT)
    square = value * value
    odd = _polynomial(square, _TANH_ODD) * value
    return np.asarray(odd / _polynomial(square, _TANH_EVEN))


def erf(x: Floats) -> Floats:
    """The error function: x + x p(x^2) near 0, 1 - exp(-x - x q(x)) beyond."""
    size = np.minimum(np.abs(x), _ERF_LIMIT)
    small = mlas.fused(_polynomial(size * size, _ERF_SMALL), size, size)
    power = mlas.fused(_polynomial(size, _ERF_LARGE), size, size)
    whole, rest = mlas.reduced(-power)
    factor = np.ldexp(np.float32(1.0), whole.astype(np.int32))
    large = np.float32(1.0) - _polynomial(rest, _ERF_EXPONENTIAL) * factor
    return np.asarray(np.copysign(np.where(size > _ERF_SPLIT, large, small), x))
