"""Vectorised int32 fixed-point arithmetic as TensorFlow Lite Micro inherits it from gemmlowp.

All functions take and return int64 arrays whose values fit in 32 bits; where C code would wrap or
saturate an int32, these functions do so explicitly. A "Qi.f" number has i integer and f fractional
bits, i + f = 31. Sources: gemmlowp `fixedpoint.h`, TensorFlow Lite `kernels/internal/common.h`.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1


def wrap(x: Ints, bits: int) -> Ints:
    """Reduces modulo 2^bits to the signed range, as a register of that width does."""
    half = np.int64(1) << np.int64(bits - 1)
    mask = (half << np.int64(1)) - np.int64(1)
    return ((x + half) & mask) - half


def saturate(x: Ints) -> Ints:
    """Clamps to the int32 range."""
    return np.clip(x, INT32_MIN, INT32_MAX)


def doubling_high_multiply(a: Ints, b: Ints) -> Ints:
    """(a * b) / 2^31 rounded half up; -2^31 squared saturates (ARM's VQRDMULH)."""
    product = a * b
    nudged = product + np.where(product >= 0, np.int64(1 << 30), np.int64(1 - (1 << 30)))
    quotient = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))
    return np.minimum(quotient, INT32_MAX)


def rounding_divide_by_power(x: Ints, exponent: Ints) -> Ints:
    """x / 2^exponent with 0 <= exponent <= 31, rounded to nearest, ties away from zero."""
    one = np.int64(1)
    mask = (one << exponent) - one
    threshold = (mask >> one) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def shift_left_saturating(x: Ints, exponent: Ints) -> Ints:
    """x * 2^exponent, saturated to int32 (gemmlowp's multiply by a positive power of two)."""
    threshold = (np.int64(1) << (31 - exponent)) - 1
    result = np.where(x > threshold, INT32_MAX, x << exponent)
    result = np.where(x < -threshold, INT32_MIN, result)
    return np.where(exponent == 0, x, result)


