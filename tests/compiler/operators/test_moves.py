"""Host steps that only move values, in the buffer: the same values, and where they stay away."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.ir.ops import HostStep, Node, Pool, PoolKind
from compiler.moves.pieces import Along, moved
from compiler.moves.stretches import stretches
from compiler.options import CompileOptions
from hw.arch.config import Config
from numerics.host import run_host
from tests.compiler.support import check_graph, conv_graph
from tests.support.random_moves import random_move

CONFIG = Config()
LANES = CONFIG.lanes
_SCALE = Quantisation((0.05,), (0,))
SMALL = Config.of({"array.rows": 2, "array.cols": 2, "buffer.depth": 64})
CONFIGS = {
    "default": CONFIG,
    "16 bits": Config.of({"array.data_width": 16, "noc.filter": 4}),
    "narrow": Config.of({"buffer.width": 32, "noc.ifmap": 2, "post.units": 2}),
    "small": SMALL,
}


def between(function, parameters, shape, dtype="int8", *, after=True) -> Graph:
    """A pool, the step, and if wished another pool, so that the array has both ends."""

    def pool(number: int, source: str, target: str, size: tuple[int, ...]) -> Pool:
        info = np.iinfo(dtype)
        return Pool(
            name=f"pool{number}",
            op="MAX_POOL_2D",
            inputs=(source,),
            output=target,
            batch=size[0],
            image=size[1:],
            kind=PoolKind.MAX,
            window=(1, 1),
            stride=(1, 1),
            low=int(info.min),
            high=int(info.max),
            dtype=dtype,
        )

    made = run_host(function, [np.zeros(shape, dtype)], parameters)[0].shape
    step = HostStep(
        name="step", op="MOVE", inputs=("a",), output="b", function=function, parameters=parameters
    )
    nodes: list[Node] = [pool(0, "x", "a", shape), step]
    shapes = {"x": shape, "a": shape, "b": made}
    if after:
        nodes.append(pool(1, "b", "y", made))
        shapes["y"] = made
    tensors = {
        key: Tensor(name=key, key=key, shape=size, dtype=dtype, quantisation=_SCALE)
        for key, size in shapes.items()
    }
    return Graph(
        name="g", tensors=tensors, nodes=tuple(nodes), inputs=("x",), outputs=(list(shapes)[-1],)
    )


def where(graph: Graph, config: Config = CONFIG, **options) -> str:
    layers = compile_graph(graph, config, CompileOptions(**options)).layers
    return next(layer.where for layer in layers if layer.name == "step")


@pytest.mark.parametrize("name", CONFIGS)
def test_random_moves_are_right(name):
    config, rng = CONFIGS[name], np.random.default_rng(3)
    dtype = "int16" if config.array.data_width == 16 else "int8"
    seen: Counter[tuple[str, str]] = Counter()
    for _ in range(60):
        items = int(rng.choice([1, 1, 4]))
        rows, columns = (int(n) for n in rng.integers(1, 8, 2))
        channels = int(rng.choice([1, 3, config.lanes, 2 * config.lanes, 4 * config.lanes]))
        shape = (items, rows, columns, channels)
        function, parameters = random_move(rng, shape, config.lanes)
        graph = between(function, parameters, shape, dtype)
        check_graph(graph, config, rng)
        seen[function, where(graph, config)] += 1
    assert len({function for function, place in seen if place == "array"}) >= 7
    assert sum(count for (_, place), count in seen.items() if place == "array") > 30


def test_tiles_of_a_move_are_right():
    """An output that does not fit the buffer comes in tiles, each from the part that it needs."""
    rng = np.random.default_rng(4)
    tiled = 0
    for _ in range(12):
        shape = (1, int(rng.integers(8, 20)), int(rng.integers(8, 20)), 4 * SMALL.lanes)
        function, parameters = random_move(rng, shape, SMALL.lanes)
        graph = between(function, parameters, shape)
        check_graph(graph, SMALL, rng)
        layers = compile_graph(graph, SMALL).layers
        tiled += "tiles" in layers[1].reason
    assert tiled > 3


TWICE = {"axes": (1, 2), "positions": ((0, 0, 1, 1, 2, 2), (0, 0, 1, 1))}
HALF = {"axes": (3,), "start": (LANES,), "stop": (2 * LANES,), "step": (1,)}
LATE = {"axes": (3,), "start": (1,), "stop": (LANES,), "step": (1,)}


@pytest.mark.parametrize(
    ("function", "parameters", "after", "place"),
    [
        ("pick", TWICE, True, "array"),
        ("pick", TWICE, False, "host"),  # the host would read more than it writes now
        ("slice", HALF, False, "array"),
        ("slice", LATE, True, "host"),  # channels do not begin a buffer word
        ("transpose", {"permutation": (0, 2, 1, 3)}, True, "host"),
    ],
)
def test_the_array_does_what_saves_a_way(function, parameters, after, place):
    assert where(between(function, parameters, (1, 3, 2, 2 * LANES), after=after)) == place


def test_what_the_host_has_stays_there():
    graph = between("slice", HALF, (1, 3, 2, 2 * LANES))
    later = replace(graph, nodes=(replace(graph.nodes[1], inputs=("x",)), graph.nodes[2]))
    assert where(later) == "host"


def test_moves_need_no_host():
    assert where(between("pick", TWICE, (1, 3, 2, 8)), no_host=True) == "array"


def test_upsampling_takes_few_commands():
    """A command for each block of channels and each copy of a row, however large the map is."""
    positions = tuple(tuple(np.repeat(range(n), 2).tolist()) for n in (24, 20))
    graph = between("pick", {"axes": (1, 2), "positions": positions}, (1, 24, 20, 2 * LANES))
    program = compile_graph(graph, CONFIG.with_values({"buffer.depth": 2048}))
    words = 48 * 40 * 2
    assert program.layers[1].computing == words * LANES // CONFIG.post.units + 4 * 40


def test_a_pointwise_layer_runs_before_the_map_is_enlarged():
    """A quarter of the products, the same outputs; with every layer wanted, as the model has it."""
    graph = upsampled_then_pointwise()
    rng = np.random.default_rng(6)
    check_graph(graph, CONFIG, rng)
    check_graph(graph, CONFIG, rng, dump=True)
    quick, whole = (
        compile_graph(graph, CONFIG, CompileOptions(dump=dump)).layers for dump in (False, True)
    )
    assert [layer.name for layer in whole] == ["pool0", "step", "conv"]
    assert [layer.name for layer in quick] == ["pool0", "conv", "step"]
    assert 4 * quick[1].macs == whole[2].macs
    other = replace(graph, outputs=("b", "y"))  # somebody wants the enlarged map
    layers = compile_graph(other, CONFIG).layers
    assert [layer.name for layer in layers] == ["pool0", "step", "conv"]
    check_graph(other, CONFIG, rng)


def upsampled_then_pointwise() -> Graph:
    rng = np.random.default_rng(7)
    graph = between("pick", TWICE, (1, 3, 2, 11), after=False)
    alone = conv_graph(rng, (6, 4, 11), 5, (1, 1))
    conv = replace(alone.nodes[0], name="conv", inputs=("b",), output="y", pad=(0, 0, 0, 0))
    tensors = {**graph.tensors, "y": replace(alone.tensors["y"], shape=(1, 6, 4, 5))}
    return Graph(
        name="g", tensors=tensors, nodes=(*graph.nodes, conv), inputs=("x",), outputs=("y",)
    )


def test_stretches_follow_equal_steps():
    along = Along(2, 3, (0, 0, 1, 1, 2, 2, 7, 5, 5, 5))
    found = list(stretches(along))
    places = {}
    for stretch in found:
        outer, inner = stretch.loops
        for i in range(outer.count):
            for j in range(inner.count):
                target = stretch.target + i * outer.target + j * inner.target
                places[target] = stretch.source + i * outer.source + j * inner.source
    assert places == {2 + 3 * index: source for index, source in enumerate(along.source)}
    assert len(found) == 3


def test_pieces_are_what_the_host_step_computes():
    rng = np.random.default_rng(5)
    for _ in range(200):
        shape = (int(rng.choice([1, 4])), *(int(n) for n in rng.integers(1, 7, 3)))
        function, parameters = random_move(rng, shape, 2)
        values = np.arange(np.prod(shape)).reshape(shape) + 100
        (expected,) = run_host(function, [values], parameters)
        found = moved(function, parameters, shape)
        result = np.full(expected.shape, -1 if found.fill is None else found.fill)
        for piece in found.pieces:
            into = [along.start + along.step * np.arange(len(along.source)) for along in piece.axes]
            source = [np.array(along.source, dtype=int) for along in piece.axes]
            result[np.ix_(*into)] = values[np.ix_(*source)]
        np.testing.assert_array_equal(result, expected, err_msg=f"{function} {parameters}")
