"""Where a stream lets words be brought ahead, and at which cost."""

from typing import Any

import numpy as np
import pytest

from compiler.stream.conv import ConvCommand, Nest
from compiler.stream.hazards import NEWEST, NO_WAIT, BufferAccess, HazardTracker, Span, Wait
from compiler.stream.timeline import Timeline, Work, first_gap
from hw.arch.config import Config

CONFIG = Config.of({"buffer.filters": True, "buffer.filter_prefetch": 1024})  # 128 words
NEST = Nest(np.zeros(1, dtype=np.uint64), ())
BUSY = Work(cycles=4000, writes=100)


def _conv(length: int) -> ConvCommand:
    return ConvCommand(nest=NEST, filters=None, length=length, wait=NO_WAIT, layer=0, hidden=False)


def _timeline(*convs: tuple[int, Work, BufferAccess]) -> tuple[Timeline, list[Any]]:
    """Of CONV commands (filters, work, buffer words), tables before each; with their stream."""
    timeline, parts, tracker = Timeline(CONFIG), list[Any](), HazardTracker()
    for length, work, access in convs:
        timeline.computed()
        timeline.moved(30)
        parts += [np.full(30, 1, dtype=np.uint64), _conv(length)]
        tracker.conv(access, synced=False)
        timeline.conv(parts[-1], parts, access, work, tracker.used())
    return timeline, parts


def _access(*spans: Span) -> BufferAccess:
    return BufferAccess(reads=spans)


def test_words_are_brought_directly_after_the_newest_command_that_hides_them() -> None:
    timeline, parts = _timeline((10, BUSY, _access((0, 50))), (10, BUSY, _access((0, 60))))
    ahead = timeline.ahead(64, 64, (0, 200), (), ())
    assert ahead is not None
    assert (ahead.address, ahead.waits, ahead.wait) == (60, 0, NO_WAIT)
    words = np.full(64, 7, dtype=np.uint64)
    timeline.bring(ahead, [words])
    assert parts[-1] is words
    assert parts[-2] is ahead.after.command
    again = timeline.ahead(64, 64, (0, 200), (), ())
    assert again is not None
    assert again.address == 124  # not where the first ones are


def test_a_command_that_streams_until_its_end_hides_nothing_and_an_earlier_one_does() -> None:
    timeline, parts = _timeline((10, BUSY, _access()), (4000, BUSY, _access()))
    ahead = timeline.ahead(64, 600, (0, 200), (), ())
    assert ahead is not None
    assert ahead.after.command is parts[1]
    assert ahead.waits == 0


def test_results_of_every_cycle_leave_no_room_at_the_write_port() -> None:
    timeline, _ = _timeline((10, Work(4000, 4000), _access()))
    ahead = timeline.ahead(64, 600, (0, 200), (), ())
    assert ahead is not None
    assert ahead.waits >= 600


def test_what_commands_use_in_between_is_left_alone() -> None:
    timeline, parts = _timeline((10, BUSY, _access((0, 200))), (4000, BUSY, _access((0, 150))))
    timeline.moved(50, BufferAccess(writes=((150, 170),)))
    assert timeline.ahead(64, 64, (0, 200), (), ()) is None
    found = timeline.ahead(30, 64, (0, 200), (), ())
    assert found is None  # the first command may still read all of them
    longer = timeline.ahead(30, 64, (0, 230), (), ())
    assert longer is not None
    assert (longer.address, longer.after.command) == (200, parts[1])


def test_commands_long_ago_are_waited_for_where_there_is_no_other_room() -> None:
    old = (10, BUSY, _access((0, 200)))
    later = (10, BUSY, _access((100, 200)))
    timeline, _ = _timeline(old, later, later, later)
    waits: list[tuple[int, Wait]] = []
    for words, end in ((50, 260), (50, 200), (120, 200)):
        ahead = timeline.ahead(words, words, (0, end), (), ())
        waits += [(ahead.address, ahead.wait)] if ahead is not None else []
    assert waits == [(200, NO_WAIT), (0, NEWEST)]


def test_nothing_is_brought_ahead_of_a_step_of_the_host() -> None:
    timeline, _ = _timeline((10, BUSY, _access()))
    timeline.clear()
    assert timeline.ahead(64, 64, (0, 200), (), ()) is None


@pytest.mark.parametrize(
    ("words", "gap"), [(10, 0), (11, 30), (40, 30), (41, None)], ids=lambda value: str(value)
)
def test_the_first_gap_that_is_wide_enough_is_taken(words: int, gap: int | None) -> None:
    assert first_gap(words, (0, 70), [(20, 30), (10, 25), (80, 90)]) == gap
