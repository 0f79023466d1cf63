"""The framed link: a `Link` of words over a byte transport that may damage them."""

import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from hw.arch.commands import MAGIC
from hw.arch.frames import REPLY, LinkOpcode, LinkStatus
from hw.arch.program import Words
from sw_driver.protocol.errors import (
    LinkBusyError,
    LinkError,
    LinkTimeoutError,
    ProtocolError,
    SessionLostError,
)
from sw_driver.protocol.frames import WORD_BYTES, Frame
from sw_driver.protocol.requester import LinkStatistics, Requester, room, words_in
from sw_driver.protocol.transport import ByteTransport

PATIENCE = 600.0  # seconds without a word in or out while the board answers

_SMALLEST = 8  # words in a frame that a bad line still carries
_FIRST = 64  # words in a frame before anything is known of the line
_CLEAN = 4  # exchanges without damage before frames grow
_LINE_SECONDS = 0.25  # that a frame may take on a slow line
_RECONNECTS = 5
_RECONNECT_SECONDS = 0.2
_WAIT = 64  # units of the protocol that the device waits for a result word


class FrameWindow:
    """How many words a frame may have: half as many after damage, more after clean exchanges."""

    def __init__(self, most: int):
        self.most = max(most, 1)
        self.words = min(_FIRST, self.most)
        self._clean = 0

    def note(self, *, damaged: bool) -> None:
        """Take an exchange into account."""
        if damaged:
            self.words = max(self.words // 2, min(_SMALLEST, self.most))
            self._clean = 0
            return
        self._clean += 1
        if self._clean >= _CLEAN:
            self.words = min(self.words * 2, self.most)
            self._clean = 0


class FramedClient:
    """A session with an accelerator behind a byte transport.

    Words are gathered into frames; a frame that the device has no room for waits while results are
    fetched, so that neither side blocks the other.

    Parameters
    ----------
    connect : callable
        Opens the transport; called again by `reset` after the link broke.
    patience : float
        Seconds in which no word moves before a wait is given up.

    Attributes
    ----------
    pipelined : True
        The words of a program may follow those of another whose results are still to come.
    statistics : LinkStatistics
        Of all connections together.

    Raises
    ------
    LinkError
        If nothing that speaks the protocol answers.
    """

    pipelined = True

    def __init__(self, connect: Callable[[], ByteTransport], *, patience: float = PATIENCE):
        self.statistics = LinkStatistics()
        self._connect = connect
        self._patience = patience
        self._broken = False
        self._lost = False
        self._start()

    def _start(self) -> None:
        """Connect and begin a session, with nothing under way."""
        self._outgoing = bytearray()
        self._results = bytearray()
        self._transport = self._connect()
        try:
            self._requester = Requester(self._transport, statistics=self.statistics)
            self._facts = self._requester.status()
            if self._facts["magic"] != MAGIC:
                raise ProtocolError("the board does not answer as a Rowforge accelerator")
            self._room = room(self._requester.open())
        except BaseException:
            self._transport.close()
            raise
        line = int(self._transport.speed * _LINE_SECONDS) // WORD_BYTES
        most = min(self._facts["request_words"], self._facts["reply_words"])
        self._window = FrameWindow(min(most, max(line, _SMALLEST)))
        self._broken = False

    # ---- what a link promises -------------------------------------------------------------------

    def send(self, words: Words) -> None:
        """Queue words; whole frames leave at once."""
        self._outgoing += words.astype("<u8").tobytes()
        while len(self._outgoing) >= WORD_BYTES * self._window.words:
            self._write()

    def receive(self, count: int) -> Words:
        """The next result words; `LinkError` if they do not come."""
        size = WORD_BYTES * count
        while self._outgoing:
            self._write()
        moved = self._now()
        while len(self._results) < size:
            moved = self._now() if self._read() else self._check_patience(moved)
        taken = bytes(self._results[:size])
        del self._results[:size]
        return np.frombuffer(taken, dtype="<u8").astype(np.uint64)

    def cycles(self) -> None:
        """A board does not tell; its counters do, layer by layer."""

    def close(self) -> None:
        """Close the transport; the session ends when the next one begins."""
        self._transport.close()

    # ---- what a framed link offers besides ------------------------------------------------------

    def reset(self) -> None:
        """Start over after an error: reset the accelerator, reconnect if the link is broken.

        Raises `SessionLostError` if another client has the board: this link does not take it back.
        """
        if self._lost:
            raise SessionLostError(taken_over=True)
        self._outgoing.clear()
        self._results.clear()
        if not self._broken:
            with suppress(LinkError):
                self._room = room(self._request(LinkOpcode.RESET))
        if self._broken:
            self._reconnect()

    def _reconnect(self) -> None:
        """A new transport and a new session."""
        self._transport.close()
        for tries in range(_RECONNECTS, -1, -1):
            try:
                self._start()
                break
            except LinkBusyError:  # the board may not have seen that the old connection is gone
                if not tries:
                    raise
                time.sleep(_RECONNECT_SECONDS)

    def device_status(self) -> dict[str, int]:
        """The device's own account, statistics included; see `hw.arch.frames.LINK_STATUS`."""
        return self._requester.status()

    @property
    def words_in_a_frame(self) -> int:
        """Words that a frame carries at the moment."""
        return self._window.words

    # ---- frames ---------------------------------------------------------------------------------

    def _write(self) -> None:
        """Send the next words, as soon as the device has room for them."""
        moved = self._now()
        while not self._room:
            moved = self._now() if self._read() else self._check_patience(moved)
        words = min(self._window.words, self._room, len(self._outgoing) // WORD_BYTES)
        payload = bytes(self._outgoing[: WORD_BYTES * words])
        reply = self._request(LinkOpcode.WRITE, payload)
        if reply.status == LinkStatus.OK and reply.opcode == LinkOpcode.WRITE | REPLY:
            del self._outgoing[: len(payload)]

    def _read(self) -> bool:
        """Fetch the results that are there.

        Returns whether anything moved: results came, or room for commands did.
        """
        before = self._room
        reply = self._request(LinkOpcode.READ, count=self._window.words, wait=_WAIT)
        self._results += reply.payload
        return bool(words_in(reply)) or self._room > before

    def _request(
        self, opcode: LinkOpcode, payload: bytes = b"", *, count: int = 0, wait: int = 0
    ) -> Frame:
        """A request; keeps account of the device's room and of how good the line is."""
        bad = self.statistics.damaged + self.statistics.rejected
        try:
            reply = self._requester.request(opcode, payload, count=count, wait=wait)
        except LinkError as error:
            self._broken = True
            self._lost = isinstance(error, SessionLostError) and error.taken_over
            raise
        self._room = room(reply)
        now_bad = self.statistics.damaged + self.statistics.rejected
        self._window.note(damaged=now_bad > bad)
        return reply

    def _now(self) -> float:
        return self._transport.now()

    def _check_patience(self, since: float) -> float:
        """`since`, unless nothing has moved for too long."""
        waited = self._now() - since
        if waited > self._patience:
            raise LinkTimeoutError(
                f"the accelerator has moved no word for {waited:.0f} s, although the link answers"
            )
        return since
