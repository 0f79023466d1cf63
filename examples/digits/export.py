"""Turns a trained network into the bytes of an int8 `.tflite` model."""

import numpy as np
import tflite
from layers import Add, Array, Conv, Dense, Depthwise, GlobalAveragePool, Layer
from network import CLASSES, Network, Node
from quantise import PROBABILITY, bias, weights
from tflite_writer import Options, Quantisation, TfliteWriter

Activation = tflite.ActivationFunctionType
Code = tflite.BuiltinOperator
DESCRIPTION = "Rowforge digits: int8 CNN for 8x8 handwritten digits"
SIDE = 8


class Exporter:
    """Writes node after node; value k of the network becomes tensor `_index[k]`."""

    def __init__(self, network: Network, quantisations: list[Quantisation]) -> None:
        self._network = network
        self._quantisations = quantisations
        self._writer = TfliteWriter(DESCRIPTION)
        self._shapes: list[tuple[int, ...]] = [(1, SIDE, SIDE, 1)]
        self._index = [self._writer.tensor("image", self._shapes[0], np.int8, quantisations[0])]

    def export(self) -> bytes:
        """The finished model: int8 image (1, 8, 8, 1) in, int8 probabilities (1, 10) out."""
        for node in self._network.nodes:
            self._node(node)
        probabilities = self._writer.tensor("probabilities", (1, CLASSES), np.int8, PROBABILITY)
        options = Options("SoftmaxOptions", {"Beta": 1.0})
        self._writer.operator(Code.SOFTMAX, [self._index[-1]], [probabilities], options, version=2)
        return self._writer.finish([self._index[0]], [probabilities])

    def _node(self, node: Node) -> None:
        layer = node.layer
        if isinstance(layer, Conv):
            self._conv(node, layer)
        elif isinstance(layer, Depthwise):
            self._depthwise(node, layer)
        elif isinstance(layer, Add):
            self._add(node, layer)
        elif isinstance(layer, GlobalAveragePool):
            self._pool(node)
        elif isinstance(layer, Dense):
            self._dense(node, layer)
        else:
            raise TypeError(f"layer must be one this exporter knows, not {type(layer).__name__}")

    def _conv(self, node: Node, layer: Conv) -> None:
        _, C, M = layer.weight.value.shape
        kernel = layer.weight.value.reshape(layer.kernel, layer.kernel, C, M)
        operands = self._operands(node, kernel.transpose(3, 0, 1, 2), layer.bias.value, axis=0)
        output = self._output(node, (1, *self._strided(node, layer.stride), M))
        self._writer.operator(
            Code.CONV_2D, operands, [output], _windowed("Conv2DOptions", layer), version=3
        )

    def _depthwise(self, node: Node, layer: Depthwise) -> None:
        C = layer.weight.value.shape[1]
        kernel = layer.weight.value.reshape(1, layer.kernel, layer.kernel, C)
        operands = self._operands(node, kernel, layer.bias.value, axis=3)
        output = self._output(node, (1, *self._strided(node, layer.stride), C))
        options = _windowed("DepthwiseConv2DOptions", layer, DepthMultiplier=1)
        self._writer.operator(Code.DEPTHWISE_CONV_2D, operands, [output], options, version=3)

    def _add(self, node: Node, layer: Add) -> None:
        operands = [self._index[value] for value in node.inputs]
        output = self._output(node, self._shapes[node.inputs[0]])
        options = Options("AddOptions", {"FusedActivationFunction": _activation(layer)})
        self._writer.operator(Code.ADD, operands, [output], options, version=2)

    def _pool(self, node: Node) -> None:
        """The pool of the whole image, then the reshape to a vector that FC reads."""
        source = node.inputs[0]
        _, H, W, C = self._shapes[source]
        quantisation = self._quantisations[source]
        pooled = self._writer.tensor(node.name, (1, 1, 1, C), np.int8, quantisation)
        window = {"FilterHeight": H, "FilterWidth": W, "StrideH": H, "StrideW": W}
        options = Options("Pool2DOptions", {"Padding": tflite.Padding.VALID, **window})
        self._writer.operator(
            Code.AVERAGE_POOL_2D, [self._index[source]], [pooled], options, version=2
        )
        shape = self._writer.constant(f"{node.name}/shape", np.array([1, C], np.int32))
        output = self._output(node, (1, C), suffix="/flat")
        self._writer.operator(
            Code.RESHAPE, [pooled, shape], [output], Options("ReshapeOptions", {"NewShape": [1, C]})
        )

    def _dense(self, node: Node, layer: Dense) -> None:
        M = layer.weight.value.shape[1]
        operands = self._operands(node, layer.weight.value.T, layer.bias.value, axis=None)
        output = self._output(node, (1, M))
        options = Options("FullyConnectedOptions", {"FusedActivationFunction": _activation(layer)})
        self._writer.operator(Code.FULLY_CONNECTED, operands, [output], options, version=4)

    def _operands(self, node: Node, kernel: Array, biases: Array, axis: int | None) -> list[int]:
        """The tensors a MAC operator reads: its input, its weights and its bias."""
        source = node.inputs[0]
        stored, weight_scale = weights(kernel, axis)
        stored_bias, bias_scale = bias(biases, self._quantisations[source], weight_scale)
        return [
            self._index[source],
            self._writer.constant(f"{node.name}/weights", stored, weight_scale),
            self._writer.constant(f"{node.name}/bias", stored_bias, bias_scale),
        ]

    def _output(self, node: Node, shape: tuple[int, ...], suffix: str = "") -> int:
        """The tensor of the node's value, entered as the next value of the network."""
        quantisation = self._quantisations[len(self._index)]
        index = self._writer.tensor(node.name + suffix, shape, np.int8, quantisation)
        self._index.append(index)
        self._shapes.append(shape)
        return index

    def _strided(self, node: Node, stride: int) -> tuple[int, int]:
        _, H, W, _ = self._shapes[node.inputs[0]]
        return -(-H // stride), -(-W // stride)


def macs(network: Network) -> int:
    """Multiplications of one inference; a tap on padding counts, as is usual."""
    total, shapes = 0, [(SIDE, SIDE)]
    for node in network.nodes:
        layer, (H, W) = node.layer, shapes[node.inputs[0]]
        if isinstance(layer, Conv | Depthwise):
            H, W = -(-H // layer.stride), -(-W // layer.stride)
            total += H * W * layer.weight.value.size
        elif isinstance(layer, Dense):
            total += layer.weight.value.size
        shapes.append((1, 1) if isinstance(layer, GlobalAveragePool) else (H, W))
    return total


def _activation(layer: Layer) -> int:
    return int(Activation.RELU if layer.relu else Activation.NONE)


def _windowed(table: str, layer: Conv | Depthwise, **more: int) -> Options:
    """The options that Conv2DOptions and DepthwiseConv2DOptions share, and `more`."""
    fields = {
        "Padding": tflite.Padding.SAME,
        "StrideH": layer.stride,
        "StrideW": layer.stride,
        "FusedActivationFunction": _activation(layer),
        "DilationHFactor": 1,
        "DilationWFactor": 1,
    }
    return Options(table, {**fields, **more})
