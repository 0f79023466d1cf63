"""16x8 models: int16 activations and int8 weights, bit for bit as TensorFlow Lite Micro.

Each on the golden model and as a program for a 16-bit array whose psums have 40 bits.
"""

from pathlib import Path

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.ir.ops import Conv, HostStep
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, RoundingRule
from rowforge.configs import preset
from rowforge.running.targets import register
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.runtime import Runtime
from tests.support.tflite.checking import check
from tests.support.tflite.layers import RELU, RELU6, VALID
from tests.support.tflite.wide import WideLayerWriter

CONFIG = Config.of(
    {"array.data_width": 16, "array.psum_width": 40, "noc.filter": 4, "buffer.banks": 16}
)


def run(layers: WideLayerWriter, inputs: list[int], output: int, folder: Path) -> Graph:
    return check(layers, inputs, output, folder, config=CONFIG)


def rules(graph: Graph) -> list[RoundingRule]:
    stages = [node.stage for node in graph.nodes if isinstance(node, Conv)]
    return [stage.rounding for stage in stages if isinstance(stage, Requant)]


@pytest.mark.parametrize(
    ("bias", "rule"),
    [
        ("int64", RoundingRule.REDUCED),
        ("int32", RoundingRule.TFLM),
        ("", RoundingRule.REDUCED),
    ],
)
def test_products_round_as_their_bias_says(bias: str, rule: RoundingRule, tmp_path: Path) -> None:
    layers = WideLayerWriter(1, bias=bias)
    x = layers.activation((1, 7, 6, 5))
    y = layers.conv(x, 9, (3, 3), activation=RELU)
    y = layers.conv(y, 8, (2, 3), stride=(2, 1), padding=VALID)
    y = layers.fully_connected(y, 5, per_channel=True)
    y = layers.fully_connected(y, 4)
    graph = run(layers, [x], y, tmp_path)
    assert rules(graph) == [rule] * 4


@pytest.mark.parametrize("bias", ["int64", ""])
def test_depthwise(bias: str, tmp_path: Path) -> None:
    layers = WideLayerWriter(2, bias=bias)
    x = layers.activation((1, 6, 6, 6))
    y = layers.depthwise(x, 1, (3, 3), activation=RELU6)
    y = layers.depthwise(y, 2, (2, 2), stride=(2, 2), padding=VALID)
    run(layers, [x], y, tmp_path)


def test_an_option_names_the_type_of_a_bias_that_is_not_there(tmp_path: Path) -> None:
    layers = WideLayerWriter(3, bias="")
    x = layers.activation((3, 20))
    weights, *_ = layers._parameters(x, (6, 20), 6, 0, per_channel=False)
    y = layers.activation((3, 6), scale=layers._output_scale(x, 20) * 8)
    layers.writer.operator("FULLY_CONNECTED", [x, weights], y, QuantizedBiasType=2)
    graph = run(layers, [x], y, tmp_path)
    assert rules(graph) == [RoundingRule.TFLM]


