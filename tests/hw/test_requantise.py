"""Every rounding mode of a requantisation lane, bit for bit against plain integer arithmetic."""

import gc
import random
from collections.abc import Iterable

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.arch.commands import Rounding
from hw.arch.entries import PARAM
from hw.arch.errors import RowforgeError
from hw.arch.reciprocal import MAX_COUNT, reciprocal
from hw.post.layouts import lane_config_layout
from hw.post.requantise import ALL_MODES, Requantiser
from tb.models.rounding_reference import (
    Config,
    Vector,
    accumulators,
    affine_addend,
    affine_corners,
    affines,
    biases,
    divide,
    expected,
    fixed_point,
    fixed_point_ties,
    float_bits,
    floats,
    scale16_ends,
    scale16s,
    shifts16,
    vectors_of,
)
from tests.thorough import thorough


def pack(vector: Vector) -> int:
    """A parameter entry as the buffers hold it: the words of `PARAM` one above the other."""
    names = ("bias", "multiplier", "shift", "addend")
    words = PARAM.pack(dict(zip(names, vector[1:], strict=False)))
    return words[0] | words[1] << 64


def simulate(
    dut: Requantiser,
    mode: Rounding,
    config: Config,
    vectors: Iterable[Vector],
    *,
    stalls: float = 0.0,
    seed: int = 0,
) -> list[int]:
    """Results of the vectors, one a cycle but for random cycles in which the lane is held."""
    rng = random.Random(seed)
    layout = lane_config_layout(dut.data_width)
    fields = dict(zip(("zero_point", "low", "high"), config, strict=True))
    bank = rng.randrange(2)
    result: list[int] = []
    pending = list(vectors)

    async def bench(ctx):
        ctx.set(dut.cfg[bank], layout.const({"mode": mode, **fields}))
        ctx.set(dut.bank, bank)
        ctx.set(dut.en, 1)
        params = dut.params.as_value()
        for cycle in range(len(pending) + dut.latency):
            vector = pending[min(cycle, len(pending) - 1)]
            ctx.set(dut.acc, vector[0])
            ctx.set(params, pack(vector))
            while stalls and rng.random() < stalls:
                ctx.set(dut.en, 0)
                await ctx.tick()
                ctx.set(dut.en, 1)
            if cycle >= dut.latency:
                result.append(ctx.get(dut.raw if mode is Rounding.RAW else dut.result))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return result


def check(dut, mode, config, vectors, **options):
    """Compare all vectors; the first difference is shown with its operands."""
    vectors = list(vectors)
    bits = 32 if mode is Rounding.RAW else dut.data_width
    found = simulate(dut, mode, config, vectors, **options)
    assert len(found) == len(vectors)
    for vector, got in zip(vectors, found, strict=True):
        want = expected(mode, config, vector) % (1 << bits)
        assert got == want, f"{mode.name} {config} {vector}: {got} instead of {want}"


CONFIGS: tuple[Config, ...] = ((0, -128, 127), (-128, -128, 127), (7, 0, 255), (-511, -100, 90))
INT16: Config = (0, -32768, 32767)
WIDTHS = (16, 24, 32, 40)
TRIED = thorough((16, 40), WIDTHS)  # the ends
COUNT = thorough(300, 750)


@pytest.mark.slow
@pytest.mark.parametrize("width", TRIED)
@pytest.mark.parametrize("mode", [Rounding.TFLM, Rounding.SINGLE])
def test_fixed_point(mode, width):
    rng = random.Random(f"{mode} {width}")
    low, high = (-31, 30)
    ties = thorough(200, 500)
    vectors = [*fixed_point(rng, width, COUNT, low, high), *fixed_point_ties(rng, width, ties)]
    check(Requantiser(acc_width=width), mode, CONFIGS[WIDTHS.index(width)], vectors)


@pytest.mark.slow
@pytest.mark.parametrize("width", TRIED)
def test_float(width):
    rng = random.Random(width)
    config = CONFIGS[WIDTHS.index(width)]
    check(Requantiser(acc_width=width), Rounding.ORT, config, floats(rng, width, COUNT))


@pytest.mark.parametrize("width", TRIED)
def test_affine(width):
    rng = random.Random(width)
    vectors = [*affines(rng, width, COUNT), *affine_corners()]
    check(
        Requantiser(acc_width=width), Rounding.AFFINE, CONFIGS[WIDTHS.index(width)], vectors,
        stalls=0.05,
    )  # fmt: skip


