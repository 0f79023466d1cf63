"""An SDRAM chip as a block: the Verilog of its data sheet's rules."""

from functools import cache
from pathlib import Path

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib.wiring import In, Out

from hw.arch.sdram import SdramChip
from hw.base.block import Block, ModulePlatform
from hw.memory.sdram.pins import SdramPins

_MODULE = "sdram_chip"
_PICO = 1e12

COUNTS = {name: Out(32) for name in ("violations", "kinds", "activates", "refreshes")}
"""What a chip counts, as ports."""


@cache
def chip_source() -> str:
    """The chip's Verilog."""
    return Path(__file__).with_name(f"{_MODULE}.v").read_text(encoding="utf-8")


class SdramDevice(Block):
    """A chip that stores data and counts breaches of its rules.

    Only Verilog can be made of it. The chip has the controller's clock or its inverse: a simulation
    without delays knows no other phases, and one of these two has the data come at the same edge.
    While the domain's reset is active the chip has no power.

    Parameters
    ----------
    chip : SdramChip
    clock : float
        Hertz, by which the chip counts time.
    in_phase : bool
        Whether the chip has the controller's clock.

    Members
    -------
    pins : in, SdramPins(chip)
        The chip's pins.
    violations : out, 32
        Breaches so far.
    kinds : out, 32
        A bit for each kind that has occurred, in the order of `sim.memory.bench.KINDS`.
    activates, refreshes : out, 32
        Commands so far.
    """

    def __init__(self, chip: SdramChip, *, clock: float, in_phase: bool):
        super().__init__({"pins": In(SdramPins(chip)), **COUNTS})
        self.chip = chip
        self.clock = clock
        self.in_phase = in_phase

    def elaborate(self, platform: object) -> Module:
        if not isinstance(platform, ModulePlatform):
            raise TypeError("an SDRAM chip is Verilog, which Amaranth's simulator cannot run")
        m = Module()
        platform.add_file(f"{_MODULE}.v", chip_source())
        pins = self.pins
        m.submodules.chip = Instance(
            platform.prefixed(_MODULE),
            **{f"p_{name}": value for name, value in self._parameters().items()},
            i_clk=ClockSignal() if self.in_phase else ~ClockSignal(),
            i_off=ResetSignal(),
            i_command=pins.command,
            i_bank=pins.bank,
            i_address=pins.address,
            i_mask=pins.mask,
            i_dq_in=pins.dq_o,
            i_dq_driven=pins.dq_oe,
            o_dq_out=pins.dq_i,
            **{f"o_{name}": getattr(self, name) for name in COUNTS},
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
