"""Memories with what they need in a simulation: an SDRAM's controller and its chip."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, connect, flipped
from amaranth.utils import exact_log2

from hw.arch.sdram import SdramChip, SdramTiming
from hw.base.block import Block
from hw.memory.arbiter import MemoryArbiter
from hw.memory.port import MemoryPort
from hw.memory.ram import RamAdapter
from hw.memory.sdram.controller import SdramController
from sim.memory.cases import MemoryCase, RamCase
from sim.outside.chip import COUNTS, SdramDevice

CLIENTS = 3  # of the arbiter, as in the harness


class SimulatedSdram(Block):
    """An SDRAM's controller and a chip that stores data and counts breaches of its rules.

    Only Verilog can be made of it.

    Parameters
    ----------
    chip, timing
        Of the controller.
    clock : float
        Hertz, by which the chip counts time.
    in_phase : bool
        Whether the chip has the controller's clock.

    Members
    -------
    port : in, MemoryPort(chip.address_bits)
        The memory.
    violations : out, 32
        Breaches so far.
    kinds : out, 32
        A bit for each kind that has occurred, in the order of `sim.memory.bench.KINDS`.
    activates, refreshes : out, 32
        Commands so far.
    """

    def __init__(self, chip: SdramChip, timing: SdramTiming, *, clock: float, in_phase: bool):
        super().__init__({"port": In(MemoryPort(chip.address_bits)), **COUNTS})
        self.chip = chip
        self.timing = timing
        self.clock = clock
        self.in_phase = in_phase

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.controller = controller = SdramController(self.chip, self.timing)
        m.submodules.chip = chip = SdramDevice(self.chip, clock=self.clock, in_phase=self.in_phase)
        connect(m, flipped(self.port), controller.port)
        connect(m, controller.pins, chip.pins)
        m.d.comb += [getattr(self, name).eq(getattr(chip, name)) for name in COUNTS]
        return m


class SimulatedRam(Block):
    """Memory on the chip with the ports of `SimulatedSdram`; it has no rules to breach.

    Members
    -------
    port : in, MemoryPort(exact_log2(words))
        The memory.
    violations, kinds, activates, refreshes : out, 32
        Zero.
    """

    def __init__(self, *, words: int, latency: int, pace: int = 1):
        super().__init__({"port": In(MemoryPort(exact_log2(words))), **COUNTS})
        self.words = words
        self.latency = latency
        self.pace = pace

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ram = ram = RamAdapter(words=self.words, latency=self.latency, pace=self.pace)
        connect(m, flipped(self.port), ram.port)
        return m


class SimulatedMemories(Block):
    """Several memories, so that one translation serves for all; `which` is asked.

    Members
    -------
    which : in, 8
        The place among the memories of the one that is meant; it never changes.
    shared : in, 1
        It is asked by the clients through an arbiter, else by the port.
    port : in, MemoryPort(address_bits)
        The memory.
    clients : in, CLIENTS times MemoryPort(address_bits)
        The same through the arbiter.
    violations, kinds, activates, refreshes : out, 32
        As those of the memory.
    """

    def __init__(self, memories: Sequence[SimulatedSdram | SimulatedRam]):
        self.address_bits = max(
            memory.port.request.payload.shape().address_bits for memory in memories
        )
        port = In(MemoryPort(self.address_bits))
        clients = port.array(CLIENTS)
        super().__init__(
            {"which": In(8), "shared": In(1), "port": port, "clients": clients, **COUNTS}
        )
        self.memories = memories

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = MemoryArbiter(
            clients=CLIENTS, address_bits=self.address_bits
        )
        for inner, outer in zip(arbiter.clients, self.clients, strict=True):
            connect(m, flipped(outer), inner)
        asking = self.port.signature.flip().create(path=("asking",))
        with m.If(self.shared):
            _join(m, arbiter.port, asking)
        with m.Else():
            _join(m, self.port, asking)
        for place, memory in enumerate(self.memories):
            m.submodules[f"memory{place}"] = memory
            with m.If(self.which == place):
                _join(m, asking, memory.port)
                m.d.comb += [getattr(self, name).eq(getattr(memory, name)) for name in COUNTS]
        return m


def _join(m: Module, asking: Any, memory: Any) -> None:
    """Let one port ask another one, whose addresses may have fewer bits, under the `If` around."""
    for name in ("address", "length", "write"):
        m.d.comb += memory.request.payload[name].eq(asking.request.payload[name])
    m.d.comb += [
        memory.request.valid.eq(asking.request.valid),
        asking.request.ready.eq(memory.request.ready),
        memory.write.valid.eq(asking.write.valid),
        memory.write.payload.eq(asking.write.payload),
        asking.write.ready.eq(memory.write.ready),
        asking.read.valid.eq(memory.read.valid),
        asking.read.payload.eq(memory.read.payload),
        memory.read.ready.eq(asking.read.ready),
    ]


def memory_of(case: MemoryCase) -> SimulatedSdram | SimulatedRam:
    """The gateware of a case."""
    if isinstance(case, RamCase):
        return SimulatedRam(words=case.words, latency=case.latency, pace=case.pace)
    return SimulatedSdram(case.chip, case.timing, clock=case.clock, in_phase=case.in_phase)
