"""The kinds of memory that a core may have, in one place: what is built, and which ports it needs.

A memory outside of the core goes on when the core is reset, and has ports of its own. Whatever
stands between the core and the pins passes them on.
"""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Member, Out, Signature, connect, flipped

from hw.arch.config import MemoryConfig
from hw.memory.axi import AxiMaster, axi_channels
from hw.memory.guard import MemoryGuard
from hw.memory.ram import RamAdapter
from hw.memory.sdram.controller import SdramController
from hw.memory.sdram.pins import SdramPins


class AxiBus(Signature):
    """An AXI4 master's ports, named as AXI names them, for a memory of 64-bit words.

    Parameters
    ----------
    address_bits : int
        Bits of the address of a word; an address of the bus counts bytes.
    """

    def __init__(self, address_bits: int):
        super().__init__(axi_channels(address_bits))
        self.address_bits = address_bits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AxiBus) and other.address_bits == self.address_bits

    def __hash__(self) -> int:
        return hash((AxiBus, self.address_bits))

    def __repr__(self) -> str:
        return f"AxiBus({self.address_bits})"


def outside_members(memory: MemoryConfig) -> dict[str, Member]:
    """The ports of a core with this memory, apart from its streams, by name."""
    match memory.kind:
        case "sdram":
            return {"sdram": Out(SdramPins(memory.sdram))}
        case "axi":
            return {"m_axi": Out(AxiBus(memory.address_bits))}
    return {}


def core_members(memory: MemoryConfig) -> dict[str, Member]:
    """The same with `restart`, which resets a core but not a memory outside of it."""
    return outside_members(memory) | ({"restart": In(1)} if memory.outside else {})


def pass_on(m: Module, memory: MemoryConfig, inner: Any, outer: Any) -> None:
    """Wire the memory's ports of a block to those of the block around it."""
    signature = Signature(outside_members(memory))
    pairs = zip(signature.flatten(inner), signature.flatten(outer), strict=True)
    for (_, member, inside), (_, _, outside) in pairs:
        m.d.comb += outside.eq(inside) if member.flow is Out else inside.eq(outside)


def place_memory(m: Module, memory: MemoryConfig, core: Any, client: Any) -> None:
    """The memory of a core, its ports if it has any, and its one client.

    Parameters
    ----------
    core : has the ports `core_members(memory)`
    client : has a `port` (MemoryPort) and a `fault` (MemoryFault, from the memory)
    """
    match memory.kind:
        case "ram":
            m.submodules.memory = ram = RamAdapter(
                words=memory.words, latency=memory.latency, pace=memory.pace
            )
            connect(m, client.port, ram.port)
            m.d.comb += client.fault.settled.eq(1)
        case "sdram":
            m.submodules.memory = sdram = SdramController(memory.sdram, memory.timing)
            # A smaller memory is the beginning of the chip.
            guard = _guard(m, memory, core, client)
            _join(m, guard.memory, sdram.port)
            connect(m, sdram.pins, flipped(core.sdram))
            m.d.comb += client.fault.settled.eq(1)
        case "axi":
            m.submodules.memory = axi = AxiMaster(address_bits=memory.address_bits)
            connect(m, _guard(m, memory, core, client).memory, axi.port)
            for name, member in axi_channels(memory.address_bits).items():
                inside, outside = getattr(axi, f"m_axi_{name}"), getattr(core.m_axi, name)
                m.d.comb += outside.eq(inside) if member.flow is Out else inside.eq(outside)
            first = client.fault.first
            m.d.comb += [
                first.valid.eq(axi.error),
                first.payload.eq(axi.error_address),
                axi.clear.eq(first.valid & first.ready),
                client.fault.settled.eq(axi.settled),
            ]


def _guard(m: Module, memory: MemoryConfig, core: Any, client: Any) -> MemoryGuard:
    """The client and what cuts it off while the core is reset."""
    m.submodules.guard = guard = MemoryGuard(address_bits=memory.address_bits)
    connect(m, client.port, guard.port)
    m.d.comb += guard.restart.eq(core.restart)
    return guard


def _join(m: Module, asking: Any, memory: Any) -> None:
    """Connect ports whose addresses may have unlike numbers of bits."""
    asked, request = asking.request, memory.request
    for name in ("address", "length", "write"):
        m.d.comb += request.payload[name].eq(asked.payload[name])
    m.d.comb += [request.valid.eq(asked.valid), asked.ready.eq(request.ready)]
    connect(m, asking.write, memory.write)
    connect(m, memory.read, asking.read)
