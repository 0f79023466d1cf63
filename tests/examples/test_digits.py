"""The shipped digits model: TensorFlow Lite Micro is the oracle of its accuracy."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tflite
from sklearn.datasets import load_digits
from tflite_micro.python.tflite_micro import runtime

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "examples" / "digits"
MODELS = PROJECT / "rowforge" / "models"
MODEL_BYTES = (MODELS / "digits.tflite").read_bytes()
SIZE_LIMIT = 20_000
OPERATORS = [
    "CONV_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_2D",
    "ADD",
    "CONV_2D",
    "AVERAGE_POOL_2D",
    "RESHAPE",
    "FULLY_CONNECTED",
    "SOFTMAX",
]
MAC_OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@pytest.fixture(scope="module")
def example() -> Iterator[dict[str, ModuleType]]:
    """The example's modules, imported as its script does and forgotten afterwards."""
    names = ["digits_data", "layers", "network", "tflite_writer", "quantise", "export"]
    sys.path.insert(0, str(EXAMPLE))
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(EXAMPLE))
    for name in names:
        del sys.modules[name]


@pytest.fixture(scope="module")
def held_out() -> dict[str, np.ndarray]:
    with np.load(MODELS / "digits_test.npz", allow_pickle=False) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def subgraph() -> tflite.SubGraph:
    return tflite.Model.GetRootAsModel(MODEL_BYTES, 0).Subgraphs(0)


def operators() -> Iterator[tuple[str, tflite.Operator]]:
    """Name and operator, in order, with both fields of the operator code in agreement."""
    model = tflite.Model.GetRootAsModel(MODEL_BYTES, 0)
    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if not k.startswith("_")}
    for index in range(model.Subgraphs(0).OperatorsLength()):
        operator = model.Subgraphs(0).Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        assert code.BuiltinCode() == code.DeprecatedBuiltinCode()
        yield names[code.BuiltinCode()], operator


def scales(tensor: tflite.Tensor) -> np.ndarray:
    return tensor.Quantization().ScaleAsNumpy()


def zero_points(tensor: tflite.Tensor) -> np.ndarray:
    return tensor.Quantization().ZeroPointAsNumpy()


def outputs_of(model: bytes, images: np.ndarray) -> np.ndarray:
    """What TensorFlow Lite Micro computes for each image."""
    interpreter = runtime.Interpreter.from_bytes(model)
    outputs = []
    for image in images:
        interpreter.set_input(image[np.newaxis], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0).copy())
    return np.concatenate(outputs)


def test_tflite_micro_classifies_held_out_digits(held_out):
    assert len(held_out["labels"]) >= 400
    predicted = outputs_of(MODEL_BYTES, held_out["images"]).argmax(axis=1)
    assert (predicted == held_out["labels"]).mean() >= 0.95


def test_interface_is_int8_image_to_probabilities():
    interpreter = runtime.Interpreter.from_bytes(MODEL_BYTES)
    source, result = interpreter.get_input_details(0), interpreter.get_output_details(0)
    assert (list(source["shape"]), source["dtype"]) == ([1, 8, 8, 1], np.int8)
    assert (list(result["shape"]), result["dtype"]) == ([1, 10], np.int8)
    assert result["quantization_parameters"]["scales"][0] == 1 / 256
    assert result["quantization_parameters"]["zero_points"][0] == -128


def test_architecture_and_size():
    assert [name for name, _ in operators()] == OPERATORS
    assert len(MODEL_BYTES) <= SIZE_LIMIT
    assert MODEL_BYTES[4:8] == b"TFL3"


def test_mac_operators_follow_the_int8_specification(subgraph):
    for name, operator in operators():
        if name not in MAC_OPERATORS:
            continue
        source, weight, bias = (subgraph.Tensors(operator.Inputs(k)) for k in range(3))
        channels = bias.Shape(0)
        assert (weight.Type(), bias.Type()) == (tflite.TensorType.INT8, tflite.TensorType.INT32)
        assert len(scales(weight)) == (1 if name == "FULLY_CONNECTED" else channels)
        assert not zero_points(weight).any() and not zero_points(bias).any()
        np.testing.assert_allclose(scales(bias), scales(source) * scales(weight), rtol=1e-6)
        axis = 3 if name == "DEPTHWISE_CONV_2D" else 0
        assert weight.Quantization().QuantizedDimension() == axis


