"""Requests over a byte transport: one at a time, each answered once, none done twice."""

import secrets
from collections import deque
from dataclasses import dataclass, fields

from hw.arch.frames import (
    EPOCH_BITS,
    NAK,
    REPLY,
    SEQUENCE_BITS,
    LinkOpcode,
    LinkStatus,
    line_bytes,
    next_epoch,
)
from hw.arch.version import LINK_PROTOCOL_VERSION
from sw_driver.protocol.errors import (
    LinkBusyError,
    LinkCorruptedError,
    LinkTimeoutError,
    ProtocolError,
    SessionLostError,
)
from sw_driver.protocol.frames import WORD_BYTES, Frame, FrameReader, encode_frame, unpack_status
from sw_driver.protocol.transport import ByteTransport

SILENCE = 1.5  # seconds without a byte after which a link counts as unplugged
_SHORTEST = 0.05  # seconds of the last try before that
_LONGEST = 120.0  # seconds that one try may last, however lively the line
_MARGIN = 1.5  # on the time that a request and its reply take on the line
_BACKOFF = 1.5  # longer patience with every silent try
_MOST_DAMAGED = 64  # damaged tries of one request
_WITHDRAW_AFTER = 6  # damaged tries of a WRITE before a PING takes its number
_OPENINGS = 8  # other clients that may come first


