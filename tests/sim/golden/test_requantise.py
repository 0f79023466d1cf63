"""Output stages against definitions in Python's unbounded integers and exact fractions."""

from dataclasses import replace
from fractions import Fraction
from math import floor, frexp

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from numerics.quantisation import (
    Multipliers,
    Requant,
    RoundingRule,
    WindowStage,
    addends,
    float_parts,
    quantise_multiplier,
    quantise_multipliers,
)
from numerics.rounding import scale_affine, scale_ort, scale_single, scale_tflm
from sim.golden.requantise import add_bias, finish_window, requantise

EDGES = [0, 1, -1, 2, -2, 1 << 30, -(1 << 30), (1 << 31) - 1, -(1 << 31), 12345678, -87654321]


def accumulators(seed: int, count: int = 300) -> list[int]:
    random = np.random.default_rng(seed)
    widths = random.integers(1, 32, count)
    return EDGES + [int(random.integers(-(1 << w), 1 << w)) for w in widths]


def int32(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def tflm(acc: int, multiplier: int, shift: int) -> int:
    """gemmlowp: high half rounded half up, then divided by a power of two, half away."""
    acc = int32(acc << max(shift, 0))
    high = min(floor(Fraction(acc * multiplier, 1 << 31) + Fraction(1, 2)), (1 << 31) - 1)
    quotient = Fraction(abs(high), 1 << max(-shift, 0))
    return (1 if high >= 0 else -1) * floor(quotient + Fraction(1, 2))


def single(acc: int, multiplier: int, shift: int) -> int:
    return floor(Fraction(acc * multiplier, 1 << (31 - shift)) + Fraction(1, 2))


@pytest.mark.parametrize("shift", [-31, -30, -17, -8, -1, 0, 1, 7, 20])
@pytest.mark.parametrize("multiplier", [0, 1 << 30, (1 << 30) + 1, 1518500250, (1 << 31) - 1])
def test_integer_modes(multiplier: int, shift: int) -> None:
    values = accumulators(shift & 31)
    acc = np.asarray(values, dtype=np.int64)
    m, s = np.asarray(multiplier, dtype=np.int64), np.asarray(shift, dtype=np.int64)
    assert scale_tflm(acc, m, s).tolist() == [tflm(v, multiplier, shift) for v in values]
    assert scale_single(acc, m, s).tolist() == [single(v, multiplier, shift) for v in values]


@pytest.mark.parametrize("shift", [-31, -30, -17, -8, -1, 0, 1, 7, 30])
@pytest.mark.parametrize("multiplier", [0, 1 << 30, (1 << 30) + 1, 1518500250, (1 << 31) - 1])
def test_affine(multiplier: int, shift: int) -> None:
    """`round` of an exact fraction rounds half to even."""
    values = accumulators(shift & 31)
    acc = np.asarray(values, dtype=np.int64)
    for addend in (0, 1, multiplier // 2, multiplier // 3, multiplier - 1, multiplier):
        if addend < 0:
            continue
        entry = (np.asarray(n, dtype=np.int64) for n in (multiplier, shift, addend))
        exact = [round(Fraction(v * multiplier + addend, 1 << (31 - shift))) for v in values]
        assert scale_affine(acc, *entry).tolist() == exact


def affine(scale: list[float], offset: list[float], **changes: object) -> Requant:
    fields: dict[str, object] = {
        "scale": np.asarray(scale),
        "offset": np.asarray(offset),
        "rounding": RoundingRule.ORT,
        "zero_point": 3,
        "low": -(1 << 31),
        "high": (1 << 31) - 1,
        "dtype": "int32",
    }
    return Requant(**{**fields, **changes})


@pytest.mark.parametrize("seed", range(3))
def test_affine_stage(seed: int) -> None:
    """Every channel has scale and offset of its own, or shares one of them."""
    random = np.random.default_rng(seed)
    channels = 12
    scale = 2.0 ** random.uniform(-36, 0, 1 if seed == 1 else channels)
    offset = random.choice([0.0, 0.25, 0.5, 1 - 2.0**-40, 2.0**-50], 1 if seed == 2 else channels)
    offset[0] = random.uniform(0.1, 0.9)
    stage = affine(scale.tolist(), offset.tolist())
    acc = np.asarray([accumulators(c, 40) for c in range(channels)], dtype=np.int64).T
    result = requantise(acc, stage)
    for channel in range(channels):
        multiplier, shift = quantise_multiplier(float(np.broadcast_to(scale, channels)[channel]))
        addend = round(float(np.broadcast_to(offset, channels)[channel]) * multiplier)
        assert addends(stage, channels)[channel] == addend
        exact = [
            round(Fraction(v * multiplier + addend, 1 << (31 - shift))) + 3
            for v in acc[:, channel].tolist()
        ]
        assert result[:, channel].tolist() == [min(v, (1 << 31) - 1) for v in exact]


def test_affine_ties_go_to_the_even_neighbour() -> None:
    stage = affine([0.5], [0.5], zero_point=0)
    acc = np.asarray([[-3], [-2], [-1], [0], [1]], dtype=np.int64)
    assert requantise(acc, stage)[:, 0].tolist() == [-1, -1, 0, 0, 1]  # -1.25 -0.75 -0.25 0.25 0.75
    acc = np.asarray([[-3], [-1], [1], [3]], dtype=np.int64)  # a second channel makes ties
    stage = affine([0.5, 0.5], [0.5, 0.0], zero_point=0)
    assert requantise(np.repeat(acc, 2, 1), stage)[:, 1].tolist() == [-2, 0, 0, 2]


def test_only_ort_keeps_an_offset() -> None:
    stage = affine([0.5], [0.25])
    assert stage.affine and stage.with_rounding(RoundingRule.ORT).affine
    for rounding in (RoundingRule.TFLM, RoundingRule.SINGLE):
        with pytest.raises(RowforgeError, match="only rounding 'ort' keeps what is left over"):
            stage.with_rounding(rounding)
    plain = affine([0.5], [0.0])
    assert not plain.affine
    assert plain.with_rounding(RoundingRule.TFLM).rounding is RoundingRule.TFLM


def test_ties_tell_the_modes_apart() -> None:
    acc = np.asarray([-3, -1, 1, 3], dtype=np.int64)
    half = [np.asarray(value, dtype=np.int64) for value in quantise_multiplier(0.5)]
    quarter = [np.asarray(value, dtype=np.int64) for value in quantise_multiplier(0.25)]
    assert scale_tflm(acc, *half).tolist() == [-1, 0, 1, 2]
    assert scale_single(acc, *half).tolist() == [-1, 0, 1, 2]
    assert scale_ort(acc, np.float32(0.5)).tolist() == [-2, 0, 0, 2]
    assert scale_tflm(acc, *quarter).tolist() == [-1, 0, 1, 1]  # -1 -> 0 -> 0, 1 -> 1 -> 1
    assert scale_single(acc, *quarter).tolist() == [-1, 0, 0, 1]


def test_float_mode_rounds_accumulator_and_product_to_float32() -> None:
    acc = np.asarray([(1 << 24) + 1, (1 << 24) + 3, -(1 << 31)], dtype=np.int64)
    assert scale_ort(acc, np.float32(1.0)).tolist() == [1 << 24, (1 << 24) + 4, -(1 << 31)]


@pytest.mark.parametrize("seed", range(4))
def test_multipliers(seed: int) -> None:
    random = np.random.default_rng(seed)
    scale = 2.0 ** random.uniform(-40, 20, 500)
    scale[:4] = (0.0, 1.0, 0.5, 1.0 - 2.0**-40)
    pair = quantise_multipliers(scale)
    assert isinstance(pair, Multipliers)
    for real, multiplier, shift in zip(scale, pair.multiplier, pair.shift, strict=True):
        mantissa, exponent = frexp(real)
        exact = Fraction(mantissa) * (1 << 31)
        if exponent < -31 or real == 0.0:
            assert (multiplier, shift) == (0, 0)
        else:
            assert (
                abs(Fraction(int(multiplier)) * Fraction(2) ** int(shift - exponent) - exact) <= 1
            )
            assert 1 << 30 <= multiplier < 1 << 31


def test_float_parts_are_exact() -> None:
    random = np.random.default_rng(1)
    scales = (2.0 ** random.uniform(-140, 30, 200)).astype(np.float32)
    mantissa, exponent = float_parts(scales)
    for scale, m, e in zip(scales, mantissa, exponent, strict=True):
        assert Fraction(float(scale)) == Fraction(int(m)) * Fraction(2) ** int(e)
        assert 1 << 23 <= m < 1 << 24


@pytest.mark.parametrize("rounding", [RoundingRule.TFLM, RoundingRule.ORT, RoundingRule.SINGLE])
def test_channels_zero_point_and_clamp(rounding: RoundingRule) -> None:
    stage = Requant(
        scale=np.asarray([0.5, 2.0]),
        rounding=rounding,
        zero_point=10,
        low=-5,
        high=100,
        dtype="int8",
    )
    acc = np.asarray([[4, 4], [-40, 60], [1 << 30, -(1 << 30)]], dtype=np.int64)
    result = requantise(acc, stage)
    # 2^30 times 2 wraps to -2^31 before gemmlowp's multiplication; it is out of its contract.
    assert result[:2].tolist() == [[12, 18], [-5, 100]]
    assert result[2, 0] == 100
    assert result.dtype == np.int8


def test_raw_stage_and_wrapping_bias() -> None:
    acc = add_bias(
        np.asarray([[5, (1 << 31) - 1]], dtype=np.int64),
        np.asarray([-7, 1], dtype=np.int64),
        Requant.raw(),
    )
    raw = requantise(acc, Requant.raw())
    assert raw.tolist() == [[-2, -(1 << 31)]]
    assert raw.dtype == np.int32
    assert Requant.raw().with_rounding(RoundingRule.ORT).rounding is RoundingRule.RAW


def test_wide_stage_is_the_exact_number_rounded_once() -> None:
    """Sums of up to 47 bits, ties of both signs, and the multiplier that 16 bits cannot hold."""
    rng = np.random.default_rng(3)
    odd = [2.0**-9, 1 - 2.0**-20, 0.0, 2.0**-40]
    scales = np.concatenate([2.0 ** rng.uniform(-33, 6.9, 60), odd])
    stage = Requant(
        scale=scales, rounding=RoundingRule.REDUCED, zero_point=0,
        low=-(1 << 15), high=(1 << 15) - 1, dtype="int16",
    )  # fmt: skip
    sums = rng.integers(-(1 << 46), 1 << 46, (40, len(scales))) >> rng.integers(0, 46, (40, 1))
    sums[:4] = [[(1 << 46) - 1], [-(1 << 46)], [256 * 7], [-256 * 7]]
    pair = quantise_multipliers(scales)
    for row in sums:
        results = zip(row, requantise(row, stage), pair.multiplier, pair.shift, strict=True)
        for value, got, multiplier, shift in results:
            short = min((int(multiplier) + (1 << 15)) >> 16, (1 << 15) - 1)
            exact = Fraction(int(value) * short, 1 << (15 - int(shift)))
            wanted = min(max(floor(exact + Fraction(1, 2)), -(1 << 15)), (1 << 15) - 1)
            assert got == wanted, (value, multiplier, shift)
    with pytest.raises(RowforgeError, match=r"below 2\^7"):
        replace(stage, scale=np.array([128.0]))


def test_sums_of_a_wide_stage_do_not_wrap() -> None:
    stage = Requant(
        scale=np.array([2.0**-20]), rounding=RoundingRule.REDUCED, zero_point=0,
        low=-(1 << 15), high=(1 << 15) - 1, dtype="int16",
    )  # fmt: skip
    psum, bias = np.asarray([[1 << 33]]), np.asarray([1 << 32])
    assert add_bias(psum, bias, stage).tolist() == [[3 << 32]]
    assert requantise(add_bias(psum, bias, stage), stage).tolist() == [[3 << 12]]
    assert stage.with_rounding(RoundingRule.SINGLE) is stage


def test_window_stage() -> None:
    psum = np.asarray([[7, -7, 1 << 24, -(1 << 24), 100]], dtype=np.int64)
    bias = np.asarray([1, 1, 0, 0, 0], dtype=np.int64)
    stage = WindowStage(window=0, shift=2, low=-30000, high=32767)
    assert finish_window(psum, bias, stage).tolist() == [[2, -1, 32767, -30000, 25]]
    unshifted = WindowStage(window=0, shift=0)
    assert finish_window(psum, bias, unshifted).tolist() == [[8, -6, 32767, -32768, 100]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": np.asarray([-1.0])}, "at least 0"),
        ({"scale": np.asarray([np.nan])}, "finite"),
        ({"low": 5, "high": 4}, "clamp"),
        ({"dtype": "int9"}, "type"),
        ({"offset": np.asarray([1.0])}, "offsets must be at least 0 and below 1"),
        ({"offset": np.asarray([-0.1])}, "offsets must be at least 0 and below 1"),
        ({"offset": np.asarray([np.nan])}, "offsets must be at least 0 and below 1"),
        ({"offset": np.zeros(2, np.int64)}, "Requant.offset must be float64"),
        ({"scale": np.ones(2), "offset": np.zeros(3)}, "hold 1 or 2 values as scale does, not 3"),
        ({"offset": np.asarray([0.5])}, "no multiple of the accumulator's unit"),
        (
            {
                "rounding": RoundingRule.ORT,
                "offset": np.asarray([0.5]),
                "scale": np.full(1, 2.0**30),
            },
            "below 2\\^30 where the bias",
        ),
    ],
)
def test_impossible_stages(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {
        "scale": np.ones(1),
        "rounding": RoundingRule.TFLM,
        "zero_point": 0,
        "low": -128,
        "high": 127,
        "dtype": "int8",
    }
    with pytest.raises(RowforgeError, match=message):
        Requant(**{**fields, **change})
    with pytest.raises(RowforgeError, match="window"):
        WindowStage(window=17, shift=0)
