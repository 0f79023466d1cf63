"""Bands slide down a buffer, so that rows which two of them have in common come once."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from compiler.schedule import scheduler, tiling
from compiler.schedule.parts.places import Slide, SlidingPlaces, slides
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.accesses import DataType, Direction, Level
from hw.arch.program import Box, Load
from rowforge.configs import preset
from tests.compiler.support import check_graph

PRESET = preset("eyeriss_v1")
CONFIG = replace(
    PRESET,
    buffer=replace(PRESET.buffer, banks=16, depth=128),
    link=replace(PRESET.link, rate=0.3),
)
FIRST = LayerShape("a", 67, 3, 16, 7, 4)
SPANS = [(0, 15), (8, 23), (16, 31), (24, 39)]


def graph():
    return layer_graph("x", [FIRST], data_width=16, seed=1)


def test_a_band_lies_where_its_first_rows_are():
    places = list(slides(SPANS, 31))
    assert places[:3] == [Slide(0, 0, 0), Slide(8, 7, 8), Slide(16, 7, 8)]
    # The last one begins at the top again, and nothing of the band before lies there.
    assert places[3] == Slide(0, 0, 15)


def test_rows_under_the_band_before_wait():
    assert list(slides(SPANS[:3], 23))[2] == Slide(0, 0, 8)
    assert list(slides(SPANS[:1], 23, free=4))[0] == Slide(0, 0, 4)


def test_bands_without_common_rows_take_turns_at_the_top():
    assert [slide.kept for slide in slides([(0, 3), (5, 8), (10, 13)], 9)] == [0, 0, 0]


def boxes():
    """Two strips of different widths."""
    return [Box((0, 1), rows, columns, (0, 3)) for columns in ((0, 9), (7, 12)) for rows in SPANS]


@pytest.mark.parametrize("rows", [15, 17, 23, 30, 31, 60])
def test_a_part_is_whole_and_what_comes_early_touches_no_row_in_use(rows):
    """Words that are written, in the order of loading, as the map's pixels."""
    places, held = SlidingPlaces(CONFIG, 40, rows, boxes()), {}

    def bring(operands):
        written = set()
        for operand in operands:
            for row in range(*operand.box.rows):
                for column in range(*operand.box.columns):
                    surface = operand.surface
                    line = (row - operand.box.rows[0]) * surface.row_stride
                    word = surface.address + line + column - operand.box.columns[0]
                    assert 40 <= word < 40 + rows * 9
                    held[word] = row, column
                    written.add(word)
        return written

    def words(part):
        first, last = part.surface.extent(CONFIG)
        return set(range(first, last))

    for number, box in enumerate(boxes()):
        early = bring(places.early(number, 3))
        assert number == 0 or not early & words(places.part(number - 1))
        bring(places.late(number))
        part = places.part(number)
        pixels = [(y, x) for y in range(*box.rows) for x in range(*box.columns)]
        assert [held[word] for word in sorted(words(part))] == pixels


def program(objective):
    return compile_graph(graph(), CONFIG, CompileOptions(wrap=True, objective=objective))


def test_sliding_bands_and_stored_filters_move_less_and_give_the_same_tensors(monkeypatch):
    check_graph(graph(), CONFIG, np.random.default_rng(1), wrap=True, objective="traffic")
    found = program("traffic")
    loads = [step for step in found.steps if isinstance(step, Load)]
    tops = [(load.box.columns, load.box.rows[0]) for load in loads]
    assert len(tops) == len(set(tops)) > 4  # no row of a strip comes twice
    accesses = found.layers[0].accesses
    assert accesses.words(Level.LINK, DataType.FILTER) == 16 * 7 * 7 * 3 // 4
    inputs = accesses.words(Level.LINK, DataType.INPUT, Direction.READ)
    monkeypatch.setattr("compiler.schedule.tiling._sliding", lambda *_: ())
    others = program("traffic").layers[0].accesses
    assert inputs < others.words(Level.LINK, DataType.INPUT, Direction.READ)


@pytest.mark.parametrize("groups", [1, 2])
def test_filters_of_a_tile_stay_while_bands_of_several_blocks_slide(monkeypatch, groups):
    """The filters cross the link once, and every band of all channels for each set of them."""
    choices = tiling._choices
    monkeypatch.setattr(
        tiling,
        "_choices",
        lambda *given: (each for each in choices(*given) if each.by_filters and each.sliding),
    )
    taken = []
    kept = scheduler.kept_tiling

    def kept_tiling(*given):
        taken.append(kept(*given))
        return taken[-1]

    monkeypatch.setattr(scheduler, "kept_tiling", kept_tiling)
    monkeypatch.setattr(scheduler, "kept_chunks", lambda *_: None)
    shape = LayerShape("b", 18, 24, 32, 3, 1, 1, groups=groups)
    layer = layer_graph("x", [shape], data_width=16, seed=1)
    check_graph(layer, CONFIG, np.random.default_rng(1), wrap=True, objective="traffic")
    program = compile_graph(layer, CONFIG, CompileOptions(wrap=True, objective="traffic"))
    found = next(each for each in taken if each is not None and not any(each.resident))
    assert found.by_filters and found.sliding and found.size[3] < 32
    accesses = program.layers[0].accesses
    assert accesses.words(Level.LINK, DataType.FILTER) == 32 * 24 // groups * 9 // 4
