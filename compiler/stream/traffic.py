"""What a layer moves on the link and reads of the buffer, and the cycles that come of it."""

from dataclasses import dataclass

_HIDDEN = 0.875  # of the computing time, measured with the exact cycle model


@dataclass
class Traffic:
    """Link words of a layer.

    filters : of CONV commands; loaded, stored : moved while the array computes; exposed : the rest
    reads : of the buffer for the array, one a cycle, not on the link: what is stored waits for them
    """

    filters: int = 0
    loaded: int = 0
    stored: int = 0
    exposed: int = 0
    reads: int = 0

    @property
    def words(self) -> int:
        """All words."""
        return self.filters + self.loaded + self.stored + self.exposed

    def cycles(self, computing: int) -> int:
        """Cycles of a layer that computes for so many.

        The link seldom hides all of its work behind as much computing: what it moves beyond
        `_HIDDEN` of that time counts besides.
        """
        moved = self.loaded + self.filters
        waits = max(0, min(moved, computing) - int(computing * _HIDDEN))
        read = self.stored + self.reads if self.stored else 0
        return max(computing, moved, read) + waits + self.exposed
