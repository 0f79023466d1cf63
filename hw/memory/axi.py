"""A memory behind an AXI4 interconnect."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from hw.base.block import Block
from hw.base.queue import Queue
from hw.memory.port import LENGTH_BITS, WORD_BITS, MemoryPort

_BYTE_BITS = 3  # of the address of a byte in a word
_PAGE_BITS = 9  # of the address of a word in 4 KiB, which no burst of AXI may leave
_SIZE = 3  # a beat has two to this power bytes
_INCREMENTING = 1
_BUFFERABLE_MODIFIABLE = 0b0011  # what AXI wants of a master without a cache of its own


def axi_channels(address_bits: int) -> dict[str, Member]:
    """The master's side of AXI4 with data of a word, by name without a prefix.

    `address_bits` are those of the address of a word.
    """
    asked = {
        "id": Out(1),
        "addr": Out(address_bits + _BYTE_BITS),
        "len": Out(8),
        "size": Out(3, init=_SIZE),
        "burst": Out(2, init=_INCREMENTING),
        "cache": Out(4, init=_BUFFERABLE_MODIFIABLE),
        "prot": Out(3),
        "valid": Out(1),
        "ready": In(1),
    }
    return {
        **{f"aw{name}": member for name, member in asked.items()},
        "wdata": Out(WORD_BITS),
        "wstrb": Out(WORD_BITS // 8),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bid": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
        **{f"ar{name}": member for name, member in asked.items()},
        "rid": In(1),
        "rdata": In(WORD_BITS),
        "rresp": In(2),
        "rlast": In(1),
        "rvalid": In(1),
        "rready": Out(1),
    }


class AxiMaster(Block):
    """Memory port of a slave of AXI4, with words of 64 bits and incrementing bursts.

    A burst that crosses a boundary of 4 KiB is asked for in two parts. Up to `outstanding` parts
    of one direction are under way; those of the other direction are asked for when all of them
    have been answered, since AXI promises no order between reads and writes. All have one ID.

    An answer that is no success raises `error`, with the first word of its part, which stay until
    `clear`. Later errors change nothing. Words that were read with an error are passed on as they
    came.

    Latency: a request to read stands on its channel in the cycle after it was accepted, one to
    write with its first word a cycle later. Words pass in the same cycle.

    Timing
    ------
    Two words are written, and one is read as soon as they have been answered.

        cycle                         0   1   2   3   4   5   6   7   8   9
        port.request.valid            1   1   1   1   1   0   0   0   0   0
        port.request.payload.address  4   5   5   5   5   .   .   .   .   .
        port.request.payload.length   1   0   0   0   0   .   .   .   .   .
        port.request.payload.write    1   0   0   0   0   .   .   .   .   .
        port.request.ready            1   0   0   0   1   0   0   0   1   1
        port.write.valid              0   1   1   1   0   0   0   0   0   0
        port.write.payload            .   7   7   8   .   .   .   .   .   .
        port.write.ready              0   0   1   1   0   0   0   0   0   0
        m_axi_awvalid                 0   0   1   0   0   0   0   0   0   0
        m_axi_awready                 1   1   1   1   1   1   1   1   1   1
        m_axi_awaddr                  .   .  32   .   .   .   .   .   .   .
        m_axi_awlen                   .   .   1   .   .   .   .   .   .   .
        m_axi_wvalid                  0   0   1   1   0   0   0   0   0   0
        m_axi_wready                  1   1   1   1   1   1   1   1   1   1
        m_axi_wlast                   .   .   0   1   .   .   .   .   .   .
        m_axi_bvalid                  0   0   0   0   0   0   1   0   0   0
        m_axi_arvalid                 0   0   0   0   0   0   0   1   0   0
        m_axi_araddr                  .   .   .   .   .   .   .  40   .   .
        m_axi_arready                 1   1   1   1   1   1   1   1   1   1
        m_axi_rvalid                  0   0   0   0   0   0   0   0   1   0
        m_axi_rlast                   .   .   .   .   .   .   .   .   1   .
        m_axi_rdata                   .   .   .   .   .   .   .   .   8   .
        port.read.valid               0   0   0   0   0   0   0   0   1   0
        port.read.payload             .   .   .   .   .   .   .   .   8   .

    Parameters
    ----------
    address_bits : int
        Bits of the address of a word. An address of AXI has three more.
    outstanding : int
        Parts under way, at least 2.

    Members
    -------
    port : in, MemoryPort(address_bits)
        The memory.
    clear : in, 1
        The error has been seen.
    error : out, 1
        A part was answered without success.
    error_write : out, 1
        It was written.
    error_address : out, address_bits
        Its first word.
    settled : out, 1
        Every request that was accepted has been answered.
    m_axi_awid, m_axi_arid : out, 1
        Always 0.
    m_axi_awaddr, m_axi_araddr : out, address_bits + _BYTE_BITS
        The first byte of a part to be written, to be read.
    m_axi_awlen, m_axi_arlen : out, 8
        Its beats minus one.
    m_axi_awsize, m_axi_arsize : out, 3
        Beats of eight bytes.
    m_axi_awburst, m_axi_arburst : out, 2
        Incrementing bursts.
    m_axi_awcache, m_axi_arcache : out, 4
        Bufferable and modifiable.
    m_axi_awprot, m_axi_arprot : out, 3
        Always 0.
    m_axi_awvalid, m_axi_wvalid, m_axi_bready, m_axi_arvalid, m_axi_rready : out, 1
        This side's half of the handshakes.
    m_axi_awready, m_axi_wready, m_axi_bvalid, m_axi_arready, m_axi_rvalid : in, 1
        The slave's half of the handshakes.
    m_axi_wdata : out, WORD_BITS
        A word to be written.
    m_axi_wstrb : out, WORD_BITS // 8
        All ones: words are whole.
    m_axi_wlast : out, 1
        The last word of a part.
    m_axi_bid, m_axi_rid : in, 1
        Ignored.
    m_axi_bresp, m_axi_rresp : in, 2
        How a part that was written, a word that was read ended.
    m_axi_rdata : in, WORD_BITS
        A word that was read.
    m_axi_rlast : in, 1
        The last word of a part.
    """

    def __init__(self, *, address_bits: int, outstanding: int = 4):
        super().__init__(
            {
                "port": In(MemoryPort(address_bits)),
                "clear": In(1),
                "error": Out(1),
                "error_write": Out(1),
                "error_address": Out(address_bits),
                "settled": Out(1),
                **{f"m_axi_{name}": member for name, member in axi_channels(address_bits).items()},
            }
        )
        self.address_bits = address_bits
        self.outstanding = outstanding

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = _Request(self.address_bits)
        m.submodules.parts = parts = Queue(self.address_bits, depth=self.outstanding)
        under_way = Signal(range(self.outstanding + 1))
        writing = Signal()  # what is under way is written
        self._part(m, request)
        sent, may_ask = Signal(), Signal()
        same = under_way != self.outstanding  # then the queue has room, too
        m.d.comb += [
            may_ask.eq(Mux(writing == request.write, same, under_way == 0)),
            sent.eq(
                (self.m_axi_awvalid & self.m_axi_awready)
                | (self.m_axi_arvalid & self.m_axi_arready)
            ),
            parts.input.valid.eq(sent),
            parts.input.payload.eq(request.address),
        ]
        self._carry(m, request)
        done = self._answers(m, parts)
        m.d.sync += under_way.eq(under_way + sent - done)
        with m.If(sent):
            m.d.sync += writing.eq(request.write)
        with m.FSM():
            with m.State("IDLE"):
                self._accept(m, request)
                m.d.comb += self.settled.eq(under_way == 0)
                with m.If(self.port.request.valid):
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += self.m_axi_arvalid.eq(may_ask & ~request.write)
                m.d.sync += request.words.eq(request.part)
                with m.If(may_ask & request.write):
                    m.next = "WRITE"
                with m.Elif(self.m_axi_arvalid & self.m_axi_arready):
                    self._advance(m, request)
            with m.State("WRITE"):
                with m.If(self._write(m, request)):
                    self._advance(m, request)
        return m

    def _advance(self, m: Module, request: "_Request") -> None:
        """Go on to the rest of the burst if there is one."""
        m.d.sync += [
            request.left.eq(request.left - request.part - 1),
            request.address.eq(request.address + request.part + 1),
        ]
        m.next = "IDLE"
        with m.If(request.crosses):
            m.next = "ASK"

    def _part(self, m: Module, request: "_Request") -> None:
        """Beats minus one of the next part, and whether words are left for another one."""
        # Words to the end of a page, minus one, where these are fewer than a burst may have.
        before = ~request.address[:LENGTH_BITS]
        last = request.address[LENGTH_BITS:_PAGE_BITS].all()
        m.d.comb += [
            request.crosses.eq(last & (request.left > before)),
            request.part.eq(Mux(request.crosses, before, request.left)),
        ]

    def _accept(self, m: Module, request: "_Request") -> None:
        asked = self.port.request
        m.d.comb += asked.ready.eq(1)
        m.d.sync += [
            request.address.eq(asked.payload.address),
            request.left.eq(asked.payload.length),
            request.write.eq(asked.payload.write),
        ]

    def _carry(self, m: Module, request: "_Request") -> None:
        """What the channels carry while they are valid."""
        for channel in ("aw", "ar"):
            address, length = (getattr(self, f"m_axi_{channel}{name}") for name in ("addr", "len"))
            m.d.comb += [address.eq(request.address << _BYTE_BITS), length.eq(request.part)]
        m.d.comb += [
            self.m_axi_wdata.eq(self.port.write.payload),
            self.m_axi_wstrb.eq(-1),
            self.m_axi_wlast.eq(request.words == 0),
        ]

    def _write(self, m: Module, request: "_Request") -> Value:
        """Address and words of a part, neither of which waits for the other; tells when it ends."""
        told, given = Signal(), Signal()  # the address, the last word
        write = self.port.write
        passes, ends = Signal(), Signal()
        m.d.comb += [
            self.m_axi_awvalid.eq(~told),
            self.m_axi_wvalid.eq(write.valid & ~given),
            write.ready.eq(self.m_axi_wready & ~given),
            passes.eq(self.m_axi_wvalid & self.m_axi_wready),
            ends.eq((told | self.m_axi_awready) & (given | (passes & self.m_axi_wlast))),
        ]
        m.d.sync += [
            told.eq((told | self.m_axi_awready) & ~ends),
            given.eq((given | (passes & self.m_axi_wlast)) & ~ends),
            request.words.eq(request.words - passes),
        ]
        return ends

    def _answers(self, m: Module, parts: Queue) -> Value:
        """Take answers and words as they come; tells when a part has had its last one."""
        port, read = self.port, self.m_axi_rvalid
        done, failed = Signal(), Signal()
        m.d.comb += [
            self.m_axi_bready.eq(1),
            # Whoever asked has room.
            self.m_axi_rready.eq(1),
            port.read.valid.eq(read),
            port.read.payload.eq(self.m_axi_rdata),
            done.eq(self.m_axi_bvalid | (read & self.m_axi_rlast)),
            failed.eq((self.m_axi_bvalid & self.m_axi_bresp[1]) | (read & self.m_axi_rresp[1])),
            parts.output.ready.eq(done),
        ]
        with m.If(failed & (~self.error | self.clear)):
            m.d.sync += [
                self.error.eq(1),
                self.error_write.eq(self.m_axi_bvalid),
                self.error_address.eq(parts.output.payload),
            ]
        with m.Elif(self.clear):
            m.d.sync += self.error.eq(0)
        return done


class _Request:
    """The burst that is asked for: what is left of it, and its next part."""

    def __init__(self, address_bits: int) -> None:
        self.address = Signal(address_bits, reset_less=True)
        self.left = Signal(LENGTH_BITS, reset_less=True)
        self.write = Signal(reset_less=True)
        self.words = Signal(LENGTH_BITS, reset_less=True)  # to be given after the next one
        self.part = Signal(LENGTH_BITS)
        self.crosses = Signal()
