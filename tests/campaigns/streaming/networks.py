"""Small streaming networks with seeded weights, written as `.tflite` files that no converter makes.

A step of each is one frame of features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tflite_micro import runtime

from tests.support.tflite.layers import RELU, VALID, LayerWriter
from tests.support.tflite.recurrent import lstm, svdf
from tests.support.tflite.variables import joined

FEATURES = 20


@dataclass(frozen=True)
class Stream:
    """A model file and int8 frames for consecutive steps, N in place of its input's batch of 1."""

    content: bytes
    frames: NDArray[np.int8]


class CalmLayers(LayerWriter):
    """Layers whose outputs seldom reach the ends of their range, so that states keep changing."""

    def _output_scale(self, source: int, taps: int) -> float:
        return 40 * super()._output_scale(source, taps)


def keyword(seed: int, steps: int) -> Stream:
    """A keyword network of convolutions over time, each with a ring of frames in a variable."""
    layers = CalmLayers(seed)
    x = layers.activation((1, 1, FEATURES), zero_point=5)
    image = layers.reshape(x, (1, 1, 1, FEATURES))
    ring = joined(layers, image, 2)
    image = layers.conv(ring, 16, (3, 1), padding=VALID, activation=RELU)
    for frames in (3, 5):
        ring = joined(layers, image, frames, initial=frames == 5)
        image = layers.depthwise(ring, 1, (frames + 1, 1), padding=VALID)
        image = layers.conv(image, 16, (1, 1), activation=RELU)
    flat = layers.reshape(joined(layers, image, 7, initial=False), (1, 8 * 16))
    return _stream(layers, x, layers.fully_connected(flat, 12), steps)


def memories(seed: int, steps: int) -> Stream:
    """SVDF with 8-bit and with 16-bit memory, one after the other, and a classifier."""
    layers = CalmLayers(seed)
    x = layers.activation((1, FEATURES), zero_point=-3)
    first = svdf(layers, x, 24, 8, rank=2)
    second = svdf(layers, first, 16, 10, dtype="int16", activation=RELU)
    return _stream(layers, x, layers.fully_connected(second, 12), steps)


def recurrent(seed: int, steps: int) -> Stream:
    """A convolution over the features, two LSTMs of two times a step, one of one, a classifier."""
    layers = CalmLayers(seed)
    x = layers.activation((1, 2, FEATURES), zero_point=7)
    image = layers.reshape(x, (1, 2, FEATURES, 1))
    image = layers.conv(image, 2, (1, 3), stride=(1, 2), activation=RELU)
    rows = layers.reshape(image, (1, 2, FEATURES))
    first = lstm(layers, rows, 16)
    second = lstm(layers, first, 12, clip=6.0)
    third = lstm(layers, layers.reshape(second, (1, 1, 24)), 8)
    flat = layers.reshape(third, (1, 8))
    return _stream(layers, x, layers.fully_connected(flat, 12), steps)


def stream_of(content: bytes, seed: int, steps: int) -> Stream:
    """Random frames of the whole range for a model of one int8 input."""
    details = runtime.Interpreter.from_bytes(content, arena_size=1 << 22).get_input_details(0)
    shape = (steps, *(int(size) for size in details["shape"][1:]))
    random = np.random.default_rng(seed)
    return Stream(content, random.integers(-128, 128, shape).astype(np.int8))


def _stream(layers: LayerWriter, x: int, output: int, steps: int) -> Stream:
    content = layers.finish([x], [output])
    return Stream(content, np.concatenate([layers.input_values(x) for _ in range(steps)]))


NETWORKS: dict[str, Callable[[int, int], Stream]] = {
    "keyword": keyword,
    "memories": memories,
    "recurrent": recurrent,
}
