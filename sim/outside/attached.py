"""A design with a memory outside of the core, and that memory: what a board is to the host."""

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import MemoryConfig
from hw.base.block import Block
from hw.top.memory import core_members
from sim.outside.axi_memory import AxiMemory
from sim.outside.behaviour import PROMPT, AxiBehaviour
from sim.outside.chip import SdramDevice

_KILO = 1e3


class AttachedMemory(Block):
    """A design and the memory at its ports `sdram` or `m_axi`; its other ports are passed on.

    `restart`, where the design has it, is 0. Only Verilog can be made of it.

    Parameters
    ----------
    design : Block
    memory : MemoryConfig
        The design's, of a kind that lies outside of it.
    behaviour : AxiBehaviour
        Of a memory behind AXI.

    Members
    -------
    violations : out, 32
        Breaches of an SDRAM's rules so far.
    """

    def __init__(self, design: Block, memory: MemoryConfig, behaviour: AxiBehaviour):
        own = core_members(memory)
        passed = {name: item for name, item in design.signature.members.items() if name not in own}
        super().__init__({**passed, "violations": Out(32)})
        self.passed = tuple(passed)
        self.design = design
        self.memory = memory
        self.behaviour = behaviour

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.design = design = self.design
        for name in self.passed:
            inner, outer = getattr(design, name), getattr(self, name)
            member = self.signature.members[name]
            if not member.is_signature:
                m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
            elif member.flow is In:
                connect(m, flipped(outer), inner)
            else:
                connect(m, inner, flipped(outer))
        if self.memory.kind == "sdram":
            m.submodules.chip = chip = SdramDevice(
                self.memory.sdram,
                clock=_KILO * self.memory.clock,
                in_phase=self.memory.timing.capture > self.memory.sdram.cas_latency,
            )
            connect(m, design.sdram, chip.pins)
            m.d.comb += self.violations.eq(chip.violations)
        else:
            m.submodules.axi_memory = axi = AxiMemory(
                address_bits=self.memory.address_bits, behaviour=self.behaviour
            )
            connect(m, design.m_axi, axi.m_axi)
        return m


def attached(design: Block, memory: MemoryConfig, behaviour: AxiBehaviour = PROMPT) -> Block:
    """The design with the memory that it needs outside, or the design itself."""
    return AttachedMemory(design, memory, behaviour) if memory.outside else design
