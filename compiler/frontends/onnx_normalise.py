"""Batch normalisation behind a convolution: its factor joins the scales, its offset the bias."""

from dataclasses import replace

import numpy as np

from compiler.frontends.onnx_builder import Builder
from compiler.frontends.onnx_mac import Mac
from compiler.frontends.onnx_reader import RawNode
from compiler.ops import Array


def normalised(builder: Builder, node: RawNode, mac: Mac) -> Mac:
    """The product with a BatchNormalization of its output as part of its quantisation.

    y = (x - mean) * g + beta with g = gamma / sqrt(variance + epsilon): g multiplies the scale of
    each channel, the rest is added to the bias, rounded to a unit of the accumulator.
    """
    gamma, beta, mean, variance = (
        _parameter(builder, node, position, mac.weights.values.shape[0])
        for position in (1, 2, 3, 4)
    )
    if node.integer("training_mode", 0):
        builder.refuse(node, "it is in training mode", "export the model for inference")
    with np.errstate(all="ignore"):
        factor = gamma / np.sqrt(variance + node.number("epsilon", 1e-5))
    if not np.all(np.isfinite(factor)) or np.any(factor == 0):
        builder.refuse(node, "a factor of it is zero or not finite", "remove dead channels")
    weights = mac.weights
    if np.any(factor < 0):
        weights = replace(weights, values=_negated(builder, node, weights.values, factor < 0))
        if np.any(weights.zero_point):
            builder.refuse(
                node, "it negates weights that have a zero point", "quantise them symmetrically"
            )
    scale = (np.broadcast_to(weights.scale, factor.shape) * np.abs(factor)).astype(np.float32)
    joined = replace(mac, weights=replace(weights, scale=scale, axis=0), others=(node,))
    unit = joined.accumulator_scale.astype(np.float64)
    bias = np.zeros(factor.size) if mac.bias is None else mac.bias * np.sign(factor)
    return replace(joined, bias=bias + (beta - mean * factor) / unit)


def _parameter(builder: Builder, node: RawNode, position: int, channels: int) -> Array:
    value = builder.constant(node, position, "parameter").reshape(-1).astype(np.float64)
    if value.size != channels:
        builder.refuse(node, f"it has {value.size} parameters for {channels} channels", "re-export")
    return np.asarray(value)


def _negated(builder: Builder, node: RawNode, values: Array, channels: Array) -> Array:
    """The weights of some channels with their signs turned."""
    if values.dtype != np.int8 or values[channels].min() == -128:
        builder.refuse(
            node, "it negates weights of -128 or of type uint8", "quantise them to -127 ... 127"
        )
    turned = values.copy()
    turned[channels] = -turned[channels]
    return turned
