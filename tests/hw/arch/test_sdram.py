"""Times of SDRAM chips in cycles."""

from dataclasses import replace

import pytest

from hw.arch.errors import RowforgeError
from hw.arch.sdram import CHIPS, POSTPONED, SdramChip, SdramTiming

X16, X32 = CHIPS["x16_32mb"], CHIPS["x32_8mb"]


def test_geometry() -> None:
    for chip, megabytes, beats in ((X16, 32, 4), (X32, 8, 2)):
        assert 8 << chip.address_bits == megabytes << 20
        assert chip.beats == beats == 1 << chip.beat_bits
        assert chip.mode == 0x20 | chip.beat_bits


def test_cycles_of_the_boards() -> None:
    assert SdramTiming.of(X16, clock=50e6) == SdramTiming(
        precharge=1,
        activate=1,
        recover=5,
        refresh=4,
        mode=2,
        interval=390,
        power_up=26,
        capture=2,
    )
    assert SdramTiming.of(X32, clock=60.75e6) == SdramTiming(
        precharge=2,
        activate=2,
        recover=3,
        refresh=4,
        mode=2,
        interval=946,
        power_up=13,
        capture=2,
    )


@pytest.mark.parametrize("chip", [X16, X32])
@pytest.mark.parametrize("clock", [10e6, 27e6, 50e6, 60.75e6, 66.7e6, 81e6, 100e6])
def test_cycles_are_enough_and_no_more(chip: SdramChip, clock: float) -> None:
    timing = SdramTiming.of(chip, clock=clock, phase=0.0 if clock < 90e6 else 270.0)
    period = 1e9 / clock
    for cycles, least in (
        (timing.precharge, chip.precharge),
        (timing.activate, chip.activate),
        (timing.refresh, chip.refresh),
    ):
        assert least <= cycles * period + 1e-6 and (cycles - 1) * period < least
    wait = timing.recover * period + 1e-6
    assert wait >= chip.row_active
    assert wait + timing.precharge * period >= chip.row_cycle
    assert timing.recover - (chip.beats - 1) >= chip.write_recovery_cycles
    assert wait - (chip.beats - 1) * period >= chip.write_recovery
    # With a cycle less one of these does not hold.
    less = timing.recover - 1
    assert (
        less * period < chip.row_active
        or (less + timing.precharge) * period < chip.row_cycle
        or less - (chip.beats - 1) < chip.write_recovery_cycles
        or (less - (chip.beats - 1)) * period < chip.write_recovery
    )
    assert timing.power_up * timing.interval * period >= chip.power_up * 1e3
    assert (timing.power_up - 1) * timing.interval * period < chip.power_up * 1e3
    # The row whose refresh is the last of a round may have to wait for others and a burst.
    retention = chip.retention * 1e6
    assert timing.interval * period * (chip.refreshes + POSTPONED + 1) < retention
    assert (timing.interval + 1) * period * (chip.refreshes + POSTPONED + 2) > retention


@pytest.mark.parametrize(
    ("clock", "phase", "capture"),
    [(50e6, 180.0, 2), (50e6, 0.0, 3), (50e6, 90.0, 2), (100e6, 270.0, 3), (100e6, 0.0, 3)],
)
def test_data_are_captured_when_they_are_there(clock: float, phase: float, capture: int) -> None:
    assert SdramTiming.of(X16, clock=clock, phase=phase).capture == capture


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"clock": 101e6}, "clock of this SDRAM must be at most 100 MHz .* not 101 MHz"),
        ({"clock": 0.0}, "not 0 MHz"),
        ({"clock": 50e6, "phase": 360.0}, "must be 0 to less than 360, not 360"),
        ({"clock": 50e6, "phase": -1.0}, "must be 0 to less than 360, not -1"),
        ({"clock": 100e6, "phase": 180.0}, "with 180 degrees at 100 MHz"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(RowforgeError, match=sentence):
        SdramTiming.of(X16, **values)


def test_geometries_that_the_controller_does_not_know_are_refused() -> None:
    with pytest.raises(RowforgeError, match="width of an SDRAM must be 16 or 32 bits, not 8"):
        replace(X16, width=8)
    with pytest.raises(RowforgeError, match="column bits of an SDRAM must be 8 to 10"):
        replace(X16, column_bits=11)
    with pytest.raises(RowforgeError, match="row bits of an SDRAM must be at least 11"):
        replace(X16, row_bits=10)
    with pytest.raises(RowforgeError, match="banks_apart of an SDRAM must be at most 3 cycles"):
        SdramTiming.of(replace(X16, banks_apart=61.0), clock=50e6)
