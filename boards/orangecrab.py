"""OrangeCrab r0.2 with the ECP5-25F or 85F."""

from typing import Any

from boards.common.board import Board, SerialLink
from boards.common.parts import ECP5_25F, ECP5_85F

_LINK = SerialLink(
    baud=3_000_000,
    note="a USB-serial adapter of 3.3 V: its TX at pin 0, its RX at pin 1, ground at GND",
)
_PACK = ("--freq", "38.8")  # of the flash's clock when the part configures itself
_FLASH = ("--dfu", "--vid", "0x1209", "--pid", "0x5af0", "--altsetting", "0")


def _with_uart(platform: Any) -> Any:
    """The board has no serial line of its own: one on the pins that the Feather standard names."""
    from amaranth.build import Attrs
    from amaranth_boards.resources import UARTResource

    attributes = Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")
    platform.add_resources([UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=attributes)])
    return platform


def _platform_25f() -> Any:
    from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform

    return _with_uart(OrangeCrabR0_2_25FPlatform())


def _platform_85f() -> Any:
    from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_85FPlatform

    return _with_uart(OrangeCrabR0_2_85FPlatform())


BOARD_25F = Board(
    name="orangecrab-25f",
    title="OrangeCrab r0.2 25F",
    family="ecp5",
    part="LFE5U-25F-8MG285C",
    platform=_platform_25f,
    oscillator="clk",
    clock=51.2e6,
    link=_LINK,
    budget=ECP5_25F,
    preset="orangecrab_25f",
    dense=True,
    flash=_FLASH,
    options=_PACK,
)

BOARD_85F = Board(
    name="orangecrab-85f",
    title="OrangeCrab r0.2 85F",
    family="ecp5",
    part="LFE5U-85F-8MG285C",
    platform=_platform_85f,
    oscillator="clk",
    clock=51.2e6,
    link=_LINK,
    budget=ECP5_85F,
    preset="ulx3s_85f",
    flash=_FLASH,
    options=_PACK,
)
