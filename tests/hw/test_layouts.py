"""hw.base.layouts: what gateware sees of a record is what software packed."""

import random

import pytest
from amaranth.hdl import Shape
from amaranth.lib import data

from hw.arch import commands
from hw.arch.fields import Struct
from hw.base.layouts import layout

STRUCTS = [value for value in vars(commands).values() if isinstance(value, Struct)]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.name)
def test_fields_hold_what_was_packed(struct):
    random.seed(struct.name)
    shape = layout(struct)
    assert shape.size == 64 * struct.words
    for _ in range(5):
        values = {field.name: random.randint(field.low, field.high) for field in struct.fields}
        words = struct.pack(values)
        view = data.Const(shape, sum(word << (64 * i) for i, word in enumerate(words)))
        assert {name: int(view[name]) for name in values} == values


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.name)
def test_shapes_follow_the_fields(struct):
    for field in struct.fields:
        shape = Shape.cast(layout(struct)[field.name].shape)
        assert (shape.width, shape.signed) == (field.width, field.signed)


def test_a_struct_has_one_layout():
    assert layout(commands.VECTOR) is layout(commands.VECTOR)
