"""The gateware's end of the link and its Python model answer alike, frame by frame."""

from random import Random

import numpy as np
import pytest

from hw.arch.frames import LINK_STATUS, REQUEST_WORDS, LinkOpcode, LinkStatus
from sim.framed_device import FramedDevice, Loopback
from sim.framed_rtl import FramedRtl, board_library
from sw_driver.protocol.frames import Frame, FrameReader, encode_frame

LOOP_WORDS = 5 * REQUEST_WORDS  # the loop's own buffer and the link's
WAIT = 2


@pytest.fixture(scope="module")
def library():
    return board_library(None)


@pytest.fixture
def rtl(library):
    devices = []

    def make(**options):
        devices.append(FramedRtl(library, **options))
        return devices[-1]

    yield make
    for device in devices:
        device.close()


class Client:
    """Draws requests: mostly proper ones, and every way to go wrong."""

    def __init__(self, seed: str):
        self.random = Random(seed)
        self.session, self.sequence = 0, self.random.randrange(1 << 16)
        self.last = Frame(LinkOpcode.PING)

    def next(self) -> bytes:
        random = self.random
        kind = random.choices(
            ("proper", "again", "stale", "stranger", "status", "version", "open", "damage"),
            (12, 2, 1, 1, 1, 1, 1, 2),
        )[0]
        if kind == "open" or not self.session:
            return self._open()
        if kind == "proper":
            self.last = self._proper()
            return encode_frame(self.last)
        if kind == "again":
            return encode_frame(self.last)
        frame = self._proper(advance=False)
        if kind == "stale":
            frame = self._with(frame, sequence=random.randrange(1 << 16))
        if kind == "stranger":
            frame = self._with(frame, session=random.choice([0, self.session ^ 256, 1]))
        if kind == "status":
            frame = Frame(LinkOpcode.STATUS, sequence=random.randrange(1 << 16))
        if kind == "version":
            frame = self._with(frame, version=random.choice([0, 2, 255]))
        line = encode_frame(frame)
        return self._damage(line) if kind == "damage" else line

    def _open(self) -> bytes:
        """A new session, or one whose epoch does not follow."""
        random = self.random
        proper = random.random() < 0.7 or not self.session
        epoch = (self.session + (1 if proper else random.choice([0, 2, 77]))) & 255
        session = random.randint(1, (1 << 24) - 1) << 8 | epoch
        sequence = random.randrange(1 << 16)
        frame = Frame(LinkOpcode.OPEN, sequence=sequence, session=session)
        if proper:
            self.session, self.sequence, self.last = session, sequence, frame
        return encode_frame(frame)

    def _proper(self, *, advance: bool = True) -> Frame:
        random = self.random
        sequence = (self.sequence + 1) & 0xFFFF
        if advance:
            self.sequence = sequence
        opcode = random.choices((3, 4, 5, 6, 0, 99), (8, 8, 1, 2, 1, 1))[0]
        words = random.choice([0, 1, 2, 30, 255, 256]) if opcode == LinkOpcode.WRITE else 0
        words = random.choice([257, 300]) if words and random.random() < 0.05 else words
        words = 1 if not words and random.random() < 0.05 else words
        count = random.choice([0, 1, 3, 100, 256, 500]) if opcode == LinkOpcode.READ else 0
        payload = random.randbytes(8 * words)
        if random.random() < 0.3:
            payload = bytes(byte & random.choice([0, 0, 255]) for byte in payload)
        return Frame(opcode, 0, sequence, self.session, count, WAIT, payload)

    def _with(self, frame: Frame, **changes: int) -> Frame:
        values = {name: getattr(frame, name) for name in Frame.__slots__}
        return Frame(**{**values, **changes})

    def _damage(self, line: bytes) -> bytes:
        random = self.random
        kind = random.randrange(4)
        if kind == 0:
            place = random.randrange(8 * len(line))
            return bytes(b ^ (1 << place % 8 if i == place // 8 else 0) for i, b in enumerate(line))
        if kind == 1:
            return line[: random.randrange(len(line))] + b"\0"
        if kind == 2:
            return random.randbytes(random.randint(1, 50)) + line
        return b"\0" * random.randint(1, 5) + line + b"\x01\x01\0"


def comparable(reply: Frame | None) -> tuple:
    """A reply without the room, which depends on the moment."""
    assert reply is not None
    return (reply.version, reply.opcode, reply.status, reply.sequence, reply.session, reply.payload)


@pytest.mark.parametrize("seed", range(3))
def test_model_and_gateware_answer_alike(rtl, seed):
    client = Client(str(seed))
    gateware = rtl(stall_seed=seed or None, seed=seed + 1)
    model = FramedDevice(Loopback(LOOP_WORDS))
    seen: set[tuple[int, int]] = set()
    readers = FrameReader(longest=5000), FrameReader(longest=5000)
    for number in range(400):
        line = client.next()
        expected = [comparable(frame) for frame in readers[0].feed(model.feed(line))]
        actual = [comparable(frame) for frame in readers[1].feed(gateware.feed(line))]
        assert actual == expected, f"request {number}: {line.hex()}"
        seen |= {(reply[1], reply[2]) for reply in expected}
    statuses = {status for _, status in seen}
    assert statuses >= set(LinkStatus) - {LinkStatus.BUSY, LinkStatus.IN_USE}
    assert {opcode & 0x7F for opcode, _ in seen} >= set(LinkOpcode)


def test_a_full_device_is_busy_and_loses_nothing(rtl):
    gateware, model = rtl(), FramedDevice(Loopback(LOOP_WORDS))
    reader = FrameReader(longest=5000)
    session, words = 0x501, np.arange(10 * REQUEST_WORDS, dtype="<u8").tobytes()
    requests = [Frame(LinkOpcode.OPEN, 0, 0, session)]
    size = 8 * REQUEST_WORDS
    for number in range(7):
        payload = words[size * number : size * (number + 1)]
        requests.append(Frame(LinkOpcode.WRITE, 0, number + 1, session, payload=payload))
    for number in range(8, 14):
        requests.append(Frame(LinkOpcode.READ, 0, number, session, count=999, wait=WAIT))
    answers = []
    for request in requests:
        line = encode_frame(request)
        (actual,) = reader.feed(gateware.feed(line))
        (expected,) = reader.feed(model.feed(line))
        assert comparable(actual) == comparable(expected)
        answers.append(actual)
    statuses = [reply.status for reply in answers]
    assert statuses == [0] * 6 + [LinkStatus.BUSY] * 2 + [0] * 6
    came = b"".join(reply.payload for reply in answers)
    assert came == words[: 5 * size]


def test_the_device_tells_its_room(rtl):
    gateware, reader = rtl(), FrameReader()
    (reply,) = reader.feed(gateware.feed(encode_frame(Frame(LinkOpcode.STATUS))))
    assert reply.count == REQUEST_WORDS
    assert len(reply.payload) == 8 * LINK_STATUS.words


def test_a_read_waits_as_long_as_it_is_told(rtl):
    gateware, reader = rtl(), FrameReader()
    gateware.feed(encode_frame(Frame(LinkOpcode.OPEN, 0, 0, 0x101)))
    spent = []
    for number, wait in enumerate((0, 1, 10, 100), 1):
        before = gateware.cycles
        request = Frame(LinkOpcode.READ, 0, number, 0x101, count=5, wait=wait)
        (reply,) = reader.feed(gateware.feed(encode_frame(request)))
        assert reply.payload == b""
        spent.append(gateware.cycles - before)
    assert [later - spent[0] for later in spent[1:]] == [64, 640, 6400]
