"""What is at the other end of a C process's pipe: words for a link, or a line as the driver's."""

from typing import Protocol

from sim.framed_device import LinkPort
from sw_driver.protocol.link import Link
from sw_driver.protocol.transport import ByteTransport

_ALL = 1 << 30


class PipeEnd(Protocol):
    """Answers what a process writes."""

    def answer(self, data: bytes) -> bytes:
        """What goes back because of these bytes."""


class WordsEnd:
    """Bytes are words, for a link that executes them at once."""

    def __init__(self, link: Link):
        self._port = LinkPort(lambda: link)
        self._rest = b""

    def answer(self, data: bytes) -> bytes:
        """All result words that are there."""
        self._rest += data
        whole = len(self._rest) // 8 * 8
        self._port.put(self._rest[:whole])
        self._rest = self._rest[whole:]
        return self._port.get(_ALL)


class LineEnd:
    """Bytes ask for what a line does: W count bytes, R count milliseconds, N (`framed_line.c`)."""

    def __init__(self, transport: ByteTransport):
        self._transport = transport
        self._asked = b""
        self._came = b""

    def answer(self, data: bytes) -> bytes:
        """The answers to all questions that are whole."""
        self._asked += data
        said = b""
        while len(self._asked) >= 9:
            kind, first, second = self._asked[:1], *self._numbers()
            size = 9 + (first if kind == b"W" else 0)
            if len(self._asked) < size:
                break
            payload, self._asked = self._asked[9:size], self._asked[size:]
            said += self._one(kind, first, second, payload)
        return said

    def _numbers(self) -> tuple[int, int]:
        words = self._asked[1:5], self._asked[5:9]
        return int.from_bytes(words[0], "little"), int.from_bytes(words[1], "little")

    def _one(self, kind: bytes, first: int, second: int, payload: bytes) -> bytes:
        if kind == b"W":
            self._transport.write(payload)
            return b""
        if kind == b"N":
            return int(1000 * self._transport.now()).to_bytes(4, "little")
        self._came = self._came or self._transport.read(second / 1000)
        data, self._came = self._came[:first], self._came[first:]
        return len(data).to_bytes(4, "little") + data
