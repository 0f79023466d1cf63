"""The framed link's blocks on the emitted Verilog, with random stalls."""

import zlib
from functools import partial
from random import Random

import pytest

from hw.arch.fields import Struct
from hw.arch.frames import FRAME, LinkOpcode
from hw.link.cobs import CobsDecoder, CobsEncoder
from hw.link.crc import Sealer
from hw.link.packet_fifo import PacketFifo
from hw.link.receiver import FrameReceiver
from hw.link.uart import UartReceiver, UartTransmitter, bit_time
from hw.top.serial import SerialLoopback
from sim.framed_device import FramedDevice, Loopback
from sw_driver.protocol import cobs
from sw_driver.protocol.frames import Frame, encode_frame
from tb.build import simulate
from tb.bus import PERIOD_NS

FRAMES = 12
SIZES = (1, 2, 3, 20, 28, 253, 254, 255, 508, 509)


def random_frames(seed: str) -> list[bytes]:
    random = Random(seed)
    frames = []
    for _ in range(FRAMES):
        zeros = random.choice([0.0, 0.01, 0.6, 1.0])
        size = random.choice(SIZES)
        frames.append(
            bytes(0 if random.random() < zeros else random.randrange(1, 256) for _ in range(size))
        )
    return frames


def items(data: bytes, **end: int) -> list[dict]:
    return [{"data": byte, "end": 0, **dict.fromkeys(end, 0)} for byte in data] + [
        {"data": 0, "end": 1, **end}
    ]


def transform(block, test: str, **case) -> None:
    simulate(block, "link_bench", {"seed": test, **case}, test="transformed")


def test_encoder():
    frames = random_frames("encoder")
    line = b"".join(b"\0" + cobs.encode(frame) + b"\0" for frame in frames)
    sent = [item for frame in frames for item in items(frame)]
    transform(
        partial(CobsEncoder),
        "encoder",
        input="item",
        output="byte",
        items=sent,
        expected=list(line),
    )


def test_decoder():
    """Whole frames, empty ones, and bytes that nothing encodes."""
    random = Random("decoder")
    line, expected = b"", []
    for frame in random_frames("decoder"):
        stuffed = cobs.encode(frame)
        cut = random.random() < 0.3
        stuffed = stuffed[: random.randrange(1, len(stuffed) + 1)] if cut else stuffed
        line += b"\0" * random.choice([1, 1, 2, 5]) + stuffed
        expected += decoded(stuffed)
    transform(
        partial(CobsDecoder),
        "decoder",
        input="byte",
        output="decoded",
        items=list(line + b"\0\0"),
        expected=expected,
    )


def decoded(stuffed: bytes) -> list[dict]:
    """What a decoder that sees one byte at a time makes of them."""
    whole = cobs.decode(stuffed)
    if whole is not None:
        return items(whole, broken=0)
    complete = cobs.decode(stuffed + b"\x01" * (missing(stuffed)))
    assert complete is not None
    return items(complete[: len(complete) - missing(stuffed)], broken=1)


def missing(stuffed: bytes) -> int:
    """Bytes that the last block lacks."""
    position = 0
    while position < len(stuffed):
        position += stuffed[position]
    return position - len(stuffed)


def test_sealer():
    frames = random_frames("sealer")
    sealed = [frame + zlib.crc32(frame).to_bytes(4, "little") for frame in frames]
    transform(
        partial(Sealer),
        "sealer",
        input="item",
        output="item",
        items=[item for frame in frames for item in items(frame)],
        expected=[item for frame in sealed for item in items(frame)],
    )


def record_bytes(record: Struct, values: dict[str, int]) -> bytes:
    return b"".join(word.to_bytes(8, "little") for word in record.pack(values))


def test_receiver():
    random = Random("receiver")
    entries = []
    for number in range(30):
        payload = random.randbytes(8 * random.choice([0, 1, 2, 9]))
        header = {field.name: random.getrandbits(field.width) for field in FRAME.fields}
        header["length"] = len(payload) // 8
        body = record_bytes(FRAME, header) + payload
        data = body + zlib.crc32(body).to_bytes(4, "little")
        kind = ("whole", "whole", "bit", "short", "long", "broken", "length")[number % 7]
        data = damaged(kind, data, random)
        entries.append(
            {
                "name": f"{number} {kind}",
                "items": items(data, broken=int(kind == "broken")),
                "good": kind == "whole",
                "header": header,
                "payload": list(payload),
            }
        )
    simulate(partial(FrameReceiver), "link_bench", {"seed": 1, "frames": entries}, test="received")


def damaged(kind: str, data: bytes, random: Random) -> bytes:
    if kind == "bit":
        place = random.randrange(8 * len(data))
        return bytes(b ^ (1 << place % 8 if i == place // 8 else 0) for i, b in enumerate(data))
    if kind == "short":
        return data[: random.randrange(len(data))]
    if kind == "long":
        return data + data[-random.randint(1, 4) :]
    if kind == "length":  # the CRC is right, the length is not
        body = data[:6] + bytes([data[6] ^ 1]) + data[7:-4]
        return body + zlib.crc32(body).to_bytes(4, "little")
    return data


def test_packet_fifo():
    case = {"seed": 3, "words": 16, "cycles": 4000}
    simulate(partial(PacketFifo, words=16), "link_bench", case, test="packets")


def test_uart_with_models_of_a_third_party():
    """The framed protocol over pins that cocotbext-uart drives and reads."""
    requests = [
        Frame(LinkOpcode.STATUS, sequence=9),
        Frame(LinkOpcode.OPEN, sequence=1, session=0x101),
        Frame(LinkOpcode.WRITE, sequence=2, session=0x101, payload=bytes(range(48))),
        Frame(LinkOpcode.READ, sequence=3, session=0x101, count=6, wait=1),
    ]
    model = FramedDevice(Loopback())
    lines = [encode_frame(request) for request in requests]
    case = {
        "baud": 2_000_000,
        "requests": [list(line) for line in lines],
        "replies": [list(model.feed(line)) for line in lines],
    }
    block = partial(SerialLoopback, clock=1e9 / PERIOD_NS, baud=case["baud"])
    simulate(block, "uart_bench", case)


@pytest.mark.parametrize("baud", [3_000_000, 921_600])
def test_uart(baud):
    """At 100 MHz, against a model of the line on the bit level."""
    parts = bit_time(1e9 / PERIOD_NS, baud)
    case = {"seed": baud, "bytes": 8, "bit_ns": 1e9 / baud, "off": [0.0, 0.02, -0.02]}
    case["limit"] = int(80 * 12 * case["bit_ns"] / PERIOD_NS)
    simulate(partial(UartReceiver, bit_time=parts), "link_bench", case, test="line_in")
    simulate(partial(UartTransmitter, bit_time=parts), "link_bench", case, test="line_out")
