"""Commands in, results out, by firmware: what stands in the place of decoder and engines."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from hw.arch.config import Config
from hw.base.block import Block
from hw.base.memory import SinglePortRam
from hw.microcontroller import firmware
from hw.microcontroller.core import Core, source
from hw.microcontroller.ports import Registers

_WORD = 32
_RAM, _REGISTERS = 28, 29  # the address bits that tell regions apart


def require_processor(config: Config) -> None:
    """Refuse a configuration whose processor or firmware cannot be made here, before all work."""
    if config.control.microcontroller:
        source()
        firmware.build(config)


class Processor(Block):
    """PicoRV32 with its firmware, the global buffer as its memory, and the array as its device.

    Members
    -------
    command : in, stream of config.link.width
        Beats of the command stream.
    result : out, stream of config.link.width
        Beats of the result stream.
    """

    def __init__(self, config: Config):
        beat = stream.Signature(config.link.width)
        super().__init__({"command": In(beat), "result": Out(beat)})
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = Core()
        m.submodules.registers = registers = Registers(self.config)
        connect(m, flipped(self.command), registers.command)
        connect(m, registers.result, flipped(self.result))
        bus = core.bus
        rom, ram = self._rom(m, bus), self._ram(m, bus)
        region = Signal(2)  # of the access of the cycle before
        m.d.sync += region.eq(Cat(bus.addr[_RAM], bus.addr[_REGISTERS]))
        m.d.comb += [
            registers.port.en.eq((bus.read | bus.write) & bus.addr[_REGISTERS]),
            registers.port.write.eq(bus.write),
            registers.port.index.eq(bus.addr[2:]),
            registers.port.wdata.eq(bus.wdata),
            bus.rdata.eq(Mux(region[1], registers.port.rdata, Mux(region[0], ram, rom))),
        ]
        return m

    def _rom(self, m: Module, bus) -> Value:
        """The firmware's word of the cycle before."""
        words = firmware.build(self.config)
        depth = 1 << ceil_log2(len(words))  # block RAMs without multiplexers between them
        m.submodules.rom = rom = Memory(shape=_WORD, depth=depth, init=words)
        read = rom.read_port()
        m.d.comb += [read.en.eq(bus.read), read.addr.eq(bus.addr[2:])]
        return read.data

    def _ram(self, m: Module, bus) -> Value:
        """Global buffer and the firmware's own memory: the word of the cycle before."""
        size = self.config.glb_bytes + firmware.working_bytes(self.config)
        ram = SinglePortRam(width=_WORD, depth=size // 4, lane_width=8)
        m.submodules.ram = ram
        m.d.comb += [
            ram.en.eq((bus.read | bus.write) & bus.addr[_RAM]),
            ram.we.eq(Mux(bus.write, bus.wstrb, 0)),
            ram.addr.eq(bus.addr[2:]),
            ram.wdata.eq(bus.wdata),
        ]
        return ram.rdata
