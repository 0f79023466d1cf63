"""Products of 16-bit values whose sums may exceed 32 bits: the array adds up parts of them.

Each part has a share of the input channels, so small that its sums fit. The weights of the others
stand at their zero points there, so that every part reads the input as it is. The host adds up the
parts, scales the sum and rounds once.
"""

from dataclasses import replace

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.values import Activation, Scale
from compiler.frontends.onnx.products.mac import emit_conv, emit_product
from compiler.frontends.onnx.products.product import CONVOLUTIONS, Mac, per_item
from compiler.frontends.onnx.products.stage import sums_fit
from compiler.ir.ops import Array, HostStep
from numerics.host.sums import IN_PARTS
from numerics.quantisation import integer_range

_MOST_PARTS = 16


def fits(
    builder: OnnxBuilder, mac: Mac, target: Scale | None, clamp: tuple[int, int] | None = None
) -> bool:
    """Whether the array's sums hold the whole product, so that it needs no parts."""
    return sums_fit(builder, _flat(mac), target, clamp)


def parts_of(builder: OnnxBuilder, mac: Mac) -> list[Mac]:
    """The product without its bias in as few parts as sums of 32 bits allow.

    Raises `RowforgeError` where sixteen are not enough.
    """
    bare = replace(mac, bias=None, addend=None)
    axis = 1 if mac.raw.op_type in CONVOLUTIONS else mac.weights.values.ndim - 2
    channels = mac.weights.values.shape[axis]
    parts: list[Mac] = []
    for count in range(1, min(channels, _MOST_PARTS) + 1):
        edges = np.linspace(0, channels, count + 1).astype(int)
        parts = [
            _share(bare, axis, int(first), int(end))
            for first, end in zip(edges[:-1], edges[1:], strict=True)
        ]
        if all(fits(builder, part, None) for part in parts):
            break
    else:
        builder.refuse(
            mac.raw,
            f"its sums of products with 16-bit values exceed 32 bits even in {len(parts)} parts",
            "quantise its input to 8 bits, or split it along its input channels",
        )
    return parts


def sums_of_parts(builder: OnnxBuilder, mac: Mac, name: str) -> list[Activation]:
    """The raw sums of all parts, to be added up by the host; `name` is the tensor that follows."""
    emit = emit_conv if mac.raw.op_type in CONVOLUTIONS else emit_product
    parts = parts_of(builder, mac)
    base = f"{mac.raw.outputs[0]} (sums for {name})"
    if len(parts) == 1:
        return [emit(builder, parts[0], base, None)]
    return [
        emit(builder, part, f"{base}, part {number} of {len(parts)}", None)
        for number, part in enumerate(parts, start=1)
    ]


def emit_in_parts(
    builder: OnnxBuilder,
    mac: Mac,
    name: str,
    target: Scale,
    clamp: tuple[int, int] | None,
) -> Activation:
    """A product with its output quantised by the host."""
    sums = sums_of_parts(builder, mac, name)
    low, high = clamp or integer_range(target.dtype)
    output = builder.declare(name, sums[0].layout, target.dtype, target)
    scale, addend = (numbers(part / float(target.scale)) for part in real_parameters(mac))
    most = float(np.max(_flat(mac).float_error())) / float(target.scale)
    builder.emit(
        HostStep(
            name=f"{builder.label(mac.raw)} output",
            op=mac.raw.op_type,
            inputs=tuple(part.key for part in sums),
            output=output.key,
            reason=(
                f"{IN_PARTS}: the array adds up {len(sums)} parts, the host scales their sum and "
                "rounds once; ONNX Runtime's float32 sums differ from the real number by at most "
                f"{most:.2g} steps of the output"
            ),
            function="round_sums",
            parameters={
                "scale": scale,
                "addend": addend,
                "zero_point": target.zero_point,
                "low": low,
                "high": high,
                "dtype": target.dtype,
            },
        )
    )
    return output


def real_parameters(mac: Mac) -> tuple[Array, Array]:
    """float64 [1] or [M]: what a unit of the sums stands for, and what is added to them."""
    addend = np.zeros(1) if mac.addend is None else mac.addend
    if mac.bias is not None:
        addend = addend + mac.unit * mac.bias
    return mac.unit, addend


def numbers(values: Array) -> tuple[float, ...]:
    """As parameters of a host step."""
    return tuple(float(value) for value in values.reshape(-1))


def _flat(mac: Mac) -> Mac:
    """The product as one of two axes, where every item has a matrix of its own."""
    several = mac.raw.op_type not in CONVOLUTIONS and mac.weights.values.ndim > 2
    return per_item(mac) if several else mac


def _share(mac: Mac, axis: int, first: int, end: int) -> Mac:
    """The product with the input channels from `first` to before `end` alone."""
    weights = mac.weights
    zero = weights.zero_point.reshape(-1).astype(weights.values.dtype)
    filters = mac.raw.op_type in CONVOLUTIONS
    column = zero.reshape(-1, *(1,) * (weights.values.ndim - 1)) if filters else zero
    values = np.broadcast_to(column, weights.values.shape).copy()
    chosen = (slice(None),) * axis + (slice(first, end),)
    values[chosen] = weights.values[chosen]
    return replace(mac, weights=replace(weights, values=values))