def multiply_by_quantised_multiplier(x: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """x * multiplier * 2^(shift - 31) with gemmlowp's two roundings.

    A positive shift is applied to x before the multiplication and wraps like C's int32.
    """
    left = np.maximum(shift, 0)
    right = np.maximum(-shift, 0)
    high = doubling_high_multiply(wrap(x << left, 32), multiplier)
    return rounding_divide_by_power(high, right)


def leading_zeros(x: Ints) -> Ints:
    """Leading zeros of a positive 32-bit number."""
    _, exponent = np.frexp(x.astype(np.float64))
    return 32 - exponent.astype(np.int64)


def _array(value: int) -> Ints:
    return np.asarray(value, dtype=np.int64)


def _multiply(a: Ints, constant: int) -> Ints:
    return doubling_high_multiply(a, _array(constant))


def _exp_near_minus_eighth(a: Ints) -> Ints:
    """exp(a) for a in [-1/4, 0), Q0.31: Taylor series about -1/8 to the fourth order."""
    exp_minus_eighth, one_third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = doubling_high_multiply(x, x)
    x3 = doubling_high_multiply(x2, x)
    x4 = doubling_high_multiply(x2, x2)
    quarter = rounding_divide_by_power(x4, _array(2))
    tail = rounding_divide_by_power(_multiply(quarter + x3, one_third) + x2, _array(1))
    return exp_minus_eighth + _multiply(x + tail, exp_minus_eighth)


# exp(-2^k) in Q0.31 for the remainder's bits of weight 2^k, k = -2 ... 4.
_EXP_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def exp_on_negative_values(a: Ints, integer_bits: int = 5) -> Ints:
    """exp(a) for a <= 0 with 4 or 5 integer bits, as Q0.31; exp(0) is 2^31 - 1."""
    quarter_bit = 31 - integer_bits - 2
    quarter = 1 << quarter_bit
    fraction = (a & (quarter - 1)) - quarter
    result = _exp_near_minus_eighth(fraction << integer_bits)
    remainder = fraction - a
    for bit, factor in enumerate(_EXP_FACTORS[: integer_bits + 2], start=quarter_bit):
        result = np.where(remainder & (1 << bit), _multiply(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def _half_sum(a: Ints, b: int) -> Ints:
    total = a + b
    nudged = total + np.where(total >= 0, 1, -1)
    return np.where(nudged >= 0, nudged >> 1, -((-nudged) >> 1))


def _two_over_one_plus_x(a: Ints) -> Ints:
    """2 / (1 + a) in Q2.29 for a in [0, 1), Q0.31: three Newton-Raphson steps."""
    forty_eight_seventeenths, minus_thirty_two_seventeenths = 1515870810, -1010580540
    half_denominator = _half_sum(a, INT32_MAX)
    x = forty_eight_seventeenths + _multiply(half_denominator, minus_thirty_two_seventeenths)
    for _ in range(3):
        error = (1 << 29) - doubling_high_multiply(half_denominator, x)
        x = x + shift_left_saturating(doubling_high_multiply(x, error), _array(2))
    return x


def one_over_one_plus_x(a: Ints) -> Ints:
    """1 / (1 + a) for a in [0, 1), Q0.31."""
    return shift_left_saturating(_two_over_one_plus_x(a), _array(1))


def one_minus_x_over_one_plus_x(a: Ints) -> Ints:
    """(1 - a) / (1 + a) for a in [0, 1), Q0.31."""
    return shift_left_saturating(_two_over_one_plus_x(a) - (1 << 29), _array(2))


def logistic(a: Ints) -> Ints:
    """1 / (1 + exp(-a)) in Q0.31 for a in Q4.27."""
    positive = one_over_one_plus_x(exp_on_negative_values(-np.abs(a), integer_bits=4))
    result = np.where(a > 0, positive, INT32_MAX - positive)
    return np.where(a == 0, 1 << 30, result)


def tanh(a: Ints) -> Ints:
    """tanh(a) in Q0.31 for a in Q4.27."""
    # Twice a number of Q4.27 has the same bits in Q5.26.
    magnitude = one_minus_x_over_one_plus_x(exp_on_negative_values(-np.abs(a)))
    return np.where(a == 0, 0, np.where(a > 0, magnitude, -magnitude))


def reciprocal(x: Ints, integer_bits: int) -> tuple[Ints, Ints]:
    """(mantissa Q0.31, e) with 1/x = mantissa * 2^-e for x > 0 with `integer_bits` integer bits."""
    headroom = leading_zeros(x)
    shifted = (x << headroom) - (1 << 31)
    return one_over_one_plus_x(shifted), integer_bits - headroom


def log_of_at_least_one(x: Ints) -> Ints:
    """ln(x) in Q5.26 for x >= 1 in Q12.19: range reduction by quarter powers, then a quotient."""
    log_2, root_half, fourth_root_half = 1488522236, 1518500250, 1805811301
    alpha_n, alpha_d, alpha_i, alpha_f = 117049297, 127690142, 1057819769, 638450708
    accumulator_fraction = 31 - 6
    quarter = 1 << (accumulator_fraction - 2)

    def power(bits: Ints, offset: int) -> Ints:
        whole = shift_left_saturating(12 - bits, _array(accumulator_fraction))
        return saturate(whole + offset)

    headroom_a = leading_zeros(x)
    reduced = shift_left_saturating(x, headroom_a - 1)
    r_a = shift_left_saturating(_multiply(reduced, root_half), _array(1))
    power_a = power(headroom_a, quarter)
    headroom_b = leading_zeros(_multiply(x, root_half)) - 1
    r_b = shift_left_saturating(x, headroom_b)
    power_b = power(headroom_b, -quarter)

    r = np.minimum(r_a, r_b)
    exponent = np.maximum(power_a, power_b)
    p = _half_sum(r, fourth_root_half)
    q = 2 * (r - fourth_root_half)
    square = doubling_high_multiply(q, q)
    numerator = doubling_high_multiply(q, r) + _multiply(doubling_high_multiply(q, square), alpha_n)
    inner = alpha_i + q + _multiply(square, alpha_d)
    denominator = doubling_high_multiply(p, inner) + _multiply(q, alpha_f)
    scaled = rounding_divide_by_power(numerator, _array(6))
    total = _multiply(exponent, log_2) + doubling_high_multiply(
        scaled, one_over_one_plus_x(denominator)
    )
    return shift_left_saturating(total, _array(1))


def inverse_square_root(x: Ints) -> tuple[Ints, Ints]:
    """(multiplier, shift) of 1 / sqrt(x) for x >= 0, of 0 as of 1: five Newton-Raphson steps."""
    small = x <= 1
    value, shift = np.where(small, 2, x), np.full_like(x, 11)
    while np.any(value >= 1 << 29):
        large = value >= 1 << 29
        value, shift = np.where(large, value >> 2, value), shift + large
    pairs = (leading_zeros(value) - 1) // 2 - 1
    value, shift = value << (2 * pairs), shift - pairs
    # Numbers of the iteration have three integer bits.
    half = rounding_divide_by_power(value >> 1, _array(1))
    root = np.full_like(value, 1 << 28)
    for _ in range(5):
        square = doubling_high_multiply(root, root)
        cube = shift_left_saturating(doubling_high_multiply(square, root), _array(6))
        difference = _multiply(root, (1 << 28) + (1 << 27)) - doubling_high_multiply(half, cube)
        root = shift_left_saturating(difference, _array(3))
    root = _multiply(root, 1518500250)
    root = wrap(root << np.maximum(-shift, 0), 32)
    return np.where(small, INT32_MAX, root), np.where(small, 0, -np.maximum(shift, 0))