@pytest.mark.parametrize("far", [(1 << 31) + 5, -(1 << 33), (1 << 39) - 1, -(1 << 39)])
def test_biases_beyond_32_bits(far: int, tmp_path: Path) -> None:
    layers = WideLayerWriter(4)
    x = layers.activation((4, 6))
    weights, _ = layers._parameters(x, (3, 6), 3, 0, per_channel=False)
    bias = layers.writer.constant("far", np.array([far, 0, -(far // 2)]), zero_point=0)
    # Scaled so that neither the bias alone nor the sums saturate.
    scale = layers._scales[x] * layers.writer._tensors[weights].scale[0] * abs(far) / 20000
    y = layers.activation((4, 3), scale=scale)
    layers.writer.operator("FULLY_CONNECTED", [x, weights, bias], y)
    run(layers, [x], y, tmp_path)


@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_pools(kind: str, tmp_path: Path) -> None:
    layers = WideLayerWriter(5)
    x = layers.activation((1, 7, 7, 6))
    y = layers.pool(kind, x, (3, 2), stride=(2, 1), activation=RELU)
    run(layers, [x], layers.pool(kind, y, (2, 2), padding=VALID), tmp_path)


@pytest.mark.parametrize("kind", ["ADD", "MUL", "SUB"])
@pytest.mark.parametrize("activation", [0, 1, 2, 3])
def test_two_operands(kind: str, activation: int, tmp_path: Path) -> None:
    layers = WideLayerWriter(6 + activation)
    a, b = layers.activation((1, 5, 4, 6)), layers.activation((1, 1, 1, 6))
    y = layers.binary(kind, a, b, activation=activation)
    run(layers, [a, b], layers.binary(kind, y, layers.constant((6,))), tmp_path)


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "QUANTIZE"])
def test_clamps_and_scales(kind: str, tmp_path: Path) -> None:
    layers = WideLayerWriter(11)
    x = layers.activation((1, 5, 4, 6))
    rescaled = kind in ("RELU", "QUANTIZE")
    run(layers, [x], layers.unary(kind, x, rescaled=rescaled), tmp_path)


@pytest.mark.parametrize("dtypes", [("int8", "int16"), ("int16", "int8"), ("float32", "int16")])
def test_quantise_between_types(dtypes: tuple[str, str], tmp_path: Path) -> None:
    layers = WideLayerWriter(12)
    first, second = (
        layers.activation((2, 30), dtype=dtype, scale=scale, zero_point=zero)
        for dtype, scale, zero in zip(dtypes, (0.01, 0.013), (3, 0), strict=True)
    )
    run(layers, [first], layers.writer.operator("QUANTIZE", [first], second), tmp_path)


def test_layout(tmp_path: Path) -> None:
    layers = WideLayerWriter(13)
    x = layers.activation((1, 4, 4, 8))
    y = layers.concat([x, layers.pad(x, [(0, 0), (0, 0), (0, 0), (0, 0)]), x], 3)
    y = layers.pad(y, [(0, 0), (1, 2), (0, 1), (0, 0)])
    run(layers, [x], layers.reshape(y, (1, 7 * 5 * 24)), tmp_path)


@pytest.mark.parametrize("keep", [False, True])
def test_mean(keep: bool, tmp_path: Path) -> None:
    layers = WideLayerWriter(14)
    x = layers.activation((1, 5, 6, 8))
    run(layers, [x], layers.mean(x, (1, 2), keep=keep), tmp_path)


def test_softmax(tmp_path: Path) -> None:
    """Rows of one value, of equal ones, and of values far apart."""
    for seed, (rows, columns) in enumerate([(40, 1), (1, 1000), (50, 11), (30, 257)]):
        layers = WideLayerWriter(20 + seed)
        x = layers.activation((rows, columns), scale=[2e-4, 1e-5, 5e-5, 1e-3][seed])
        run(layers, [x], layers.softmax(x, beta=[1.0, 1.0, 0.5, 2.0][seed]), tmp_path)


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH", "LEAKY_RELU"])
@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 2.0**-13, 3e-5, 4.7e-4, 1e-3, 0.01])
def test_functions_of_every_value(kind: str, scale: float, tmp_path: Path) -> None:
    layers = WideLayerWriter(30)
    x = layers.activation((1, 1 << 16), scale=scale)
    options = {"Alpha": -0.3 if scale > 1e-3 else 0.17} if kind == "LEAKY_RELU" else {}
    y = layers.activation((1, 1 << 16), scale=scale / 3 if options else 1 / 32768)
    layers.writer.operator(kind, [x], y, **options)
    values = np.arange(-(1 << 15), 1 << 15, dtype=np.int16).reshape(1, -1)
    check(layers, [x], y, tmp_path, [values], config=CONFIG)


def test_where_operators_run(tmp_path: Path) -> None:
    layers = WideLayerWriter(15)
    x = layers.activation((1, 4, 4, 4))
    y = layers.pool("MAX_POOL_2D", layers.conv(x, 4, (3, 3)), (2, 2))
    y = layers.binary("MUL", y, y)
    graph = run(layers, [x], layers.binary("ADD", y, y), tmp_path)
    assert [node.op for node in graph.nodes if isinstance(node, HostStep)] == ["ADD"]


@pytest.mark.parametrize(
    ("name", "bias", "words"),
    [
        ("eyeriss_v1", "int64", ["array.psum_width must be at least 28", "not 16", "wider psums"]),
        ("eyeriss_v1", "int32", ["array.psum_width must be at least 28", "not 16", "--wrap"]),
        ("tiny", "int64", ["array.data_width", "not int16"]),
    ],
)
def test_configurations_that_hold_no_sums(
    name: str, bias: str, words: list[str], tmp_path: Path
) -> None:
    layers = WideLayerWriter(17, bias=bias)
    x = layers.activation((1, 4, 4, 4))
    y = layers.conv(x, 4, (3, 3))
    path = tmp_path / "model.tflite"
    path.write_bytes(layers.finish([x], [y]))
    graph = load_model(path)
    with pytest.raises(RowforgeError) as refusal:
        compile_graph(graph, preset(name))
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


