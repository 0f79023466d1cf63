"""ULX3S with the ECP5-85F."""

from typing import Any

from boards.common.board import Board, BoardSdram, SerialLink
from boards.common.parts import ECP5_85F


def _platform() -> Any:
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


BOARD = Board(
    name="ulx3s-85f",
    title="Radiona ULX3S 85F",
    family="ecp5",
    part="LFE5U-85F-6BG381C",
    platform=_platform,
    oscillator="clk25",
    clock=50e6,
    link=SerialLink(baud=3_000_000, note="the board's own USB connector (FT231X)"),
    budget=ECP5_85F,
    preset="ulx3s_85f",
    flash=("-b", "ulx3s"),
    sdram=BoardSdram(chip="x16_32mb"),
)
