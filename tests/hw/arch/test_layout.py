"""Packing of activations, psums and records, against element-by-element definitions."""

import numpy as np
import pytest

from hw.arch.commands import LOOP, REGION
from hw.arch.config import Config
from hw.arch.counters import COUNTERS
from hw.arch.entries import PARAM, short_params_words
from hw.arch.errors import RowforgeError
from hw.arch.patterns import COLUMN, SLOT
from hw.arch.program import Box, layout

INT8 = [
    Config.of({"buffer.width": 32, "noc.psum_in": 2, "noc.psum_out": 2}),
    Config.of({"buffer.width": 64}),
    Config.of({"buffer.width": 128, "post.units": 4}),
]
WIDTHS = pytest.mark.parametrize("config", INT8, ids=lambda config: str(config.buffer.width))


def _bit_image(config, view, box, bits, lanes):
    """The definition: words in order, lane by lane, as one large number."""
    image, position = 0, 0
    (n0, n1), (y0, y1), (x0, x1), (c0, c1) = box.items, box.rows, box.columns, box.channels
    for n in range(n0, n1):
        for block in range(c0, c1, lanes):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    for lane in range(lanes):
                        c = block + lane
                        value = int(view[n, y, x, c]) if c < c1 else 0
                        image |= (value & ((1 << bits) - 1)) << position
                        position += bits
    words = -(-position // 64)
    return [(image >> (64 * i)) & ((1 << 64) - 1) for i in range(words)]


@WIDTHS
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_boxes_are_packed_as_defined(config, dtype):
    rng = np.random.default_rng(1)
    view = rng.integers(0, 256, (2, 5, 7, 19)).astype(dtype)
    for box in (
        Box((0, 2), (0, 5), (0, 7), (0, 19)),
        Box((1, 2), (1, 4), (2, 5), (8, 19)),
        Box((0, 1), (4, 5), (6, 7), (18, 19)),
    ):
        words = layout.pack_box(config, view, box)
        assert words.tolist() == _bit_image(config, view, box, 8, config.lanes)
        assert len(words) == layout.link_words(config, layout.box_words(config, box))
        back = np.zeros_like(view)
        layout.store_box(config, back, words, box)
        part = layout.unpack_box(config, words, box, dtype)
        assert part.dtype == view.dtype
        assert (layout.pack_box(config, back, box) == words).all()
        assert part.sum() == back.sum()


@WIDTHS
def test_raw_boxes_hold_32_bit_elements(config):
    rng = np.random.default_rng(2)
    view = rng.integers(-(1 << 31), 1 << 31, (1, 2, 3, 5)).astype(np.int32)
    box = Box((0, 1), (0, 2), (1, 3), (0, 5))
    words = layout.pack_box(config, view, box, raw=True)
    assert words.tolist() == _bit_image(config, view, box, 32, config.buffer.width // 32)
    assert (layout.unpack_box(config, words, box, "int32", raw=True) == view[:, :, 1:3]).all()


def test_16_bit_boxes():
    config = Config.of({"array.data_width": 16, "noc.filter": 4})
    view = np.arange(-30, 30, dtype=np.int16).reshape(1, 3, 4, 5)
    box = Box((0, 1), (0, 3), (0, 4), (0, 5))
    words = layout.pack_box(config, view, box)
    assert words.tolist() == _bit_image(config, view, box, 16, 4)
    assert (layout.unpack_box(config, words, box, "int16") == view).all()


@pytest.mark.parametrize("data_width, dtype", [(8, "uint8"), (16, "int16")])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_few_channels_are_loaded_without_gaps(data_width, dtype, channels):
    config = Config.of({"array.data_width": data_width, "noc.filter": 4})
    view = np.random.default_rng(channels).integers(0, 100, (2, 3, 5, channels)).astype(dtype)
    box = Box((0, 2), (1, 3), (1, 5), (0, channels))
    words = layout.pack_load(config, view, box)
    image = view[:, 1:3, 1:5].astype(view.dtype.newbyteorder("<")).tobytes()
    assert words.tobytes().rstrip(b"\0") == image.rstrip(b"\0")
    fields = layout.region(config, box, address=0, row_stride=4, plane_stride=8, load=True)
    assert fields["channels"] == channels
    assert fields["words"] == len(words) == layout.load_words(config, box) == -(-len(image) // 8)


def test_other_boxes_are_loaded_as_they_are_stored():
    config = Config()
    view = np.arange(2 * 3 * 4, dtype=np.int8).reshape(1, 2, 3, 4)
    box = Box((0, 1), (0, 2), (0, 3), (0, 4))
    assert (layout.pack_load(config, view, box) == layout.pack_box(config, view, box)).all()
    narrow = Config.of({"buffer.width": 32, "noc.ifmap": 2, "post.units": 2})
    few, three = Box((0, 1), (0, 2), (0, 3), (0, 3)), view[..., :3]
    assert layout.spread_channels(narrow, few) == 3
    assert layout.spread_channels(narrow, few, raw=True) == 0
    wide = three.astype(np.int32)
    packed = layout.pack_box(narrow, wide, few, raw=True)
    assert (layout.pack_load(narrow, wide, few, raw=True) == packed).all()


def test_region_names_the_same_words():
    config = Config()
    box = Box((0, 2), (1, 4), (2, 7), (0, 17))
    values = layout.region(config, box, address=40, row_stride=-5, plane_stride=15)
    assert REGION.pack(values)
    assert values["run"] * values["rows"] * values["planes"] == layout.box_words(config, box)
    assert (values["planes"], values["row_stride"]) == (6, (1 << 20) - 5)


def test_refusals():
    config = Config()
    view = np.zeros((1, 2, 2, 8), dtype=np.int8)
    box = Box((0, 1), (0, 2), (0, 2), (0, 8))
    with pytest.raises(RowforgeError, match="integers of 8 bits, not int16"):
        layout.pack_box(config, view.astype(np.int16), box)
    with pytest.raises(RowforgeError, match="integers of 32 bits"):
        layout.pack_box(config, view, box, raw=True)
    with pytest.raises(RowforgeError, match="rows of a box must be within 0 to 2, not 0 to 3"):
        layout.pack_box(config, view, Box((0, 1), (0, 3), (0, 2), (0, 8)))
    with pytest.raises(RowforgeError, match="viewed as items"):
        layout.pack_box(config, view[0], box)
    with pytest.raises(RowforgeError, match="4 link words, not 5"):
        layout.unpack_box(config, np.zeros(5, dtype=np.uint64), box, "int8")
    with pytest.raises(RowforgeError, match="whole beats of 8 words, not 9"):
        layout.pack_filters(config, np.zeros(9, dtype=np.int8))
    with pytest.raises(RowforgeError, match="param.shift must be -64 to 63, not 64"):
        layout.pack_params([0, 0], [1, 1], [0, 64])
    with pytest.raises(RowforgeError, match="param has no field 'scale'"):
        layout.pack_records(PARAM, {"scale": [1]})


@pytest.mark.parametrize("count", [1, 7, 8, 9, 40])
def test_short_params_hold_all_but_the_addend(count):
    rng = np.random.default_rng(count)
    columns = {
        "bias": rng.integers(-(1 << 31), 1 << 31, count),
        "multiplier": rng.integers(0, 1 << 32, count),
        "shift": rng.integers(-64, 64, count),
    }
    words = layout.pack_params(**columns)
    short = layout.short_params(words)
    assert len(short) == short_params_words(count) == count + -(-count // 8)
    values = layout.unpack_short_params(short, count)
    assert not values.pop("addend").any()
    for name, column in columns.items():
        assert (values[name] == column).all()
    assert layout.short_params(layout.pack_params(**columns, addend=np.eye(1, count)[0])) is None


@pytest.mark.parametrize(
    "config",
    [
        Config.of({"buffer.depth": 32}),
        Config.of({"buffer.depth": 32, "noc.psum_in": 1, "noc.psum_out": 1}),
        Config.of(
            {"buffer.depth": 32, "buffer.banks": 13, "array.psum_width": 24, "noc.psum_out": 8}
        ),
        Config.of({"buffer.depth": 32, "buffer.psum_banks": 5}),
    ],
)
def test_psum_beats_never_share_a_word(config):
    beats = np.arange(layout.psum_capacity(config))
    banks, rows = layout.psum_place(config, beats)
    assert banks.shape == (len(beats), config.banks_per_beat)
    assert banks.min() >= config.buffer.banks - (config.buffer.psum_banks or config.buffer.banks)
    assert banks.max() == config.buffer.banks - 1
    assert rows.min() == 0 and rows.max() == config.buffer.depth - 1
    words = layout.psum_words(config, beats)
    assert len(np.unique(words)) == words.size
    assert set(banks[::2].flat).isdisjoint(banks[1::2].flat)
    for count in (1, 5, 64, 65):
        if count <= len(beats):
            floor = layout.psum_floor(config, count)
            assert words[:count].min() // config.buffer.depth == floor // config.buffer.depth


def test_psum_place_of_a_beat():
    config = Config()  # two banks a beat, 8 banks of 512
    banks, row = layout.psum_place(config, 1024 + 7)
    assert banks.tolist() == [2, 3] and int(row) == 3
    assert layout.psum_slot_bits(config) == 32
    assert layout.psum_beats(config, 5) == 2


@pytest.mark.parametrize(
    "config",
    [Config.of({"noc.filter": 2}), Config(), Config.of({"array.data_width": 16, "noc.filter": 4})],
)
def test_filters_are_packed_without_gaps(config):
    rng = np.random.default_rng(3)
    kind = f"int{config.array.data_width}"
    weights = rng.integers(-128, 128, (3, config.noc.filter)).astype(kind)
    words = layout.pack_filters(config, weights)
    assert len(words) == layout.filter_words(config, 3)
    value = sum(int(word) << (64 * i) for i, word in enumerate(words))
    for i, weight in enumerate(weights.reshape(-1)):
        low = (value >> (i * config.array.data_width)) & ((1 << config.array.data_width) - 1)
        assert low == int(weight) & ((1 << config.array.data_width) - 1)
    assert (layout.unpack_filters(config, words, 3) == weights).all()
    unsigned = layout.unpack_filters(config, words, 3, signed=False)
    assert (unsigned == weights.view(f"u{kind}")).all()


@pytest.mark.parametrize("struct", [PARAM, SLOT, COLUMN, LOOP, COUNTERS], ids=lambda s: s.name)
def test_records_at_once_equal_records_one_by_one(struct):
    rng = np.random.default_rng(4)
    count = 9
    values = {
        field.name: rng.integers(max(field.low, -(1 << 62)), min(field.high, 1 << 62), count)
        for field in struct.fields
    }
    words = layout.pack_records(struct, values)
    single = [
        word
        for i in range(count)
        for word in struct.pack({name: int(column[i]) for name, column in values.items()})
    ]
    assert words.tolist() == single
    back = layout.unpack_records(struct, words)
    assert all((back[name] == values[name]).all() for name in values)
