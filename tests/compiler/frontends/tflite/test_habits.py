"""What writers of `.tflite` files leave out, or do in another of the schema's ways.

Such a file is as good as any: its values are TensorFlow Lite Micro's, which runs the very same
bytes. What cannot run is refused for the true reason, and is not called damaged.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.running.targets import register
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.runtime import Runtime
from tests.support.refusals import well_formed
from tests.support.tflite.layers import RELU, LayerWriter, tflm_run
from tests.support.tflite.writer import Habits, ModelWriter

CONFIG = preset("tiny")
IMAGE = (1, 6, 5, 3)
Built = tuple[list[int], int]
Build = Callable[[LayerWriter], Built]
register()


def on(step: Callable[[LayerWriter, int], int], shape: tuple[int, ...] = IMAGE) -> Build:
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        return [x], step(layers, x)

    return build


def two(kind: str) -> Build:
    def build(layers: LayerWriter) -> Built:
        first, second = layers.activation(IMAGE), layers.activation(IMAGE)
        return [first, second], layers.binary(kind, first, second)

    return build


def moved(kind: str, target: tuple[int, ...], *limits: object) -> Build:
    def step(layers: LayerWriter, x: int) -> int:
        rest = [layers.writer.constant("n", np.asarray(limit, np.int32)) for limit in limits]
        return layers.writer.operator(kind, [x, *rest], layers.like(x, target))

    return on(step)


def network(layers: LayerWriter) -> Built:
    """Two convolutions, a residual, a pool and a product, which share bytes of constants."""
    x = layers.activation(IMAGE)
    a = layers.conv(x, 3, (3, 3), activation=RELU)
    b = layers.depthwise(layers.binary("ADD", a, x), 1, (3, 3))
    data = np.arange(3, dtype=np.int8)
    for _ in range(2):
        b = layers.binary("MUL", b, layers.constant((3,), data=data))
    axis = layers.writer.constant("axis", np.asarray(1, np.int32))
    wide = layers.writer.operator("EXPAND_DIMS", [b, axis], layers.like(b, (1, 1, 6, 5, 3)))
    return [x], layers.fully_connected(layers.reshape(wide, (1, 90)), 4)


def leaky(layers: LayerWriter, x: int) -> int:
    output = layers.activation(IMAGE, scale=layers._scales[x])
    return layers.writer.operator("LEAKY_RELU", [x], output)


MOVERS: dict[str, Build] = {
    "MAX_POOL_2D": on(lambda layers, x: layers.pool("MAX_POOL_2D", x, (2, 2))),
    "AVERAGE_POOL_2D": on(lambda layers, x: layers.pool("AVERAGE_POOL_2D", x, (2, 2))),
    "CONCATENATION": on(lambda layers, x: layers.concat([x, x], 0)),
    "PAD": on(lambda layers, x: layers.pad(x, [(0, 0), (1, 1), (0, 2), (0, 0)])),
    "RESHAPE": on(lambda layers, x: layers.reshape(x, (1, 90))),
    "SLICE": moved("SLICE", (1, 2, 5, 3), [0, 1, 0, 0], [1, 2, 5, 3]),
    "STRIDED_SLICE": moved("STRIDED_SLICE", (1, 2, 5, 3), [0, 1, 0, 0], [1, 5, 5, 3], [1, 2, 1, 1]),
    "TRANSPOSE": moved("TRANSPOSE", (1, 3, 6, 5), [0, 3, 1, 2]),
    "SQUEEZE": moved("SQUEEZE", (6, 5, 3)),
}
WITHOUT_OPTIONS: dict[str, Build] = {
    **{kind: MOVERS[kind] for kind in MOVERS if not kind.endswith("POOL_2D")},
    "RESHAPE to the file's shape alone": moved("RESHAPE", (1, 90)),
    "ADD": two("ADD"),
    "MUL": two("MUL"),
    "FULLY_CONNECTED": on(lambda layers, x: layers.fully_connected(x, 4), (1, 7)),
    "FULLY_CONNECTED of rank 3": on(lambda layers, x: layers.fully_connected(x, 4), (1, 5, 7)),
    "MEAN": on(lambda layers, x: layers.mean(x, [1, 2], keep=False)),
    "MEAN into kept axes": on(lambda layers, x: layers.mean(x, [1, 2], keep=True)),
    "LEAKY_RELU": on(leaky),
    "LOG_SOFTMAX": on(lambda layers, x: layers.log_softmax(x), (1, 9)),
    "RELU": on(lambda layers, x: layers.unary("RELU", x, rescaled=True)),
    "QUANTIZE": on(lambda layers, x: layers.unary("QUANTIZE", x, rescaled=True)),
}
OTHER_HABITS: dict[str, Habits] = {
    "both codes": Habits(),
    "new code only": Habits(codes="new"),
    "deprecated code only": Habits(codes="deprecated"),
    "explicit defaults": Habits(explicit=True),
    "options left out where default": Habits(options=None),
    "one name for all": Habits(names="same"),
    "empty names": Habits(names="empty"),
    "no names": Habits(names="absent"),
    "one zero point for several scales": Habits(zero_points="single"),
    "empty buffers of their own": Habits(own_buffers=True),
    "buffer 0 used": Habits(first_buffer_used=True),
    "shared buffers": Habits(shared_buffers=True),
    "scalars without shape": Habits(empty_vectors=False),
    "unused parts": Habits(unused=True),
    "further subgraphs": Habits(subgraphs=3),
    "signatures": Habits(signatures=(0, 0)),
}


def check(build: Build, habits: Habits, folder: Path, seed: int = 0) -> None:
    """Golden model and executed program yield what TensorFlow Lite Micro yields."""
    layers = LayerWriter(seed)
    inputs, output = build(layers)
    equal(layers, layers.finish(inputs, [output], habits), inputs, folder)


def equal(layers: LayerWriter, content: bytes, inputs: list[int], folder: Path) -> None:
    (folder / "m.tflite").write_bytes(content)
    values = [layers.input_values(tensor) for tensor in inputs]
    expected = tflm_run(content, values)
    graph = load_model(folder / "m.tflite")
    named = {graph.tensors[k].name: v for k, v in zip(graph.inputs, values, strict=True)}
    np.testing.assert_array_equal(run_graph(graph, named)[graph.outputs[0]], expected)
    session = Runtime(FunctionalAccelerator(CONFIG), CONFIG)
    (executed,) = session.run(compile_graph(graph, CONFIG), named).outputs.values()
    np.testing.assert_array_equal(executed, expected)


def refusal(folder: Path, content: bytes) -> str:
    """The sentence, which does not call the file damaged."""
    path = folder / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(RowforgeError) as error:
        load_model(path)
    said = str(error.value)
    assert well_formed(said) and said.startswith(f"{path}: "), said
    assert "usable" not in said and "damaged" not in said
    return said


@pytest.mark.parametrize("name", OTHER_HABITS)
def test_a_network_by_another_writer(tmp_path: Path, name: str) -> None:
    check(network, OTHER_HABITS[name], tmp_path)
    check(two("ADD"), OTHER_HABITS[name], tmp_path)


def test_the_habits_show() -> None:
    """Each makes another file of the network."""
    layers = LayerWriter(0)
    inputs, output = network(layers)
    files = {layers.finish(inputs, [output], habits) for habits in OTHER_HABITS.values()}
    assert len(files) == len(OTHER_HABITS)


@pytest.mark.parametrize("name", WITHOUT_OPTIONS)
def test_without_an_options_table(tmp_path: Path, name: str) -> None:
    check(WITHOUT_OPTIONS[name], Habits(options=False), tmp_path)
    check(WITHOUT_OPTIONS[name], Habits(options=False, codes="new"), tmp_path, seed=1)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (on(lambda layers, x: layers.conv(x, 4, (3, 3))), "operator 0 CONV_2D"),
        (on(lambda layers, x: layers.depthwise(x, 1, (3, 3))), "operator 0 DEPTHWISE_CONV_2D"),
        (MOVERS["MAX_POOL_2D"], "operator 0 MAX_POOL_2D"),
        (MOVERS["AVERAGE_POOL_2D"], "operator 0 AVERAGE_POOL_2D"),
        (on(lambda layers, x: layers.softmax(x), (1, 9)), "operator 0 SOFTMAX"),
    ],
)
def test_options_that_have_no_default(tmp_path: Path, build: Build, words: str) -> None:
    """A stride or a beta of 0 means nothing; TensorFlow Lite Micro computes nonsense or aborts."""
    layers = LayerWriter(0)
    inputs, output = build(layers)
    said = refusal(tmp_path, layers.finish(inputs, [output], Habits(options=False)))
    assert words in said and "leaves out its options" in said


@pytest.mark.parametrize("name", MOVERS)
def test_integers_without_a_scale_are_moved(tmp_path: Path, name: str) -> None:
    layers = LayerWriter(3)
    inputs, output = MOVERS[name](layers)
    for tensor in (*inputs, output):
        layers.writer.unscale(tensor)
    equal(layers, layers.finish(inputs, [output]), inputs, tmp_path)


@pytest.mark.parametrize("name", ["RESHAPE", "SLICE", "STRIDED_SLICE", "TRANSPOSE", "SQUEEZE"])
@pytest.mark.parametrize("end", ["input", "output"])
def test_a_scale_at_one_end_of_a_move(tmp_path: Path, name: str, end: str) -> None:
    layers = LayerWriter(4)
    inputs, output = MOVERS[name](layers)
    layers.writer.unscale(output if end == "output" else inputs[0])
    equal(layers, layers.finish(inputs, [output]), inputs, tmp_path)


@pytest.mark.parametrize("name", ["MAX_POOL_2D", "CONCATENATION", "PAD"])
def test_a_scale_at_one_end_where_it_counts(tmp_path: Path, name: str) -> None:
    layers = LayerWriter(4)
    inputs, output = MOVERS[name](layers)
    layers.writer.unscale(output)
    assert "no per-tensor scale" in refusal(tmp_path, layers.finish(inputs, [output]))


def of_one_convolution(**changes: object) -> tuple[LayerWriter, list[int], int]:
    """A convolution of four filters whose weights' or bias' (`bias=`) entry is changed."""
    layers = LayerWriter(5)
    x = layers.activation(IMAGE)
    y = layers.conv(x, 4, (3, 3))
    place = 2 if changes.pop("bias", False) else 1
    tensors = layers.writer._tensors
    tensors[place] = replace(tensors[place], **changes)
    return layers, [x], y


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": (0.0, 0.1, 0.1, 0.0)},
        {"zero_point": (0, 0)},
        {"zero_point": (0,) * 6},
        {"bias": True, "scale": (0.0,) * 4},
        {"bias": True, "scale": ()},
        {"bias": True, "scale": (7.0,) * 4},
    ],
)
def test_odd_quantisation_of_a_convolution(tmp_path: Path, changes: dict[str, object]) -> None:
    layers, inputs, output = of_one_convolution(**changes)
    equal(layers, layers.finish(inputs, [output]), inputs, tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": (-0.1, 0.1, 0.1, 0.1)}, "finite scales"),
        ({"zero_point": (0, 1)}, "4 scales but 2 zero points"),
        ({"zero_point": (1 << 40,) * 4}, "beyond 32 bits"),
    ],
)
def test_quantisation_that_means_nothing(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    layers, inputs, output = of_one_convolution(**changes)
    (tmp_path / "m.tflite").write_bytes(layers.finish(inputs, [output]))
    with pytest.raises(RowforgeError, match=words):
        load_model(tmp_path / "m.tflite")


@pytest.mark.parametrize(("scale", "runs"), [(None, True), (7.0, False), (0.0, False)])
def test_the_scale_of_a_bias_without_channels(
    tmp_path: Path, scale: float | None, runs: bool
) -> None:
    """The reference kernel of FULLY_CONNECTED refuses a bias of another scale; so do we."""
    layers = LayerWriter(6)
    x = layers.activation((1, 7))
    y = layers.fully_connected(x, 4)
    if scale is not None:
        layers.writer._tensors[2] = replace(layers.writer._tensors[2], scale=(scale,))
    content = layers.finish([x], [y])
    if runs:
        equal(layers, content, [x], tmp_path)
        return
    with pytest.raises(RuntimeError):
        tflm_run(content, layers.input_values(x))
    assert f"its bias has scale {scale:g}" in refusal(tmp_path, content)


def depthwise(given: int | None, folder: Path) -> np.ndarray:
    """The output of a multiplier of 2, with the option that tells it set or left out."""
    layers = LayerWriter(7)
    x = layers.activation(IMAGE)
    y = layers.depthwise(x, 2, (3, 3))
    options = layers.writer._operators[-1].options
    del options["DepthMultiplier"]
    if given is not None:
        options["DepthMultiplier"] = given
    (folder / "m.tflite").write_bytes(layers.finish([x], [y]))
    graph = load_model(folder / "m.tflite")
    return run_graph(graph, layers.input_values(x))[graph.outputs[0]]


def test_the_depth_multiplier_follows_from_the_weights(tmp_path: Path) -> None:
    np.testing.assert_array_equal(depthwise(None, tmp_path), depthwise(2, tmp_path))
    with pytest.raises(RowforgeError, match="depth multiplier is 3, but its weights have 2"):
        depthwise(3, tmp_path)


def packed(count: int, options: bool | None = True) -> bytes:
    """A flattening by shape arithmetic, whose PACK says how many values it packs."""
    layers = LayerWriter(10)
    x = layers.activation(IMAGE)
    writer = layers.writer
    parts = [writer.constant(f"n{n}", np.asarray(n, np.int32)) for n in (1, 90)]
    shape = writer.tensor("shape", (2,), "int32")
    writer.operator("PACK", parts, shape, **({"ValuesCount": count} if count else {}))
    y = writer.operator("RESHAPE", [x, shape], layers.like(x, (1, 90)))
    return layers.finish([x], [y], Habits(options=options))


@pytest.mark.parametrize("options", [True, None])
def test_the_number_of_packed_values_follows_from_the_inputs(
    tmp_path: Path, options: bool | None
) -> None:
    (tmp_path / "m.tflite").write_bytes(packed(0, options))
    graph = load_model(tmp_path / "m.tflite")
    x = np.arange(90, dtype=np.int8).reshape(IMAGE)
    np.testing.assert_array_equal(run_graph(graph, x)[graph.outputs[0]], x.reshape(1, 90))
    np.testing.assert_array_equal(tflm_run(packed(0, options), x), x.reshape(1, 90))
    assert "count 3 inputs, but it has 2" in refusal(tmp_path, packed(3))


def variable() -> bytes:
    writer = ModelWriter()
    x, y = (writer.tensor(name, (1, 8), scale=0.1) for name in "xy")
    state = writer.tensor("state", (1, 8), scale=0.1, variable=True)
    writer.operator("ADD", [x, state], y)
    return writer.finish([x], [y])


def pair(habits: Habits) -> bytes:
    layers = LayerWriter(8)
    inputs, output = on(lambda layers, x: layers.conv(x, 4, (3, 3)))(layers)
    if habits.sparse:
        layers.writer._buffers[1] = layers.writer._buffers[1][:-2]
    return layers.finish(inputs, [output], habits)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (variable, "its input state is a variable"),
        (lambda: pair(Habits(signatures=(0, 1), subgraphs=2)), "a signature that runs subgraph 1"),
        (lambda: pair(Habits(external=True)), "outside the flatbuffer"),
        (lambda: pair(Habits(sparse=True)), "sparse"),
    ],
)
def test_other_refusals(tmp_path: Path, content: Callable[[], bytes], words: str) -> None:
    assert words in refusal(tmp_path, content())


def test_buffer_0_is_no_data_for_what_is_written(tmp_path: Path) -> None:
    """Activations that name a buffer 0 with data of their size in it stay activations."""
    layers = LayerWriter(9)
    x = layers.activation((1, 6, 5, 3))
    y = layers.binary("ADD", x, layers.constant((1, 6, 5, 3)))
    plain = layers.finish([x], [y])
    layers.writer._buffers[0] = bytes(90)
    values = layers.input_values(x)
    results = []
    for content in (plain, layers.finish([x], [y])):
        (tmp_path / "m.tflite").write_bytes(content)
        graph = load_model(tmp_path / "m.tflite")
        results.append(run_graph(graph, values)[graph.outputs[0]])
    np.testing.assert_array_equal(*results)
