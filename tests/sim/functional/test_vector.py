"""The executor's vector engine against plain NumPy."""

import numpy as np

from hw.arch.commands import Opcode, Rounding, VectorOp
from hw.arch.config import Config
from hw.arch.entries import TABLE
from hw.arch.program import layout
from hw.arch.reciprocal import reciprocal
from sim.functional import FunctionalAccelerator
from tb.models.streams import WordStream, run, unpack
from tests.sim.mapping import CONFIG, values

PLANES = {"row_stride": 6, "plane_stride": 30, "height": 5, "width": 6, "blocks": 2}


def vector_result(config, loads, vector, shape, *, dtype="int8", raw=False, prepare=None):
    stream = WordStream(config)
    if prepare:
        prepare(stream)
    for address, view in loads:
        stream.load(view[None], address)
    stream.vector({"output": 1000, "rows": shape[0], "columns": shape[1], **vector})
    stream.store((1, *shape), 1000, raw=raw)
    ((_, words),) = run(FunctionalAccelerator(config), stream)
    return unpack(config, words, (1, *shape), dtype, raw=raw)[0]


def test_add_looks_up_both_tables():
    left, right = values((5, 6, 16), 21, -128, 128), values((5, 6, 16), 22, -128, 128)
    tables = values((256, 2), 23, -500, 500, np.int64) * 2

    def prepare(stream):
        payload = layout.pack_records(TABLE, {"left": tables[:, 0], "right": tables[:, 1]})
        stream.indexed(Opcode.TABLE, 0, 256, payload).params([50], shift=-2)

    vector = {"right": 200, "right_row_stride": 6, "right_plane_stride": 30}
    vector |= {"output_row_stride": 6, "plane": 30, "op": VectorOp.ADD, **PLANES}
    result = vector_result(CONFIG, [(0, left), (200, right)], vector, (5, 6, 16), prepare=prepare)
    total = tables[left.view(np.uint8), 0] + tables[right.view(np.uint8), 1] + 50
    expected = np.sign(total) * ((np.abs(total) + 4) // 8)
    assert (result == np.clip(expected, -128, 127)).all()


def test_mul_by_channel():
    left, right = values((5, 6, 16), 24), values((5, 6, 16), 25)
    bias = np.arange(16) * 3
    vector = {"right": 200, "right_row_stride": 6, "right_plane_stride": 30, "by_channel": 1}
    vector |= {"output_row_stride": 6, "plane": 30, "op": VectorOp.MUL, **PLANES}
    vector |= {"left_zero": -4, "right_zero": 9, "param": 3}
    result = vector_result(
        CONFIG,
        [(0, left), (200, right)],
        vector,
        (5, 6, 16),
        prepare=lambda stream: stream.params(bias, first=3),
    )
    expected = (left.astype(int) + 4) * (right.astype(int) - 9) + bias
    assert (result == np.clip(expected, -128, 127)).all()


def windows(x, fill, **places):
    padded = np.pad(x.astype(np.int64), ((1, 1), (1, 1), (0, 0)), constant_values=fill)
    return [
        [padded[2 * e : 2 * e + 3, 2 * f : 2 * f + 2].reshape(-1, x.shape[-1]) for f in range(4)]
        for e in range(3)
    ]


POOL = {"window_rows": 3, "window_columns": 2, "stride_y": 2, "stride_x": 2, "y": -1, "x": -1}
POOL |= {"output_row_stride": 4, "plane": 12, **PLANES}


def test_max_pooling_with_padding():
    x = values((5, 6, 16), 26, -128, 128)
    vector = {**POOL, "op": VectorOp.MAX, "left_zero": 5, "zero_point": 7}
    result = vector_result(
        CONFIG, [(0, x)], vector, (3, 4, 16), prepare=lambda stream: stream.params([0])
    )
    expected = [[part.max(axis=0) - 5 + 7 for part in row] for row in windows(x, -1000)]
    assert (result == np.clip(expected, -128, 127)).all()


def test_average_pooling_divides_by_the_words_in_the_window():
    x = values((5, 6, 16), 27, -128, 128)
    pairs = [(count // 2, *reciprocal(count)) for count in range(1, 7)]
    vector = {**POOL, "op": VectorOp.SUM, "by_count": 1, "param": 10, "mode": Rounding.DIVIDE}

    def prepare(stream):
        stream.params(*zip(*pairs, strict=True), first=10)

    result = vector_result(CONFIG, [(0, x)], vector, (3, 4, 16), prepare=prepare)
    sums = np.array([[part.sum(axis=0) for part in row] for row in windows(x, 0)])
    counts = np.array([[len(part) for part in row] for row in windows(x, 0)])
    ones = np.array(
        [[int((part[:, 0] > -1).sum()) for part in row] for row in windows(x * 0, -1000)]
    )
    assert counts.max() == ones.max()
    expected = np.sign(sums) * ((np.abs(sums) + ones[..., None] // 2) // ones[..., None])
    assert (result == expected).all()


def test_16_bit_addition_in_place():
    config = Config.of({"array.data_width": 16, "noc.filter": 4})
    left, right = (values((5, 6, 8), seed, -30000, 30000, np.int16) for seed in (28, 29))
    vector = {"right": 200, "right_row_stride": 6, "right_plane_stride": 30}
    vector |= {"output_row_stride": 6, "plane": 30, "op": VectorOp.ADD16, **PLANES}
    stream = WordStream(config).params([0], 0, -1).load(left[None], 0).load(right[None], 200)
    stream.vector({**vector, "output": 0, "rows": 5, "columns": 6})
    stream.store((1, 5, 6, 8), 0)
    ((_, words),) = run(FunctionalAccelerator(config), stream)
    expected = (left.astype(int) + right + 1) >> 1
    assert (unpack(config, words, (1, 5, 6, 8), "int16")[0] == expected).all()
