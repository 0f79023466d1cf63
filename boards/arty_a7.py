"""Digilent Arty A7-100T."""

from typing import Any

from boards.common.board import Board, SerialLink
from boards.common.parts import XC7A100T


def _platform() -> Any:
    from amaranth_boards.arty_a7 import ArtyA7_100Platform

    return ArtyA7_100Platform()


BOARD = Board(
    name="arty-a7-100t",
    title="Digilent Arty A7-100T",
    family="xc7",
    part="xc7a100tcsg324-1",
    platform=_platform,
    oscillator="clk100",
    clock=100e6,
    link=SerialLink(baud=3_000_000, note="the board's own USB connector (FT2232H, channel B)"),
    budget=XC7A100T,
    preset="pynq_z2",
    flash=("-b", "arty_a7_100t"),
)
