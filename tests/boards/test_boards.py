"""The board files: pins that the platforms have, clocks that the PLLs make, tops that elaborate."""

import re

import pytest
from amaranth.hdl import Signal

from boards.catalogue import BOARDS, board
from boards.common import design
from boards.common.board import SerialLink
from boards.common.pll import ECP5, GW2A, settings
from boards.common.pll_cells import PLLS, PllWires
from boards.common.top import BoardTop
from hw.arch.config import MemoryConfig
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


SDRAMS = [item for item in BOARDS.values() if item.sdram is not None]


def sdram(item, **values):
    """The memory of a board's configuration that uses its SDRAM."""
    clock = round(item.clock / 1e3)
    right = {"chip": item.sdram.chip, "clock": clock, "words": 1 << 20}
    return MemoryConfig(kind="sdram", **(right | values))


@pytest.mark.parametrize(
    ("name", "pads", "late"),
    [
        ("ulx3s-85f", "J16 J17 F19 F20 P20 T20 T19 R20 U19 E20 P19 N20 M20 G19", "CLKOS"),
        ("tang-nano-20k", "IOL3A IOR44B IOR11B IOL13A IOL14B IOL12B IOL12A IOR14A", "CLKOUTP"),
    ],
)
def test_an_sdram_has_its_pins_and_a_clock_of_its_own(name, pads, late):
    item = BOARDS[name]
    memory = sdram(item)
    item.check_memory(memory)
    files = item.platform().prepare(BoardTop(item, memory), design.TOP, debug_verilog=False).files
    text = {end: text if isinstance(text, str) else text.decode() for end, text in files.items()}
    words = set(re.split(r'[\s";]+', text[design.TOP + CONSTRAINTS[item.family]]))
    assert set(pads.split()) <= words
    assert f"connect \\{late} " in text[design.RTLIL]
    assert "sdram" not in "".join(str(part) for part in plan(item).values())


def test_the_phase_is_the_plls():
    item = BOARDS["ulx3s-85f"]
    assert settings(25e6, item.clock, ECP5).divider == 8
    for phase, turns, eighths in ((180, 8, 0), (225, 9, 0), (45, 5, 0), (135, 7, 0)):
        files = item.platform().prepare(
            BoardTop(item, sdram(item, phase=phase)), design.TOP, debug_verilog=False
        )
        text = files.files[design.RTLIL]
        text = text if isinstance(text, str) else text.decode()
        assert f"\\CLKOS_CPHASE {turns}\n" in text
        assert f"\\CLKOS_FPHASE {eighths}\n" in text
    wires = PllWires(*(Signal() for _ in range(4)))
    for family, limits, step in (("ecp5", ECP5, 5.625), ("gowin", GW2A, 22.5)):
        with pytest.raises(RowforgeError, match=f"multiple of {step} degrees with .*, not 100"):
            PLLS[family][1](25e6, settings(25e6, 50e6, limits), wires, 100)


@pytest.mark.parametrize("item", SDRAMS, ids=lambda item: item.name)
def test_a_memory_that_the_board_does_not_have_is_refused(item):
    other = {"x16_32mb": "x32_8mb", "x32_8mb": "x16_32mb"}[item.sdram.chip]
    for field, value in (("chip", other), ("clock", 27_000), ("phase", 0)):
        slow = {"clock": 27_000} if field != "chip" else {}
        with pytest.raises(RowforgeError, match=f"memory.({field}|clock) must be"):
            item.check_memory(sdram(item, **(slow | {field: value})))
    with pytest.raises(RowforgeError, match='none, ram or sdram on board .*, not "axi"'):
        item.check_memory(MemoryConfig(kind="axi", words=1024))
    with pytest.raises(RowforgeError, match='none or ram on board icebreaker, not "sdram"'):
        BOARDS["icebreaker"].check_memory(sdram(item))
    BOARDS["pynq-z2"].check_memory(MemoryConfig(kind="axi", words=1024))
