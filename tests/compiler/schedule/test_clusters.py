"""How clusters share tiles: parts cover a tile once, on whole words; results are the same."""

from itertools import product

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.operators.build import array_operation
from compiler.operators.operation import size_of, whole
from compiler.options import CompileOptions
from compiler.schedule.clusters import Cut, best_cut, channel_grid
from compiler.schedule.parts.scattered import sharing_cycles
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.accesses import Access, DataType, Direction, Level
from hw.arch.config import Config
from hw.arch.program import Box, Store
from hw.arch.routes import ROUTE, RouteKind
from rowforge.configs import preset
from sim.cycles import predict
from sim.golden.run import run_graph
from sim.replay import functional_link
from sw_driver.runtime import Runtime
from tests.compiler.support import conv_graph, random_inputs

MESH = preset("tiny_mesh")


def meshed(y: int, x: int) -> Config:
    return MESH.with_values({"clusters.y": y, "clusters.x": x})


def operation(config: Config, graph: Graph):
    (node,) = graph.nodes
    (key,) = graph.inputs
    source, target = graph.tensors[key], graph.tensors[node.output]
    found = array_operation(config, node, (source.shape,), source, target, "cycles")
    assert not isinstance(found, str)
    return found


def layer(shape=(9, 8, 12), filters=20, batch=1, window=(3, 3)) -> Graph:
    return conv_graph(np.random.default_rng(3), shape, filters, window, batch=batch)


@pytest.mark.parametrize("mesh", [(2, 2), (3, 1), (1, 3), (3, 2), (4, 4)])
@pytest.mark.parametrize("batch", [1, 3])
def test_parts_cover_a_tile_once(mesh, batch):
    config = meshed(*mesh)
    found = operation(config, layer(batch=batch))
    tile = Box((0, batch), (1, 7), (0, 8), (0, 20))
    grid = channel_grid(config, found)
    assert grid % config.lanes == 0
    for axes in product((None, 0, 1, 3), repeat=2):
        boxes = Cut(*axes).boxes(config, found, tile)
        covered = np.zeros((batch, 10, 8, 20), dtype=int)
        for cluster, box in boxes.items():
            assert 0 <= cluster < config.clusters.count
            assert (box.channels[0] - tile.channels[0]) % grid == 0
            spans = (box.items, box.rows, box.columns, box.channels)
            covered[tuple(slice(*span) for span in spans)] += 1
        assert covered.sum() == covered.max() * np.prod(size_of(tile)) and covered.max() == 1
        assert covered[:, 1:7].min() == 1


def test_the_best_cut_is_by_rows_where_there_are_many_and_none_for_a_small_layer():
    config = meshed(2, 2)
    large = operation(config, layer((18, 18, 16), 16))
    small = operation(config, layer((3, 3, 8), 8))
    cut = best_cut(config, large, whole(large.target), 2048, stays=True)
    assert cut is not None and cut.text(config) == "E4"
    assert best_cut(config, small, whole(small.target), 2048, stays=True) is None


def test_what_is_shared_out_takes_a_cycle_a_link_word():
    box, empty = whole((1, 4, 4, 16)), whole((1, 0, 4, 8))
    extra = sharing_cycles(MESH, [box, box]) - 2 * 4 * 4 * 16 // 8
    assert 0 < extra == sharing_cycles(MESH, [empty] * 2)


def check(graph: Graph, config: Config, **options) -> None:
    program = compile_graph(graph, config, CompileOptions(**options))
    inputs = random_inputs(graph, np.random.default_rng(5))
    outcome = Runtime(functional_link(config), config).run(program, inputs)
    golden = run_graph(graph, inputs)
    for index, array in outcome.tensors.items():
        key = program.tensors[index].key
        np.testing.assert_array_equal(array.reshape(-1), golden[key].reshape(-1), err_msg=key)


@pytest.mark.parametrize("mesh", [(1, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize(
    ("shape", "filters", "batch", "window"),
    [((9, 8, 12), 20, 3, (3, 3)), ((1, 1, 40), 72, 1, (1, 1))],
)
def test_layers_are_equal_on_every_number_of_clusters(mesh, shape, filters, batch, window):
    check(layer(shape, filters, batch, window), meshed(*mesh), profile=True)


def test_a_layer_in_tiles_through_the_host_is_equal():
    config = meshed(2, 2).with_values({"buffer.depth": 64})
    graph = layer((16, 16, 16), 24)
    program = compile_graph(graph, config)
    assert "tiles through the host" in program.layers[0].reason
    assert program.layers[0].mapping["clusters"] != "all alike"
    check(graph, config)


def test_filters_that_several_clusters_need_are_sent_once():
    """Rows are cut: the words of filters are those of a single cluster, the cycles a quarter."""
    graph = layer((18, 18, 16), 16)
    one, four = (compile_graph(graph, meshed(n, n)) for n in (1, 2))
    filters = Access(Level.LINK, DataType.FILTER, Direction.READ)
    words = [program.layers[0].accesses[filters] for program in (one, four)]
    assert words[0] <= words[1] < 1.1 * words[0]
    cycles = [program.layers[0].computing for program in (one, four)]
    assert cycles[1] < 0.3 * cycles[0]
    assert one.layers[0].mapping.get("clusters") is None
    assert four.layers[0].mapping["clusters"] == "E4"


def test_a_single_cluster_has_no_routes():
    program = compile_graph(layer(), meshed(1, 1))
    several = compile_graph(layer(), meshed(1, 2))
    kinds = [ROUTE.unpack([int(step.words[0])])["kind"] for step in several.steps[1:]]
    assert set(kinds) <= set(RouteKind)
    # Each cluster stores what it has computed.
    stores = [sum(isinstance(step, Store) for step in each.steps) for each in (program, several)]
    assert stores == [1, 2] and len(several.steps) == len(program.steps) + 1
    assert "clusters.y" not in program.config.values(hardware=True)


def two_layers(window: int, pad: int) -> Graph:
    shapes = [LayerShape("first", 16, 8, 32, 1), LayerShape("second", 16, 32, 8, window, pad=pad)]
    return layer_graph("two", shapes, seed=3)


@pytest.mark.parametrize(
    ("window", "pad", "rows"), [(1, 0, 0), (3, 1, 2 * 3)], ids=["pointwise", "3 x 3"]
)
def test_only_rows_that_other_clusters_need_go_to_them(window, pad, rows):
    """Four clusters with four rows each: a window of three rows needs one from each neighbour."""
    graph = two_layers(window, pad)
    program = compile_graph(graph, meshed(2, 2))
    assert [layer.mapping["clusters"] for layer in program.layers] == ["E4", "E4"]
    counted = predict(compile_graph(graph, meshed(2, 2), CompileOptions(profile=True)))
    words = sum(c["link_store_words"] for c in counted.accesses.values())
    ends = 16 * 16 * 8 // 8  # the results of the second layer go to the host
    assert words == ends + rows * 16 * 32 // 8
    check(graph, meshed(2, 2))


def test_clusters_whose_patterns_do_not_all_fit_still_work_side_by_side():
    """One that filled a table waited for all others before."""
    graph = layer_graph("wide", [LayerShape("one", 6, 100, 40, 1)], seed=3)
    array = {"array.rows": 3, "pe.macs": 2}
    cycles = []
    for patterns in (3, 32):
        config = meshed(1, 3).with_values({**array, "control.row_patterns": patterns})
        program = compile_graph(graph, config)
        assert program.layers[0].mapping["clusters"] == "E3"
        cycles.append(predict(program).cycles)
    assert cycles[1] < cycles[0] < 1.3 * cycles[1]
