"""SDR SDRAM chips and the cycles that their times take at a clock."""

from dataclasses import dataclass
from math import ceil, floor

from hw.arch.errors import RowforgeError

WORD_BITS = 64
POSTPONED = 8  # refreshes that may be late before they are made at once; a power of two
_TINY = 1e-6  # of a cycle, for times that are whole numbers of cycles


@dataclass(frozen=True, kw_only=True)
class SdramChip:
    """Geometry and times of a chip; times in nanoseconds unless they say otherwise.

    Attributes
    ----------
    width : data pins, 16 or 32; the width divides a word of 64 bits into two or four beats
    row_bits, column_bits, bank_bits : bits of the three parts of an address
    cas_latency : clock edges from READ to its data
    highest_clock : hertz, with this CAS latency
    precharge, activate : tRP, tRCD
    row_active, row_cycle : tRAS, tRC
    banks_apart : tRRD, between ACTs of different banks
    refresh : tRFC
    write_recovery : tWR, after the last data of a WRITE
    write_recovery_cycles : the least tWR in clock cycles
    mode_cycles : tMRD in clock cycles
    access, hold : tAC and tOH, when data come after an edge, and when they go
    refreshes : commands that refresh every row once
    retention : milliseconds within which that must have happened
    power_up : microseconds before the first command
    """

    width: int
    row_bits: int
    column_bits: int
    bank_bits: int = 2
    cas_latency: int = 2
    highest_clock: float = 100e6
    precharge: float = 20.0
    activate: float = 20.0
    row_active: float = 45.0
    row_cycle: float = 66.0
    banks_apart: float = 15.0
    refresh: float = 66.0
    write_recovery: float = 15.0
    write_recovery_cycles: int = 2
    mode_cycles: int = 2
    access: float = 6.0
    hold: float = 2.5
    refreshes: int
    retention: float = 64.0
    power_up: float = 200.0

    @property
    def beats(self) -> int:
        """Beats of the chip's pins in a word of 64 bits, which is the burst length of its mode."""
        return WORD_BITS // self.width

    @property
    def beat_bits(self) -> int:
        """The lowest bits of a column that count the beats of a word."""
        return self.beats.bit_length() - 1

    @property
    def address_bits(self) -> int:
        """Bits of the address of a word."""
        return self.row_bits + self.bank_bits + self.column_bits - self.beat_bits

    @property
    def mode(self) -> int:
        """The mode register: sequential bursts of a word, and the CAS latency."""
        return self.cas_latency << 4 | self.beat_bits

    def __post_init__(self) -> None:
        if self.width not in (16, 32):
            raise RowforgeError(f"width of an SDRAM must be 16 or 32 bits, not {self.width!r}")
        if not 8 <= self.column_bits <= 10:
            raise RowforgeError(
                f"column bits of an SDRAM must be 8 to 10 (bit 10 of a column's address has a "
                f"meaning of its own), not {self.column_bits!r}"
            )
        if self.row_bits < 11:
            raise RowforgeError(f"row bits of an SDRAM must be at least 11, not {self.row_bits!r}")


CHIPS = {
    "x16_32mb": SdramChip(width=16, row_bits=13, column_bits=9, refreshes=8192),
    "x32_8mb": SdramChip(
        width=32, row_bits=11, column_bits=8, refreshes=4096, refresh=60.0, row_cycle=60.0
    ),
}
"""What boards carry: 32 MB x16 (ULX3S; the smallest of those it is sold with) and 8 MB x32 (in the
package of the Tang Nano 20K's FPGA). Times are the slowest of the chips in use."""


@dataclass(frozen=True, kw_only=True)
class SdramTiming:
    """A chip's times in cycles of the controller's clock.

    Each is the distance between two commands, in cycles.

    Attributes
    ----------
    precharge : from PRECHARGE to the next command
    activate : from ACTIVATE to a READ or WRITE
    recover : from ACTIVATE or WRITE to a PRECHARGE of any bank
    refresh : from REFRESH to the next command
    mode : from the setting of the mode to the next command
    interval : between two refreshes on average
    power_up : intervals before the first command
    capture : from the edge with which a READ leaves the controller's registers to the edge with
        which its first data enter them
    """

    precharge: int
    activate: int
    recover: int
    refresh: int
    mode: int
    interval: int
    power_up: int
    capture: int

    @classmethod
    def of(cls, chip: SdramChip, *, clock: float, phase: float = 180.0) -> "SdramTiming":
        """The cycles of a chip.

        Parameters
        ----------
        clock : float
            Hertz.
        phase : float
            Degrees by which the chip's clock is late, 0 to less than 360. With 0 the chip takes a
            command a whole cycle after it left, with 180 half a cycle after.

        Raises
        ------
        RowforgeError
            For a clock or a phase at which the chip cannot work.
        """
        if not 0 < clock <= chip.highest_clock:
            raise RowforgeError(
                f"clock of this SDRAM must be at most {chip.highest_clock / 1e6:g} MHz with a CAS "
                f"latency of {chip.cas_latency}, not {clock / 1e6:g} MHz"
            )

        def cycles(nanoseconds: float) -> int:
            return max(1, ceil(nanoseconds * 1e-9 * clock - _TINY))

        precharge, activate = cycles(chip.precharge), cycles(chip.activate)
        recovery = max(cycles(chip.write_recovery), chip.write_recovery_cycles)
        # One number for all waits before PRECHARGE: rows are closed long after most of them.
        recover = max(
            cycles(chip.row_active),
            cycles(chip.row_cycle) - precharge,
            chip.beats - 1 + recovery,
        )
        # An ACT of another bank comes after a READ or WRITE and the acceptance of a request.
        if cycles(chip.banks_apart) > activate + 2:
            raise RowforgeError(
                f"banks_apart of an SDRAM must be at most {activate + 2} cycles, not "
                f"{cycles(chip.banks_apart)}"
            )
        # Every row in time although POSTPONED refreshes may be late, and one is waited for.
        retention = chip.retention * 1e-3 * clock
        interval = floor(retention / (chip.refreshes + POSTPONED + 2))
        return cls(
            precharge=precharge,
            activate=activate,
            recover=recover,
            refresh=cycles(chip.refresh),
            mode=chip.mode_cycles,
            interval=interval,
            power_up=ceil(chip.power_up * 1e-6 * clock / interval),
            capture=_capture(chip, clock, phase),
        )


def _capture(chip: SdramChip, clock: float, phase: float) -> int:
    """The first edge at which data are there, after the edge with which READ left."""
    if not 0 <= phase < 360:
        raise RowforgeError(f"phase of an SDRAM's clock must be 0 to less than 360, not {phase:g}")
    seen = phase / 360 if phase else 1.0  # the chip's edge, in cycles
    first = seen + chip.cas_latency - 1 + chip.access * 1e-9 * clock
    last = seen + chip.cas_latency + chip.hold * 1e-9 * clock
    edge = ceil(first)
    if edge > last:
        raise RowforgeError(
            f"phase of an SDRAM's clock must let data arrive before an edge of the controller's: "
            f"with {phase:g} degrees at {clock / 1e6:g} MHz they are there from {first:.2f} to "
            f"{last:.2f} cycles after READ"
        )
    return edge
