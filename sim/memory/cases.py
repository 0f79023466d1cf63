"""Memories to be simulated, with what their cycle models are told."""

from dataclasses import dataclass, fields
from enum import IntEnum

from hw.arch.sdram import POSTPONED, SdramChip, SdramTiming


class MemoryKind(IntEnum):
    """The memories that have a cycle model, as `sim/cycles/model/memory.h` numbers them."""

    NONE = 0
    RAM = 1
    SDRAM = 2
    AXI = 3


@dataclass(frozen=True, kw_only=True)
class RamCase:
    """A memory on the chip."""

    words: int
    latency: int
    pace: int = 1

    @property
    def address_bits(self) -> int:
        """Bits of the address of a word."""
        return self.words.bit_length() - 1

    @property
    def parameters(self) -> list[int]:
        """What the cycle model is told."""
        return [MemoryKind.RAM, self.latency, self.pace]


@dataclass(frozen=True, kw_only=True)
class SdramCase:
    """An SDRAM at a clock in hertz, which the chip has late by a phase in degrees.

    The controller works by `timing` and the chip by its own times, so that another timing than the
    right one shows what the chip finds.
    """

    chip: SdramChip
    clock: float
    phase: float = 180.0
    timing: SdramTiming

    @classmethod
    def of(cls, chip: SdramChip, *, clock: float, phase: float = 180.0) -> "SdramCase":
        """The case with the right timing."""
        timing = SdramTiming.of(chip, clock=clock, phase=phase)
        return cls(chip=chip, clock=clock, phase=phase, timing=timing)

    @property
    def in_phase(self) -> bool:
        """Whether data come at the edge at which a chip with the controller's clock gives them."""
        right = SdramTiming.of(self.chip, clock=self.clock, phase=self.phase)
        return right.capture > self.chip.cas_latency

    @property
    def address_bits(self) -> int:
        """Bits of the address of a word."""
        return self.chip.address_bits

    @property
    def parameters(self) -> list[int]:
        """What the cycle model is told, in the order of its fields."""
        chip = self.chip
        geometry = (chip.beats, chip.cas_latency, POSTPONED, chip.column_bits - chip.beat_bits)
        times = (getattr(self.timing, item.name) for item in fields(self.timing))
        return [MemoryKind.SDRAM, *geometry, chip.bank_bits, *times]


MemoryCase = RamCase | SdramCase
