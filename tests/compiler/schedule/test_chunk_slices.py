"""Waves that finish their sums in slices of columns, and tiles of channels within nests."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.mapper.space import ConvShape, Fold, MappedBlock, Mapping, Plan, Run
from compiler.nest.locate import locate
from compiler.operators.convolve import ConvOperation
from compiler.schedule import chunks, scheduler
from compiler.schedule.chunk_waves import plan_psums, result_places, single_waves
from compiler.schedule.space import Space
from compiler.schedule.tiling import count_tiles, tile_sizes, tiles
from hw.arch.config import Config
from hw.arch.program import Store
from tests.compiler.schedule.test_chunk_cuts import CASES, filters_sent, forced, graph, stored_once
from tests.compiler.support import check_graph, conv_graph

GRID = Mapping(
    fold=Fold(q=8, span=3, ue=2, runs=(Run(first=0, groups=1),)), p=8, ce=2, cm=1, cn=1, windows=7
)
SHAPE = ConvShape(N=2, M=8, C=8, E=8, F=7, R=3, S=3, partial=True)


def most_slices(config, plans, part, room, areas):
    """As many slices as there can be."""
    found = []
    for slices in range(1, 8):
        results = max(result_places(config, plan, slices).total for plan, _ in plans)
        cuts = chunks._cuts(config, plans, part, room - areas * results)
        if cuts is not None and (not found or results < found[-1].results):
            found.append(chunks._Shares(slices, cuts, results))
    return found[-1] if found else None


def sliced(each):
    return each.slices > 1 and each.areas == 1


@pytest.mark.parametrize("name", CASES)
def test_slices_give_the_same_tensors_with_the_same_filters(monkeypatch, name):
    config = CASES[name][0]
    monkeypatch.setattr(chunks, "_shares", most_slices)
    taken = forced(monkeypatch, sliced)
    check_graph(graph(name), config, np.random.default_rng(1))
    program = compile_graph(graph(name), config)
    assert stored_once(program)
    found = taken[0]
    # What whole waves would send, though their results may not fit.
    whole = replace(found, slices=1, result_words=found.slices * found.result_words)
    monkeypatch.setattr(Space, "check_fits", lambda *_: None)
    monkeypatch.setattr(scheduler, "kept_chunks", lambda *_: whole)
    other = compile_graph(graph(name), config)
    assert filters_sent(program) == filters_sent(other)
    assert count_stores(program) > count_stores(other)


def count_stores(program):
    return sum(isinstance(step, Store) for step in program.steps)


def test_a_place_in_a_slice_is_found(monkeypatch):
    config = CASES["8 bits"][0]
    monkeypatch.setattr(chunks, "_shares", most_slices)
    forced(monkeypatch, sliced)
    program = compile_graph(graph("8 bits"), config)
    for column in range(program.tensors[program.outputs[0]].view[2]):
        places = locate(config, program.layers[0], (0, 2, column, 3))
        assert [place.finished for place in places] == [False] * (len(places) - 1) + [True]


@pytest.mark.parametrize("slices, widths", [(1, [7]), (2, [4, 3]), (3, [3, 3, 1]), (9, [1] * 7)])
def test_slices_lie_in_the_psums_of_their_wave(slices, widths):
    """A beat has four psums: a wave of 7 windows, 8 filters and 4 rows has 56."""
    config = Config.of({"noc.psum_in": 4, "noc.psum_out": 4})
    block = MappedBlock(mapping=GRID, rows=(0, 8), columns=(0, 7), filters=(0, 8))
    waves = single_waves(config, SHAPE, block, slices)
    wave = plan_psums(config, SHAPE, Plan(shape=SHAPE, blocks=(block,)))[-1] // 4
    each = wave // 28
    assert [wave.block.mapping.windows for wave in waves] == 4 * widths
    first = [sum(widths[:n]) * each for n in range(len(widths))]
    assert [one.psum for one in waves] == [n * wave + at for n in range(4) for at in first]
    columns = [one.block.columns for one in waves]
    ends = [sum(widths[: n + 1]) for n in range(len(widths))]
    assert columns == 4 * list(zip([0, *ends], ends, strict=False))


def test_slices_take_less_space():
    """Two waves of 4 rows and 7 columns; what has just been finished still leaves."""
    config = Config.of({"array.rows": 6})
    block = MappedBlock(mapping=GRID, rows=(0, 8), columns=(0, 7), filters=(0, 8))
    plan = Plan(shape=SHAPE, blocks=(block,))
    words = [result_places(config, plan, slices).total for slices in (1, 2, 4)]
    assert words == [2 * 4 * 7, 4 * (4 + 3), 2 * 4 * 2]


def test_waves_of_several_passes_stay_whole():
    """On three rows the two units finish in passes of their own, which would be sent again."""
    config = Config.of({"array.rows": 3})
    block = MappedBlock(mapping=GRID, rows=(0, 8), columns=(0, 7), filters=(0, 8))
    plan = Plan(shape=SHAPE, blocks=(block,))
    assert result_places(config, plan, 4) == result_places(config, plan, 1)


GROUPS = Config.of({"buffer.banks": 10, "buffer.depth": 64})


def operation():
    """Two groups of 24 filters."""
    node = conv_graph(np.random.default_rng(1), (8, 8, 32), 48, (3, 3), groups=2).nodes[0]
    return ConvOperation(GROUPS, node, True, "cycles")


@pytest.mark.parametrize("part, spans", [(48, [(0, 48)]), (24, [(0, 24), (24, 48)])])
def test_tiles_of_whole_nests(part, spans):
    assert list(operation().cuts(3, part)) == spans


def test_tiles_of_channels_lie_within_nests():
    conv, size = operation(), (1, 6, 6, 16)
    spans = [(0, 16), (16, 24), (24, 40), (40, 48)]
    assert list(conv.cuts(3, 16)) == spans
    assert [tile.channels for tile in tiles(conv, size)] == spans
    assert tile_sizes(conv, size) == {size: 2, (1, 6, 6, 8): 2}
    assert count_tiles(conv, size) == 4
    assert conv.longest_reach(3, 16, 0) == 16


def test_nests_of_unequal_tiles_give_the_right_tensors(monkeypatch):
    forced(monkeypatch, lambda each: each.size[3] == 16)
    rng = np.random.default_rng(4)
    both = conv_graph(rng, (8, 8, 32), 48, (3, 3), groups=2)
    check_graph(both, GROUPS, rng)
    assert stored_once(compile_graph(both, GROUPS))
