"""FastDepth as a TFLite file with random weights: encoder, decoder and skips.

The pruned network of Wofk et al., "FastDepth: Fast Monocular Depth Estimation on Embedded Systems"
(ICRA 2019). `compiler.workloads.networks` has its convolutions. After each of the decoder's five
pairs the map is enlarged twofold, each value four times; three of them then add what the encoder
had at that size.
"""

import numpy as np

from compiler.workloads.layers import LayerShape
from compiler.workloads.networks import network_layers
from tests.support.tflite.layers import RELU, LayerWriter

SKIPS = {"decode2_pw": "pw5", "decode3_pw": "pw3", "decode4_pw": "pw1"}
"""Layers of the decoder, and those of the encoder whose outputs are added after enlarging."""


def fastdepth(seed: int, *, size: int = 224) -> bytes:
    """The network for images of `size` x `size` pixels, a multiple of 32."""
    writer = LayerWriter(seed)
    tensor = image = writer.activation((1, size, size, 3))
    made: dict[str, int] = {}
    for layer in network_layers("fastdepth"):
        tensor = made[layer.name] = _convolution(writer, tensor, layer)
        if layer.name.startswith("decode") and layer.name.endswith("_pw"):
            tensor = enlarged(writer, tensor)
            if layer.name in SKIPS:
                tensor = writer.binary("ADD", tensor, made[SKIPS[layer.name]])
    return writer.finish([image], [tensor])


def enlarged(writer: LayerWriter, source: int) -> int:
    """RESIZE_NEAREST_NEIGHBOR to twice the rows and columns."""
    items, rows, columns, channels = writer.shape(source)
    new = np.array([2 * rows, 2 * columns], np.int32)
    operands = [source, writer.writer.constant("size", new)]
    target = writer.like(source, (items, *new.tolist(), channels))
    return writer.writer.operator("RESIZE_NEAREST_NEIGHBOR", operands, target)


def _convolution(writer: LayerWriter, source: int, layer: LayerShape) -> int:
    window, stride = (layer.R, layer.R), (layer.stride, layer.stride)
    if layer.groups > 1:
        return writer.depthwise(source, 1, window, stride=stride, activation=RELU)
    return writer.conv(source, layer.M, window, stride=stride, activation=RELU)
