"""Sipeed Tang Nano 20K with the Gowin GW2AR-18."""

from typing import Any

from boards.common.board import Board, BoardSdram, SerialLink
from boards.common.parts import GW2AR_18

PART = "GW2AR-LV18QN88C8/I7"

# Pads of the SDRAM in the package: side, row and half of each, as in the part's database.
_SDRAM = {
    "clk": "IOR11B",
    "cke": "IOL13A",
    "cs_n": "IOL14B",
    "cas_n": "IOL14A",
    "ras_n": "IOL13B",
    "we_n": "IOL12B",
    "dqm": "IOL12A IOR11A IOL18A IOR15B",
    "ba": "IOR13A IOR12A",
    "a": "IOR14A IOR13B IOR14B IOR15A IOL16B IOL17B IOL16A IOL17A IOL15B IOL15A IOR12B",
    "dq": " ".join(
        (
            "IOL3A IOL3B IOL8A IOL8B IOL9A IOL9B IOL11A IOL11B",
            "IOR9B IOR9A IOR5B IOR6A IOR5A IOR4B IOR3B IOR3A",
            "IOL39B IOL39A IOL35B IOL35A IOL30B IOL30A IOL20A IOL18B",
            "IOR17A IOR16A IOR16B IOR17B IOR18A IOR18B IOR44A IOR44B",
        )
    ),
}


def _platform() -> Any:
    from amaranth.build import Attrs, Clock, Pins, Resource
    from amaranth.vendor import GowinPlatform
    from amaranth_boards.resources import SDRAMResource, UARTResource

    class TangNano20kPlatform(GowinPlatform):
        """amaranth-boards has none of this board; pins from the maker's schematic."""

        part = PART
        family = "GW2AR-18C"
        default_clk = "clk27"
        resources = [
            Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
            UARTResource(0, rx="70", tx="69", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
            SDRAMResource(0, **_SDRAM, attrs=Attrs(IO_TYPE="LVCMOS33")),
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
    sdram=BoardSdram(chip="x32_8mb"),
)
