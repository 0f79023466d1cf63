"""Where operators that only move data run: in the buffer by addressing, or on the host."""

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.ops import Concat, Pad
from hw.arch.config import Config
from tests.compiler.support import check_graph, single

CONFIG = Config()
LANES = CONFIG.lanes


def place(graph):
    """Where the only layer runs; the result is compared with the golden model."""
    check_graph(graph, CONFIG, np.random.default_rng(1))
    (layer,) = compile_graph(graph, CONFIG).layers
    return layer.where


@pytest.mark.parametrize(
    "first, axis, expected",
    [
        ((1, 3, 4, 5), 1, "array"),
        ((1, 3, 4, 5), 2, "array"),
        ((1, 3, 4, LANES), 3, "array"),
        ((1, 3, 4, LANES - 1), 3, "host"),
        ((1, 3, 4, LANES + 1), 3, "host"),
        ((3, 4, 5), 1, "array"),
        ((2, 2 * LANES), 1, "array"),
        ((2, LANES + 1), 1, "host"),
        ((2, LANES), 0, "host"),
        ((1, 2, 3, 4, LANES), 4, "host"),
    ],
)
def test_concatenation(first, axis, expected):
    second = list(first)
    second[axis] = 3
    joined = list(first)
    joined[axis] += 3
    node = Concat(name="n", op="CONCAT", inputs=("x", "x2"), output="y", axis=axis)
    graph = single(node, {"x": first, "x2": tuple(second)}, "int8", tuple(joined))
    assert place(graph) == expected


@pytest.mark.parametrize(
    "shape, pads, expected",
    [
        ((1, 3, 4, 5), ((0, 0), (1, 2), (3, 0), (0, 0)), "array"),
        ((1, 3, 4, LANES), ((0, 0), (0, 0), (0, 0), (LANES, 3)), "array"),
        ((1, 3, 4, LANES), ((0, 0), (0, 0), (0, 0), (LANES - 1, 0)), "host"),
        ((1, 3, 4, 5), ((0, 0), (0, 0), (0, 0), (LANES, 0)), "array"),
        ((1, 3, 4, 5), ((0, 0), (0, 0), (0, 0), (0, 1)), "host"),
        ((1, 3, 4, 5), ((1, 0), (0, 0), (0, 0), (0, 0)), "host"),
        ((1, 3, 4, 5), ((0, 1), (0, 0), (0, 0), (0, 0)), "host"),
        ((3, 4, 5), ((0, 0), (1, 1), (0, 0)), "host"),
    ],
)
def test_padding(shape, pads, expected):
    node = Pad(name="n", op="PAD", inputs=("x",), output="y", pads=pads, value=7)
    padded = tuple(size + sum(pair) for size, pair in zip(shape, pads, strict=True))
    assert place(single(node, {"x": shape}, "int8", padded)) == expected
