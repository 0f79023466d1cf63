"""The pins of an SDR SDRAM, and the commands that they carry."""

from enum import IntEnum

from amaranth.lib.wiring import In, Out, Signature

from hw.arch.sdram import SdramChip


class SdramCommand(IntEnum):
    """The command pins RAS#, CAS# and WE#, from the highest bit to the lowest, low when active."""

    MODE = 0b000
    REFRESH = 0b001
    PRECHARGE = 0b010
    ACTIVATE = 0b011
    WRITE = 0b100
    READ = 0b101
    NOP = 0b111


ALL_BANKS = 10  # bit of the address that lets a PRECHARGE close all banks


class SdramPins(Signature):
    """The chip's pins but its clock, as seen by the controller.

    `command` is RAS#, CAS# and WE#; CS# is low and CKE high for good. `dq_o` is driven while
    `dq_oe` is 1.
    """

    def __init__(self, chip: SdramChip):
        super().__init__(
            {
                "command": Out(3, init=SdramCommand.NOP),
                "bank": Out(chip.bank_bits),
                "address": Out(max(chip.row_bits, ALL_BANKS + 1)),
                "mask": Out(1, init=1),
                "dq_o": Out(chip.width),
                "dq_oe": Out(1),
                "dq_i": In(chip.width),
            }
        )
        self.chip = chip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SdramPins) and other.chip == self.chip

    def __hash__(self) -> int:
        return hash((SdramPins, self.chip))

    def __repr__(self) -> str:
        return f"SdramPins({self.chip!r})"
