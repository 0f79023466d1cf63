"""Counts of cells: `CellCount`."""

from dataclasses import astuple, dataclass

LUTS_OF = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4}
"""LUTs that a cell of an ECP5 takes: a carry cell two, a distributed memory of 16 x 4 bits four."""


@dataclass(frozen=True, kw_only=True)
class CellCount:
    """Cells of an ECP5.

    Attributes
    ----------
    luts : LUT4 + 2·CCU2C + 4·DPR16X4
    registers : flip-flops
    block_rams : of 18,432 bits
    multipliers : of 18 x 18 bits
    """

    luts: int = 0
    registers: int = 0
    block_rams: int = 0
    multipliers: int = 0

    def __add__(self, other: "CellCount") -> "CellCount":
        return CellCount(
            luts=self.luts + other.luts,
            registers=self.registers + other.registers,
            block_rams=self.block_rams + other.block_rams,
            multipliers=self.multipliers + other.multipliers,
        )

    def __mul__(self, count: int) -> "CellCount":
        return CellCount(
            luts=self.luts * count,
            registers=self.registers * count,
            block_rams=self.block_rams * count,
            multipliers=self.multipliers * count,
        )

    def __bool__(self) -> bool:
        return any(astuple(self))
