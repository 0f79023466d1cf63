"""Memories with what they need in a simulation: an SDRAM's controller and its chip."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from amaranth.hdl import ClockSignal, Instance, Module, Signal
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.arch.sdram import SdramChip, SdramTiming
from hw.base.block import Block, ModulePlatform
from hw.memory.port import MemoryPort
from hw.memory.ram import RamAdapter
from hw.memory.sdram.controller import SdramController
from sim.memory.cases import MemoryCase, RamCase

_MODULE = "sdram_chip"
_PICO = 1e12
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
    """Several memories on one port, so that one translation serves for all; `which` is asked.

    Members
    -------
    which : in, 8
        The place among the memories of the one that is meant; it never changes.
    port : in, MemoryPort(address_bits)
        The memory.
    violations, kinds, activates, refreshes : out, 32
        As those of the memory.
    """

    def __init__(self, memories: Sequence[SimulatedSdram | SimulatedRam]):
        self.address_bits = max(
            memory.port.request.payload.shape().address_bits for memory in memories
        )
        port = In(MemoryPort(self.address_bits))
        super().__init__({"which": In(8), "port": port, **_COUNTS})
        self.memories = memories

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port = self.port
        for place, memory in enumerate(self.memories):
            m.submodules[f"memory{place}"] = memory
            mine = Signal(name=f"mine{place}")
            m.d.comb += [
                mine.eq(self.which == place),
                memory.port.request.valid.eq(port.request.valid & mine),
                memory.port.write.valid.eq(port.write.valid & mine),
                memory.port.write.payload.eq(port.write.payload),
                memory.port.read.ready.eq(port.read.ready),
            ]
            for name in ("address", "length", "write"):
                m.d.comb += memory.port.request.payload[name].eq(port.request.payload[name])
            with m.If(mine):
                m.d.comb += [
                    port.request.ready.eq(memory.port.request.ready),
                    port.write.ready.eq(memory.port.write.ready),
                    port.read.valid.eq(memory.port.read.valid),
                    port.read.payload.eq(memory.port.read.payload),
                    *(getattr(self, name).eq(getattr(memory, name)) for name in _COUNTS),
                ]
        return m


def memory_of(case: MemoryCase) -> SimulatedSdram | SimulatedRam:
    """The gateware of a case."""
    if isinstance(case, RamCase):
        return SimulatedRam(words=case.words, latency=case.latency, pace=case.pace)
    return SimulatedSdram(case.chip, case.timing, clock=case.clock, in_phase=case.in_phase)
