"""The executor against plain NumPy, on programs mapped by hand."""

import numpy as np
import pytest

from hw.arch import commands
from hw.arch.commands import Opcode, ResultBlock, Rounding
from hw.arch.config import Config
from hw.arch.config.identity import parse_identity
from hw.arch.counters import COUNTERS
from hw.arch.program import layout
from sim.functional import FunctionalAccelerator
from sim.functional.errors import SemanticsError
from tb.models.streams import WordStream, convolve, filter_words, run, unpack
from tests.sim.mapping import (
    CONFIG,
    OUTPUT_AT,
    chain,
    convolution_stream,
    expected_int8,
    fully_connected,
    mapped,
    values,
)

CASES = {
    "1x1": ((4, 4, 4), (1, 1, 4, 6), {"p": 6, "q": 4}),
    "3x3, padded, tiles and channel folding": (
        (8, 6, 16),
        (3, 3, 16, 8),
        {"p": 4, "q": 4, "pad": 1, "zero": -7},
    ),
    "3x3, stride 2": ((9, 9, 4), (3, 3, 4, 5), {"p": 5, "q": 4, "stride": 2}),
    "1x1, stride 2": ((8, 8, 8), (1, 1, 8, 4), {"p": 4, "q": 4, "stride": 2, "zero": 3}),
    "2x2, stride 3, few channels": ((8, 8, 3), (2, 2, 3, 4), {"p": 2, "q": 3, "stride": 3}),
    "4x1, many channels a word": ((7, 5, 8), (4, 1, 8, 3), {"p": 3, "q": 8}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("macs", [1, 2])
@pytest.mark.parametrize("width", [32, 64, 128])
def test_convolutions(name, macs, width):
    x_shape, w_shape, options = CASES[name]
    options = {**options, "q": min(options["q"], width // 8)}
    config = CONFIG.with_values(
        {
            "pe.macs": macs,
            "buffer.width": width,
            "post.units": 1,
            "buffer.depth": 1024,
            "buffer.banks": 12,
        }
    )
    x, w = values(x_shape, 1), values(w_shape, 2)
    bias = np.arange(w_shape[-1]) * 5 - 9
    mapping = {key: options[key] for key in ("stride", "zero") if key in options}
    pad = options.get("pad", 0)
    expected = expected_int8(x, w, bias, pad=(pad, pad), **mapping)
    stream = convolution_stream(config, x, w, bias, **options)
    stream.store((1, *expected.shape), OUTPUT_AT, tag=9)
    stream.command(Opcode.COUNTERS)
    (header, words), (_, counters) = run(FunctionalAccelerator(config), stream)
    assert (header["block"], header["tag"]) == (ResultBlock.DATA, 9)
    assert (unpack(config, words, (1, *expected.shape))[0] == expected).all()
    macs_done = COUNTERS.unpack(counters.tolist())["macs"]
    assert macs_done == expected.size * w[..., 0].size


def test_counters_are_cleared_by_reading():
    x, w = values((4, 4, 4), 1, 0, 2), values((1, 1, 4, 6), 2)
    stream = convolution_stream(CONFIG, x, w, np.zeros(6, dtype=int), p=6, q=4)
    stream.command(Opcode.COUNTERS, tag=3).command(Opcode.COUNTERS)
    (header, first), (_, second) = run(FunctionalAccelerator(CONFIG), stream)
    assert header["tag"] == 3
    counters = COUNTERS.unpack(first.tolist())
    assert counters["passes"] == 1
    assert counters["gated_macs"] == (x == 0).sum() * 6
    assert counters["glb_ifmap_words"] == 16
    assert counters["filter_words"] == 3
    assert counters["link_in_words"] == len(stream.words) - 2
    assert counters["link_out_words"] == 0
    assert set(COUNTERS.unpack(second.tolist()).values()) == {0, 1}


def test_two_segments_and_filter_groups_share_ifmaps():
    """Rows 0-1 make filters 0-2, rows 2-3 filters 3-5 of a group; columns pair rows and groups."""
    x, w, bias = values((2, 5, 8), 3), values((1, 1, 8, 12), 4), np.arange(12)
    rows = chain({"iid": 0, "fid": 0}, {"iid": 1, "fid": 1})
    rows += chain({"iid": 0, "fid": 2}, {"iid": 1, "fid": 3})
    slot = {"outer": 2, "outer_step": 1, "outer_words": 5, "inner": 1}
    pattern = {
        "filters": 4,
        "rows": rows,
        "slots": [slot, {**slot, "lane": 4}],
        "segments": [
            {"head": 0, "first": 1, "last": 1},
            {"head": 2, "first": 1, "last": 1, "channel": 3},
        ],
    }
    columns = {
        "groups": 2,
        "columns": [
            {"tid": g, "base": e, "channel": 6 * g, "output": 5 * e}
            for g in range(2)
            for e in range(2)
        ],
    }
    blocks = [
        filter_words(CONFIG, w[0, 0, c : c + 4, m + 6 * g : m + 6 * g + 3])
        for m, c in ((0, 0), (0, 4), (3, 0), (3, 4))
        for g in range(2)
    ]
    stream = WordStream(CONFIG).rows(pattern, first=3).columns(columns, first=2).params(bias)
    stream.load(x[None], 0).conv(
        {
            "psums": 3,
            "steps": 3,
            "taps": 4,
            "windows": 5,
            "pixel_inner": 5,
            "height": 2,
            "width": 5,
            "plane": 10,
        },
        {"rows": 3, "columns": 2, "output": 100},
        filters=[np.concatenate(blocks)],
        tag=1,
    )
    accelerator = FunctionalAccelerator(CONFIG, trace=True)
    ((_, words),) = run(accelerator, stream.store((1, 2, 5, 12), 100))
    assert (unpack(CONFIG, words, (1, 2, 5, 12))[0] == expected_int8(x, w, bias)).all()
    origin = accelerator.origin(100 + 10 + 5 + 2, 3)  # channel 11 of row 1, column 2
    assert (origin.tag, origin.segment, origin.column, origin.window) == (1, 1, 3, 2)
    assert accelerator.origin(0, 0) is None


@pytest.mark.parametrize("macs, mult", [(1, 1), (1, 3), (2, 1), (2, 2), (2, 3)])
def test_depthwise(macs, mult):
    """Rows hold filter rows; a pass makes four channels, patterns alternate between lanes."""
    config = CONFIG.with_values({"pe.macs": macs})
    x, w = values((6, 6, 8), 5), values((3, 3, 8, mult), 6)
    bias = np.arange(8 * mult) - 3
    steps = -(-mult // macs)
    slot = {"outer": 6, "outer_step": 1, "outer_words": 6, "inner": 1}
    patterns = [
        {
            "filters": 3,
            "rows": chain(*({"fid": r, "ioff": r} for r in range(3))),
            "slots": [{**slot, "lane": lane}],
            "segments": [{"first": 1, "last": 1}],
        }
        for lane in (0, 4)
    ]
    filters = []
    for c in (0, 4):
        part = np.pad(
            w[:, :, c : c + 4], ((0, 0), (0, 0), (0, 0), (0, steps * macs - mult))
        ).reshape(3, 12, -1)
        filters.append(np.concatenate([filter_words(config, row) for row in part]))
    stream = WordStream(config).rows(*patterns).params(bias).load(x[None], 0)
    stream.columns({"columns": [{"base": j, "output": 4 * j} for j in range(4)]}).conv(
        {
            "psums": 4 * mult,
            "steps": steps,
            "odd": steps * macs - mult,
            "diagonal": 1,
            "taps": 12,
            "channels": 4,
            "advance": 4,
            "windows": 4,
            "pixel_inner": 6,
            "height": 6,
            "width": 6,
            "plane": 16,
        },
        {"output": 300},
        [{"count": 2, "rows": 1, "channel": 4 * mult}],
        filters,
    )
    ((_, words),) = run(FunctionalAccelerator(config), stream.store((1, 4, 4, 8 * mult), 300))
    expected = np.zeros((4, 4, 8, mult), dtype=np.int64)
    for c in range(8):
        expected[:, :, c] = convolve(x[..., c : c + 1], w[:, :, c : c + 1])
    expected = np.clip(expected.reshape(4, 4, -1) + bias, -128, 127)
    assert (unpack(config, words, expected[None].shape)[0] == expected).all()


def test_items_side_by_side():
    x, w = values((3, 16), 7), values((16, 9), 8)
    stream, constants, weights = fully_connected(CONFIG, x, w)
    stream.params(np.zeros(9, dtype=int)).conv(constants, {"output": 64}, filters=[weights])
    for n in range(3):
        stream.store((1, 1, 1, 9), 64 + 40 * n)
    blocks = run(FunctionalAccelerator(CONFIG), stream)
    expected = np.clip(x.astype(int) @ w, -128, 127)
    for (_, words), row in zip(blocks, expected, strict=True):
        assert (unpack(CONFIG, words, (1, 1, 1, 9)).reshape(-1) == row).all()


def test_unsigned_operands_with_zero_points():
    x, w = values((2, 8), 9, 0, 256, np.uint8), values((8, 4), 10, 0, 256, np.uint8)
    zero = {"zero": 130, "signed": 0, "weight_zero": 121, "weight_signed": 0}
    stream, constants, weights = fully_connected(
        CONFIG, x, w, {**zero, "zero_point": 99, "low": 3, "high": 250}
    )
    stream.params(np.zeros(4, int), shift=-6).conv(constants, {"output": 64}, filters=[weights])
    ((_, words),) = run(FunctionalAccelerator(CONFIG), stream.store((1, 1, 1, 4), 64))
    acc = (x[0].astype(int) - 130) @ (w.astype(int) - 121)
    expected = np.clip(np.round(acc / 128) + 99, 3, 250)
    assert (unpack(CONFIG, words, (1, 1, 1, 4), "uint8").reshape(-1) == expected).all()


@pytest.mark.parametrize("width", [32, 64, 128])
def test_raw_results_take_neighbouring_lanes(width):
    config = CONFIG.with_values({"buffer.width": width, "post.units": 4, "buffer.depth": 1024})
    x, w, bias = values((1, 16), 11), values((16, 5), 12), np.arange(5) * 100000 - 7
    stream, constants, weights = fully_connected(config, x, w, {"mode": Rounding.RAW})
    stream.params(bias).conv(constants, {"output": 64}, filters=[weights])
    stream.store((1, 1, 1, 5), 64, raw=True)
    ((_, words),) = run(FunctionalAccelerator(config), stream)
    raw = unpack(config, words, (1, 1, 1, 5), "int32", raw=True).reshape(-1)
    assert (raw == x[0].astype(int) @ w + bias).all()


@pytest.mark.parametrize("psum_width", [16, 20, 32, 40])
def test_16_bit_products_are_shifted_and_sums_wrap(psum_width):
    config = Config.of({"array.data_width": 16, "noc.filter": 4, "array.psum_width": psum_width})
    x = values((1, 16), 13, -30000, 30000, np.int16)
    w = values((16, 6), 14, -30000, 30000, np.int16)
    bias = np.arange(6) * 1000
    for shift in (0, 9, 16):
        stream, constants, weights = fully_connected(config, x, w, {"window_shift": shift})
        stream.params(bias, 0, -3).conv(constants, {"output": 64}, filters=[weights])
        ((_, words),) = run(FunctionalAccelerator(config), stream.store((1, 1, 1, 6), 64))
        half = 1 << (psum_width - 1)
        acc = ((x[0, :, None].astype(int) * w) >> shift).sum(axis=0)
        acc = (acc + half) % (2 * half) - half
        expected = np.clip((acc + bias + 4) >> 3, -(1 << 15), (1 << 15) - 1)
        got = unpack(config, words, (1, 1, 1, 6), "int16").reshape(-1)
        assert (got == expected).all()


@pytest.mark.parametrize(
    "changes", [{"array.psum_width": 20}, {"array.psum_width": 40, "buffer.width": 128}]
)
def test_psums_of_odd_widths_survive_the_buffer(changes):
    config = CONFIG.with_values({"buffer.banks": 12, **changes})
    x, w = values((4, 4, 16), 15, -128, 128), values((3, 3, 16, 6), 16, -128, 128)
    expected = expected_int8(x, w, 0)
    constants, bases, loops, patterns, columns, filters = mapped(config, x, w, p=6, q=4)
    stream = WordStream(config).rows(*patterns).columns(columns).params(np.zeros(6, int))
    stream.load(x[None], 0).conv(constants, bases, loops, filters)
    ((_, words),) = run(FunctionalAccelerator(config), stream.store((1, 2, 2, 6), OUTPUT_AT))
    assert (unpack(config, words, (1, 2, 2, 6))[0] == expected).all()


def test_sums_go_on_over_commands():
    """One command leaves partial sums (`before`), the next one takes them up (`after`)."""
    x, w = values((4, 4, 8), 17), values((3, 3, 8, 4), 18)
    constants, bases, _, patterns, columns, filters = mapped(CONFIG, x, w, p=4, q=4)
    stream = WordStream(CONFIG).rows(*patterns).columns(columns).params(np.zeros(4, int))
    stream.load(x[None], 0)
    stream.conv({**constants, "before": 1}, bases, filters=filters[:1])
    stream.conv({**constants, "after": 1}, {**bases, "rows": 1}, filters=filters[1:])
    ((_, words),) = run(FunctionalAccelerator(CONFIG), stream.store((1, 2, 2, 4), OUTPUT_AT))
    assert (unpack(CONFIG, words, (1, 2, 2, 4))[0] == expected_int8(x, w, 0)).all()


def test_resident_filters():
    config = CONFIG.with_values({"buffer.weight_memory": 4096})
    x, w = values((2, 16), 19), values((16, 9), 20)
    inner, constants, weights = fully_connected(config, x, w)
    packed = layout.pack_filters(config, weights)
    inner.params(np.zeros(9, int))
    inner.conv({**constants, "resident": 1}, {"output": 64, "weights": 20})
    body = inner.words[len(commands.begin(0)) :]
    stream = WordStream(config).indexed(Opcode.MEMORY, 20, len(packed), packed)
    stream.words.extend(body)
    stream.store((1, 1, 1, 9), 64)
    ((_, words),) = run(FunctionalAccelerator(config), stream)
    expected = np.clip(x[0].astype(int) @ w, -128, 127)
    assert (unpack(config, words, (1, 1, 1, 9)).reshape(-1) == expected).all()


@pytest.mark.parametrize("width", [32, 64, 128])
def test_filters_from_the_buffer(width):
    config = CONFIG.with_values({"buffer.filters": True, "buffer.width": width, "noc.ifmap": 4})
    x, w = values((2, 16), 19), values((16, 9), 20)
    stream, constants, weights = fully_connected(config, x, w)
    packed = layout.pack_filters(config, weights)
    # Each PE's filters begin with a new buffer word.
    units = packed.reshape(x.shape[1] // 4, -1)
    apart = np.pad(units, ((0, 0), (0, -units.shape[1] % max(width // 64, 1))))
    stream.params(np.zeros(9, int)).load_words(apart.reshape(-1), 300)
    stream.conv({**constants, "buffered": 1}, {"output": 64, "weights": 300})
    stream.store((1, 1, 1, 9), 64)
    accelerator = FunctionalAccelerator(config)
    ((_, words),) = run(accelerator, stream)
    expected = np.clip(x[0].astype(int) @ w, -128, 127)
    assert (unpack(config, words, (1, 1, 1, 9)).reshape(-1) == expected).all()
    assert accelerator.state.counters["filter_words"] == len(packed)
    assert accelerator.state.counters["glb_filter_reads"] == apart.size * 64 // width


def test_identity():
    stream = WordStream(CONFIG).command(Opcode.IDENTIFY, tag=5)
    ((header, words),) = run(FunctionalAccelerator(CONFIG), stream)
    assert (header["block"], header["tag"]) == (ResultBlock.IDENTITY, 5)
    assert parse_identity(words.tolist()).config == CONFIG


def test_a_convolution_of_bases_alone():
    """The constants and loops of the one before stay, across other commands."""
    x, w, bias = values((4, 4, 8), 5), values((1, 1, 8, 4), 6), np.arange(4) * 7
    constants, bases, loops, patterns, columns, filters = mapped(CONFIG, x, w, p=4, q=4)
    stream = WordStream(CONFIG).rows(*patterns).columns(columns).params(bias).load(x[None], 0)
    stream.load(-x[None], 1000).conv(constants, bases, loops, filters)
    stream.command(Opcode.COUNTERS, fence=True)
    moved = {**bases, "ifmap": bases["ifmap"] + 1000, "output": bases["output"] + 100}
    stream.conv_again(moved, filters, fence=True)
    shape = (1, *expected_int8(x, w, bias).shape)
    stream.store(shape, bases["output"]).store(shape, bases["output"] + 100)
    blocks = run(FunctionalAccelerator(CONFIG), stream)
    words = [words for header, words in blocks if header["block"] == ResultBlock.DATA]
    for stored, view in zip(words, (x, -x), strict=True):
        assert (unpack(CONFIG, stored, shape) == expected_int8(view, w, bias)).all()


def test_a_convolution_without_constants_needs_one_before():
    stream = WordStream(CONFIG).conv_again({"output": 1})
    with pytest.raises(SemanticsError, match="no constants, and there is none before"):
        FunctionalAccelerator(CONFIG).send(stream.array())
