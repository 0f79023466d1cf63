"""QONNX's Quant, the export of Brevitas and QKeras, as QuantizeLinear, Clip and DequantizeLinear.

Quant(x, scale, zero point, bits) = (round(clip(x / scale + zero, ends)) - zero) * scale in float32.
With zero point 0, halves rounded to even and up to 8 bits that is what the three operators compute.
Any other Quant stays as it is, and is refused later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.frontends.onnx.model.node import RawNode

Array = npt.NDArray[Any]

NAMES = tuple(
    f"{domain}.{name}"
    for domain in ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
    for name in ("Quant", "IntQuant")
)
_FIRST = 1 << 20  # indices of operators that the file does not have
_MOST_BITS = 8


@dataclass(frozen=True)
class _Parameters:
    """Scales, one or one for each slice along an axis, and the ends of the integers."""

    scale: Array
    axis: int | None
    low: int
    high: int
    dtype: str


def lowered(nodes: Sequence[RawNode], constants: dict[str, Array]) -> tuple[RawNode, ...]:
    """The nodes with each Quant taken apart; its parameters enter the constants."""
    values = {**constants, **_from_nodes(nodes)}
    found: list[RawNode] = []
    for node in nodes:
        parameters = _read(node, values) if node.op_type in NAMES else None
        found += [node] if parameters is None else _parts(node, parameters, values, constants)
    return tuple(found)


def _from_nodes(nodes: Sequence[RawNode]) -> dict[str, Array]:
    """Values of Constant operators."""
    return {
        node.outputs[0]: node.attributes["value"]
        for node in nodes
        if node.op_type == "Constant"
        and node.outputs
        and isinstance(node.attributes.get("value"), np.ndarray)
    }


def _read(node: RawNode, values: dict[str, Array]) -> _Parameters | None:
    if len(node.inputs) != 4 or len(node.outputs) != 1 or not all(node.inputs):
        return None
    if not all(name in values for name in node.inputs[1:]):
        return None
    scale, zero, bits = (values[name] for name in node.inputs[1:])
    mode = node.attributes.get("rounding_mode", "ROUND")
    if bits.size != 1 or zero.any() or mode not in ("ROUND", "HALF_EVEN"):
        return None
    count = float(bits.reshape(-1)[0])
    if count not in range(2, _MOST_BITS + 1) or scale.dtype != np.float32:
        return None
    wide = [axis for axis, size in enumerate(scale.shape) if size > 1]
    if len(wide) > 1:
        return None
    signed, narrow = (bool(node.attributes.get(key, default)) for key, default in _FLAGS)
    high = (1 << int(count) - signed) - 1
    low = -high - 1 if signed else 0
    if narrow:
        low, high = (low + 1, high) if signed else (low, high - 1)
    axis = wide[0] - scale.ndim if wide else None
    return _Parameters(scale.reshape(-1), axis, low, high, "int8" if signed else "uint8")


_FLAGS = (("signed", 1), ("narrow", 0))


def _parts(
    node: RawNode, p: _Parameters, values: dict[str, Array], constants: dict[str, Array]
) -> Iterator[RawNode]:
    """QuantizeLinear, Clip if there are fewer values than in 8 bits, DequantizeLinear."""
    name, info = node.outputs[0], np.iinfo(p.dtype)
    keys = {what: f"{name} ({what})" for what in ("scale", "zero point", "low", "high")}
    constants[keys["scale"]] = p.scale if p.axis is not None else p.scale[0]
    zero = np.zeros(p.scale.shape if p.axis is not None else (), dtype=p.dtype)
    constants[keys["zero point"]] = zero
    pair = keys["scale"], keys["zero point"]
    along = {} if p.axis is None else {"axis": p.axis}
    bare = replace(node, domain="", attributes=along)
    number = _FIRST + 2 * node.index
    whole = f"{name} (integers)"
    kept = (p.low, p.high) == (info.min, info.max)
    first = whole if kept else f"{name} (quantised)"
    yield replace(bare, op_type="QuantizeLinear", inputs=(node.inputs[0], *pair), outputs=(first,))
    if not kept:
        for what, value in (("low", p.low), ("high", p.high)):
            constants[keys[what]] = np.asarray(value, dtype=p.dtype)
        yield replace(
            bare,
            index=number,
            name=f"{node.name} clip" if node.name else "",
            op_type="Clip",
            inputs=(first, keys["low"], keys["high"]),
            outputs=(whole,),
            attributes={},
        )
    yield replace(
        bare,
        index=number + 1,
        name=f"{node.name} output" if node.name else "",
        op_type="DequantizeLinear",
        inputs=(whole, *pair),
        outputs=(name,),
    )
