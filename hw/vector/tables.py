"""The tables with which ADD rescales its operands."""

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.entries import TABLE
from hw.base.block import Block
from hw.base.layouts import layout
from hw.base.memory import Ram

ENTRIES = 256
_ADDEND = 32

TABLE_WRITE = wiring.Signature({"en": Out(1), "index": Out(8), "entry": Out(layout(TABLE))})
"""Writes one entry of both tables; seen from the side that writes."""


class AddTables(Block):
    """Looks up the addends of `units` pairs of stored operands at once.

    Every unit has its own copies of the two tables: 2 · units memories of 256 x 32 bits, which are
    written together. Contents are undefined until written.

    Latency: 1 cycle; the addends are held while `en` is low.

    Timing
    ------
    An entry is written and looked up.

        cycle             0  1  2  3
        write.en          1  0  0  0
        write.index       3  .  .  .
        write.entry.left  5  .  .  .
        en                0  1  1  1
        left.0            .  3  .  .
        left_addend.0     .  .  5  0

    Members
    -------
    write : in, TABLE_WRITE
        Not together with a look-up of the same entry.
    en : in, 1
        Clock enable.
    left, right : in, array of units 8
        Stored operands.
    left_addend, right_addend : out, array of units signed _ADDEND
        What the tables hold for them.
    """

    def __init__(self, *, units: int):
        operands = data.ArrayLayout(8, units)
        addends = data.ArrayLayout(signed(_ADDEND), units)
        super().__init__(
            {
                "write": In(TABLE_WRITE),
                "en": In(1),
                "left": In(operands),
                "right": In(operands),
                "left_addend": Out(addends),
                "right_addend": Out(addends),
            }
        )
        self._units = units

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry = self.write.entry
        sides = {
            "left": (entry.left, self.left, self.left_addend),
            "right": (entry.right, self.right, self.right_addend),
        }
        for side, (addend, operands, addends) in sides.items():
            for unit in range(self._units):
                ram = Ram(width=_ADDEND, depth=ENTRIES)
                m.submodules[f"{side}_{unit}"] = ram
                m.d.comb += [
                    ram.write.en.eq(self.write.en),
                    ram.write.addr.eq(self.write.index),
                    ram.write.data.eq(addend),
                    ram.read.en.eq(self.en),
                    ram.read.addr.eq(operands[unit]),
                    addends[unit].eq(ram.read.data),
                ]
        return m
