"""Ports as Python values: Amaranth layouts to and from the bits that a simulator holds."""

from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

Value = Any  # int, None where a bit is unknown, or dicts and lists of them


def encode(shape: Any, value: Value) -> int:
    """The bits of a value; members that are not named are 0.

    Structures take dicts, arrays take lists, everything else takes integers (negative ones in two's
    complement).
    """
    if isinstance(shape, data.ArrayLayout):
        width = Shape.cast(shape.elem_shape).width
        return sum(encode(shape.elem_shape, item) << (i * width) for i, item in enumerate(value))
    if isinstance(shape, data.Layout):
        fields = dict(iter(shape))
        return sum(
            encode(fields[name].shape, item) << fields[name].offset for name, item in value.items()
        )
    width = Shape.cast(shape).width
    return int(value) & ((1 << width) - 1)


def decode(shape: Any, bits: str) -> Value:
    """The value that a string of 0, 1, x, z stands for, the highest bit first."""
    if isinstance(shape, data.ArrayLayout):
        width = Shape.cast(shape.elem_shape).width
        starts = range(0, shape.length * width, width)
        return [decode(shape.elem_shape, _slice(bits, start, width)) for start in starts]
    if isinstance(shape, data.Layout):
        return {
            name: decode(field.shape, _slice(bits, field.offset, field.width))
            for name, field in iter(shape)
        }
    plain = Shape.cast(shape)
    if plain.width == 0:
        return 0
    try:
        number = int(bits, 2)
    except ValueError:
        return None
    return number - (1 << plain.width) if plain.signed and bits[0] == "1" else number


def fitted(shape: Any, value: Value) -> Value:
    """The value as the shape's bits hold it: what does not fit wraps."""
    return decode(shape, format(encode(shape, value), f"0{Shape.cast(shape).width}b"))


def _slice(bits: str, offset: int, width: int) -> str:
    end = len(bits) - offset
    return bits[end - width : end]
