"""Which buffer words unfinished commands still read or write: when to fence, when to sync."""

from dataclasses import dataclass
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]  # half-open range of buffer words


@dataclass(frozen=True)
class Access:
    """Buffer words that a command reads and writes as activations, and those it keeps psums in."""

    reads: tuple[Span, ...] = ()
    writes: tuple[Span, ...] = ()
    psums: tuple[Span, ...] = ()

    def conflicts(self, later: "Access") -> bool:
        """Whether a later command must wait for this one; passes order their psums themselves."""
        mine, theirs = self.writes + self.psums, later.writes + later.psums
        return (
            _overlap(mine, later.reads)
            or _overlap(self.reads, theirs)
            or _overlap(self.writes, theirs)
            or _overlap(self.psums, later.writes)
        )


class Hazards:
    """Accesses of the commands since the last fence.

    A CONV with `sync` waits for all work before it, so that CONVs behind it need not; other
    commands run ahead of it and still see everything since the last fence.
    """

    def __init__(self) -> None:
        self._all: list[Access] = []
        self._behind_sync: list[Access] = []

    def fenced(self) -> None:
        """All earlier work is done."""
        self._all.clear()
        self._behind_sync.clear()

    def must_fence(self, access: Access) -> bool:
        """Whether a command other than CONV has to wait; records nothing."""
        return any(earlier.conflicts(access) for earlier in self._all)

    def must_sync(self, access: Access) -> bool:
        """Whether a CONV has to wait before it reads; records nothing."""
        return any(earlier.conflicts(access) for earlier in self._behind_sync)

    def add(self, access: Access, *, synced: bool = False) -> None:
        """Records a command's accesses; `synced`: it waited for all work before it."""
        if synced:
            self._behind_sync.clear()
        self._all.append(access)
        self._behind_sync.append(access)


def _overlap(left: tuple[Span, ...], right: tuple[Span, ...]) -> bool:
    return any(a < d and c < b for a, b in left for c, d in right)
