"""A convolution or matrix product with quantised operands, before its output is chosen."""

from dataclasses import dataclass, replace

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Activation, QuantisedConstant, Scale
from compiler.ir.ops import Array
from numerics.quantisation import integer_range

CONVOLUTIONS = ("Conv", "QLinearConv", "ConvInteger", "ConvTranspose")
_UNIT = 2.0**-24  # the relative error of one float32 rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class Mac:
    """real = unit * (sum + bias) + addend for each output channel, sum the accumulator.

    `source` is [N, C, ...] for a convolution, [..., K] for a product. `bias` are integers in units
    of the accumulator held as float64, or None; `addend` are real numbers, or None, and
    `magnitude` is the sum of the absolute values that they were added up from. `factor` multiplies
    the accumulator (Gemm's alpha); `gain`, float64 [1] or [M], does so beside it, in real numbers
    (a normalisation). `others` are operators of the model that are part of the product.

    `float_sums`: ONNX Runtime adds up float32 numbers here, not integers.
    """

    raw: RawNode
    source: Activation
    scale: Scale
    weights: QuantisedConstant
    bias: Array | None = None
    addend: Array | None = None
    magnitude: Array | None = None
    factor: np.float32 = np.float32(1.0)
    gain: Array | None = None
    others: tuple[RawNode, ...] = ()
    float_sums: bool = False

    @property
    def accumulator_scale(self) -> Array:
        """float32 [1] or [M]: what one unit of the accumulator stands for, as float32 has it."""
        scale = self.weights.scale
        if self.gain is not None:
            scale = (scale * self.gain).astype(np.float32)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(self.factor * self.scale.scale * scale, dtype=np.float32)

    @property
    def unit(self) -> Array:
        """float64 [1] or [M]: the same number without float32's roundings."""
        unit = float(self.factor) * float(self.scale.scale) * self.weights.scale.astype(np.float64)
        return np.asarray(unit if self.gain is None else unit * self.gain)

    @property
    def channels(self) -> int:
        """Output channels, of one item where every item has a matrix of its own."""
        values = self.weights.values
        return int(values.shape[0] if self._convolves else values.shape[-1])

    @property
    def terms(self) -> int:
        """Products that make up a sum."""
        values = self.weights.values
        if self._convolves:
            return int(values.size // max(self.channels, 1))
        return int(values.shape[-2] if values.ndim > 1 else values.size)

    @property
    def _convolves(self) -> bool:
        return self.raw.op_type in CONVOLUTIONS

    def filters(self) -> Array:
        """Weights less their zero points, int64 [M, terms]."""
        values, zero = self.weights.values.astype(np.int64), self.weights.zero_point.reshape(-1)
        rows = values.reshape(len(values), -1) if self._convolves else values.T
        return np.asarray(rows - zero.astype(np.int64).reshape(-1, 1))

    def extremes(self) -> tuple[Array, Array]:
        """The lowest and the highest sum of each channel, whatever the input; float64 [M]."""
        least, most = (edge - self.scale.zero_point for edge in integer_range(self.scale.dtype))
        filters = self.filters()
        above = np.maximum(filters, 0).sum(axis=1).astype(np.float64)
        below = np.minimum(filters, 0).sum(axis=1).astype(np.float64)
        least, most = min(least, 0), max(most, 0)
        return above * least + below * most, above * most + below * least

    def float_error(self) -> Array:
        """How far ONNX Runtime's float32 result can lie from the real number; float64 [M].

        Every product and every partial sum errs by a unit of at most the sum of magnitudes.
        """
        low, high = self.extremes()
        size = self.unit * (high - low)
        if self.bias is not None:
            size = size + self.unit * np.abs(self.bias)
        if self.magnitude is not None:
            size = size + self.magnitude
        return np.asarray((self.terms + 8) * _UNIT * size)


def per_item(mac: Mac) -> Mac:
    """[B, K, M], a matrix for every item, as one of [K, B * M]: all parameters repeated."""
    values = mac.weights.values
    items, K, M = int(np.prod(values.shape[:-2])), *values.shape[-2:]

    def repeated(array: Array | None) -> Array | None:
        return array if array is None or array.size == 1 else np.tile(array, items)

    columns = values.reshape(items, K, M).transpose(1, 0, 2).reshape(K, items * M)
    scale, zero = mac.weights.scale.reshape(-1), mac.weights.zero_point.reshape(-1)
    scale, zero = (np.tile(part, items if part.size > 1 else 1) for part in (scale, zero))
    return replace(
        mac,
        weights=QuantisedConstant(columns, scale, zero, 1),
        bias=repeated(mac.bias),
        addend=repeated(mac.addend),
        magnitude=repeated(mac.magnitude),
        gain=repeated(mac.gain),
    )


def added(mac: Mac, *, bias: Array | None = None, addend: Array | None = None) -> Mac:
    """The product with more added to it: integers in its unit, or real numbers."""
    if bias is not None:
        mac = replace(mac, bias=bias if mac.bias is None else mac.bias + bias)
    if addend is not None:
        size = np.abs(addend)
        if mac.addend is not None and mac.magnitude is not None:
            addend, size = mac.addend + addend, mac.magnitude + size
        mac = replace(mac, addend=addend, magnitude=size)
    return mac


def scaled(builder: OnnxBuilder, node: RawNode, mac: Mac, gain: Array) -> Mac:
    """The product times real numbers, one for all channels or one for each."""
    if not np.all(np.isfinite(gain)):
        builder.refuse(node, "a factor of it is not finite", "correct its constants")
    gain = gain.astype(np.float64)
    negative = np.broadcast_to(gain < 0, (mac.channels,))
    weights = _negated(mac, negative) if negative.any() else mac.weights
    size = np.abs(gain)
    return replace(
        mac,
        weights=weights,
        gain=size if mac.gain is None else mac.gain * size,
        bias=None if mac.bias is None else mac.bias * np.where(gain < 0, -1.0, 1.0),
        addend=None if mac.addend is None else mac.addend * gain,
        magnitude=None if mac.magnitude is None else mac.magnitude * size,
    )


def _negated(mac: Mac, channels: Array) -> QuantisedConstant:
    """Weights whose value, less their zero point, has the other sign in some channels.

    Where a weight has no negative, zero point and weight are replaced by their complements.
    """
    weights = mac.weights
    axis = 0 if mac.raw.op_type in CONVOLUTIONS else weights.values.ndim - 1
    values = np.moveaxis(weights.values.copy(), axis, 0)
    zero = weights.zero_point.reshape(-1)
    plain = values.dtype == np.int8 and not zero.any() and values[channels].min() > -128
    if plain:
        values[channels] = -values[channels]
    else:
        zero = np.broadcast_to(zero, channels.shape).copy()
        values[channels], zero[channels] = ~values[channels], ~zero[channels]
    return QuantisedConstant(np.moveaxis(values, 0, axis), weights.scale, zero, weights.axis)
