"""Which rows of an SDRAM are open."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arch.sdram import SdramChip
from hw.base.block import Block


def place_layout(chip: SdramChip) -> data.StructLayout:
    """The address of a word: rows that follow each other in memory lie in different banks."""
    return data.StructLayout(
        {
            "word": chip.column_bits - chip.beat_bits,
            "bank": chip.bank_bits,
            "row": chip.row_bits,
        }
    )


class OpenRows(Block):
    """Remembers the open row of each bank, and answers for a place in the same cycle.

    Timing
    ------
    Row 5 of bank 1 is opened, then another one is wanted there.

        cycle       0  1  2  3  4
        place.bank  1  1  1  1  1
        place.row   5  5  6  6  6
        open        1  0  0  0  0
        close       0  0  0  1  0
        is_open     0  1  1  1  0
        hit         0  1  0  0  0

    Members
    -------
    place : in, place_layout(chip)
        Of the word that is looked for.
    open : in, 1
        The row of the place is open in its bank from the next cycle on.
    close, close_all : in, 1
        The bank of the place, or all banks, have no open row from the next cycle on.
    is_open : out, 1
        A row of the bank is open.
    hit : out, 1
        The row of the place is open.
    """

    def __init__(self, chip: SdramChip):
        super().__init__(
            {
                "place": In(place_layout(chip)),
                "open": In(1),
                "close": In(1),
                "close_all": In(1),
                "is_open": Out(1),
                "hit": Out(1),
            }
        )
        self.chip = chip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        banks = 1 << self.chip.bank_bits
        m.submodules.numbers = rows = Memory(shape=self.chip.row_bits, depth=banks, init=[])
        write, read = rows.write_port(), rows.read_port(domain="comb")
        opened = Signal(banks)
        m.d.comb += [
            write.addr.eq(self.place.bank),
            write.data.eq(self.place.row),
            write.en.eq(self.open),
            read.addr.eq(self.place.bank),
            self.is_open.eq(opened.bit_select(self.place.bank, 1)),
            self.hit.eq(self.is_open & (read.data == self.place.row)),
        ]
        with m.If(self.close_all):
            m.d.sync += opened.eq(0)
        with m.Elif(self.open | self.close):
            m.d.sync += opened.bit_select(self.place.bank, 1).eq(self.open)
        return m
