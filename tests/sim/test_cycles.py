"""The cycle model by itself: skipping, programs without filters, refusals; no RTL is simulated."""

import re
from collections import Counter
from dataclasses import fields
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest

from compiler.compile import _Compiler, compile_graph
from compiler.options import CompileOptions
from compiler.workloads.networks import network_graph
from hw.arch.commands import BEGIN, CONSTANTS, LOOP, MAGIC, REGION, VECTOR, Opcode
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program, Send, Store
from hw.arch.sdram import CHIPS
from sim.cycles import predict, records
from sim.cycles.library import model_library
from sim.cycles.records import (
    DERIVED,
    POST_RANKS,
    WINDOW_RANKS,
    config_values,
    records_header,
)
from sim.cycles.stream import commands
from sim.cycles.trace import SLICE, TOUCH, Touching, Track
from sim.functional import FunctionalAccelerator
from sim.memory.cases import MemoryKind, SdramCase
from sw_driver.runtime import Runtime
from tests.campaigns.contract.compare import compiled
from tests.campaigns.fuzz.cases import CASES, make_case
from tests.support.sparse import relu_layer

SMALL = Config.of(
    {
        "array.rows": 3,
        "array.cols": 3,
        "pe.psum_spad": 8,
        "pe.filter_spad": 64,
        "buffer.depth": 1024,
    }
)


def fuzz_programs(configs: range, each: int):
    """Programs of the fuzzer's cases that can be compiled, with counter blocks."""
    for number in configs:
        for place in range(each):
            try:
                yield compiled(make_case(5, number * CASES + place))
            except RowforgeError:
                continue


def layer_program(name: str, config: Config, *, batch: int = 1, dry: bool = False) -> Program:
    """One layer of MobileNetV1 at half width."""
    graph = network_graph("mobilenet_v1_0.5_128", data_width=config.array.data_width, batch=batch)
    node = next(node for node in graph.nodes if node.name == name)
    small = type(graph)(
        name=name,
        tensors=graph.tensors,
        nodes=(node,),
        inputs=node.inputs[:1],
        outputs=(node.output,),
        rounding=graph.rounding,
    )
    return _Compiler(small, config, CompileOptions(wrap=True, profile=True), dry=dry).compile()


@pytest.mark.parametrize("rate", [1, 0.3, 0.05])
def test_skipping_changes_no_counter(rate: float) -> None:
    count = 0
    for program in fuzz_programs(range(12), 4 if rate == 1 else 1):
        skipped, full = (predict(program, skip=skip, rate=rate) for skip in (True, False))
        assert skipped == full, program.name
        count += 1
    assert count > (30 if rate == 1 else 8)


@pytest.mark.parametrize("name", ["pw1", "pw3", "pw5"])
def test_equal_passes_are_skipped_and_cost_what_they_cost(name: str) -> None:
    program = layer_program(name, SMALL)
    skipped, full = predict(program), predict(program, skip=False)
    assert skipped == full
    assert full.stepped == full.cycles
    assert skipped.stepped < 0.8 * full.cycles


