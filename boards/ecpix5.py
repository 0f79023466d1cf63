"""ECPIX-5 with the ECP5-85F."""

from typing import Any

from boards.common.board import Board, SerialLink
from boards.common.parts import ECP5_85F


def _platform() -> Any:
    from amaranth_boards.ecpix5 import ECPIX585Platform

    return ECPIX585Platform()


BOARD = Board(
    name="ecpix5-85f",
    title="LambdaConcept ECPIX-5 85F",
    family="ecp5",
    part="LFE5UM5G-85F-8BG554C",
    platform=_platform,
    oscillator="clk100",
    clock=50e6,
    link=SerialLink(baud=3_000_000, note="the board's debug USB connector (FT2232H, channel B)"),
    budget=ECP5_85F,
    preset="ulx3s_85f",
    flash=("-b", "ecpix5"),
)
