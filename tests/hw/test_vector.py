"""hw.vector.vector: element-wise operations and pooling against NumPy."""

import gc

import numpy as np
import pytest

from hw.arch.commands import VectorOp
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.vector.vector import VectorEngine
from tests.hw.vector_bench import WINDOWED, Bench, expected
from tests.thorough import thorough

OPS = {
    8: (VectorOp.ADD, VectorOp.MUL, VectorOp.MAX, VectorOp.SUM),
    16: (VectorOp.ADD16, VectorOp.MUL, VectorOp.MAX, VectorOp.SUM),
}
WORDS = 1 << 12


def make_config(data_width, glb_width, post_units):
    """A configuration whose other fields fit these."""
    lanes = glb_width // data_width
    return Config.of(
        {
            "array.data_width": data_width,
            "buffer.width": glb_width,
            "post.units": post_units,
            "noc.ifmap": min(4, lanes),
            "noc.filter": 4,
            "noc.psum_in": 8,
            "buffer.banks": 32,
        }
    )


CONFIGS = [
    make_config(data_width, glb_width, units)
    for data_width in (8, 16)
    for glb_width in (32, 64)
    for units in (1, 2, 4)
    if units <= glb_width // data_width
]


def make_memory(config, rng):
    """Buffer words: a dict, so that a read of any other address is an error."""
    size = config.buffer.width // 8
    return {i: int.from_bytes(rng.bytes(size), "little") for i in range(WORDS)}


def make_tables(rng):
    """The two tables of ADD; sums wrap."""
    return rng.integers(-(1 << 31), 1 << 31, (2, 256))


def random_command(config, rng, op):
    """A random descriptor whose operands lie in the memory."""

    def pick(low, high):
        return int(rng.integers(low, high + 1))

    signed = pick(0, 1)
    zeros = (-128, 127) if signed else (0, 255)
    blocks, rows, columns = pick(1, 4), pick(1, 6), pick(1, 6)
    stride_y, stride_x = pick(1, 3), pick(1, 3)
    height, width = pick(1, 3 + rows * stride_y), pick(1, 3 + columns * stride_x)
    windowed = op in WINDOWED
    if not windowed:
        height, width = rows * stride_y, columns * stride_x
    right_stride = width + pick(0, 3)
    row_stride = width + pick(0, 3)
    command = {
        "op": op,
        "signed": signed,
        "blocks": blocks,
        "rows": rows,
        "columns": columns,
        "window_rows": pick(1, 5) if windowed else 1,
        "window_columns": pick(1, 5) if windowed else 1,
        "stride_y": stride_y,
        "stride_x": stride_x,
        "y": pick(-4, 2),
        "x": pick(-4, 2),
        "height": height,
        "width": width,
        "left": pick(0, 100),
        "right": pick(0, 100),
        "row_stride": row_stride,
        "plane_stride": height * row_stride + pick(0, 5),
        "right_row_stride": right_stride,
        "right_plane_stride": height * right_stride + pick(0, 5),
        "output": pick(0, (1 << 20) - 1),
        "output_row_stride": pick(0, 1000),
        "plane": pick(0, (1 << 20) - 1),
        "param": pick(0, (1 << 16) - 1),
        "by_count": op == VectorOp.SUM and pick(0, 1),
        "by_channel": pick(0, 1),
    }
    if config.array.data_width == 8:
        command |= {"left_zero": pick(*zeros), "right_zero": pick(*zeros)}
    else:
        command |= {"left_zero": 0, "right_zero": 0}
    return command


def check(config, commands, *, seed=0, memory=None, **bench):
    """Run the commands, compare with NumPy, return the outcomes."""
    rng = np.random.default_rng(seed)
    memory, tables = memory or make_memory(config, rng), make_tables(rng)
    outcomes = Bench(config, memory, tables, seed=seed, **bench).run(commands)
    for number, (command, outcome) in enumerate(zip(commands, outcomes, strict=True)):
        wanted = expected(config, command, memory, tables)
        assert outcome.reads == wanted.reads, f"reads of command {number}: {command}"
        assert outcome.items == wanted.items, f"items of command {number}: {command}"
    return outcomes


def square(op, *, side, window=1, stride=1, pad=0, blocks=1, **fields):
    """An operation with `side` x `side` outputs on operands without gaps."""
    size = (side - 1) * stride + window - 2 * pad
    return {
        "op": op,
        "signed": 1,
        "blocks": blocks,
        "rows": side,
        "columns": side,
        "window_rows": window,
        "window_columns": window,
        "stride_y": stride,
        "stride_x": stride,
        "y": -pad,
        "x": -pad,
        "height": size,
        "width": size,
        "left": 0,
        "right": 256,
        "row_stride": size,
        "plane_stride": size * size,
        "right_row_stride": size,
        "right_plane_stride": size * size,
        "left_zero": 0,
        "right_zero": 0,
        "output": 1024,
        "output_row_stride": side,
        "plane": side * side,
        "param": 0,
        "by_count": 0,
        "by_channel": 0,
        **fields,
    }


