"""Convolutions whose channels come in chunks: values, places in the array, space."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.mapper.cost import Cost
from compiler.mapper.space import ConvShape, Fold, MappedBlock, Mapping, Plan, Run
from compiler.nest.locate import locate
from compiler.operators.convolve import ConvOperation
from compiler.options import CompileOptions
from compiler.schedule import scheduler as schedule
from compiler.schedule.chunk_waves import (
    filter_waves,
    finished_groups,
    result_places,
    touched_groups,
)
from compiler.schedule.chunks import find_chunks
from compiler.schedule.goal import Goal
from compiler.schedule.space import Space
from compiler.workloads.networks import network_graph
from hw.arch.config import Config
from hw.arch.program import Load, Store
from tests.compiler.mapper.test_mapper import preset
from tests.compiler.support import check_graph, conv_graph

SMALL = {"buffer.banks": 10, "buffer.depth": 64, "pe.psum_spad": 16}
CASES = {
    "3x3": (Config.of(SMALL), (9, 8, 32), 24, {"pad": (1, 1, 1, 1)}),
    "stride": (
        Config.of({**SMALL, "array.rows": 3, "array.cols": 5}),
        (11, 9, 24),
        16,
        {"stride": (2, 2)},
    ),
    "dilation": (Config.of({**SMALL, "array.rows": 5}), (10, 10, 16), 8, {"dilation": (2, 2)}),
    "odd filters": (Config.of({**SMALL, "post.units": 2, "noc.psum_out": 2}), (7, 7, 32), 13, {}),
    "two multipliers": (Config.of({**SMALL, "pe.macs": 2, "array.cols": 3}), (6, 9, 32), 20, {}),
    "16 bits": (
        Config.of(
            {
                **SMALL,
                "array.data_width": 16,
                "array.psum_width": 24,
                "noc.filter": 4,
                "noc.ifmap": 1,
            }
        ),
        (8, 8, 24),
        12,
        {},
    ),
}

LINEAR = Config.of({**SMALL, "buffer.banks": 14, "array.cols": 5, "control.col_patterns": 2})


@pytest.fixture
def only_chunks(monkeypatch):
    """Tilings without chunks are as bad as can be."""

    def worst(self, *arguments):
        return None

    monkeypatch.setattr(schedule.Scheduler, "_best_tiling", worst)
    monkeypatch.setattr(schedule.Scheduler, "_whole", lambda *arguments: False)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_chunks_add_up(only_chunks, name, batch):
    config, image, filters, geometry = CASES[name]
    rng = np.random.default_rng(len(name))
    dtype = "int16" if config.array.data_width == 16 else "int8"
    graph = conv_graph(rng, image, filters, (3, 3), dtype=dtype, batch=batch, **geometry)
    check_graph(graph, config, rng, wrap=True)
    program = compile_graph(graph, config, CompileOptions(wrap=True))
    (layer,) = program.layers
    assert sum(isinstance(step, Load) for step in program.steps) > batch
    places = locate(config, layer, (batch - 1, 1, 2, filters - 1))
    commands = {place.command for place in places}
    assert len(commands) > 1
    assert [place.finished for place in places] == [False] * (len(places) - 1) + [True]


@pytest.mark.parametrize("filters", [24, 32, 56])
def test_waves_of_linear_mappings_add_up(only_chunks, filters):
    """Rows of filter groups dealt out to the columns: more waves than column patterns."""
    rng = np.random.default_rng(filters)
    graph = conv_graph(rng, (9, 8, 32), filters, (3, 3))
    check_graph(graph, LINEAR, rng)
    (layer,) = compile_graph(graph, LINEAR).layers
    parts = [part for part in layer.mapping["parts"] if part["block"]["chosen"]]
    assert any(not part["finishes"] for part in parts)
    waves = {part["block"]["chosen"][0] for part in parts if part["finishes"]}
    assert len(waves) > LINEAR.control.col_patterns
    for channel in range(filters):
        places = locate(LINEAR, layer, (0, 6, 5, channel))
        assert [place.finished for place in places] == [False] * (len(places) - 1) + [True]


def test_places_of_results_are_taken_again_when_they_have_left():
    """Three rows on two columns: the groups of the waves are 0 | 0, 1 | 1."""
    shape = ConvShape(N=1, M=16, C=8, E=3, F=2, R=1, S=1, partial=True)
    fold = Fold(q=8, span=1, runs=(Run(first=0, groups=1),))
    mapping = Mapping(fold=fold, p=8, ce=3, cm=2, cn=1, windows=2, width=2)
    block = MappedBlock(mapping=mapping, rows=(0, 3), columns=(0, 2), filters=(0, 16), load=Cost())
    waves = list(filter_waves(shape, block))
    assert [wave.chosen for wave in waves] == [(0, 1), (1, 2), (2, 3)]
    assert [list(touched_groups(wave)) for wave in waves] == [[0], [0, 1], [1]]
    assert [list(finished_groups(wave)) for wave in waves] == [[], [0], [1]]
    grid = replace(block, mapping=replace(mapping, width=0, ce=1, cm=1))
    places = result_places(Config(), Plan(shape=shape, blocks=(block, grid)), 1)
    assert places.waves == ((0,), (0, 6), (6,), (0,), (2,), (0,), (2,), (0,), (2,))
    assert places.total == 12


def test_groups_come_one_by_one(only_chunks):
    config = Config.of(SMALL)
    rng = np.random.default_rng(5)
    graph = conv_graph(rng, (8, 8, 32), 32, (3, 3), groups=2)
    check_graph(graph, config, rng)


def test_results_leave_wave_by_wave(only_chunks):
    """The output has less space than a tile: it is stored in parts that cover it once."""
    config = Config.of(SMALL)
    rng = np.random.default_rng(6)
    program = compile_graph(conv_graph(rng, (9, 8, 32), 24, (3, 3)), config)
    seen = np.zeros((1, 7, 6, 24), dtype=int)
    for step in program.steps:
        if isinstance(step, Store):
            box = step.box
            at = np.ix_(
                *(range(*span) for span in (box.items, box.rows, box.columns, box.channels))
            )
            seen[at] += 1
    assert (seen == 1).all()


def test_psums_of_a_tile_fit_the_buffer():
    """What the schedule reserves is what its waves use."""
    config = preset("eyeriss_v1")
    node = network_graph("vgg16", data_width=16, batch=1).nodes[8]
    operation = ConvOperation(config, node, True, "cycles")
    found = find_chunks(Space(config), operation, Goal(config, "cycles"))
    assert found is not None
    words = found.buffers * found.ifmap_words + found.areas * found.result_words
    assert words <= Space(config).limit(found.groups)
    assert found.total < 1.12 * operation.least_cycles


def test_depthwise_and_raw_outputs_have_no_chunks():
    config = Config.of(SMALL)
    rng = np.random.default_rng(7)
    raw = conv_graph(rng, (8, 8, 32), 8, (3, 3), raw=True).nodes[0]
    deep = conv_graph(rng, (8, 8, 32), 32, (3, 3), groups=32).nodes[0]
    for node in (raw, deep):
        operation = ConvOperation(config, node, True, "cycles")
        assert find_chunks(Space(config), operation, Goal(config, "cycles")) is None