@dataclass
class LinkStatistics:
    """What a link went through, counted by the driver.

    Attributes
    ----------
    requests : requests answered
    retries : requests sent again
    timeouts : tries that nothing answered
    damaged : frames that arrived damaged here
    rejected : frames that arrived damaged there
    strays : replies to requests answered before
    withdrawn : requests given up for shorter ones
    bytes_out, bytes_in : bytes on the line, framing included
    """

    requests: int = 0
    retries: int = 0
    timeouts: int = 0
    damaged: int = 0
    rejected: int = 0
    strays: int = 0
    withdrawn: int = 0
    bytes_out: int = 0
    bytes_in: int = 0

    def as_dict(self) -> dict[str, int]:
        """All counts by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


class _DamagedError(Exception):
    """A frame was damaged on its way: worth another try at once."""


class _SilentError(Exception):
    """Nothing came in time."""


class Requester:
    """The host's end of the framed link; owns the session and its sequence numbers.

    Attributes
    ----------
    statistics : LinkStatistics
    session : the session's number, 0 before `open`
    """

    def __init__(self, transport: ByteTransport, *, statistics: LinkStatistics | None = None):
        self.statistics = LinkStatistics() if statistics is None else statistics
        self.session = 0
        self._transport = transport
        self._reader = FrameReader()
        self._arrived: deque[Frame | None] = deque()
        self._sequence = secrets.randbits(SEQUENCE_BITS)

    def open(self) -> Frame:
        """Begin a session: the accelerator is reset, and whoever had the board has it no more."""
        nonce = 1 + secrets.randbelow((1 << (32 - EPOCH_BITS)) - 1)
        epoch = 1
        for _ in range(_OPENINGS):
            session = nonce << EPOCH_BITS | epoch
            request = Frame(LinkOpcode.OPEN, sequence=self._next(), session=session)
            reply = self._exchange(request, 0)
            if reply.status == LinkStatus.OK:
                self.session = session
                return reply
            epoch = next_epoch(reply.session)
        raise LinkBusyError("other clients keep opening the board")

    def status(self) -> dict[str, int]:
        """The device's own account; the fields of `hw.arch.frames.LINK_STATUS`."""
        request = Frame(LinkOpcode.STATUS, sequence=secrets.randbits(SEQUENCE_BITS))
        reply = self._exchange(request, 8)
        if reply.status != LinkStatus.OK:
            raise ProtocolError(f"the device refuses STATUS: {_name(reply.status)}")
        return unpack_status(reply.payload)

    def request(
        self, opcode: LinkOpcode, payload: bytes = b"", *, count: int = 0, wait: int = 0
    ) -> Frame:
        """The reply to a request of the session; its status is OK or BUSY.

        A WRITE that does not get through is withdrawn after some tries: the reply's opcode is that
        of PING then, and the words were not taken.

        Raises
        ------
        LinkTimeoutError, LinkCorruptedError
            If the request cannot be brought through.
        SessionLostError
            If the board is another client's now.
        ProtocolError
            For a device that does not keep to the protocol.
        """
        request = Frame(
            opcode, 0, self._next(), self.session, count=count, wait=wait, payload=payload
        )
        reply = self._exchange(request, count)
        if reply.opcode != opcode | REPLY:
            self.statistics.withdrawn += 1
        if reply.status == LinkStatus.BAD_SESSION:
            raise SessionLostError(taken_over=bool(reply.session))
        if reply.status not in (LinkStatus.OK, LinkStatus.BUSY):
            raise ProtocolError(f"the device refuses {opcode.name}: {_name(reply.status)}")
        return reply

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) % (1 << SEQUENCE_BITS)
        return self._sequence

    # ---- one exchange -------------------------------------------------------------------------

    def _exchange(self, request: Frame, words: int) -> Frame:
        """Send until the reply is there; `words` are expected in it at most."""
        data = encode_frame(request)
        line, statistics = self._transport, self.statistics
        seconds = _MARGIN * (len(data) + line_bytes(words)) / line.speed + line.latency
        self._last_heard = line.now()
        damaged = 0
        while True:
            line.write(data)
            statistics.bytes_out += len(data)
            try:
                reply = self._listen(request, seconds)
            except _DamagedError:
                damaged += 1
                if damaged == _MOST_DAMAGED:
                    raise LinkCorruptedError(
                        f"{_MOST_DAMAGED} tries of a request of {len(data)} bytes were damaged"
                    ) from None
                if damaged == _WITHDRAW_AFTER and request.opcode == LinkOpcode.WRITE:
                    request = Frame(LinkOpcode.PING, 0, request.sequence, request.session)
                    data = encode_frame(request)
            except _SilentError:
                statistics.timeouts += 1
                silence = line.now() - self._last_heard
                if silence >= SILENCE:
                    raise LinkTimeoutError(
                        f"no answer for {silence:.1f} s: the link is unplugged or the board stands"
                    ) from None
                seconds = min(seconds * _BACKOFF, max(SILENCE - silence, _SHORTEST))
            else:
                statistics.requests += 1
                return reply
            statistics.retries += 1

    def _listen(self, request: Frame, seconds: float) -> Frame:
        """The reply to a request; any byte that comes renews the patience of `seconds`."""
        line = self._transport
        start = line.now()
        while True:
            while self._arrived:
                frame = self._arrived.popleft()
                if frame is None:
                    self.statistics.damaged += 1
                    raise _DamagedError
                if self._answers(request, frame):
                    return frame
            data = line.read(seconds)
            if not data or line.now() - start > _LONGEST:
                self._reader.clear()
                raise _SilentError
            self._last_heard = line.now()
            self.statistics.bytes_in += len(data)
            self._arrived.extend(self._reader.feed(data))

    def _answers(self, request: Frame, reply: Frame) -> bool:
        """Whether a frame is the reply to a request; what is neither that nor harmless raises."""
        if reply.opcode == NAK | REPLY:
            if reply.status == LinkStatus.IN_USE:
                raise LinkBusyError("the board is in use by another client")
            self.statistics.rejected += 1
            raise _DamagedError
        kinds = {request.opcode | REPLY}
        if request.opcode == LinkOpcode.PING:
            kinds.add(LinkOpcode.WRITE | REPLY)  # the request that it replaces was done after all
        if reply.sequence != request.sequence or reply.opcode not in kinds:
            self.statistics.strays += 1
            return False
        if reply.status == LinkStatus.BAD_VERSION:
            raise ProtocolError(
                f"the board speaks version {reply.version} of the link protocol, this driver "
                f"version {LINK_PROTOCOL_VERSION}; build the board again or use its own version"
            )
        ours = reply.session == request.session or request.opcode == LinkOpcode.STATUS
        if ours == (reply.status == LinkStatus.BAD_SESSION):
            self.statistics.strays += 1
            return False
        return True


def room(reply: Frame) -> int:
    """Words that the device had room for when it replied."""
    return reply.count


def words_in(reply: Frame) -> int:
    """Words of payload in a reply."""
    return len(reply.payload) // WORD_BYTES


def _name(status: int) -> str:
    return LinkStatus(status).name if status in list(LinkStatus) else f"status {status}"
