"""Amaranth layouts of the records in `hw.arch.commands`, from the same offsets."""

from functools import cache

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import data

from hw.arch.fields import WORD_BITS, Struct


@cache
def layout(struct: Struct) -> data.FlexibleLayout:
    """The record as a view on its words, word 0 in the lowest bits.

    Its size is `struct.words` · 64 bits; every field sits at its offset, with its signedness.
    Equal structs give the same layout object.
    """
    fields = {
        field.name: data.Field(Shape(field.width, field.signed), struct.offsets[field.name])
        for field in struct.fields
    }
    return data.FlexibleLayout(struct.words * WORD_BITS, fields)


def of_bank(m: Module, banks: data.View, bank: Value, name: str) -> data.View:
    """The element of a pair of equal structures that `bank` selects, as a signal of its own.

    Indexing the view would shift the whole pair instead: much slower to elaborate, and larger.
    """
    chosen = Signal(banks.shape().elem_shape, name=name)
    second, first = (Value.cast(banks[index]) for index in (1, 0))
    m.d.comb += Value.cast(chosen).eq(Mux(bank, second, first))
    return chosen
