"""Accesses that mapper, command stream, cycle model and RTL count: the same words."""

from collections.abc import Mapping

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level, counted_accesses
from hw.arch.commands import BEGIN
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program, Query
from sim.cycles import predict
from sim.functional import FunctionalAccelerator
from sim.link import RtlLink
from sw_driver.runtime import RunOutcome, Runtime
from tests.campaigns.contract.compare import compiled
from tests.campaigns.fuzz.cases import CASES, NARROW, SLICE_SEED, WIDE, make_case, slice_case
from tests.campaigns.fuzz.runner import OPTIMISE

CONFIGS = {
    "narrow": slice_case(NARROW, 0).config,
    "default": Config.of({"array.rows": 2, "array.cols": 2, "buffer.depth": 256}),
    "16 bits": Config.of({"array.data_width": 16, "noc.filter": 4, "buffer.depth": 256}),
}
LAYERS = {
    "small": LayerShape("a", 6, 4, 4, 1),
    "several passes": LayerShape("b", 8, 16, 8, 3, pad=1),
    "pointwise": LayerShape("c", 7, 24, 12, 1),
    "depthwise": LayerShape("d", 9, 8, 8, 3, groups=8),
    "strided": LayerShape("e", 11, 12, 16, 5, stride=2),
}
PSUMS = [Access(Level.BUFFER, DataType.PSUM, direction) for direction in Direction]
FILTERS = Access(Level.NETWORK, DataType.FILTER, Direction.READ)


# What counters and programs can be compared by: counters take all that LOAD brings for one type.
BY_TYPE = (
    ((DataType.TABLE,), Direction.READ),
    ((DataType.FILTER, DataType.INPUT, DataType.SPILL), Direction.READ),
    ((DataType.OUTPUT, DataType.SPILL), Direction.WRITE),
)
AT_BUFFER = (
    ((DataType.IFMAP, DataType.FILTER), Direction.WRITE),
    ((DataType.OFMAP,), Direction.READ),
    ((DataType.FILTER,), Direction.READ),
)
GATED = (
    (DataType.FILTER, Direction.READ),
    (DataType.PSUM, Direction.READ),
    (DataType.PSUM, Direction.WRITE),
)


def model_accesses(
    program: Program, values: Mapping[int, np.ndarray] | None = None
) -> dict[int, Accesses]:
    """By layer, what the cycle model counts, as if no activation were zero at a PE.

    values : of the tensors that are loaded, which a link with codes counts by their zeros
    """
    model = predict(program, values=values or {})
    return {
        layer: counted_accesses(program.config, {**counters, **model.accesses[layer]})
        for layer, counters in model.layers.items()
    }


def layer_program(config: Config, layer: LayerShape) -> Program:
    graph = layer_graph("one", [layer], data_width=config.array.data_width, seed=1)
    return compile_graph(graph, config, CompileOptions(wrap=True, profile=True))


def check_mapping(program: Program, counters: dict[str, int]) -> None:
    """Psums and filters of the mapper's estimate are those that were counted."""
    counted = counted_accesses(program.config, counters)
    (layer,) = program.layers
    for access in (*PSUMS, FILTERS):
        assert layer.accesses[access] == counted[access], access


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("config", CONFIGS)
def test_the_mapper_counts_psums_and_filters_as_the_model_does(config: str, layer: str) -> None:
    program = layer_program(CONFIGS[config], LAYERS[layer])
    counters = predict(program).layers[0]
    check_mapping(program, counters)
    assert program.layers[0].accesses[FILTERS] > 0


def test_some_of_these_layers_keep_psums() -> None:
    program = layer_program(CONFIGS["narrow"], LAYERS["several passes"])
    assert all(program.layers[0].accesses[access] > 0 for access in PSUMS)


