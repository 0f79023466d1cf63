"""The device's end of the framed link in Python: what the gateware does, without time."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from hw.arch.commands import MAGIC
from hw.arch.fields import Struct
from hw.arch.frames import (
    EPOCH_BITS,
    LINK_STATUS,
    NAK,
    REPLY,
    REPLY_WORDS,
    REQUEST_WORDS,
    SEQUENCE_BITS,
    LinkOpcode,
    LinkStatus,
    line_bytes,
    next_epoch,
)
from hw.arch.program import Words
from hw.arch.version import LINK_PROTOCOL_VERSION
from sw_driver.protocol.errors import LinkError
from sw_driver.protocol.frames import WORD_BYTES, Frame, FrameReader, encode_frame
from sw_driver.protocol.link import Link

_EPOCH = (1 << EPOCH_BITS) - 1


class WordPort(Protocol):
    """The accelerator behind the device, in bytes of whole words."""

    def room(self) -> int:
        """Words that can be put now."""

    def put(self, data: bytes) -> None:
        """Words of the command stream; no more than `room`."""

    def get(self, most: int) -> bytes:
        """The next result words, at most so many."""

    def reset(self) -> None:
        """Forget everything."""


class Loopback:
    """A port whose results are its commands.

    Attributes
    ----------
    put_words : words that were ever put
    """

    def __init__(self, capacity: int = 4 * REQUEST_WORDS):
        self.put_words = 0
        self._capacity = WORD_BYTES * capacity
        self._held = bytearray()

    def room(self) -> int:
        return (self._capacity - len(self._held)) // WORD_BYTES

    def put(self, data: bytes) -> None:
        self.put_words += len(data) // WORD_BYTES
        self._held += data

    def get(self, most: int) -> bytes:
        taken = bytes(self._held[: WORD_BYTES * most])
        del self._held[: WORD_BYTES * most]
        return taken

    def reset(self) -> None:
        self._held.clear()


class LinkPort:
    """A port to an accelerator that executes at once, such as `sim.functional`'s."""

    def __init__(self, make: Callable[[], Link]):
        self._make = make
        self._link = make()

    def room(self) -> int:
        return REQUEST_WORDS

    def put(self, data: bytes) -> None:
        self._link.send(np.frombuffer(data, dtype="<u8").astype(np.uint64))

    def get(self, most: int) -> bytes:
        taken: list[Words] = []
        while len(taken) < most:
            try:
                taken.append(self._link.receive(1))
            except LinkError:
                break
        return b"".join(word.astype("<u8").tobytes() for word in taken)

    def reset(self) -> None:
        self._link = self._make()


class FramedDevice:
    """Answers requests as `hw.link` does.

    Parameters
    ----------
    port : WordPort
        The accelerator.
    config_hash : int
        What STATUS says of its configuration.

    Attributes
    ----------
    executed : requests that were decided
    counts : what STATUS counts
    """

    def __init__(self, port: WordPort, *, config_hash: int = 0):
        self._port = port
        self._hash = config_hash
        self._reader = FrameReader(longest=line_bytes(max(REQUEST_WORDS, REPLY_WORDS)))
        self._session = 0
        self._sequence = 0
        self._kept = b""  # the last reply, as bytes on the line
        self.executed = 0
        self.counts = dict.fromkeys(("frames", "damaged", "repeated", "refused"), 0)

    def feed(self, data: bytes, alive: Callable[[int], None] | None = None) -> bytes:
        """What the device answers to bytes from the line; it takes no time, so `alive` is idle."""
        return b"".join(self._answer(frame) for frame in self._reader.feed(data))

    def _answer(self, request: Frame | None) -> bytes:
        if request is None:
            self.counts["damaged"] += 1
            return self._reply(Frame(NAK), LinkStatus.DAMAGED)
        self.counts["frames"] += 1
        if request.version != LINK_PROTOCOL_VERSION:
            return self._refuse(request, LinkStatus.BAD_VERSION)
        if request.opcode == LinkOpcode.STATUS:
            return self._reply(request, LinkStatus.OK, self._account())
        if request.opcode == LinkOpcode.OPEN and request.session != self._session:
            if request.session & _EPOCH != next_epoch(self._session):
                return self._refuse(request, LinkStatus.BAD_SESSION)
            self._session = request.session
            return self._execute(request)
        if request.session != self._session or not self._session:
            return self._refuse(request, LinkStatus.BAD_SESSION)
        if request.sequence == self._sequence:
            self.counts["repeated"] += 1
            return self._kept
        if request.opcode == LinkOpcode.OPEN or request.sequence != self._following():
            return self._refuse(request, LinkStatus.BAD_SEQUENCE)
        return self._execute(request)

    def _following(self) -> int:
        return (self._sequence + 1) % (1 << SEQUENCE_BITS)

    def _refuse(self, request: Frame, status: LinkStatus) -> bytes:
        self.counts["refused"] += 1
        return self._reply(request, status)

    def _execute(self, request: Frame) -> bytes:
        """Decide a request for good; its reply is kept."""
        self._sequence = request.sequence
        self.executed += 1
        self._kept = self._reply(request, *self._perform(request))
        return self._kept

    def _perform(self, request: Frame) -> tuple[LinkStatus, bytes]:
        words = len(request.payload) // WORD_BYTES
        if request.opcode == LinkOpcode.WRITE:
            if words > REQUEST_WORDS:
                return LinkStatus.BAD_LENGTH, b""
            if words > self._port.room():
                return LinkStatus.BUSY, b""
            self._port.put(request.payload)
            return LinkStatus.OK, b""
        if request.opcode not in list(LinkOpcode):
            return LinkStatus.BAD_OPCODE, b""
        if words:
            return LinkStatus.BAD_LENGTH, b""
        if request.opcode in (LinkOpcode.OPEN, LinkOpcode.RESET):
            self._port.reset()
        if request.opcode == LinkOpcode.READ:
            return LinkStatus.OK, self._port.get(min(request.count, REPLY_WORDS))
        return LinkStatus.OK, b""

    def _account(self) -> bytes:
        """The payload of a STATUS reply."""
        counts = {name: count % (1 << 16) for name, count in self.counts.items()}
        values = {"magic": MAGIC, "hash": self._hash, "sequence": self._sequence, **counts}
        values |= {"request_words": REQUEST_WORDS, "reply_words": REPLY_WORDS}
        return _record_bytes(LINK_STATUS, values)

    def _reply(self, request: Frame, status: LinkStatus, payload: bytes = b"") -> bytes:
        return encode_frame(
            Frame(
                request.opcode | REPLY,
                status,
                request.sequence,
                self._session,
                min(self._port.room(), REQUEST_WORDS),
                0,
                payload,
            )
        )


def _record_bytes(record: Struct, values: dict[str, int]) -> bytes:
    return b"".join(word.to_bytes(WORD_BYTES, "little") for word in record.pack(values))
