"""A memory behind an AXI4 bus, for simulation."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from hw.base.block import Block
from hw.base.queue import Queue
from hw.top.memory import AxiBus
from sim.outside.behaviour import AxiBehaviour

_PAGE_BITS = 9  # of the address of a word in 4 KiB
_WORD_BYTES_BITS = 3
_SLAVE_ERROR = 2
_OUTSTANDING = 4
_CHANNELS = 5


class AxiMemory(Block):
    """Serves bursts in order, reads and writes apart, with the latency and pauses of a behaviour.

    Parameters
    ----------
    address_bits : int
        Bits of the address of a word.

    Members
    -------
    m_axi : in, AxiBus(address_bits)
        The bus of the memory.
    """

    def __init__(self, *, address_bits: int, behaviour: AxiBehaviour):
        super().__init__({"m_axi": In(AxiBus(address_bits))})
        self.address_bits = address_bits
        self.behaviour = behaviour

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=64, depth=1 << self.address_bits, init=[])
        pauses = self._pauses(m)
        self._read(m, memory.read_port(domain="comb"), *pauses[:2])
        self._write(m, memory.write_port(), *pauses[2:])
        return m

    def _pauses(self, m: Module) -> list[Signal]:
        """Whether each channel pauses in this cycle."""
        noise = Signal(32, init=0x1234567)
        m.d.sync += noise.eq(noise << 1 | (noise[31] ^ noise[21] ^ noise[1] ^ noise[0]))
        found = [Signal(name=f"pause{i}") for i in range(_CHANNELS)]
        m.d.comb += [
            pause.eq(noise.word_select(i, 4) < self.behaviour.pauses)
            for i, pause in enumerate(found)
        ]
        return found

    def _asked(self, m: Module, channel: str, pause: Value) -> Queue:
        """Bursts that wait on a channel, as the addresses of their first words."""
        bus, bits = self.m_axi, self.address_bits
        m.submodules[channel] = queue = Queue(bits + 8, depth=_OUTSTANDING)
        valid, ready = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}ready")
        address, length = getattr(bus, f"{channel}addr"), getattr(bus, f"{channel}len")
        m.d.comb += [
            queue.input.payload[:bits].eq(address >> _WORD_BYTES_BITS),
            queue.input.payload[bits:].eq(length),
            queue.input.valid.eq(valid & ~pause),
            ready.eq(queue.input.ready & ~pause),
        ]
        return queue

    def _is_bad(self, address: Value) -> Value:
        bad = self.behaviour.bad
        return address[_PAGE_BITS:] == bad if bad is not None else Value.cast(0)

    def _read(self, m: Module, port: Any, asking: Value, giving: Value) -> None:
        bus, bits = self.m_axi, self.address_bits
        queue = self._asked(m, "ar", asking)
        first, length = queue.output.payload[:bits], queue.output.payload[bits:]
        wait = Signal(range(self.behaviour.latency + 1), init=self.behaviour.latency)
        beat, offered = Signal(8), Signal()
        passes = bus.rvalid & bus.rready
        m.d.comb += [
            port.addr.eq(first + beat),
            bus.rdata.eq(port.data),
            bus.rresp.eq(Mux(self._is_bad(first), _SLAVE_ERROR, 0)),
            # What has been offered stays until it is taken.
            bus.rvalid.eq(queue.output.valid & (wait == 0) & (offered | ~giving)),
            bus.rlast.eq(beat == length),
            queue.output.ready.eq(passes & bus.rlast),
        ]
        m.d.sync += offered.eq(bus.rvalid & ~bus.rready)
        with m.If(queue.output.valid & (wait != 0)):
            m.d.sync += wait.eq(wait - 1)
        with m.If(passes):
            m.d.sync += beat.eq(Mux(bus.rlast, 0, beat + 1))
            with m.If(bus.rlast):
                m.d.sync += wait.eq(self.behaviour.latency)

    def _write(self, m: Module, port: Any, asking: Value, taking: Value, answering: Value) -> None:
        bus, bits = self.m_axi, self.address_bits
        queue = self._asked(m, "aw", asking)
        first = queue.output.payload[:bits]
        wait = Signal(range(self.behaviour.latency + 1))
        beat, written, offered = Signal(8), Signal(), Signal()
        m.d.comb += [
            bus.wready.eq(queue.output.valid & ~written & ~taking),
            port.addr.eq(first + beat),
            port.data.eq(bus.wdata),
            port.en.eq(bus.wvalid & bus.wready & bus.wstrb.all()),
            bus.bvalid.eq(written & (wait == 0) & (offered | ~answering)),
            bus.bresp.eq(Mux(self._is_bad(first), _SLAVE_ERROR, 0)),
            queue.output.ready.eq(bus.bvalid & bus.bready),
        ]
        m.d.sync += offered.eq(bus.bvalid & ~bus.bready)
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += beat.eq(beat + 1)
            with m.If(bus.wlast):
                m.d.sync += [beat.eq(0), written.eq(1), wait.eq(self.behaviour.latency)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += written.eq(0)