@pytest.mark.parametrize("bias", ["int64", "int32"])
def test_products_on_the_host(bias: str, tmp_path: Path) -> None:
    """An 8-bit array with --allow-host-mac."""
    layers = WideLayerWriter(21, bias=bias)
    x = layers.activation((1, 5, 5, 4))
    path = tmp_path / "model.tflite"
    y = layers.conv(layers.conv(x, 6, (3, 3)), 4, (1, 1))
    path.write_bytes(layers.finish([x], [y]))
    graph, config = load_model(path), preset("tiny")
    program = compile_graph(graph, config, CompileOptions(allow_host_mac=True))
    register()
    values = {graph.tensors[graph.inputs[0]].name: layers.input_values(x)}
    found = Runtime(FunctionalAccelerator(config), config).run(program, values).outputs
    wanted = run_graph(graph, values)[graph.outputs[0]]
    np.testing.assert_array_equal(next(iter(found.values())), wanted)


def test_sums_that_nothing_wraps(tmp_path: Path) -> None:
    """Psums of 32 bits do for a layer whose sums have them, and --wrap changes nothing."""
    layers = WideLayerWriter(18)
    x = layers.activation((1, 2, 2, 1100))
    y = layers.fully_connected(x, 2)
    path = tmp_path / "model.tflite"
    path.write_bytes(layers.finish([x], [y]))
    graph = load_model(path)
    narrow = CONFIG.with_values({"array.psum_width": 32})
    for wrap in (False, True):
        with pytest.raises(RowforgeError, match="psum_width must be at least 3[3-5]"):
            compile_graph(graph, narrow, CompileOptions(wrap=wrap))


def test_scaled_clamps_need_whole_sums(tmp_path: Path) -> None:
    layers = WideLayerWriter(19)
    x = layers.activation((1, 4, 4, 4))
    y = layers.unary("RELU", x, rescaled=True)
    path = tmp_path / "model.tflite"
    path.write_bytes(layers.finish([x], [y]))
    with pytest.raises(RowforgeError, match=r"array\.psum_width must be at least 32 .* not 16"):
        compile_graph(load_model(path), preset("eyeriss_v1"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bias": np.int32, "kind": "DEPTHWISE_CONV_2D"}, ["bias has type int32", "int64"]),
        ({"zero_point": 3}, ["int16 tensor", "zero point other than 0"]),
        ({"weights": np.uint8}, ["weights have type uint8", "int8"]),
        ({"kind": "RELU_N1_TO_1"}, ["has type int16"]),
        ({"bias": np.int16}, ["bias has type int16", "int32 or int64"]),
        ({"scale": 1e-9}, ["2^7 times its output scale"]),
        ({"scale": 2e-7, "size": 1 << 40}, ["do not fit the kernel's arithmetic"]),
    ],
)
def test_what_the_kernels_do_not_compute(
    change: dict[str, object], words: list[str], tmp_path: Path
) -> None:
    layers = WideLayerWriter(16)
    kind = str(change.get("kind", "CONV_2D"))
    zero = int(str(change.get("zero_point", 0)))
    x = layers.writer.tensor("x", (1, 3, 3, 4), "int16", scale=1e-4, zero_point=zero)
    axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
    ones = np.ones((1, 1, 1, 4) if axis else (4, 1, 1, 4), change.get("weights", np.int8))
    weights = layers.writer.constant("w", ones, scale=[1e-2] * 4, zero_point=[0] * 4, axis=axis)
    values = np.full(4, change.get("size", 7), change.get("bias", np.int64))
    bias = layers.writer.constant("b", values, scale=[1e-6] * 4, zero_point=[0] * 4)
    y = layers.activation((1, 3, 3, 4), scale=float(str(change.get("scale", 1e-3))))
    window = {"Padding": VALID, "StrideH": 1, "StrideW": 1}
    window |= {"DilationHFactor": 1, "DilationWFactor": 1}
    operands = [x, weights, bias] if "CONV" in kind else [x]
    layers.writer.operator(kind, operands, y, **window if "CONV" in kind else {})
    path = tmp_path / "model.tflite"
    path.write_bytes(layers.finish([x], [y]))
    with pytest.raises(RowforgeError) as refusal:
        load_model(path)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)
