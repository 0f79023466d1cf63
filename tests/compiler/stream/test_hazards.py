"""Waits of random streams, beside a rule that keeps every unfinished command by itself."""

from collections.abc import Iterator
from itertools import product
from random import Random

import pytest

from compiler.stream.hazards import MOST_NEWER, BufferAccess, HazardTracker, Span, Wait

_WORDS = 24  # of the buffer; few, so that commands meet


def _access(random: Random) -> BufferAccess:
    def spans(most: int) -> tuple[Span, ...]:
        begins = [random.randrange(_WORDS) for _ in range(random.randint(0, most))]
        return tuple((begin, begin + random.randint(1, 3)) for begin in begins)

    return BufferAccess(spans(2), spans(1), spans(1), spans(1))


def _words(access: BufferAccess, kinds: str) -> set[int]:
    used = {"r": access.reads + access.filters, "w": access.writes, "p": access.psums}
    return {word for kind in kinds for span in used[kind] for word in range(*span)}


def _meet(first: BufferAccess, later: BufferAccess) -> bool:
    """Two commands use a word, and one of them changes it, but for psums of both."""
    pairs = [(a, b) for a, b in product("rwp", repeat=2) if a + b not in ("rr", "pp")]
    return any(_words(first, a) & _words(later, b) for a, b in pairs)


def _newest(conflicts: Iterator[bool]) -> int | None:
    return next((min(n, MOST_NEWER) for n, found in enumerate(conflicts) if found), None)


@pytest.mark.parametrize("seed", range(6))
def test_waits_are_those_of_every_command_by_itself(seed: int) -> None:
    random = Random(seed)
    tracker = HazardTracker()
    convs: list[tuple[BufferAccess, bool]] = []  # with: none after it has waited for it
    kinds = set()
    for _ in range(300):
        access = _access(random)
        if random.random() < 0.7:
            wait, sync = tracker.wait_conv(access)
            filters = BufferAccess(filters=access.filters)
            if any(_meet(each, filters) for each, _ in convs):
                assert (wait, sync) == (Wait(fence=True), False)
            else:
                newest = _newest(is_open and _meet(c, access) for c, is_open in reversed(convs))
                assert (wait, sync) == (Wait(older=newest or 0), newest == 0)
        else:
            wait, sync = tracker.wait(access), False
            newest = _newest(_meet(each, access) for each, _ in reversed(convs))
            assert wait == (Wait(fence=True) if newest == 0 else Wait(older=newest or 0))
        kinds.add((wait, sync))
        obeyed = random.random() < 0.4
        if obeyed:
            tracker.waited(wait)
            convs = [] if wait.fence else convs[-wait.older :] if wait.older else convs
        tracker.conv(access, synced=sync)
        convs = [(each, is_open and not sync) for each, is_open in convs] + [(access, True)]
        assert {word for span in tracker.used()[Wait()] for word in range(*span)} == {
            word for each, _ in convs for word in _words(each, "rwp")
        }
    assert len(kinds) == 2 + MOST_NEWER + 1
