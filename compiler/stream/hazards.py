"""Which buffer words unfinished commands still read or write: what a command has to wait for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeAlias

MOST_NEWER = 3  # CONV commands that a wait for older ones may leave

Span: TypeAlias = tuple[int, int]  # half-open range of buffer words


@dataclass(frozen=True)
class BufferAccess:
    """Buffer words that a command reads and writes as activations, and those it keeps psums in.

    `filters` are read too, but before that which `sync` waits for is done.
    """

    reads: tuple[Span, ...] = ()
    writes: tuple[Span, ...] = ()
    psums: tuple[Span, ...] = ()
    filters: tuple[Span, ...] = ()

    @cached_property
    def all_reads(self) -> tuple[Span, ...]:
        """What is read, filters included."""
        return self.reads + self.filters

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """All buffer words that it uses."""
        return self.all_reads + self.writes + self.psums

    def conflicts(self, later: "BufferAccess") -> bool:
        """Whether a later command must wait for this one; passes order their psums themselves."""
        return (
            _overlap(self.all_reads, later.writes + later.psums)
            or _overlap(self.writes, later.spans)
            or _overlap(self.psums, later.all_reads + later.writes)
        )

    def joined(self, other: "BufferAccess") -> "BufferAccess":
        """What either uses, each span once."""
        return BufferAccess(
            _joined(self.reads, other.reads),
            _joined(self.writes, other.writes),
            _joined(self.psums, other.psums),
            _joined(self.filters, other.filters),
        )


@dataclass(frozen=True)
class Wait:
    """Flags of a header: wait for everything, for CONV commands, for all STORE.

    older : for all CONV but so many newest ones; 0: for none
    """

    fence: bool = False
    older: int = 0
    stored: bool = False

    def flags(self) -> dict[str, int]:
        """The flags by name."""
        return {"fence": self.fence, "older": self.older, "stored": self.stored}


NO_WAIT = Wait()
NEWEST = Wait(older=MOST_NEWER)
"""Hardly costs a command time that follows a CONV: few more can be unfinished."""


class HazardTracker:
    """Accesses of the CONV and STORE commands that may be unfinished.

    LOAD and VECTOR are done when the next command begins, and VECTOR begins when every CONV is
    done. A CONV with `sync` waits for all CONV before it, so that later CONVs need not; other
    commands run ahead of it and still see all of them.
    """

    def __init__(self) -> None:
        # With each what of it no CONV has waited for. No header can tell commands apart that are
        # older than the newest ones: these are kept as one.
        self._convs: list[tuple[BufferAccess, BufferAccess]] = []
        self._stores: list[BufferAccess] = []

    def used(self) -> dict[Wait, tuple[Span, ...]]:
        """Buffer words that commands may still use when one begins, by how it waits."""
        stores = [each.spans for each in self._stores]
        convs = [each.spans for each, _ in self._convs]
        return {
            NO_WAIT: tuple(chain(*convs, *stores)),
            NEWEST: tuple(chain(*convs[-NEWEST.older :], *stores)),
        }

    def wait(self, access: BufferAccess) -> Wait:
        """What LOAD, STORE or VECTOR has to wait for."""
        stored = any(each.conflicts(access) for each in self._stores)
        newer = _newer([each for each, _ in self._convs], access)
        if newer == 0:
            return Wait(fence=True)
        return Wait(older=newer or 0, stored=stored)

    def wait_conv(self, access: BufferAccess) -> tuple[Wait, bool]:
        """What a CONV has to wait for, and whether it needs `sync`: it reads what the newest makes.

        A CONV that must wait for older ones only is held back whole: they end soon. One whose
        filters an unfinished CONV overwrites is held back too, for `sync` does not hold filters.
        """
        if access.filters:
            early = BufferAccess(filters=access.filters)
            if any(each.conflicts(early) for each, _ in self._convs):
                return Wait(fence=True), False
        stored = any(each.conflicts(access) for each in self._stores)
        newer = _newer([open_ for _, open_ in self._convs], access)
        return Wait(older=newer or 0, stored=stored), newer == 0

    def waited(self, wait: Wait) -> None:
        """A command with these flags has been emitted."""
        if wait.fence:
            self._convs.clear()
        if wait.older:
            del self._convs[: -wait.older]
        if wait.fence or wait.stored:
            self._stores.clear()

    def computed(self) -> None:
        """Every CONV is done."""
        self._convs.clear()

    def conv(self, access: BufferAccess, *, synced: bool) -> None:
        """Records a CONV; `synced`: it waits for all CONV before it."""
        if synced:
            self._convs = [(each, BufferAccess()) for each, _ in self._convs]
        self._convs.append((access, access))
        if len(self._convs) > MOST_NEWER + 1:
            (first, first_open), (second, second_open) = self._convs[:2]
            self._convs[:2] = [(first.joined(second), first_open.joined(second_open))]

    def store(self, access: BufferAccess) -> None:
        """Records a STORE, which begins when the one before is done."""
        self._stores = [access]


def _newer(unfinished: Sequence[BufferAccess], later: BufferAccess) -> int | None:
    """CONV commands after the newest one that a later command must wait for; None: for none."""
    for newer, access in enumerate(reversed(unfinished)):
        if access.conflicts(later):
            return newer
    return None


def _joined(left: tuple[Span, ...], right: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple(dict.fromkeys(left + right))


def _overlap(left: tuple[Span, ...], right: tuple[Span, ...]) -> bool:
    for a, b in left:
        for c, d in right:
            if a < d and c < b:
                return True
    return False
