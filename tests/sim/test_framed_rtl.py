"""The gateware's end of the link and its Python model answer alike, frame by frame."""

import numpy as np
import pytest

from hw.arch.frames import LINK_STATUS, REQUEST_WORDS, LinkOpcode, LinkStatus
from sim.framed_device import FramedDevice, Loopback
from sim.framed_rtl import FramedRtl, board_library
from sw_driver.protocol.frames import Frame, FrameReader, encode_frame
from tests.sim.framed_client import LOOP_WORDS, WAIT, Client, comparable


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
