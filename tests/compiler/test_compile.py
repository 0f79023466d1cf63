"""Whole programs against the golden model, bit for bit, on the functional executor."""

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.overflow import bits_needed
from compiler.nest.locate import locate
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Host, Load, Program, Query, Store
from rowforge.running.compilation import digits_model
from sim.cycles import predict
from sim.functional import FunctionalAccelerator
from sw_driver.runtime import Runtime
from tests.compiler.mapper.test_mapper import preset
from tests.compiler.support import (
    check_graph,
    conv_graph,
    random_config,
    random_inputs,
    random_layer,
)
from tests.support.workloads import workload

_MODELS = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8")
_LARGE = ("pretrainedResnet_quant", "vww_96_int8")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in _LARGE else ()) for n in _MODELS]
)
@pytest.mark.parametrize("config", ["tiny", "eyeriss_v1_int8"])
def test_mlperf_tiny_models_in_every_layer(name: str, config: str) -> None:
    graph = load_model(workload(f"mlperf_tiny/{name}.tflite"))
    check_graph(graph, preset(config), np.random.default_rng(1), dump=True)


def test_a_program_without_dump_keeps_tensors_in_the_buffer() -> None:
    graph = load_model(workload("mlperf_tiny/pretrainedResnet_quant.tflite"))
    config = preset("eyeriss_v1_int8")
    check_graph(graph, config, np.random.default_rng(2))
    program = compile_graph(graph, config)
    assert sum(isinstance(step, Load) for step in program.steps) == 1
    assert sum(isinstance(step, Store) for step in program.steps) == 1


@pytest.mark.parametrize("seed", range(60))
def test_random_layers_on_random_configurations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    config = random_config(rng)
    graph = random_layer(rng, config)
    try:
        check_graph(graph, config, rng, wrap=True)
    except RowforgeError as error:
        assert "must be" in str(error)


@pytest.mark.parametrize("taps", [(3, 3), (1, 1)])
@pytest.mark.parametrize("groups", [1, 4, 24])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_layers_that_spill(taps: tuple[int, int], groups: int, dtype: str) -> None:
    config = Config.of(
        {
            "array.rows": 3,
            "array.cols": 2,
            "buffer.banks": 6,
            "buffer.depth": 64,
            "pe.weight_zero_points": True,
        }
    )
    rng = np.random.default_rng(3)
    graph = conv_graph(
        rng, (17, 13, 24), 24, taps, groups=groups, dtype=dtype, stride=(1, 2), pad=(1, 0, 1, 1)
    )
    outcome = check_graph(graph, config, rng)
    assert outcome.tensors
    assert "tiles" in compile_graph(graph, config).layers[0].reason


def test_profiling_asks_for_counters_of_array_layers() -> None:
    rng = np.random.default_rng(4)
    graph = conv_graph(rng, (6, 6, 8), 8, (3, 3))
    program = compile_graph(graph, preset("tiny"), CompileOptions(profile=True))
    assert [step.layer for step in program.steps if isinstance(step, Query)] == [0]
    check_graph(graph, preset("tiny"), rng, profile=True)


def test_the_counters_of_a_whole_program_are_asked_for_once() -> None:
    """At the end, where nothing waits for them: the program has one command more."""
    rng = np.random.default_rng(4)
    graph = conv_graph(rng, (6, 6, 8), 8, (3, 3))
    once, never, layers = (
        compile_graph(graph, preset("tiny"), CompileOptions(**options))
        for options in ({"counted": True}, {}, {"counted": True, "profile": True})
    )
    assert [step.layer for step in once.steps if isinstance(step, Query)] == [-1]
    assert [step.layer for step in layers.steps if isinstance(step, Query)] == [0]
    assert not any(isinstance(step, Query) for step in never.steps)
    ran = Runtime(FunctionalAccelerator(once.config), once.config).run(
        once, random_inputs(graph, rng)
    )
    assert ran.counters[-1]["macs"] == once.layers[0].macs
    assert ran.counters.keys() == predict(once).layers.keys()


