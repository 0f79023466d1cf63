"""Filters in the global buffer: exact results, and counters of the models equal to the RTL's.

The compiler places them where that pays; here it places all that fit, so that every kind of nest
takes its filters from there.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.compile import compile_graph, timing_program
from compiler.nest.command import NestCommand
from compiler.nest.command_filters import PlacedFilters
from compiler.options import CompileOptions
from compiler.stream.timeline import Ahead, Timeline
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.accesses import Access, DataType, Direction, Level, counted_accesses
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program, TensorSpec
from hw.arch.program.file import load_program, save_program
from sim.cycles import predict
from sim.functional import FunctionalAccelerator
from sw_driver.runtime import Runtime
from tests.campaigns.contract.compare import compare, compiled
from tests.campaigns.fuzz.cases import CASES, NARROW, SLICE_SEED, WIDE, Case, make_case
from tests.campaigns.fuzz.runner import run_case
from tests.support.placed_filters import place_every_image
from tests.thorough import thorough

FIELDS: dict[str, Any] = {"buffer.filters": True, "buffer.weight_memory": 0}
LAYERS = (LayerShape("a", 16, 8, 16, 3), LayerShape("b", 12, 12, 12, 3, groups=12))
# Psums of few waves fit, so that filters are needed again.
# PEs with room for three cells of 64 bits.
CELLS: dict[str, Any] = {"pe.psum_spad": 24, "pe.filter_spad": 224, "pe.ifmap_spad": 12}
PIPELINED: dict[str, Any] = {**CELLS, "control.pipeline": 1}
SKIPPING: dict[str, Any] = {
    **CELLS,
    "control.pipeline": 0,
    "pe.kind": "skipping",
    "pe.zero_gating": True,
}
SMALL: dict[str, Any] = {
    "array.rows": 2,
    "array.cols": 2,
    "pe.psum_spad": 8,
    "pe.filter_spad": 64,
    "noc.psum_in": 1,
    "noc.psum_out": 1,
    "buffer.banks": 40,
    "buffer.psum_banks": 2,
    "buffer.depth": 32,
}
READ, BROUGHT = (Access(Level.BUFFER, DataType.FILTER, way) for way in Direction)
LINK = Access(Level.LINK, DataType.FILTER, Direction.READ)


def buffered(index: int, **fields: Any) -> Case:
    case = make_case(SLICE_SEED, index)
    return replace(case, config=case.config.with_values({**FIELDS, **fields}))


def chained(number: int, **fields: Any) -> Case:
    """Layers whose blocks hold other shares of the filters in a PE, on the configuration."""
    case = buffered(number * CASES, **fields)
    layers = (
        LayerShape("a", 5, 8, 16, 3, pad=1),
        LayerShape("b", 5, 16, 16, 3, pad=1),
        LayerShape("c", 5, 16, 32, 1),
    )
    graph = layer_graph("chained", layers, data_width=case.config.array.data_width, seed=1)
    specs = [graph.tensors[key] for key in graph.inputs]
    rng = np.random.default_rng(2)
    values = {spec.name: rng.integers(-128, 128, spec.shape).astype(spec.dtype) for spec in specs}
    options = {**case.options, "dump": False, "objective": "cycles"}
    return replace(case, graph=graph, inputs=[values], options=options)


@dataclass
class Kinds:
    """How often commands took filters from cells, and how often some were brought ahead."""

    cells: int = 0
    ahead: int = 0


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> Kinds:
    """Counts from now on."""
    counts = Kinds()
    placed, bring = NestCommand.from_buffer, Timeline.bring

    def from_buffer(command: NestCommand, where: PlacedFilters) -> NestCommand:
        counts.cells += "cells" in where.layout.fields
        return placed(command, where)

    def brought(timeline: Timeline, ahead: Ahead, parts: list[Any]) -> None:
        counts.ahead += 1
        bring(timeline, ahead, parts)

    monkeypatch.setattr(NestCommand, "from_buffer", from_buffer)
    monkeypatch.setattr(Timeline, "bring", brought)
    return counts


def small_program(objective: str = "traffic", **fields: Any) -> Program:
    config = Config.of({**SMALL, **fields})
    graph = layer_graph("small", LAYERS, data_width=config.array.data_width, seed=1)
    return compile_graph(graph, config, CompileOptions(profile=True, objective=objective))


def test_filters_that_are_needed_again_cross_the_link_once() -> None:
    streamed = small_program()
    held = small_program(**{"buffer.filters": True})
    weights = 64 // held.config.array.data_width
    for before, after in zip(streamed.layers, held.layers, strict=True):
        streams = after.accesses[LINK] * weights - after.accesses[BROUGHT]
        assert after.accesses[READ] + streams == before.accesses[LINK] * weights
        assert after.accesses[READ] > after.accesses[BROUGHT] > 0
        assert after.accesses[LINK] < before.accesses[LINK]
    assert not any(layer.accesses[READ] for layer in streamed.layers)


def test_cycles_suffer_little_where_a_fast_link_hides_filters_anyway() -> None:
    """With cycles as the goal the buffer serves where it costs none by the estimate."""
    cycles = [
        predict(small_program("cycles", **{"buffer.filters": on})).cycles for on in (False, True)
    ]
    assert cycles[1] <= 1.01 * cycles[0]


@pytest.mark.parametrize("width", [64, 128])
def test_the_stream_counts_filters_as_the_models_do(width: int) -> None:
    fields = {"buffer.filters": True, "buffer.width": width, "control.access_counters": True}
    program = small_program(**fields)
    model = predict(program)
    for index, layer in enumerate(program.layers):
        counters = {**model.layers[index], **model.accesses[index]}
        counted = counted_accesses(program.config, counters)
        assert counted[READ] == layer.accesses[READ] > 0


def test_a_program_file_keeps_filters_that_are_loaded(tmp_path: Path) -> None:
    program = small_program(**{"buffer.filters": True})
    save_program(program, tmp_path / "p.rfp")
    loaded = load_program(tmp_path / "p.rfp")
    assert predict(loaded) == predict(program)
    inputs = {spec.name: _values(spec) for spec in map(loaded.tensors.__getitem__, loaded.inputs)}
    outcomes = [
        Runtime(FunctionalAccelerator(of.config, program=of), of.config).run(of, inputs)
        for of in (loaded, small_program())
    ]
    for index in loaded.outputs:
        arrays = [outcome.tensors[index] for outcome in outcomes]
        np.testing.assert_array_equal(*arrays)
        assert arrays[0].any()


def _values(spec: TensorSpec) -> np.ndarray:
    return np.random.default_rng(3).integers(-99, 99, spec.shape).astype(spec.dtype)


def test_a_program_without_filters_takes_the_same_cycles() -> None:
    graph = layer_graph("small", LAYERS, seed=1)
    config = Config.of({**SMALL, "buffer.filters": True})
    options = CompileOptions(profile=True, objective="traffic", wrap=True)
    program = compile_graph(graph, config, options)
    dry = timing_program(graph, config, options)
    assert sum(layer.accesses[READ] for layer in dry.layers) > 0
    assert predict(dry, dry=True) == predict(program)


def test_every_kind_of_layer_reads_them_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the golden model, with all checks; the cycle model skips nothing that matters."""
    taken = place_every_image(monkeypatch)
    programs = 0
    for index in range(0, 50 * CASES, 3 * CASES // 2 + 7):
        before = len(taken)
        outcome = run_case(buffered(index), rtl=False)
        assert outcome.status != "failed", outcome.message
        if outcome.program is None or len(taken) == before:
            continue
        programs += 1
        if not outcome.program.config.control.microcontroller:
            assert predict(outcome.program) == predict(outcome.program, skip=False), index
    assert programs > 15


def test_cells_and_what_is_brought_ahead_hold_the_right_filters(
    kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_every_image(monkeypatch)
    case = chained(NARROW, **CELLS)
    outcome = run_case(case, rtl=False)
    assert outcome.status == "passed", outcome.message
    assert outcome.program is not None
    assert predict(outcome.program) == predict(outcome.program, skip=False)
    assert kinds.cells > 1
    assert kinds.ahead > 0


@pytest.mark.slow
@pytest.mark.parametrize(  # a simulator for each; the first is that of PEs that skip zeros, too
    ("number", "fields"),
    [(NARROW, SKIPPING), *thorough([], [(NARROW, PIPELINED), (WIDE, {"control.pipeline": 0})])],
)
def test_model_and_rtl_agree_in_every_counter(
    number: int, fields: dict[str, Any], kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = place_every_image(monkeypatch)
    if number == NARROW:
        result = compare(chained(number, **fields))
        assert result.exact, result
        assert kinds.cells > 1
        assert kinds.ahead > 0
    programs = 0
    for place in range(24):
        if programs == 4:
            return
        case = buffered(number * CASES + place, **fields)
        before = len(taken)
        try:
            compiled(case)
            if len(taken) == before:
                continue
            result = compare(case)
        except RowforgeError:
            continue
        assert result.exact, f"{SLICE_SEED}:{case.index}: {result}"
        programs += 1
    assert programs >= 3
