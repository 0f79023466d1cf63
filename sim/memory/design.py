"""Memories with what they need in a simulation: an SDRAM's controller and its chip."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.arch.sdram import SdramChip, SdramTiming
from hw.base.block import Block, ModulePlatform
from hw.memory.arbiter import MemoryArbiter
from hw.memory.port import MemoryPort
from hw.memory.ram import RamAdapter
from hw.memory.sdram.controller import SdramController
from sim.memory.cases import MemoryCase, RamCase

_MODULE = "sdram_chip"
_PICO = 1e12
CLIENTS = 3  # of the arbiter, as in the harness
_COUNTS = {name: Out(32) for name in ("violations", "kinds", "activates", "refreshes")}


@cache
def chip_source() -> str:
    """The chip's Verilog."""
    return Path(__file__).with_name(f"{_MODULE}.v").read_text(encoding="utf-8")


class SimulatedSdram(Block):
    """An SDRAM's controller and a chip that stores data and counts breaches of its rules.

    Only Verilog can be made of it. The chip has the controller's clock or its inverse: a simulation
    without delays knows no other phases, and one of these two has the data come at the same edge.

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
        super().__init__({"port": In(MemoryPort(chip.address_bits)), **_COUNTS})
        self.chip = chip
        self.timing = timing
        self.clock = clock
        self.in_phase = in_phase

    def elaborate(self, platform: object) -> Module:
        if not isinstance(platform, ModulePlatform):
            raise TypeError("an SDRAM chip is Verilog, which Amaranth's simulator cannot run")
        m = Module()
        platform.add_file(f"{_MODULE}.v", chip_source())
        m.submodules.controller = controller = SdramController(self.chip, self.timing)
        connect(m, flipped(self.port), controller.port)
        pins = controller.pins
        m.submodules.chip = Instance(
            platform.prefixed(_MODULE),
            **{f"p_{name}": value for name, value in self._parameters().items()},
            i_clk=ClockSignal() if self.in_phase else ~ClockSignal(),
            i_command=pins.command,
            i_bank=pins.bank,
            i_address=pins.address,
            i_mask=pins.mask,
            i_dq_in=pins.dq_o,
            i_dq_driven=pins.dq_oe,
            o_dq_out=pins.dq_i,
            o_violations=self.violations,
            o_kinds=self.kinds,
            o_activates=self.activates,
            o_refreshes=self.refreshes,
        )
        return m

    def _parameters(self) -> dict[str, int]:
        """The chip's, its times in picoseconds."""
        chip = self.chip
        interval = chip.retention * 1e-3 * _PICO / chip.refreshes
        times = {
            "T_RCD": chip.activate,
            "T_RP": chip.precharge,
            "T_RAS": chip.row_active,
            "T_RC": chip.row_cycle,
            "T_RRD": chip.banks_apart,
            "T_RFC": chip.refresh,
            "T_WR": chip.write_recovery,
        }
        return {
            "WIDTH": chip.width,
            "ROW_BITS": chip.row_bits,
            "COLUMN_BITS": chip.column_bits,
            "BANK_BITS": chip.bank_bits,
            "PERIOD": int(_PICO / self.clock),
            **{name: round(nanoseconds * 1000) for name, nanoseconds in times.items()},
            "T_WR_CYCLES": chip.write_recovery_cycles,
            "T_MRD_CYCLES": chip.mode_cycles,
            "REFRESHES": chip.refreshes,
            "INTERVAL": int(interval),
            "POWER_UP_CYCLES": int(chip.power_up * 1e-6 * self.clock),
        }


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
        super().__init__({"port": In(MemoryPort(exact_log2(words))), **_COUNTS})
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
            {"which": In(8), "shared": In(1), "port": port, "clients": clients, **_COUNTS}
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
                m.d.comb += [getattr(self, name).eq(getattr(memory, name)) for name in _COUNTS]
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