@pytest.mark.parametrize("name", ["tiny", "eyeriss_v1_int8"])
@pytest.mark.parametrize("dump", [False, True])
def test_a_program_without_its_queries_is_the_one_compiled_without(name: str, dump: bool) -> None:
    """No command relies on the fence of a query, so that it may be left out."""
    graph = load_model(digits_model())
    counted = compile_graph(graph, preset(name), CompileOptions(dump=dump, profile=True))
    plain = compile_graph(graph, preset(name), CompileOptions(dump=dump))
    assert counted.uncounted().layers == plain.layers == counted.layers
    assert len(counted.steps) > len(counted.uncounted().steps)
    np.testing.assert_array_equal(_stream(counted.uncounted()), _stream(plain))


def _stream(program: Program) -> np.ndarray:
    """The words of all steps in order."""
    return np.concatenate([step.words for step in program.steps if not isinstance(step, Host)])


def test_narrow_psums_are_refused_with_the_bits_needed() -> None:
    rng = np.random.default_rng(5)
    graph = conv_graph(rng, (6, 6, 64), 8, (3, 3))
    config = Config.of({"array.psum_width": 16})
    need = bits_needed(graph.nodes[0], "int8")
    assert need > 16
    with pytest.raises(
        RowforgeError, match=f"n: array.psum_width must be at least {need} .* not 16"
    ):
        compile_graph(graph, config)
    check_graph(graph, config, rng, wrap=True)


def test_the_bits_of_partial_sums_are_exact_for_one_product() -> None:
    rng = np.random.default_rng(6)
    graph = conv_graph(rng, (1, 1, 1), 1, (1, 1))
    node = graph.nodes[0]
    weight, zero = int(node.weights.reshape(-1)[0]), node.input_zero_point
    ends = [weight * (x - zero) for x in (-128, 127)]
    bits = next(n for n in range(1, 40) if all(-(1 << n - 1) <= v < 1 << n - 1 for v in ends))
    assert bits_needed(node, "int8") == bits


def test_a_tensor_type_that_does_not_suit_the_data_width_is_refused() -> None:
    rng = np.random.default_rng(7)
    graph = conv_graph(rng, (4, 4, 8), 8, (1, 1), dtype="int16")
    with pytest.raises(RowforgeError, match="data_width 8 takes int8 and uint8"):
        compile_graph(graph, preset("tiny"))


def test_every_output_is_located_where_the_executor_computed_it() -> None:
    rng = np.random.default_rng(8)
    cases = [
        (preset("tiny"), (9, 7, 20), 18, (3, 3), {"stride": (2, 1), "pad": (1, 1, 1, 1)}),
        (preset("tiny"), (9, 7, 20), 18, (1, 1), {}),
        (preset("eyeriss_v1_int8"), (8, 8, 64), 64, (3, 3), {"pad": (1, 1, 1, 1)}),
        (preset("tiny"), (6, 5, 12), 12, (3, 3), {"groups": 12}),
    ]
    for config, image, filters, taps, geometry in cases:
        graph = conv_graph(rng, image, filters, taps, **geometry)
        program = compile_graph(graph, config)
        accelerator = FunctionalAccelerator(config, trace=True)
        Runtime(accelerator, config).run(program, random_inputs(graph, rng))
        numbers = {
            (r.number, int(s), int(c))
            for r in accelerator.state.trace
            for s, c in zip(r.segments, r.columns, strict=True)
        }
        _, E, F, M = graph.tensors["y"].shape
        found = set()
        for coordinate in np.ndindex(1, E, F, M):
            place = locate(config, program.layers[0], coordinate)[-1]
            assert place.finished
            found.add((place.number, place.segment, place.column))
        assert found == numbers


def test_a_coordinate_beyond_the_output_is_refused() -> None:
    graph = conv_graph(np.random.default_rng(9), (4, 4, 8), 8, (1, 1))
    program = compile_graph(graph, preset("tiny"))
    with pytest.raises(RowforgeError, match="computes output"):
        locate(preset("tiny"), program.layers[0], (0, 4, 0, 0))