@pytest.mark.slow
def test_the_stream_counts_the_link_as_the_model_does() -> None:
    """The model also counts BEGIN, which is no layer's, and the questions for counters."""
    programs = 0
    before = 1 + BEGIN.words  # what goes before the first layer
    seen = set()
    for index in range(0, 40 * CASES, CASES // 3):
        try:
            program = compiled(make_case(SLICE_SEED, index))
        except RowforgeError:
            continue
        counted = model_accesses(program).values()
        moved = {
            way: sum(layer.accesses.words(Level.LINK, direction=way) for layer in program.layers)
            for way in Direction
        }
        questions = sum(isinstance(step, Query) for step in program.steps)
        if not questions:
            continue
        sums = {way: sum(c.words(Level.LINK, direction=way) for c in counted) for way in Direction}
        assert sums[Direction.READ] == moved[Direction.READ] + questions + before
        assert sums[Direction.WRITE] == moved[Direction.WRITE]
        for types, way in BY_TYPE:
            told, said = (
                sum(each.words(Level.LINK, data, way) for each in them for data in types)
                for them in (counted, [layer.accesses for layer in program.layers])
            )
            assert told == said, (index, types)
            seen |= {types} if told else set()
        for types, way in AT_BUFFER:
            told, said = (
                sum(each.words(Level.BUFFER, data, way) for each in them for data in types)
                for them in (counted, [layer.accesses for layer in program.layers])
            )
            assert told == said, (index, types)
            seen |= {(types, way)} if told else set()
        programs += 1
    assert programs > 60
    assert seen == {*(types for types, _ in BY_TYPE), *AT_BUFFER}


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_the_mapper_counts_psums_and_filters_as_the_rtl_does(layer: str) -> None:
    program = layer_program(CONFIGS["narrow"], LAYERS[layer])
    spec = program.tensors[program.inputs[0]]
    values = np.random.default_rng(2).integers(-9, 9, spec.shape).astype(spec.dtype)
    check_mapping(program, rtl_run(program, {spec.name: values}, 1).counters[0])


@pytest.mark.slow
def test_model_and_rtl_count_the_same_accesses() -> None:
    layers = 0
    for kind, place in [(number, place) for number in (NARROW, WIDE) for place in range(8)]:
        case = slice_case(kind, place)
        try:
            program = compiled(case)
        except RowforgeError:
            continue
        run = rtl_run(program, case.inputs[0], case.index)
        model = model_accesses(program, run.tensors)
        gates = program.config.pe.zero_gating
        gated = [Access(Level.SPAD, *kind) for kind in GATED] if gates else []
        for number, counters in run.counters.items():
            rtl = counted_accesses(program.config, counters)
            assert rtl.total > 0
            for access, words in model[number].items():
                if access in gated:
                    assert rtl[access] <= words, (case.index, number, access)
                else:
                    assert rtl[access] == words, (case.index, number, access)
            layers += 1
    assert layers > 8


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("macs", [1, 2])
def test_both_models_count_the_same_where_nothing_is_gated(macs: int, layer: str) -> None:
    config = Config.of(
        {
            "array.rows": 3,
            "array.cols": 2,
            "pe.macs": macs,
            "buffer.depth": 256,
            "pe.zero_gating": False,
            "control.access_counters": True,
        }
    )
    program = layer_program(config, LAYERS[layer])
    spec = program.tensors[program.inputs[0]]
    values = np.zeros(spec.shape, spec.dtype)
    executed = Runtime(FunctionalAccelerator(config), config).run(program, {spec.name: values})
    model = predict(program)
    for number, accesses in model.accesses.items():
        assert {name: executed.counters[number][name] for name in accesses} == accesses
        assert accesses.items() <= model.layers[number].items()


def rtl_run(program: Program, inputs: dict[str, np.ndarray], seed: int) -> RunOutcome:
    link = RtlLink(program.config, seed=seed, optimise=OPTIMISE)
    try:
        return Runtime(link, program.config).run(program, inputs)
    finally:
        link.close()