def test_pool_and_reshape_keep_the_scale(subgraph):
    for name, operator in operators():
        if name in ("AVERAGE_POOL_2D", "RESHAPE"):
            source, result = (
                subgraph.Tensors(index) for index in (operator.Inputs(0), operator.Outputs(0))
            )
            assert scales(source) == scales(result)
            assert zero_points(source) == zero_points(result)


def test_held_out_digits_are_not_trained_on(example, held_out):
    digits = load_digits()
    train, test = example["digits_data"].split_indices(len(digits.target))
    assert not set(train) & set(test)
    assert sorted([*train, *test]) == list(range(len(digits.target)))
    np.testing.assert_array_equal(held_out["indices"], test)
    np.testing.assert_array_equal(held_out["labels"], digits.target[test])


def test_held_out_images_are_quantised_as_the_model_expects(subgraph, held_out):
    image = subgraph.Tensors(subgraph.Inputs(0))
    pixels = load_digits().images[held_out["indices"]][..., np.newaxis] / 16
    stored = np.rint(pixels / scales(image)[0]) + zero_points(image)[0]
    assert held_out["images"].dtype == np.int8
    np.testing.assert_array_equal(held_out["images"], stored)


@pytest.mark.parametrize("position", range(12))
def test_gradient_matches_finite_difference(example, position):
    """A small step along one parameter's gradient changes the loss by the gradient's length."""
    rng = np.random.default_rng(3)
    network = example["network"].build(rng)
    images = rng.uniform(0, 1, (4, 8, 8, 1)).astype(np.float32)
    labels = rng.integers(0, 10, 4)
    parameter = network.parameters()[position]
    start = parameter.value

    def loss(value: np.ndarray) -> float:
        parameter.value = value
        return example["network"].cross_entropy(network.logits(images), labels)[0]

    _, gradient = example["network"].cross_entropy(network.logits(images), labels)
    network.backward(gradient)
    length = np.linalg.norm(parameter.grad)
    step = 1e-3 * parameter.grad / length
    assert (loss(start + step) - loss(start - step)) / 2e-3 == pytest.approx(length, rel=0.05)


def test_export_of_an_untrained_network_tracks_the_float_one(example):
    """Quantised logits, read through SOFTMAX, stay near the float network's on any weights."""
    rng = np.random.default_rng(4)
    network = example["network"].build(rng)
    images = rng.integers(0, 17, (32, 8, 8, 1)).astype(np.float32) / 16
    quantisations = example["quantise"].calibrate(network, images)
    model = example["export"].Exporter(network, quantisations).export()
    stored = outputs_of(model, example["quantise"].to_int8(images, quantisations[0]))
    logits = network.logits(images)
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponent / exponent.sum(axis=1, keepdims=True)
    assert np.abs((stored + 128.0) / 256 - expected).max() < 0.05


def test_writer_aligns_data_and_keeps_order(example):
    """Constants start on 16 bytes, as TensorFlow Lite maps them in place."""
    module = example["tflite_writer"]
    writer = module.TfliteWriter("alignment")
    source = writer.tensor("x", (1, 4), np.int8, module.Quantisation((0.5,), (3,)))
    contents = [
        np.arange(n, n + length, dtype=np.int8) for n, length in [(0, 9), (20, 17), (50, 40)]
    ]
    for number, content in enumerate(contents):
        writer.constant(f"c{number}", content)
    result = writer.tensor("y", (2, 2), np.int8, module.Quantisation((0.5,), (3,)))
    options = module.Options("ReshapeOptions", {"NewShape": [2, 2]})
    writer.operator(tflite.BuiltinOperator.RESHAPE, [source], [result], options)
    data = writer.finish([source], [result])

    model = tflite.Model.GetRootAsModel(data, 0)
    assert model.BuffersLength() == 1 + len(contents)
    assert model.Buffers(0).DataIsNone()
    for index, content in enumerate(contents, start=1):
        np.testing.assert_array_equal(model.Buffers(index).DataAsNumpy(), content.view(np.uint8))
        assert data.index(content.tobytes()) % 16 == 0
    names = [model.Subgraphs(0).Tensors(k).Name() for k in range(len(contents) + 2)]
    assert names == [b"x", b"c0", b"c1", b"c2", b"y"]