def test_addends_of_other_modes_are_of_no_effect():
    """Only two modes read the field; stored parameters of others have 0 in it."""
    rng = random.Random(4)
    for mode in sorted(ALL_MODES - {Rounding.AFFINE, Rounding.SCALE16}):
        data_width = 16 if mode is Rounding.WIDE16 else 8
        plain = list(vectors_of(mode, rng, 24, thorough(150, 300)))
        bits = 32 if mode is Rounding.RAW else data_width
        found = simulate(
            Requantiser(acc_width=24, data_width=data_width), mode, CONFIGS[0],
            [(*vector, rng.randrange(1 << 32)) for vector in plain],
        )  # fmt: skip
        wanted = [expected(mode, CONFIGS[0], vector) % (1 << bits) for vector in plain]
        assert found == wanted, mode


@pytest.mark.slow
@pytest.mark.parametrize("width", TRIED)
def test_wide16(width):
    rng = random.Random(width)
    dut = Requantiser(acc_width=width, data_width=16)
    check(dut, Rounding.WIDE16, INT16, shifts16(rng, width, COUNT))


@pytest.mark.parametrize("width", (24, 40))
def test_scale16(width):
    rng = random.Random(width)
    dut = Requantiser(acc_width=width, data_width=16)
    vectors = [*scale16s(rng, width, thorough(600, 2000)), *scale16_ends(width)]
    check(dut, Rounding.SCALE16, INT16, vectors, stalls=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Rounding.TFLM, Rounding.SINGLE, Rounding.ORT, Rounding.AFFINE])
