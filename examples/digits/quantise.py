"""Post-training quantisation by TFLite's int8 specification.

Weights are symmetric (zero point 0, −127…127), one scale per output channel in convolutions and
one per tensor in the fully connected layer; activations are asymmetric by calibration; a bias is
int32 at the product of input and weight scale. Scales are rounded to float32 first, since the
file stores them so and its reader computes with what it finds.
"""

import numpy as np
from layers import Array, GlobalAveragePool
from network import Network
from numpy.typing import NDArray
from tflite_writer import Quantisation

INT8_MIN, INT8_MAX = -128, 127
IMAGE = Quantisation((float(np.float32(1 / 255)),), (INT8_MIN,))  # 0…1 on all of int8
PROBABILITY = Quantisation((1 / 256,), (INT8_MIN,))  # what TFLite demands of SOFTMAX


def activation(low: float, high: float) -> Quantisation:
    """The int8 quantisation of values in low…high, widened to hold 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / (INT8_MAX - INT8_MIN))
    zero_point = int(np.clip(np.rint(INT8_MIN - low / scale), INT8_MIN, INT8_MAX))
    return Quantisation((float(scale),), (zero_point,))


def calibrate(network: Network, images: Array) -> list[Quantisation]:
    """One quantisation for the image and each node's output, from the extremes over `images`.

    A pool keeps that of its input, as the specification asks: it only averages stored integers.
    """
    values = network.values(images)
    quantisations = [IMAGE]
    for node, value in zip(network.nodes, values[1:], strict=True):
        if isinstance(node.layer, GlobalAveragePool):
            quantisations.append(quantisations[node.inputs[0]])
        else:
            quantisations.append(activation(float(value.min()), float(value.max())))
    return quantisations


def to_int8(values: Array, quantisation: Quantisation) -> NDArray[np.int8]:
    """Values of any shape rounded half to even onto a per-tensor quantisation."""
    stored = np.rint(values.astype(np.float64) / quantisation.scales[0])
    stored += quantisation.zero_points[0]
    return np.clip(stored, INT8_MIN, INT8_MAX).astype(np.int8)


def weights(values: Array, axis: int | None) -> tuple[NDArray[np.int8], Quantisation]:
    """Weights in the file's layout as int8, one scale per index of `axis`, or one for all."""
    others = None if axis is None else tuple(d for d in range(values.ndim) if d != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scales = (np.maximum(largest, 1e-9) / INT8_MAX).astype(np.float32)
    stored = np.clip(np.rint(values / scales), -INT8_MAX, INT8_MAX).astype(np.int8)
    flat = tuple(float(scale) for scale in scales.ravel())
    return stored, Quantisation(flat, (0,) * len(flat), axis or 0)


def bias(
    values: Array, source: Quantisation, weight: Quantisation
) -> tuple[NDArray[np.int32], Quantisation]:
    """Biases (M,) as int32 at scale source · weight, zero point 0."""
    scales = np.float64(source.scales[0]) * np.array(weight.scales)
    stored = np.rint(values / scales).astype(np.int32)
    return stored, Quantisation(tuple(float(s) for s in scales), (0,) * len(scales))
