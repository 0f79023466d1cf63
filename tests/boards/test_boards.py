"""The board files: pins that the platforms have, clocks that the PLLs make, tops that elaborate."""

import re

import pytest

from boards.catalogue import BOARDS, board
from boards.common import design
from boards.common.board import SerialLink
from boards.common.pll import ECP5, GW2A, settings
from boards.common.top import BoardTop
from hw.arch.errors import RowforgeError

SERIAL = [item for item in BOARDS.values() if isinstance(item.link, SerialLink)]
CONSTRAINTS = {"ecp5": ".lpf", "ice40": ".pcf", "gowin": ".cst", "xc7": ".xdc"}

# Pins of clock, receiver and transmitter as the makers' own pages give them.
PINS = {
    "ulx3s-85f": ("G2", "M1", "L4"),
    "orangecrab-25f": ("A9", "N17", "M18"),
    "orangecrab-85f": ("A9", "N17", "M18"),
    "ecpix5-85f": ("K23", "R26", "R24"),
    "tang-nano-20k": ("4", "70", "69"),
    "icebreaker": ("35", "6", "9"),
    "arty-a7-100t": ("E3", "A9", "D10"),
}


def plan(item):
    """Files that Amaranth makes of a board's top."""
    return item.platform().prepare(BoardTop(item), design.TOP, debug_verilog=False).files


@pytest.mark.parametrize("item", SERIAL, ids=lambda item: item.name)
def test_a_top_elaborates_with_its_pins(item):
    files = plan(item)
    text = files[design.TOP + CONSTRAINTS[item.family]]
    text = text if isinstance(text, str) else text.decode()
    words = re.split(r'[\s";]+', text)
    for pin in PINS[item.name]:
        assert pin in words
    source = files["top.v" if item.family == "xc7" else design.RTLIL]
    assert design.DESIGN in (source if isinstance(source, str) else source.decode())


@pytest.mark.parametrize("item", SERIAL, ids=lambda item: item.name)
def test_a_pll_makes_the_clock(item):
    source = item.platform().lookup(item.oscillator).clock.frequency
    limits = {"ecp5": ECP5, "gowin": GW2A}.get(item.family)
    if source == item.clock:
        return
    found = settings(source, item.clock, limits)
    assert found.output(source) == pytest.approx(item.clock, rel=1e-3)
    low, high = limits.inside
    assert low <= item.clock * found.divider <= high


def test_a_clock_that_no_pll_makes_is_refused():
    with pytest.raises(RowforgeError, match="not 999 MHz"):
        settings(25e6, 999e6, ECP5)


def test_platforms_have_the_clock_of_every_board():
    for item in BOARDS.values():
        assert item.platform().lookup(item.oscillator).clock.frequency > 1e6, item.name


def test_links_are_as_fast_as_their_clock_allows():
    for item in SERIAL:
        assert item.link.baud <= item.clock / 4, item.name


def test_an_unknown_board_is_refused():
    with pytest.raises(RowforgeError, match="--board must be one of ulx3s-85f"):
        board("ulx4s")
