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
    awaddr, araddr : in, ADDRESS_BITS
        AXI4-Lite: byte address of a write, of a read.
    awprot, arprot : in, 3
        AXI4-Lite: protection, ignored.
    awvalid, wvalid, bready, arvalid, rready : in, 1
        AXI4-Lite: the host's half of the handshakes.
    awready, wready, bvalid, arready, rvalid : out, 1
        AXI4-Lite: this side's half of the handshakes.
    wdata : in, REGISTER_BITS
        AXI4-Lite: what is written.
    wstrb : in, _STROBES
        AXI4-Lite: bytes of it that count.
    bresp, rresp : out, 2
        AXI4-Lite: how a write, a read ended.
    rdata : out, REGISTER_BITS
        AXI4-Lite: what was read.
    read_address : out, ADDRESS_BITS
        A register to be read, in bytes.
    read_data : in, REGISTER_BITS
        Its value, in the same cycle.
    read_known : in, 1
        There is such a register.
    write : out, 1
        Write `write_data` to `write_address`.
    write_address : out, ADDRESS_BITS
        A register to be written, in bytes.
    write_data : out, REGISTER_BITS
        Its value.
    write_known : in, 1
        There is such a register, in the same cycle.
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
            # Address and data are taken together and only when no answer waits: nothing is stored.
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
