"""The executor knows what each buffer word holds: an operand of a command must be one thing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.options import CompileOptions
from hw.arch.commands import HEADER, REGION, Opcode, command
from hw.arch.config import Config
from hw.arch.program import Load, Program, Step, Store
from sim.functional import FunctionalAccelerator, SemanticsError
from sim.golden import run_graph
from sw_driver.runtime import Runtime
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.convolutions import convolution
from tests.campaigns.fuzz.vectors import add, concat

CONFIG = Config.of({"array.rows": 3, "array.cols": 3, "buffer.depth": 64})
SHAPE = (1, 4, 5, 8)


def sum_of_two() -> tuple[Graph, Program]:
    """An ADD of two inputs that lie in the buffer whole."""
    b = GraphBuilder(np.random.default_rng(3), CONFIG, "int8", wrap=False, size=1.0)
    add(b, b.input(SHAPE), b.input(SHAPE))
    graph = b.graph("sum")
    return graph, compile_graph(graph, CONFIG)


def moved(program: Program, kind: type[Load | Store], number: int, by: int) -> Program:
    """The program with one LOAD or STORE moved by some words."""
    steps: list[Step] = list(program.steps)
    place = [index for index, step in enumerate(steps) if isinstance(step, kind)][number]
    step = steps[place]
    assert isinstance(step, Load | Store)
    header = HEADER.unpack(step.words[:1].tolist())
    fields = REGION.unpack(step.words[1:].tolist())
    fields["address"] += by
    flags = {name: header[name] for name in ("fence", "older", "stored")}
    words = command(
        Opcode(header["opcode"]),
        REGION.pack(fields),
        length=header["length"],
        tag=header["tag"],
        **flags,
    )
    steps[place] = replace(step, words=np.array(words, dtype=np.uint64))
    return replace(program, steps=tuple(steps))


def run(program: Program) -> dict[str, np.ndarray]:
    """The outputs of an executor that knows the program."""
    rng = np.random.default_rng(5)
    inputs = {
        program.tensors[index].name: rng.integers(-128, 128, SHAPE).astype(np.int8)
        for index in program.inputs
    }
    executor = FunctionalAccelerator(CONFIG, program=program)
    return Runtime(executor, CONFIG).run(program, inputs).outputs


def test_a_right_program_runs_as_often_as_it_likes() -> None:
    graph, program = sum_of_two()
    session = Runtime(FunctionalAccelerator(CONFIG, program=program), CONFIG)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        inputs = {key: rng.integers(-128, 128, SHAPE).astype(np.int8) for key in graph.inputs}
        outputs = session.run(program, inputs).outputs
        golden = run_graph(graph, inputs)
        assert all(np.array_equal(outputs[key], golden[key]) for key in graph.outputs)


@pytest.mark.parametrize(
    ("number", "by", "why"),
    [(1, -3, r"operand \w+ is read from word .* tensor x"), (0, 3, "the program never wrote it")],
)
def test_a_part_that_runs_into_another_one_is_refused(number: int, by: int, why: str) -> None:
    _, program = sum_of_two()
    with pytest.raises(SemanticsError, match=why):
        run(moved(program, Load, number, by))


def test_what_the_program_has_not_written_is_refused() -> None:
    """An earlier run left words there, which count as nothing."""
    _, program = sum_of_two()
    wrong = moved(program, Load, 1, 200)
    executor = FunctionalAccelerator(CONFIG)
    session = Runtime(executor, CONFIG)
    inputs = {key: np.ones(SHAPE, dtype=np.int8) for key in ("x0", "x1")}
    session.run(program, inputs)
    session.run(wrong, inputs)  # not seen: the words of the run before are still there
    executor = FunctionalAccelerator(CONFIG, program=wrong)
    executor.state.memory.load(
        np.arange(100), np.zeros(100, dtype=np.uint64), {"coded": 0, "channels": 0}
    )
    with pytest.raises(SemanticsError, match="never wrote it|holds nothing of this program"):
        Runtime(executor, CONFIG).run(wrong, inputs)


@pytest.mark.parametrize("by", [-2, 2])
def test_a_result_stored_from_elsewhere_is_refused(by: int) -> None:
    _, program = sum_of_two()
    with pytest.raises(SemanticsError):
        run(moved(program, Store, 0, by))


def _concatenation(b: GraphBuilder) -> None:
    concat(b, [b.input((1, 30, 9, 8)), b.input((1, 25, 9, 8)), b.input((1, 41, 9, 8))], 1)


def _products(b: GraphBuilder) -> None:
    source = b.input((2, 21, 13, 24))
    middle = convolution(b, source, taps=(3, 3), stride=(2, 1), pad=(1, 1, 1, 1), filters=17)
    convolution(b, middle, taps=(1, 1), filters=40)


@pytest.mark.parametrize("theme", [_concatenation, _products])
def test_parts_of_every_kind_that_pass_through_a_small_buffer_are_right(
    theme: Callable[[GraphBuilder], None],
) -> None:
    """Second buffers, pieces of parts, items and chunks are no false alarm."""
    b = GraphBuilder(np.random.default_rng(4), CONFIG, "int8", wrap=True, size=1.0)
    theme(b)
    graph = b.graph("tiles")
    rng = np.random.default_rng(6)
    inputs = {
        key: rng.integers(-128, 128, graph.tensors[key].shape).astype(np.int8)
        for key in graph.inputs
    }
    program = compile_graph(graph, CONFIG, CompileOptions(wrap=True))
    assert sum(isinstance(step, Load) for step in program.steps) > len(graph.inputs)
    executor = FunctionalAccelerator(CONFIG, program=program)
    outputs = Runtime(executor, CONFIG).run(program, inputs).outputs
    golden = run_graph(graph, inputs, psum_width=CONFIG.array.psum_width)
    assert all(np.array_equal(outputs[key], golden[key]) for key in graph.outputs)
