"""The accelerator with AXI4-Stream and AXI4-Lite ports, for Zynq and other systems on a chip."""

from dataclasses import dataclass

from amaranth.hdl import ClockDomain, ClockSignal, Module, Mux, ResetInserter, ResetSignal, Signal
from amaranth.lib.wiring import In, Member, Out, connect

from hw.arch.commands import COMMAND_SET_VERSION, MAGIC
from hw.arch.config import LINK_WORD_BITS, Config, MemoryConfig
from hw.arch.config.file import config_hash
from hw.arch.registers import MEANINGS, REGISTER_BITS, Register
from hw.arch.version import LINK_PROTOCOL_VERSION
from hw.base.block import Block
from hw.link.axi_lite import AXI_LITE, AxiLitePort
from hw.link.width import WordAssembler, WordSplitter
from hw.memory.axi import axi_channels
from hw.microcontroller.control import require_processor
from hw.top.accelerator import AcceleratorCore
from hw.top.memory import outside_members, pass_on

RESET_CYCLES = 4
_HALF = (1 << REGISTER_BITS) - 1


class AxiAccelerator(Block):
    """An accelerator between three AXI ports, all in the clock domain of `aclk`.

    A result word waits until the PACKET register lets it pass; the last one of the count has
    `tlast`, so that a DMA transfer of that length ends. A write of CONTROL ends `m_axis_tvalid` at
    once: reset the DMA's channels with it.

    Members
    -------
    aclk : in, 1
        Clock.
    aresetn : in, 1
        Reset, synchronous and active low.
    s_axis_tdata : in, LINK_WORD_BITS
        AXI4-Stream of command words (`tlast` means nothing and has no port).
    s_axis_tvalid : in, 1
        There is a command word.
    s_axis_tready : out, 1
        It is taken.
    m_axis_tdata : out, LINK_WORD_BITS
        AXI4-Stream of result words.
    m_axis_tkeep : out, LINK_WORD_BITS // 8
        All ones: words are whole.
    m_axis_tlast : out, 1
        The packet that the host asked for ends here.
    m_axis_tvalid : out, 1
        There is a result word.
    m_axis_tready : in, 1
        It is taken.
    s_axi_awaddr, s_axi_araddr : in, AXI_LITE['awaddr'].shape
        AXI4-Lite, the registers in `hw.arch.registers`: byte address of a write, of a read.
    s_axi_awprot, s_axi_arprot : in, 3
        Protection, ignored.
    s_axi_awvalid, s_axi_wvalid, s_axi_bready, s_axi_arvalid, s_axi_rready : in, 1
        The host's half of the handshakes.
    s_axi_awready, s_axi_wready, s_axi_bvalid, s_axi_arready, s_axi_rvalid : out, 1
        This side's half of the handshakes.
    s_axi_wdata : in, REGISTER_BITS
        What is written.
    s_axi_wstrb : in, REGISTER_BITS // 8
        Bytes to be written; a write of fewer than all is refused.
    s_axi_bresp, s_axi_rresp : out, 2
        How a write, a read ended.
    s_axi_rdata : out, REGISTER_BITS
        What was read.
    m_axi_awid, m_axi_arid : out, 1, if config.memory.kind == "axi"
        AXI4, the memory that programs are replayed from, at byte 0 of the bus: always 0.
    m_axi_awaddr, m_axi_araddr : out, config.memory.address_bits + 3, if config.memory.kind == "axi"
        Byte address of a burst.
    m_axi_awlen, m_axi_arlen : out, 8, if config.memory.kind == "axi"
        Its beats minus one.
    m_axi_awsize, m_axi_arsize : out, 3, if config.memory.kind == "axi"
        Beats of eight bytes.
    m_axi_awburst, m_axi_arburst : out, 2, if config.memory.kind == "axi"
        Incrementing bursts.
    m_axi_awcache, m_axi_arcache : out, 4, if config.memory.kind == "axi"
        Bufferable and modifiable.
    m_axi_awprot, m_axi_arprot : out, 3, if config.memory.kind == "axi"
        Always 0.
    m_axi_awvalid, m_axi_wvalid, m_axi_bready : out, 1, if config.memory.kind == "axi"
        This side's half of the handshakes of writes.
    m_axi_arvalid, m_axi_rready : out, 1, if config.memory.kind == "axi"
        This side's half of the handshakes of reads.
    m_axi_awready, m_axi_wready, m_axi_bvalid : in, 1, if config.memory.kind == "axi"
        The memory's half of the handshakes of writes.
    m_axi_arready, m_axi_rvalid : in, 1, if config.memory.kind == "axi"
        The memory's half of the handshakes of reads.
    m_axi_wdata : out, LINK_WORD_BITS, if config.memory.kind == "axi"
        What is written.
    m_axi_wstrb : out, LINK_WORD_BITS // 8, if config.memory.kind == "axi"
        All ones: words are whole.
    m_axi_wlast : out, 1, if config.memory.kind == "axi"
        The last beat of a burst.
    m_axi_bid, m_axi_rid : in, 1, if config.memory.kind == "axi"
        Ignored.
    m_axi_bresp, m_axi_rresp : in, 2, if config.memory.kind == "axi"
        How a burst, a beat ended.
    m_axi_rdata : in, LINK_WORD_BITS, if config.memory.kind == "axi"
        What was read.
    m_axi_rlast : in, 1, if config.memory.kind == "axi"
        The last beat of a burst.
    sdram : out, outside_members(config.memory)["sdram"].signature, if config.memory.kind == "sdram"
        The chip of the memory that programs are replayed from.
    """

    clock_domains = ()

    def __init__(self, config: Config):
        require_processor(config)
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_tdata": In(LINK_WORD_BITS),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "m_axis_tdata": Out(LINK_WORD_BITS),
                "m_axis_tkeep": Out(LINK_WORD_BITS // 8),
                "m_axis_tlast": Out(1),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                **{f"s_axi_{name}": member for name, member in AXI_LITE.items()},
                **_memory_members(config.memory),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = ClockDomain("sync")
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.port = port = AxiLitePort()
        for name, member in AXI_LITE.items():
            inner, outer = getattr(port, name), getattr(self, f"s_axi_{name}")
            m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)
        restart = Signal()
        inside = Module()
        command, result = self._streams(m, inside, restart)
        m.submodules.core = ResetInserter(restart)(inside)
        left = Signal(REGISTER_BITS)
        m.d.comb += [
            command.payload.eq(self.s_axis_tdata),
            command.valid.eq(self.s_axis_tvalid & ~restart),
            self.s_axis_tready.eq(command.ready & ~restart),
            self.m_axis_tdata.eq(result.payload),
            self.m_axis_tkeep.eq(-1),
            # DMA engines want to know where a transfer ends, and a result stream has no end of its
            # own.
            self.m_axis_tlast.eq(left == 1),
            self.m_axis_tvalid.eq(result.valid & (left != 0) & ~restart),
            result.ready.eq(self.m_axis_tready & (left != 0)),
        ]
        self._registers(m, port, _Flow(restart, left, result.valid))
        return m

    def _streams(self, outside: Module, m: Module, restart: Signal) -> tuple:
        """The accelerator's streams in words; what `restart` resets is in `m`."""
        device = AcceleratorCore(self.config)
        if self.config.memory.outside:
            outside.submodules.accelerator = device
            outside.d.comb += device.restart.eq(restart)
            self._memory(outside, device)
        else:
            m.submodules.accelerator = device
        width = self.config.link.width
        if width == LINK_WORD_BITS:
            return device.cmd, device.result
        m.submodules.narrow = splitter = WordSplitter(width=width)
        m.submodules.widen = assembler = WordAssembler(width=width)
        connect(m, splitter.beats, device.cmd)
        connect(m, device.result, assembler.beats)
        return splitter.words, assembler.words

    def _memory(self, m: Module, device: AcceleratorCore) -> None:
        """The ports of a memory outside of the core."""
        memory = self.config.memory
        if memory.kind != "axi":
            pass_on(m, memory, device, self)
            return
        for name, member in axi_channels(memory.address_bits).items():
            inner, outer = getattr(device.m_axi, name), getattr(self, f"m_axi_{name}")
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)

    def _registers(self, m: Module, port: AxiLitePort, flow: "_Flow") -> None:
        """What is read, and what writing does."""
        restart, left = flow.restart, flow.left
        digest = config_hash(self.config)
        took = self.s_axis_tvalid & self.s_axis_tready
        gave = self.m_axis_tvalid & self.m_axis_tready
        taken, given = Signal(REGISTER_BITS), Signal(REGISTER_BITS)
        resetting = Signal(range(RESET_CYCLES + 1))
        values = {
            Register.MAGIC_LOW: MAGIC & _HALF,
            Register.MAGIC_HIGH: MAGIC >> REGISTER_BITS,
            Register.HASH_LOW: digest & _HALF,
            Register.HASH_HIGH: digest >> REGISTER_BITS,
            Register.VERSIONS: LINK_PROTOCOL_VERSION << 16 | COMMAND_SET_VERSION,
            Register.CONTROL: 0,
            Register.PACKET: left,
            Register.STATE: self.s_axis_tvalid | flow.waits << 1,
            Register.WORDS_IN: taken,
            Register.WORDS_OUT: given,
        }
        with m.Switch(port.read_address):
            for register, value in values.items():
                with m.Case(register):
                    m.d.comb += [port.read_data.eq(value), port.read_known.eq(1)]
        m.d.comb += restart.eq(resetting != 0)
        m.d.sync += [
            taken.eq(Mux(restart, 0, taken + took)),
            given.eq(Mux(restart, 0, given + gave)),
            left.eq(Mux(restart, 0, left - gave)),
            resetting.eq(Mux(restart, resetting - 1, 0)),
        ]
        with m.Switch(port.write_address):
            for register in (name for name in Register if MEANINGS[name].write):
                with m.Case(register):
                    m.d.comb += port.write_known.eq(1)
        with m.If(port.write & (port.write_address == Register.PACKET)):
            m.d.sync += left.eq(port.write_data)
        with m.If(port.write & (port.write_address == Register.CONTROL) & port.write_data[0]):
            m.d.sync += resetting.eq(RESET_CYCLES)


def _memory_members(memory: MemoryConfig) -> dict[str, Member]:
    """The ports of a memory outside of the core, those of AXI named as interconnects want it."""
    if memory.kind != "axi":
        return outside_members(memory)
    channels = axi_channels(memory.address_bits)
    return {f"m_axi_{name}": member for name, member in channels.items()}


@dataclass(frozen=True)
class _Flow:
    """What registers and streams know of each other.

    `restart`: the accelerator is held in reset; `left`: result words that may pass; `waits`: the
    accelerator offers one.
    """

    restart: Signal
    left: Signal
    waits: Signal
