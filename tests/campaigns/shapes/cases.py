"""Random layer shapes, as rows of a table and as models of that one layer."""

from pathlib import Path

import numpy as np

from rowforge.shapes.shape import BareLayer, LayerKind, Padding
from tests.support.tflite.layers import SAME, VALID, LayerWriter


def model_file(shape: BareLayer, path: Path) -> str:
    """A TensorFlow Lite file of that one layer, with random weights."""
    layers = LayerWriter(7)
    window, stride = (shape.kernel, shape.kernel), (shape.stride, shape.stride)
    padding = SAME if shape.padding is Padding.SAME else VALID
    if shape.kind is LayerKind.FC:
        source = layers.activation((1, shape.channels))
        output = layers.fully_connected(source, shape.filters)
    else:
        source = layers.activation((1, shape.height, shape.width, shape.channels))
        if shape.kind is LayerKind.CONV:
            output = layers.conv(source, shape.filters, window, stride=stride, padding=padding)
        else:
            output = layers.depthwise(source, 1, window, stride=stride, padding=padding)
    path.write_bytes(layers.finish([source], [output]))
    return str(path)


def drawn(seed: int, number: int) -> BareLayer:
    """A shape of each kind in turn, with padding of each kind."""
    rng = np.random.default_rng([seed, number])
    kind = list(LayerKind)[number % 3]
    sizes = {"channels": int(rng.integers(1, 40)), "filters": int(rng.integers(1, 40))}
    if kind is not LayerKind.FC:
        kernel = int(rng.integers(1, 6))
        height, width = (int(each) for each in rng.integers(kernel, 20, 2))
        stride = int(rng.integers(1, 4))
        sizes |= {"height": height, "width": width, "kernel": kernel, "stride": stride}
    if kind is LayerKind.DEPTHWISE:
        del sizes["filters"]
    return BareLayer.of(kind, sizes, list(Padding)[number // 3 % 2])
