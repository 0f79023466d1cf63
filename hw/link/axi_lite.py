"""An AXI4-Lite port in front of registers."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hw.arch.registers import ADDRESS_BITS, REGISTER_BITS
from hw.base.block import Block

OKAY, SLAVE_ERROR = 0, 2
_STROBES = REGISTER_BITS // 8

AXI_LITE = {
    "awaddr": In(ADDRESS_BITS),
    "awprot": In(3),
    "awvalid": In(1),
    "awready": Out(1),
    "wdata": In(REGISTER_BITS),
    "wstrb": In(_STROBES),
    "wvalid": In(1),
    "wready": Out(1),
    "bresp": Out(2),
    "bvalid": Out(1),
    "bready": In(1),
    "araddr": In(ADDRESS_BITS),
    "arprot": In(3),
    "arvalid": In(1),
    "arready": Out(1),
    "rdata": Out(REGISTER_BITS),
    "rresp": Out(2),
    "rvalid": Out(1),
    "rready": In(1),
}
"""The port's signals, seen from the registers."""


class AxiLitePort(Block):
    """One access each way at a time: a write every second cycle, a read every second cycle.

    A write of less than a whole register, and an access that the registers do not `know`, is
    answered with SLVERR and does nothing.

    Members
    -------
    those of `AXI_LITE`
    read_address, read_data, read_known : a register's value in the same cycle
    write : write `write_data` to `write_address`; `write_known` in the same cycle
    """

    def __init__(self):
        super().__init__(
            {
                **AXI_LITE,
                "read_address": Out(ADDRESS_BITS),
                "read_data": In(REGISTER_BITS),
                "read_known": In(1),
                "write": Out(1),
                "write_address": Out(ADDRESS_BITS),
                "write_data": Out(REGISTER_BITS),
                "write_known": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accepts, allowed = Signal(), Signal()
        m.d.comb += [
            accepts.eq(self.awvalid & self.wvalid & ~self.bvalid),
            allowed.eq(self.wstrb.all() & self.write_known),
            self.awready.eq(accepts),
            self.wready.eq(accepts),
            self.write.eq(accepts & allowed),
            self.write_address.eq(self.awaddr),
            self.write_data.eq(self.wdata),
            self.arready.eq(~self.rvalid),
            self.read_address.eq(self.araddr),
        ]
        with m.If(self.bvalid & self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(accepts):
            m.d.sync += [self.bvalid.eq(1), self.bresp.eq(Mux(allowed, OKAY, SLAVE_ERROR))]
        with m.If(self.rvalid & self.rready):
            m.d.sync += self.rvalid.eq(0)
        with m.If(self.arvalid & self.arready):
            m.d.sync += [
                self.rvalid.eq(1),
                self.rdata.eq(self.read_data),
                self.rresp.eq(Mux(self.read_known, OKAY, SLAVE_ERROR)),
            ]
        return m