def test_filters_that_are_left_out_cost_the_same() -> None:
    whole, dry = layer_program("pw4", SMALL), layer_program("pw4", SMALL, dry=True)
    assert sum(len(s.words) for s in dry.steps if isinstance(s, Send)) < sum(
        len(s.words) for s in whole.steps if isinstance(s, Send)
    )
    assert predict(dry, dry=True) == predict(whole)


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("rate", [1, 0.2])
def test_codes_are_as_long_as_the_executor_takes_them(width: int, rate: float) -> None:
    """And none is sent where the values are unknown, have no zeros, or the hardware takes none."""
    changes = {"array.data_width": width, "noc.filter": 64 // width, "link.coding": "mask"}
    config = SMALL.with_values(changes)
    program = layer_program("pw4", config)
    (source,) = program.inputs
    shape = program.tensors[source].shape
    rng = np.random.default_rng(width)
    values = rng.integers(-128, 128, shape).astype(program.tensors[source].dtype)
    sparse = np.where(rng.random(shape) < 0.8, 3, values).astype(values.dtype)
    raw = predict(program, rate=rate)
    words = raw.layers[0]["link_in_words"]
    for given, most in ((sparse, words), (values, words + 1)):
        run = Runtime(FunctionalAccelerator(config), config).run(program, given)
        found = predict(program, rate=rate, values={source: given})
        assert found == predict(program, rate=rate, values={source: given}, skip=False)
        assert found.layers[0]["link_in_words"] < most
        # The executor is also told how codes of results look, which are not known here.
        asked = run.counters[0]["link_in_words"] - found.layers[0]["link_in_words"]
        assert asked == sum(isinstance(step, Store) for step in program.steps)
        assert (found == raw) == (given is values)
    assert predict(program, rate=rate, values={source: sparse}).cycles < raw.cycles or rate == 1
    plain = layer_program("pw4", config.with_values({"link.coding": "none"}))
    assert predict(plain, rate=rate, values={source: sparse}) == predict(plain, rate=rate)


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("rate", [1, 0.2])
def test_results_are_codes_as_long_as_those_of_the_executor(width: int, rate: float) -> None:
    """A slow link gains from codes of many zeros; where there are few, words go as they are."""
    changes = {"array.data_width": width, "noc.filter": 64 // width, "link.coding": "mask"}
    config = SMALL.with_values(changes | {"array.psum_width": 2 * width})
    options = CompileOptions(wrap=True, profile=True)
    for zeros in (0.9, 0.0):
        graph, x = relu_layer(config, zeros, filters=16)
        program = compile_graph(graph, config, options)
        run = Runtime(FunctionalAccelerator(config), config).run(program, x)
        found = predict(program, rate=rate, values=run.tensors)
        assert found == predict(program, rate=rate, values=run.tensors, skip=False)
        for counter in ("link_in_words", "link_out_words"):
            assert found.layers[0][counter] == run.counters[0][counter]
        loads = predict(program, rate=rate, values={program.inputs[0]: x})
        fewer = found.layers[0]["link_out_words"] < loads.layers[0]["link_out_words"]
        assert fewer == (zeros > 0)
        assert (found.cycles < loads.cycles) == (fewer and rate < 1)


def test_counters_that_follow_from_the_program() -> None:
    program = layer_program("pw4", SMALL)
    counters = predict(program).layers[0]
    assert counters["macs"] >= program.layers[0].macs
    assert counters["pe_active_cycles"] <= SMALL.array.rows * SMALL.array.cols * counters["cycles"]
    stalls = sum(value for name, value in counters.items() if name.startswith("stall_"))
    assert counters["pe_active_cycles"] >= counters["macs"] > stalls / 4
    assert 0 < counters["filter_words"] < counters["link_in_words"]
    assert "gated_macs" not in counters


def test_a_run_without_queries_has_a_length_and_no_layers() -> None:
    case = make_case(5, 0)
    program = compile_graph(
        case.graph, case.config, CompileOptions(**{**case.options, "profile": False})
    )
    prediction = predict(program)
    assert prediction.layers == {}
    assert prediction.cycles > 0


def test_a_pattern_that_nothing_filled_is_refused() -> None:
    program = layer_program("pw4", SMALL)
    steps = []
    for step in program.steps:
        if isinstance(step, Send):
            step = Send(_without(step.words, Opcode.ROWS), step.layer)
        steps.append(step)
    broken = Program(**{**program.__dict__, "steps": tuple(steps)})
    with pytest.raises(RowforgeError, match="pattern 0, which no command has filled"):
        predict(broken)


def _without(words, opcode: Opcode):
    """The words of a step but for the commands of one kind."""

    begin = 1 + BEGIN.words if len(words) and int(words[0]) == MAGIC else 0
    kept = [c for c in commands(words[begin:], dry=False) if int(c[0]) & 0x1F != opcode]
    return np.concatenate([words[:begin], *kept]).astype(np.uint64)


def test_a_missing_compiler_is_one_sentence(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("ROWFORGE_CACHE", str(tmp_path))
    with pytest.raises(RowforgeError, match="needs the program no-such-compiler"):
        model_library.__wrapped__()


def test_the_post_processor_has_the_gateware_s_ranks() -> None:
    from hw.arch.config.modes import rounding_modes
    from hw.post.requantise import lane_latency

    for width, psum_width, ranks in (
        (8, 16, POST_RANKS),
        (8, 32, POST_RANKS),
        (16, 31, WINDOW_RANKS),
        (16, 32, POST_RANKS),
        (16, 40, POST_RANKS),
    ):
        config = Config.of(
            {
                "array.data_width": width,
                "array.psum_width": psum_width,
                "noc.filter": 4,
                "buffer.banks": 16,
            }
        )
        assert ranks == 1 + lane_latency(rounding_modes(config))  # after the parameter memory


def test_records_are_those_of_the_command_set() -> None:
    text = records_header()
    for struct in (CONSTANTS, LOOP, REGION, VECTOR):
        title = "".join(part.capitalize() for part in struct.name.removeprefix("conv_").split("_"))
        assert f"struct {title} {{" in text
        for item in struct.fields:
            assert f"int64_t {item.name}" in text
    values = config_values(SMALL)
    assert values[0] == SMALL.array.rows
    assert values[-len(DERIVED) :] == [getattr(SMALL, name) for name in DERIVED]


MODEL = Path(records.__file__).with_name("model")


def test_no_two_types_of_the_model_have_one_name() -> None:
    """The linker would take either definition of a class that two files define differently."""
    texts = [path.read_text() for path in MODEL.iterdir()] + [records_header()]
    declared = re.compile(r"^(?:struct|class|union|enum(?: class)?|namespace) (\w+)[^;\n]*\{", re.M)
    names = Counter(name for text in texts for name in declared.findall(text))
    assert {"Accelerator", "Cluster", "Single", "Track", "Opcode", "Config"} <= names.keys()
    assert [name for name, count in names.items() if count > 1] == []


def names_in(header: str, opening: str) -> list[str]:
    """Names that a header lists in the braces after `opening`; defaults and types apart."""
    text = re.sub(r"//.*", "", (MODEL / header).read_text())
    body = text.partition(opening)[2].partition("}")[0].partition("static")[0]
    return [part.split("=")[0].split()[-1] for part in re.split(r"[,;]", body) if part.strip()]


@pytest.mark.parametrize(
    ("header", "opening", "kinds"),
    [
        ("trace.h", "namespace Track {\nenum : int {", Track),
        ("trace.h", "enum Touching : int {", Touching),
        ("memory.h", "namespace MemoryKind {\nenum : int64_t {", MemoryKind),
    ],
)
def test_numbers_of_the_model_are_those_of_python(
    header: str, opening: str, kinds: type[IntEnum]
) -> None:
    """Kinds that no description generates; C++ numbers them from 0 by their order."""
    found = [name for name in names_in(header, opening) if name != "kTracks"]  # their count
    wanted = {kind.name.replace("_", ""): int(kind) for kind in kinds}
    assert {name.removeprefix("k").upper(): place for place, name in enumerate(found)} == wanted


def test_rows_of_the_trace_have_the_columns_of_python() -> None:
    assert tuple(names_in("trace.h", "struct Slice {")) == SLICE
    assert tuple(names_in("trace.h", "struct Touch {")) == TOUCH


def test_times_of_a_chip_are_told_in_the_order_of_the_model() -> None:
    case = SdramCase.of(CHIPS["x16_32mb"], clock=50e6)
    chip = ("beats", "cas_latency", "postponed", "column_bits", "bank_bits")
    times = tuple(item.name for item in fields(case.timing))
    assert tuple(names_in("memory.h", "struct SdramTiming {")) == chip + times
    assert len(case.parameters) == 1 + len(chip + times)
