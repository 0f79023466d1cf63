"""A byte line with seeded faults between the driver and a device, on a clock of its own."""

import re
from dataclasses import dataclass
from random import Random
from typing import Protocol

from hw.arch.frames import LinkStatus
from sw_driver.protocol.errors import LinkError
from sw_driver.protocol.frames import decode_frame

_FRAME = re.compile(rb"\x00[^\x00]+\x00")
_TURN = 1e-4  # seconds that the device takes to answer


class Device(Protocol):
    """The device's end: answers bytes with bytes."""

    def feed(self, data: bytes) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How often what happens: bit errors a bit, everything else a frame."""

    bit_error: float = 0.0
    drop_bytes: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    truncate: float = 0.0
    garbage: float = 0.0


class FaultyLine:
    """One direction: frames go in, chunks come out as the other end gets them.

    Attributes
    ----------
    bytes : bytes that went in
    faults : how often each fault happened
    """

    def __init__(self, faults: Faults, seed: str):
        self.bytes = 0
        self.faults: dict[str, int] = {}
        self._rates = faults
        self._random = Random(seed)
        self._held: list[bytes] = []
        self._next_error = self._gap()

    def carry(self, frame: bytes) -> list[bytes]:
        """What arrives now because of a frame that was sent."""
        self.bytes += len(frame)
        late, self._held = self._held, []
        if self._happens("drop"):
            return late
        if self._happens("drop_bytes"):
            start = self._random.randrange(len(frame))
            frame = frame[:start] + frame[start + self._random.randint(1, 9) :]
        if self._happens("truncate"):
            frame = frame[: self._random.randrange(len(frame))]
        if self._happens("garbage"):
            frame = self._random.randbytes(self._random.randint(1, 40)) + frame
        frame = self._flip(frame)
        if self._happens("reorder"):
            self._held = [frame]
            return late
        copies = 2 if self._happens("duplicate") else 1
        return [frame] * copies + late

    def release(self) -> list[bytes]:
        """What was held back and comes although nothing follows it."""
        late, self._held = self._held, []
        return late

    def _happens(self, name: str) -> bool:
        if self._random.random() >= getattr(self._rates, name):
            return False
        self.faults[name] = self.faults.get(name, 0) + 1
        return True

    def _gap(self) -> int:
        """Bits to the next bit error."""
        rate = self._rates.bit_error
        return int(self._random.expovariate(rate)) if rate else 1 << 62

    def _flip(self, frame: bytes) -> bytes:
        bits = 8 * len(frame)
        if self._next_error >= bits:
            self._next_error -= bits
            return frame
        damaged = bytearray(frame)
        while self._next_error < bits:
            damaged[self._next_error >> 3] ^= 1 << (self._next_error & 7)
            self.faults["bit_error"] = self.faults.get("bit_error", 0) + 1
            self._next_error += 1 + self._gap()
        self._next_error -= bits
        return bytes(damaged)


class SimulatedTransport:
    """A `ByteTransport` to a device over two faulty lines; waiting costs no time.

    With `unplugged` set, nothing arrives any more. Fails if a frame that arrives whole is not
    answered as such: the device must find its place again within one frame.

    Attributes
    ----------
    understood : frames that arrived whole
    """

    speed = 3e5
    latency = 2e-3

    def __init__(self, device: Device, faults: Faults, seed: str):
        self.unplugged = False
        self.out = FaultyLine(faults, f"{seed} out")
        self.back = FaultyLine(faults, f"{seed} back")
        self._device = device
        self.understood = 0
        self._sent = b""
        self._inbox: list[bytes] = []
        self._time = 0.0
        self._open = True

    def write(self, data: bytes) -> None:
        if not self._open:
            raise LinkError("the simulated line is closed")
        self._time += len(data) / self.speed
        self._sent = data
        if not self.unplugged:
            for chunk in self.out.carry(data):
                self._deliver(chunk)

    def _deliver(self, chunk: bytes) -> None:
        replies = _FRAME.findall(self._device.feed(chunk))
        if chunk == self._sent and chunk:
            self._check_answer(chunk, replies)
        for reply in replies:
            self._inbox += self.back.carry(reply)

    def _check_answer(self, chunk: bytes, replies: list[bytes]) -> None:
        """A frame that arrives whole is understood, whatever came before it."""
        request = decode_frame(chunk[1:-1])
        reply = decode_frame(replies[-1][1:-1])
        assert request is not None and reply is not None
        self.understood += 1
        assert reply.status != LinkStatus.DAMAGED, "not resynchronised within one frame"
        assert reply.sequence == request.sequence

    def read(self, timeout: float) -> bytes:
        if not self._inbox and not self.unplugged:
            self._inbox += self.back.release()
        if self._inbox:
            data = b"".join(self._inbox)
            self._inbox.clear()
            self._time += _TURN + len(data) / self.speed
            return data
        self._time += max(timeout, 1e-6)
        if not self.unplugged:
            for chunk in self.out.release():
                self._deliver(chunk)
        return b""

    def now(self) -> float:
        return self._time

    def close(self) -> None:
        self._open = False
