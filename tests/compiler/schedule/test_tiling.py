"""Sizes of tile parts: exact over every tile; slots and live ranges are checked always."""

import time
from itertools import product

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.ir.ops import Concat, Mul
from compiler.operators.build import array_operation
from compiler.operators.operation import Operation, size_of
from compiler.schedule.parts.slots import Slots
from compiler.schedule.space import Space
from compiler.schedule.tensors import default_view, view_of
from compiler.schedule.tiling import operand_words, tiles
from compiler.stream.surface import surface_words
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from tests.compiler.support import check_graph, random_config, random_layer, random_stage

TINY = preset("tiny")


def random_operation(rng: np.random.Generator) -> tuple[Config, Operation]:
    """An operation of a random layer that the array can compute."""
    while True:
        config = random_config(rng)
        graph = random_layer(rng, config)
        node = graph.nodes[0]
        shapes = tuple(
            view_of(node) or default_view(graph.tensors[key].shape) for key in node.inputs
        )
        source, target = graph.tensors[node.inputs[0]], graph.tensors[node.output]
        found = array_operation(config, node, shapes, source, target, "cycles")
        if isinstance(found, Operation):
            return config, found


def test_a_long_axis_costs_no_more_than_a_short_one() -> None:
    """A million rows are refused at once, since they take too many tiles, not after seconds."""
    shape = (1, 500_000, 1, 16)
    graph = concat_graph([shape, shape], 1, ["a", "b"])
    started = time.process_time()
    with pytest.raises(RowforgeError, match="it takes .* tiles of the global buffer"):
        compile_graph(graph, TINY)
    assert time.process_time() - started < 3.0


@pytest.mark.parametrize("seed", range(100))
def test_a_part_is_as_large_as_the_largest_of_all_tiles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    config, operation = random_operation(rng)
    for _ in range(6):
        step = operation.channel_step
        N, E, F, M = operation.target
        channels = min(M, step * int(rng.integers(1, max(M // step, 1) + 1)))
        size = (*(int(rng.integers(1, n + 1)) for n in (N, E, F)), channels)
        every = list(tiles(operation, size))
        for operand in range(len(operation.sources)):
            most = max(
                surface_words(config, size_of(operation.reach(tile, operand))) for tile in every
            )
            assert operand_words(config, operation, size, operand) == most


def concat_graph(shapes: list[tuple[int, ...]], axis: int, keys: list[str]) -> Graph:
    """Tensors of these shapes, joined in the order of `keys`."""
    scale = Quantisation((0.05,), (0,))
    given = dict(zip(dict.fromkeys(keys), shapes, strict=True))
    output = list(shapes[0])
    output[axis] = sum(given[key][axis] for key in keys)
    node = Concat(name="n", op="CONCATENATION", inputs=tuple(keys), output="y", axis=axis)
    tensors = {
        key: Tensor(name=key, key=key, shape=tuple(shape), dtype="int8", quantisation=scale)
        for key, shape in {**given, "y": output}.items()
    }
    return Graph(name="g", tensors=tensors, nodes=(node,), inputs=tuple(given), outputs=("y",))


@pytest.mark.parametrize(
    ("axis", "count"), [pair for pair in product((1, 2), (3, 5, 6)) if pair != (2, 6)]
)
def test_concatenations_larger_than_the_buffer(axis: int, count: int) -> None:
    """A tile in the middle needs more of an operand than those at the ends do."""
    shape = (1, 13, 80, 16)
    graph = concat_graph([shape] * count, axis, [f"x{n}" for n in range(count)])
    check_graph(graph, TINY, np.random.default_rng(count))


def test_items_are_joined_at_any_item() -> None:
    graph = concat_graph([(3, 9, 40, 24), (5, 9, 40, 24)], 0, ["a", "b"])
    check_graph(graph, TINY, np.random.default_rng(0))


def test_an_operator_reads_a_resident_tensor_twice() -> None:
    """What is in the buffer stays there for all operands, or goes for all of them."""
    rng = np.random.default_rng(1)
    shape = (1, 12, 12, 16)
    stage = random_stage(rng, 1, "int8")
    square = Mul(name="m", op="MUL", inputs=("x", "x"), output="y", zero_points=(0, 0), stage=stage)
    joined = Concat(name="c", op="CONCATENATION", inputs=("y", "y", "y", "y"), output="z", axis=1)
    scale = Quantisation((0.05,), (0,))
    tensors = {
        key: Tensor(name=key, key=key, shape=size, dtype="int8", quantisation=scale)
        for key, size in {"x": shape, "y": shape, "z": (1, 48, 12, 16)}.items()
    }
    graph = Graph(name="g", tensors=tensors, nodes=(square, joined), inputs=("x",), outputs=("z",))
    for banks in (8, 12, 16, 20):
        config = Config.of(
            {
                "array.rows": 2,
                "array.cols": 2,
                "buffer.banks": banks,
                "buffer.depth": 64,
                "noc.psum_in": 2,
                "noc.psum_out": 2,
            }
        )
        check_graph(graph, config, rng)
        assert compile_graph(graph, config).layers[1].where == "array"


def test_a_part_that_leaves_its_slot_is_an_internal_error() -> None:
    slots = Slots(TINY, 100, 10, 2)
    assert slots.end == 120
    assert slots.surface(3, (1, 2, 5, 1)).address == 110
    assert slots.surface(2, (1, 2, 2, 1), at=6).address == 106
    with pytest.raises(AssertionError, match="ends 11 words into a buffer of 10"):
        slots.surface(0, (1, 1, 11, 1))
    with pytest.raises(AssertionError, match="ends 11 words into a buffer of 10"):
        slots.surface(1, (1, 2, 2, 1), at=7)


def test_live_ranges_never_share_a_word() -> None:
    space = Space(TINY)
    space.take("a", 0, 100)
    space.take("b", 100, 10)
    with pytest.raises(AssertionError, match="c would lie over b"):
        space.take("c", 109, 10)
    with pytest.raises(AssertionError, match="activations reach up to word"):
        space.take("d", space.limit(0) - 1, 2)
    with pytest.raises(AssertionError, match="psum groups leave"):
        space.check_fits(space.limit(1) + 1, 1)
