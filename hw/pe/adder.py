"""The adder of a PE's accumulate stage."""

from amaranth.hdl import Module, Mux, signed
from amaranth.lib.wiring import In, Out

from hw.base.block import Block


class GatedAdder(Block):
    """`total` = `term`, plus `held` unless `clear`. Combinational; sums wrap.

    A block of its own, since an FPGA's carry cells may hold the gate as well, which synthesis does
    not find: `boards.families.ecp5_cells`.

    Members
    -------
    held, term : in, signed width
        What is added.
    clear : in, 1
        Take `held` for zero.
    total : out, signed width
        The sum, modulo 2^`width`.
    """

    def __init__(self, *, width: int):
        super().__init__(
            {
                "held": In(signed(width)),
                "term": In(signed(width)),
                "clear": In(1),
                "total": Out(signed(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.total.eq(Mux(self.clear, 0, self.held) + self.term)
        return m
