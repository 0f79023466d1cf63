"""The rounding modes in plain integers and NumPy floats, and operands that try their corners."""

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import floor

import numpy as np

from hw.arch.commands import Rounding
from hw.arch.reciprocal import reciprocal

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1

Vector = tuple[int, ...]  # acc, bias, multiplier, shift; in AFFINE and SCALE16 also the addend
Config = tuple[int, int, int]  # zero point, low, high


def int32(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def truncate(numerator: int, denominator: int) -> int:
    """C's integer division."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def tflm(acc: int, bias: int, multiplier: int, shift: int) -> int:
    """gemmlowp's two functions, statement by statement."""
    x = int32(int32(acc + bias) << max(shift, 0))
    product = x * multiplier
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    high = truncate(product + nudge, 1 << 31)
    exponent = max(-shift, 0)
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (high < 0)
    return (high >> exponent) + ((high & mask) > threshold)


def ort(acc: int, bias: int, multiplier: int, shift: int) -> float:
    """ONNX Runtime's arithmetic, in NumPy's float32; infinite for an overflow."""
    scale = np.uint32(multiplier).view(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        return float(np.rint(np.float32(np.int32(int32(acc + bias))) * scale))


def single(acc: int, bias: int, multiplier: int, shift: int) -> int:
    right = 31 - shift
    return (int32(acc + bias) * multiplier + (1 << (right - 1))) >> right


def affine(acc: int, bias: int, multiplier: int, shift: int, addend: int) -> int:
    """`round` of an exact fraction goes to the even neighbour of a tie."""
    return round(Fraction(int32(acc + bias) * multiplier + addend, 1 << (31 - shift)))


def wide16(acc: int, bias: int, multiplier: int, shift: int) -> int:
    right = -shift
    half = 1 << (right - 1) if right else 0
    return max(-32768, min(32767, (acc + bias + half) >> right))


def wide_bias(bias: int, addend: int) -> int:
    return (bias + (addend << 32) + (1 << 39)) % (1 << 40) - (1 << 39)


def scale16(acc: int, bias: int, multiplier: int, shift: int, addend: int) -> int:
    """The exact quotient and a half, rounded down; the bias has 40 bits with the addend's low 8."""
    product = (acc + wide_bias(bias, addend)) * multiplier
    return floor(Fraction(product, 1 << (15 - shift)) + Fraction(1, 2))


def divide(acc: int, bias: int, multiplier: int, shift: int) -> int:
    quotient = ((abs(acc) + bias) * multiplier) >> (31 - shift)
    return -quotient if acc < 0 else quotient


SCALED: dict[Rounding, Callable[..., float]] = {
    Rounding.TFLM: tflm,
    Rounding.ORT: ort,
    Rounding.SINGLE: single,
    Rounding.AFFINE: affine,
    Rounding.WIDE16: wide16,
    Rounding.SCALE16: scale16,
    Rounding.DIVIDE: divide,
}


def expected(mode: Rounding, config: Config, vector: Vector) -> int:
    if mode is Rounding.RAW:
        return int32(vector[0] + vector[1])
    zero_point, low, high = config
    return int(min(max(SCALED[mode](*vector) + zero_point, low), high))


def accumulators(rng: random.Random, width: int) -> Iterator[int]:
    """Corners, then values of every magnitude."""
    for magnitude in range(width):
        for value in {(1 << magnitude) - 1, 1 << magnitude, (1 << magnitude) + 1}:
            for sign in (1, -1):
                if -(1 << (width - 1)) <= sign * value < 1 << (width - 1):
                    yield sign * value
    while True:
        magnitude = rng.randrange(width)
        yield rng.randrange(-(1 << magnitude), 1 << magnitude)


def biases(rng: random.Random) -> int:
    kind = rng.randrange(4)
    if kind == 0:
        return 0
    if kind == 1:
        return rng.choice((INT32_MIN, INT32_MAX, -1, 1))
    magnitude = rng.randrange(32)
    return rng.randrange(-(1 << magnitude), 1 << magnitude)


MULTIPLIERS = (0, 1, 1 << 30, (1 << 30) + 1, (1 << 31) - 1, 3 << 29, 5 << 28)


def multipliers(rng: random.Random) -> int:
    if rng.random() < 0.25:
        return rng.choice(MULTIPLIERS)
    return rng.randrange(1 << 30, 1 << 31) if rng.random() < 0.8 else rng.randrange(1 << 31)


def useful_shift(rng: random.Random, total: int, low: int, high: int) -> int:
    """A shift that leaves a result near the output range; now and then any."""
    if rng.random() < 0.25:
        return rng.randint(low, high)
    return max(low, min(high, rng.randint(5, 11) - abs(total).bit_length()))


def fixed_point(rng, width, count, low, high):
    source = accumulators(rng, width)
    for _ in range(count):
        acc, bias = next(source), biases(rng)
        yield acc, bias, multipliers(rng), useful_shift(rng, int32(acc + bias), low, high)


def fixed_point_ties(rng, width, count):
    """Products that end exactly in one half (power-of-two multiplier), odd and even, both signs."""
    for _ in range(count):
        shift = -rng.randint(0, min(width - 12, 20))
        value = (2 * rng.randint(-300, 300) + 1) << max(-shift, 0)
        acc = rng.choice((value, value - 1, value + 1))
        yield acc, 0, 1 << 30, shift


def affine_addend(rng: random.Random, multiplier: int) -> int:
    """Offsets of nearly 0, nearly 1, one half, and any."""
    near = rng.choice((0, 1, multiplier // 2, multiplier - 1, multiplier))
    return min(max(near, 0), multiplier) if rng.random() < 0.5 else rng.randint(0, multiplier)


def affine_corners() -> Iterator[Vector]:
    """Sums of 0, -1, +1 and at the ends of 32 bits, with every kind of multiplier and shift."""
    sums = (
        (0, 0),
        (-1, 0),
        (1, 0),
        (0, INT32_MAX),
        (0, INT32_MIN),
        (-1, INT32_MIN),
        (1, INT32_MAX),
    )
    for multiplier in MULTIPLIERS:
        for shift in (-31, -30, -8, -1, 0, 1, 29, 30):
            for addend in sorted({0, min(1, multiplier), multiplier // 2, multiplier}):
                yield from ((acc, bias, multiplier, shift, addend) for acc, bias in sums)


def affine_ties(rng: random.Random, width: int, count: int) -> Iterator[Vector]:
    """Numerators at and next to an odd number of halves, both signs, made with the addend."""
    for _ in range(count):
        shift = -rng.randint(0, min(width - 12, 18))
        half = 1 << (30 - shift)
        multiplier = rng.randrange(1 << 30, 1 << 31)
        target = (2 * rng.randint(-300, 300) + 1) * half + rng.choice((0, 0, 1, -1))
        acc, addend = divmod(target, multiplier)
        yield acc, 0, multiplier, shift, addend


def affines(rng: random.Random, width: int, count: int) -> list[Vector]:
    """Any operands, then ties."""
    ties = list(affine_ties(rng, width, count // 4))
    usual = fixed_point(rng, width, count - len(ties), -31, 30)
    return [(*vector, affine_addend(rng, vector[2])) for vector in usual] + ties


def float_bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def floats(rng, width, count):
    """Any scale, scales that lead into the output range, and scales that make ties."""
    source = accumulators(rng, width)
    for index in range(count):
        acc, bias = next(source), biases(rng)
        total = int32(acc + bias)
        kind = index % 4
        if kind == 0:
            exponent = rng.randint(1, 254)
            bits = exponent << 23 | rng.randrange(1 << 23)
        elif kind == 1:
            bits = float_bits(2.0 ** rng.randint(-40, 0) * rng.choice((1, 1.5, 1.25, 1 + 2**-23)))
        else:
            target = rng.randint(-300, 300) + rng.choice((0, 0.5, rng.random()))
            bits = float_bits(abs(target / total) if total and target else 1.0)
            bits += rng.randint(-1, 1)
        yield acc, bias, bits, rng.randint(-64, 63)


def shifts16(rng, width, count):
    source = accumulators(rng, width)
    for _ in range(count):
        acc, bias = next(source), biases(rng)
        close = 16 + rng.randint(-3, 1) - abs(acc + bias).bit_length()
        shift = max(-31, min(0, close if rng.random() < 0.7 else -rng.randint(0, 31)))
        if rng.random() < 0.2 and shift:  # a tie
            acc = (acc >> -shift << -shift) + (1 << (-shift - 1)) - bias
            acc = max(-(1 << (width - 1)), min((1 << (width - 1)) - 1, acc))
        yield acc, bias, rng.randrange(1 << 32), shift


SHORT_MULTIPLIERS = (0, 1, 1 << 14, (1 << 14) + 1, (1 << 15) - 1, 3 << 13, (1 << 16) - 1)
_HIGHS = (0, 0, 0, 1, 255, 127, 128, 2)  # of a bias of 40 bits, whose lower 32 are signed


def scale16_bias(rng: random.Random) -> tuple[int, int]:
    """(bias, addend) that are within 40 bits together, in other bits of the addend anything."""
    return biases(rng), rng.choice(_HIGHS) | rng.randrange(1 << 24) << 8


def scale16_ends(width: int) -> Iterator[Vector]:
    """Sums at the ends of all that there are, beside 0 and beside 2^32, by every kind of factor."""
    most = (1 << (width - 1)) - 1
    ends = [
        (most, INT32_MAX, 127),
        (~most, 0, 128),
        (most, -1, 128),
        (0, 0, 0),
        (-1, 0, 0),
        (1, 0, 0),
    ]
    ends += [(most, 0, 0), (~most, 0, 0), (-1, 0, 1), (0, -1, 1), (0, INT32_MIN, 0), (1, -1, 255)]
    for multiplier in SHORT_MULTIPLIERS:
        for shift in (-31, -30, -16, -1, 0, 7, 14, 15):
            yield from ((acc, bias, multiplier, shift, high) for acc, bias, high in ends)


def scale16_ties(rng: random.Random, width: int, count: int) -> Iterator[Vector]:
    """Products at and beside an odd number of halves, both signs."""
    for _ in range(count):
        # A power of two and a sum that has the rest of the halves: a tie whatever the shift.
        power = rng.randint(0, 15)
        half = rng.randint(power, min(power + width - 12, 45))
        sum_ = ((2 * rng.randint(-300, 300) + 1) << (half - power)) + rng.choice((0, 0, 1, -1))
        bias, addend = scale16_bias(rng) if width == 40 else (0, 0)
        acc = sum_ - wide_bias(bias, addend)
        if not -(1 << (width - 1)) <= acc < 1 << (width - 1):
            acc, bias, addend = sum_, 0, 0
        yield acc, bias, 1 << power, 14 - half, addend


def scale16s(rng: random.Random, width: int, count: int) -> list[Vector]:
    """Sums of every size with shifts that lead near the output's range; then ties."""
    ties = list(scale16_ties(rng, width, count // 4))
    source = accumulators(rng, width)
    found: list[Vector] = []
    for _ in range(count - len(ties)):
        acc, (bias, addend) = next(source), scale16_bias(rng)
        total = acc + wide_bias(bias, addend)
        multiplier = rng.choice(SHORT_MULTIPLIERS) if rng.random() < 0.2 else rng.randrange(1 << 15)
        close = 15 + rng.randint(-3, 1) - abs(total).bit_length() + 1
        shift = max(-31, min(15, close if rng.random() < 0.7 else rng.randint(-31, 15)))
        found.append((acc, bias, multiplier, shift, addend))
    return found + ties


def vectors_of(mode: Rounding, rng: random.Random, width: int, count: int) -> list[Vector]:
    if mode is Rounding.ORT:
        return list(floats(rng, width, count))
    if mode is Rounding.AFFINE:
        return affines(rng, width, count)
    if mode is Rounding.SCALE16:
        return scale16s(rng, width, count)
    if mode is Rounding.DIVIDE:
        source = [rng.randint(-70000, 70000) for _ in range(count)]
        counts = [rng.randint(1, 1000) for _ in range(count)]
        return [
            (acc % (1 << 15), n // 2, *reciprocal(n)) for acc, n in zip(source, counts, strict=True)
        ]
    if mode in (Rounding.WIDE16, Rounding.RAW):
        return list(shifts16(rng, width, count))
    return list(fixed_point(rng, width, count, -31, 30))
