"""Models for the blocks of the framed link."""

from collections import deque

_SLACK = 5  # bytes in registers between the memory and the sink, and on their way there


class PacketFifoModel:
    """Bytes kept and bytes on probation.

    Attributes
    ----------
    may_overflow, must_overflow : whether the packet on probation can have lost a byte, or must have
    """

    def __init__(self, *, words: int):
        self._depth = 8 * words
        self._kept: deque[int] = deque()
        self._fresh: list[int] = []
        self._peak = 0

    @property
    def may_overflow(self) -> bool:
        return self._peak >= self._depth

    @property
    def must_overflow(self) -> bool:
        return self._peak >= self._depth + _SLACK

    @property
    def room(self) -> tuple[int, int]:
        """Least and most words that there can be room for after what was kept."""
        left = self._depth - len(self._kept)
        return max(left, 0) // 8, min(left + _SLACK, self._depth) // 8

    def take(self, byte: int) -> None:
        """A byte left the device."""
        assert self._kept, "a byte left that was not kept"
        assert self._kept.popleft() == byte

    def act(self, put: int = 0, keep: int = 0, drop: int = 0, data: int = 0) -> None:
        """A cycle's inputs."""
        if put:
            self._peak = max(self._peak, len(self._kept) + len(self._fresh))
            self._fresh.append(data)
        if keep:
            self._kept.extend(self._fresh)
        if keep or drop:
            self._fresh.clear()
            self._peak = 0
