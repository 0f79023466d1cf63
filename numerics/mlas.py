"""Softmax and ranges in float32 as the vector kernels of ONNX Runtime's MLAS library compute them.

The exponential is a polynomial in fused multiply-adds and the sum runs in vector lanes; both decide
the last bits. The lanes here are those of the AVX-512 kernels. Narrower machines add long rows in
another order, which moves a result by one unit in its last place at most now and then, and may cut
off exponentials earlier, where these go on into the subnormal numbers.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

LANES = 16
_RANGE_LANES = 8

_LEAST = np.float32(-103.9720840454)  # its exponential is half the least subnormal float32
_MAGIC = np.float32(12582912.0)  # 1.5 * 2^23: adding it rounds to an integer
_LOG2_RECIPROCAL = np.float32(1.44269504088896341)
_LOG2_HIGH = np.float32(-6.93145752e-1)
_LOG2_LOW = np.float32(-1.42860677e-6)
_POLYNOMIAL = tuple(
    np.float32(float.fromhex(value))
    for value in (
        "0x1.694000p-10",
        "0x1.125edcp-7",
        "0x1.555b5ap-5",
        "0x1.555450p-3",
        "0x1.fffff6p-2",
        "0x1.000000p+0",
        "0x1.000000p+0",
    )
)


def fused(a: Floats | np.float32, b: Floats | np.float32, c: Floats | np.float32) -> Floats:
    """a * b + c, rounded once to float32.

    The product is exact in float64. The sum may not be: where it is not, its last bit is made 1
    (rounding to odd), so that a second rounding cannot mistake it for a tie.
    """
    product = np.asarray(a, dtype=np.float64) * np.float64(b)
    addend = np.asarray(c, dtype=np.float64)
    total = np.asarray(product + addend)
    taken = total - product
    lost = (product - (total - taken)) + (addend - taken)
    if not np.any(lost):
        return total.astype(np.float32)
    even = (total.view(np.int64) & 1) == 0
    beside = np.nextafter(total, np.where(lost > 0, np.inf, -np.inf))
    return np.where((np.abs(lost) > 0) & even, beside, total).astype(np.float32)


def reduced(x: Floats) -> tuple[Floats, Floats]:
    """(k, r) with x = k ln 2 + r, k the nearest whole number."""
    power = fused(x, _LOG2_RECIPROCAL, _MAGIC) - _MAGIC
    rest = fused(power, _LOG2_HIGH, x)
    return power, fused(power, _LOG2_LOW, rest)


def exponential(x: Floats) -> Floats:
    """exp of numbers of at most 0, subnormal below -87.34; those below -103.97 count as that."""
    power, value = reduced(np.maximum(x, _LEAST))
    result = np.full_like(value, _POLYNOMIAL[0])
    for coefficient in _POLYNOMIAL[1:]:
        result = fused(result, value, coefficient)
    return np.asarray(np.ldexp(result, power.astype(np.int32)), dtype=np.float32)


def row_sum(x: Floats) -> Floats:
    """Sums over the last axis in `LANES` lanes: their halves are added, then neighbours."""
    padding = -x.shape[-1] % LANES
    widened = np.concatenate([x, np.zeros((*x.shape[:-1], padding), dtype=np.float32)], axis=-1)
    blocks = widened.reshape(*x.shape[:-1], -1, LANES)
    lanes = np.add.accumulate(blocks, axis=-2, dtype=np.float32)[..., -1, :]
    lanes = lanes[..., : LANES // 2] + lanes[..., LANES // 2 :]
    while lanes.shape[-1] > 1:
        lanes = lanes[..., 0::2] + lanes[..., 1::2]
    return lanes


def value_range(x: Floats) -> tuple[np.float32, np.float32]:
    """The least and the largest of the values as the AVX kernel finds them.

    Of two values of which one is NaN a lane keeps the later, the rest after the vectors the
    earlier: with NaN among the values the result depends on their places.
    """
    values = x.reshape(-1)
    if not np.isnan(values).any():
        return values.min(), values.max()
    largest = np.finfo(np.float32).max
    low = _reduced(values, np.float32(largest), np.less)
    return low, _reduced(values, np.float32(-largest), np.greater)


def _reduced(values: Floats, start: np.float32, before: np.ufunc) -> np.float32:
    """The first value of all in an order: four vectors at a time, then one, then the rest."""

    def first(a: Floats, b: Floats) -> Floats:
        return np.where(before(a, b), a, b)

    vectors = [np.full(_RANGE_LANES, start) for _ in range(4)]
    count = values.size // _RANGE_LANES
    lanes = values[: count * _RANGE_LANES].reshape(count, _RANGE_LANES)
    for place in range(count // 4 * 4):
        vectors[place % 4] = first(vectors[place % 4], lanes[place])
    total = vectors[0]
    if count >= 4:
        total = first(first(total, vectors[1]), first(vectors[2], vectors[3]))
    for vector in lanes[count // 4 * 4 :]:
        total = first(total, vector)
    while count and total.size > 1:
        half = total.size // 2
        total = first(total[:half], total[half:])
    result: np.float32 = total[0]
    for value in values[count * _RANGE_LANES :]:
        result = value if before(value, result) else result
    return result


def softmax(x: Floats) -> Floats:
    """Softmax over the last axis."""
    exponentials = exponential(x - x.max(axis=-1, keepdims=True))
    return exponentials * (np.float32(1.0) / row_sum(exponentials))
