"""TUL PYNQ-Z2 with the Zynq-7020: the accelerator hangs on the processor's buses."""

from typing import Any

from boards.common.board import AxiLink, Board
from boards.common.parts import XC7Z020

PART = "xc7z020clg400-1"


def _platform() -> Any:
    from amaranth.build import Attrs, Clock, Pins, Resource
    from amaranth.vendor import XilinxPlatform

    class PynqZ2Platform(XilinxPlatform):
        """amaranth-boards has none of this board; the oscillator's pin from its schematic."""

        device = "xc7z020"
        package = "clg400"
        speed = "1"
        default_clk = "clk125"
        resources = [
            Resource("clk125", 0, Pins("H16", dir="i"), Clock(125e6), Attrs(IOSTANDARD="LVCMOS33")),
        ]
        connectors = []

    return PynqZ2Platform()


BOARD = Board(
    name="pynq-z2",
    title="TUL PYNQ-Z2",
    family="xc7",
    part=PART,
    platform=_platform,
    oscillator="clk125",
    clock=50e6,  # of the processors' clock generator; 22 levels of logic leave no hope of 100
    link=AxiLink(note="from Python on the board's own processors: pynq:design.bit"),
    budget=XC7Z020,
    preset="pynq_z2",
    flash=(),
)