def test_sixteen_bit_results(mode):
    """More result bits to be wrong, and saturation where it is hardest to see."""
    rng = random.Random(mode)
    count = thorough(1200, 4000)
    vectors: Iterable[Vector]
    if mode is Rounding.ORT:
        source = accumulators(rng, 40)
        vectors = [
            (next(source), 0, float_bits(rng.uniform(0.5, 2) * 2.0 ** -rng.randint(0, 30)), 0)
            for _ in range(count)
        ]
    else:
        vectors = [
            (acc, bias, multiplier, min(30, shift + rng.randint(0, 10)))
            for acc, bias, multiplier, shift in fixed_point(rng, 40, count, -31, 30)
        ]
    if mode is Rounding.AFFINE:
        vectors = [(*vector, affine_addend(rng, vector[2])) for vector in vectors]
    check(Requantiser(acc_width=40, data_width=16), mode, (511, -32768, 32767), vectors)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data_width", "counts"), [(8, (1, 1024)), (8, (1025, MAX_COUNT)), (16, (30000, MAX_COUNT))]
)
def test_divide(data_width, counts):
    """Sums at and beside the whole and half multiples of the count, up to the limit of 2^31."""
    rng = random.Random(5)
    limit = 260 if data_width == 8 else 1 << 15
    vectors = []
    for index in range(thorough(2048, 6000)):  # each small count twice
        count = index % 1024 + 1 if counts[0] == 1 else rng.randint(*counts)
        multiplier, shift = reciprocal(count)
        quotient = rng.randint(-limit, limit)
        acc = quotient * count + rng.choice((0, 1, -1, count // 2, -(count // 2), count // 2 + 1))
        if abs(acc) + count // 2 < 1 << 31:
            assert (
                abs(divide(acc, count // 2, multiplier, shift)) == (abs(acc) + count // 2) // count
            )
            vectors.append((acc, count // 2, multiplier, shift))
    bounds = (0, -128, 255) if data_width == 8 else INT16
    check(Requantiser(data_width=data_width), Rounding.DIVIDE, bounds, vectors)


@pytest.mark.slow
@pytest.mark.parametrize("width", TRIED)
@pytest.mark.parametrize("data_width", [8, 16])
def test_raw(data_width, width):
    rng = random.Random(width)
    source = accumulators(rng, width)
    count = thorough(500, 3000)
    vectors = [(next(source), biases(rng), rng.randrange(1 << 32), 0) for _ in range(count)]
    check(Requantiser(acc_width=width, data_width=data_width), Rounding.RAW, CONFIGS[1], vectors)


SUBSETS = [frozenset({mode}) for mode in Rounding] + [
    frozenset({Rounding.TFLM, Rounding.DIVIDE, Rounding.RAW}),
    frozenset({Rounding.WIDE16, Rounding.DIVIDE, Rounding.RAW}),
    frozenset({Rounding.SINGLE, Rounding.AFFINE, Rounding.RAW}),
    ALL_MODES - {Rounding.ORT},
]


@pytest.mark.parametrize(
    "modes", SUBSETS, ids=lambda modes: "+".join(m.name for m in sorted(modes))
)
def test_subset_of_modes_with_stalls(modes):
    """A lane built for fewer modes gives the same results, also when it is held at random."""
    rng = random.Random(3)
    for mode in sorted(modes):
        vectors = vectors_of(mode, rng, 24, thorough(200, 400))
        dut = Requantiser(acc_width=24, data_width=16, modes=modes)
        assert dut.latency <= 11
        check(dut, mode, INT16, vectors, stalls=0.3, seed=mode)


@pytest.mark.slow
def test_banks_change_between_neighbours():
    """Two layers of different modes share the lane; neighbours may belong to either."""
    rng = random.Random(9)
    dut = Requantiser(acc_width=24)
    kinds = ((Rounding.AFFINE, CONFIGS[2]), (Rounding.ORT, CONFIGS[1]))
    count = thorough(800, 2000)
    streams = [iter(vectors_of(mode, rng, 24, count)) for mode, _ in kinds]
    banks = [rng.randrange(2) for _ in range(count)]
    vectors = [next(streams[bank]) for bank in banks]
    layout = lane_config_layout(8)

    async def bench(ctx):
        ctx.set(dut.en, 1)
        for bank, (mode, (zero_point, low, high)) in enumerate(kinds):
            value = {"mode": mode, "zero_point": zero_point, "low": low, "high": high}
            ctx.set(dut.cfg[bank], layout.const(value))
        for cycle in range(len(vectors) + dut.latency):
            vector = vectors[min(cycle, len(vectors) - 1)]
            ctx.set(dut.acc, vector[0])
            ctx.set(dut.params.as_value(), pack(vector))
            ctx.set(dut.bank, banks[min(cycle, len(vectors) - 1)])
            if (index := cycle - dut.latency) >= 0:
                mode, config = kinds[banks[index]]
                assert ctx.get(dut.result) == expected(mode, config, vectors[index]) % 256
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.slow
def test_reciprocal_of_every_small_count():
    """Every sum of `count` 8-bit values, for all counts to 1024."""
    for count in range(1, 1025):
        multiplier, shift = reciprocal(count)
        dividend = np.arange(255 * count + count // 2 + 1, dtype=np.uint64)
        quotient = (dividend * np.uint64(multiplier)) >> np.uint64(31 - shift)
        assert np.array_equal(quotient, dividend // np.uint64(count)), count


def test_reciprocal_of_large_counts():
    """To 2^24 and above: both functions are monotonic, so the places where floor steps suffice."""
    rng = random.Random(1)
    powers = [1 << k for k in range(17)]
    for count in {*powers, *(p - 1 for p in powers[1:]), *(p + 1 for p in powers[:-1])} | {
        rng.randint(1025, MAX_COUNT) for _ in range(300)
    }:
        multiplier, shift = reciprocal(count)
        assert 0 < multiplier < 1 << 32
        assert -16 <= shift <= 0
        limit = (1 << 25 if count > 8 else 1 << 20) // count
        steps = np.arange(1, limit, dtype=np.uint64) * np.uint64(count)
        last = np.uint64(((1 << 31) - 1) // count * count)
        for dividend in (steps, steps - np.uint64(1), np.array([last, last - np.uint64(1)])):
            quotient = (dividend * np.uint64(multiplier)) >> np.uint64(31 - shift)
            assert np.array_equal(quotient, dividend // np.uint64(count)), count


@pytest.mark.parametrize("count", [0, -1, MAX_COUNT + 1])
def test_reciprocal_refuses(count):
    with pytest.raises(RowforgeError, match=f"1 to 65536 pixels, not {count}"):
        reciprocal(count)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"acc_width": 41}, "accumulator width must be 16 to 40 bits, not 41"),
        ({"data_width": 12}, "data width must be 8 or 16 bits, not 12"),
        ({"modes": ()}, "modes must be a choice of rounding modes"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(RowforgeError, match=message):
        Requantiser(**arguments)
    gc.collect()  # Amaranth warns of a component that is never elaborated: here and now
