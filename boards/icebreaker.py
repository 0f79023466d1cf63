"""iCEBreaker with the iCE40UP5K."""

from typing import Any

from boards.common.board import Board, SerialLink
from boards.common.parts import UP5K


def _platform() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


BOARD = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    family="ice40",
    part="iCE40UP5K-SG48",
    platform=_platform,
    oscillator="clk12",
    clock=12e6,
    link=SerialLink(
        baud=1_000_000,
        words=128,
        note="the board's own USB connector (FT2232H, channel B)",
    ),
    budget=UP5K,
    preset="icebreaker",
    flash=("-b", "ice40_generic"),
)