def config_id(config):
    return f"d{config.array.data_width}-w{config.buffer.width}-u{config.post.units}"


@pytest.mark.parametrize("config", thorough(CONFIGS[1::2], CONFIGS), ids=config_id)
def test_random_commands(config):
    seed = 100 * config.buffer.width + 10 * config.array.data_width + config.post.units
    rng = np.random.default_rng(seed)
    commands = [random_command(config, rng, op) for op in OPS[config.array.data_width] * 2]
    check(config, commands, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("data_width", [8, 16])
def test_extreme_operands(data_width):
    config = make_config(data_width, 64, 4)
    adding = VectorOp.ADD if data_width == 8 else VectorOp.ADD16
    for byte in (0x00, 0x80, 0xFF):
        word = int.from_bytes(bytes([0 if data_width == 16 else byte, byte] * 4), "little")
        memory = dict.fromkeys(range(WORDS), word)
        commands = [
            square(op, side=1, window=window, signed=signed, left_zero=zero, right_zero=zero)
            for op, window in (
                (adding, 1),
                (VectorOp.MUL, 1),
                (VectorOp.MAX, 2),
                (VectorOp.SUM, 9),
            )
            for signed, zero in ((0, 0), (0, 255), (1, -128), (1, 127))
            if data_width == 8 or zero == 0
        ]
        check(config, commands, memory=memory, stalls=False)


def test_average_pool_counts_existing_pixels():
    config = make_config(8, 32, 2)
    command = square(VectorOp.SUM, side=3, window=3, stride=2, pad=1, by_count=1, param=65530)
    (outcome,) = check(config, [command])
    counts = [(item[3] - command["param"] + 1) % (1 << 16) for item in outcome.items]
    assert counts[::2] == [4, 6, 4, 6, 9, 6, 4, 6, 4]


def test_windows_outside_the_map_give_zero():
    config = make_config(8, 32, 4)
    for op in WINDOWED:
        command = square(op, side=2, window=2, y=-2, x=-9, left_zero=5)
        (outcome,) = check(config, [command])
        assert outcome.reads == []
        assert [item[0] for item in outcome.items] == [(0, 0, 0, 0)] * 4


def test_one_operand_can_be_repeated():
    """Strides of 0 in the right operand: one row of factors for all output rows and blocks."""
    config = make_config(8, 64, 2)
    strides = {"right_row_stride": 0, "right_plane_stride": 0}
    (outcome,) = check(config, [square(VectorOp.MUL, side=3, blocks=2, **strides)])
    assert outcome.reads[1::2] == [256, 257, 258] * 6


@pytest.mark.parametrize("size", ["blocks", "rows", "columns"])
def test_nothing_to_do(size):
    config = make_config(8, 32, 1)
    nothing = square(VectorOp.ADD, side=2, **{size: 0})
    first, second = check(config, [nothing, square(VectorOp.ADD, side=2)])
    assert first.cycles == 0
    assert second.cycles > 0


TIMED = {
    "add": (square(VectorOp.ADD, side=8), 2, 1),
    "two blocks": (square(VectorOp.MUL, side=8, blocks=2), 2, 1),
    "max 2x2": (square(VectorOp.MAX, side=8, window=2, stride=2), 4, 2),
    "sum 7x7": (square(VectorOp.SUM, side=1, window=7, stride=7, blocks=4), 49, 3),
    "tall": (square(VectorOp.SUM, side=1, window=3, y=-9, height=1), 0, 4),
}
"""Commands, words in their windows, bits of the larger of stride_y and |y|."""


@pytest.mark.slow
@pytest.mark.parametrize("latency", [1, 6])
@pytest.mark.parametrize("units", [1, 4, 8])
def test_cycles(latency, units):
    """The formula of `VectorEngine`, for every read latency that the queue covers."""
    config = make_config(8, 64, units)
    groups = config.lanes // units
    commands = [command for command, _, _ in TIMED.values()]
    outcomes = check(config, commands, stalls=False, latency=latency)
    for name, outcome in zip(TIMED, outcomes, strict=True):
        command, words, bits = TIMED[name]
        windows = command["blocks"] * command["rows"] * command["columns"]
        # A window of which nothing exists takes a cycle and waits for no answer.
        wait = words + latency if words else 1
        wanted = 7 + bits + wait + (windows - 1) * max(words, groups) + groups
        assert outcome.cycles == wanted, name


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("acc_width", [16, 31])
def test_narrow_accumulators_are_refused(acc_width):
    with pytest.raises(RowforgeError, match=f"at least 32 bits, not {acc_width}"):
        VectorEngine(make_config(8, 64, 1), acc_width=acc_width)
    gc.collect()  # Amaranth warns of a component that is never elaborated: here and now
