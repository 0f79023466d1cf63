"""A small `.tflite` model three ways: TensorFlow Lite Micro, golden model, executed program."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tflite_micro import runtime

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from hw.arch.program.file import load_program, save_program
from rowforge.configs import preset
from rowforge.running.targets import register
from sim.functional import FunctionalAccelerator
from sim.golden import initial_states, next_states, run_batch, run_graph
from sw_driver.runtime import Runtime
from tests.support.tflite.layers import LayerWriter

Built = tuple[list[int], int | list[int]]  # inputs and outputs of a model
Build = Callable[[LayerWriter], Built]
CONFIG = preset("tiny")
_ARENA = 1 << 22


def tflm_outputs(content: bytes, values: Sequence[np.ndarray], count: int) -> list[np.ndarray]:
    """The first outputs of one inference in TensorFlow Lite Micro's reference kernels."""
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=_ARENA)
    for position, array in enumerate(values):
        interpreter.set_input(array, position)
    interpreter.invoke()
    return [np.array(interpreter.get_output(position)) for position in range(count)]


def check(
    layers: LayerWriter,
    inputs: Sequence[int],
    output: int | Sequence[int],
    folder: Path,
    values: Sequence[np.ndarray] | None = None,
) -> Graph:
    """Golden model and executed program yield what TensorFlow Lite Micro yields; the graph."""
    outputs = [output] if isinstance(output, int) else list(output)
    content = layers.finish(inputs, outputs)
    if values is None:
        values = [layers.input_values(tensor) for tensor in inputs]
    return compare(content, values, tflm_outputs(content, values, len(outputs)), folder)


def compare(
    content: bytes, values: Sequence[np.ndarray], expected: Sequence[np.ndarray], folder: Path
) -> Graph:
    """The golden model and a program that went through a file yield the expected outputs."""
    path = folder / "model.tflite"
    path.write_bytes(content)
    graph = load_model(path)
    named = {graph.tensors[k].name: v for k, v in zip(graph.inputs, values, strict=True)}
    golden = run_graph(graph, named)
    for key, wanted in zip(graph.outputs, expected, strict=True):
        np.testing.assert_array_equal(golden[key], wanted)
        assert golden[key].dtype == wanted.dtype
    register()
    file = folder / "model.rfp"
    save_program(compile_graph(graph, CONFIG), file)
    program = load_program(file)
    executed = Runtime(FunctionalAccelerator(CONFIG), CONFIG).run(program, named).outputs.values()
    for ours, wanted in zip(executed, expected, strict=True):
        np.testing.assert_array_equal(ours, wanted)
    if all(value.shape[:1] == (1,) for value in values):
        batch = run_batch(graph, {k: np.concatenate([v] * 3) for k, v in named.items()})
        for key, wanted in zip(graph.outputs, expected, strict=True):
            np.testing.assert_array_equal(batch[key][-1:].reshape(wanted.shape), wanted)
    return graph


def tflm_steps(content: bytes, steps: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """The first output of consecutive inferences in TensorFlow Lite Micro, of each in turn."""
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=_ARENA)
    outputs = []
    for values in steps:
        for position, array in enumerate(values):
            interpreter.set_input(array, position)
        interpreter.invoke()
        outputs.append(np.array(interpreter.get_output(0)))
    return outputs


def check_steps(
    layers: LayerWriter, inputs: Sequence[int], output: int, folder: Path, count: int = 6
) -> Graph:
    """At every one of consecutive steps the golden model and the executed program yield what
    TensorFlow Lite Micro yields; the graph."""
    content = layers.finish(inputs, [output])
    steps = [[layers.input_values(tensor) for tensor in inputs] for _ in range(count)]
    expected = tflm_steps(content, steps)
    path = folder / "model.tflite"
    path.write_bytes(content)
    graph = load_model(path)
    register()
    save_program(compile_graph(graph, CONFIG), folder / "model.rfp")
    program = load_program(folder / "model.rfp")
    session = Runtime(FunctionalAccelerator(CONFIG), CONFIG)
    states = initial_states(graph)
    for number, (values, wanted) in enumerate(zip(steps, expected, strict=True)):
        named = {graph.tensors[k].name: v for k, v in zip(graph.inputs, values, strict=True)}
        golden = run_graph(graph, named, states=states)
        states = next_states(graph, golden)
        np.testing.assert_array_equal(golden[graph.outputs[0]], wanted, f"step {number}")
        (executed,) = session.run(program, named).outputs.values()
        np.testing.assert_array_equal(executed, wanted, f"executed step {number}")
    assert any((one != expected[0]).any() for one in expected)
    return graph


def check_twin(build: Build, seed: int, folder: Path) -> Graph:
    """The uint8 twin of a model yields what TensorFlow Lite Micro yields for the int8 one."""
    signed, unsigned = LayerWriter(seed), LayerWriter(seed, unsigned=True)
    inputs, output = build(signed)
    outputs = [output] if isinstance(output, int) else output
    values = [signed.input_values(tensor) for tensor in inputs]
    expected = tflm_outputs(signed.finish(inputs, outputs), values, len(outputs))
    assert build(unsigned) == (inputs, output)
    content = unsigned.finish(inputs, outputs)
    stored = [unsigned.stored(value) for value in values]
    return compare(content, stored, [unsigned.stored(value) for value in expected], folder)
