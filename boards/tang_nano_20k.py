"""Sipeed Tang Nano 20K with the Gowin GW2AR-18."""

from typing import Any

from boards.common.board import Board, SerialLink
from boards.common.parts import GW2AR_18

PART = "GW2AR-LV18QN88C8/I7"


def _platform() -> Any:
    from amaranth.build import Attrs, Clock, Pins, Resource
    from amaranth.vendor import GowinPlatform
    from amaranth_boards.resources import UARTResource

    class TangNano20kPlatform(GowinPlatform):
        """amaranth-boards has none of this board; pins from the maker's schematic."""

        part = PART
        family = "GW2AR-18C"
        default_clk = "clk27"
        resources = [
            Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
            UARTResource(0, rx="70", tx="69", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
        ]
        connectors = []

    return TangNano20kPlatform(toolchain="Apicula")


BOARD = Board(
    name="tang-nano-20k",
    title="Sipeed Tang Nano 20K",
    family="gowin",
    part=PART,
    platform=_platform,
    oscillator="clk27",
    clock=60.75e6,
    link=SerialLink(baud=2_000_000, note="the board's own USB connector (BL616)"),
    budget=GW2AR_18,
    preset="tang_nano_20k",
    flash=("-b", "tangnano20k"),
)
