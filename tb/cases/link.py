"""Cases of the framed link, the serial lines and the AXI wrapper."""

import zlib
from functools import partial
from random import Random
from typing import Any

from hw.arch.commands import (
    ANY_CONFIGURATION,
    COMMAND_SET_VERSION,
    MAGIC,
    RESULT,
    Opcode,
    ResultBlock,
    begin,
    command,
)
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.config.identity import identity_words
from hw.arch.fields import Struct
from hw.arch.frames import FRAME, LinkOpcode
from hw.arch.version import LINK_PROTOCOL_VERSION
from hw.link.cobs import CobsDecoder, CobsEncoder
from hw.link.crc import Sealer
from hw.link.packet_fifo import PacketFifo
from hw.link.receiver import FrameReceiver
from hw.link.uart import UartReceiver, UartTransmitter, bit_time
from hw.top.axi import AxiAccelerator
from hw.top.serial import SerialLoopback
from sim.framed_device import FramedDevice, Loopback
from sw_driver.protocol import cobs
from sw_driver.protocol.frames import Frame, encode_frame
from tb.bus import PERIOD_NS
from tb.cases.case import Case, Demand

Item = dict[str, int]

# Cycles in which the accelerator has answered a few commands, or has nothing to do after a reset.
_SETTLES = 200
_FIRMWARE_SETTLES = 20_000
FRAMES = 12
SIZES = (1, 2, 3, 20, 28, 253, 254, 255, 508, 509)


def random_frames(seed: object) -> list[bytes]:
    random = Random(repr(seed))
    frames = []
    for _ in range(FRAMES):
        zeros = random.choice([0.0, 0.01, 0.6, 1.0])
        size = random.choice(SIZES)
        frames.append(
            bytes(0 if random.random() < zeros else random.randrange(1, 256) for _ in range(size))
        )
    return frames


def items(data: bytes, **end: int) -> list[Item]:
    return [{"data": byte, "end": 0, **dict.fromkeys(end, 0)} for byte in data] + [
        {"data": 0, "end": 1, **end}
    ]


def _transform(block: "partial[Any]", name: str, demand: Demand, **values: object) -> Case:
    """A block with one stream in and one out: what goes in, and what must come out."""
    return Case(
        name=name,
        block=block,
        bench="link_bench",
        values={"seed": (name, demand.seed), "stalls": demand.stalls, **values},
        test="transformed",
    )


def encoder(demand: Demand) -> Case:
    """Frames into stuffed bytes."""
    frames = random_frames(("encoder", demand.seed))
    line = b"".join(b"\0" + cobs.encode(frame) + b"\0" for frame in frames)
    return _transform(
        partial(CobsEncoder),
        "encoder",
        demand,
        input="item",
        output="byte",
        items=[item for frame in frames for item in items(frame)],
        expected=list(line),
    )


def decoder(demand: Demand) -> Case:
    """Whole frames, empty ones, and bytes that nothing encodes."""
    random = Random(repr(("decoder", demand.seed)))
    line, expected = b"", []
    for frame in random_frames(("decoder", demand.seed)):
        stuffed = cobs.encode(frame)
        cut = random.random() < 0.3
        stuffed = stuffed[: random.randrange(1, len(stuffed) + 1)] if cut else stuffed
        line += b"\0" * random.choice([1, 1, 2, 5]) + stuffed
        expected += decoded(stuffed)
    return _transform(
        partial(CobsDecoder),
        "decoder",
        demand,
        input="byte",
        output="decoded",
        items=list(line + b"\0\0"),
        expected=expected,
    )


def decoded(stuffed: bytes) -> list[Item]:
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


def sealer(demand: Demand) -> Case:
    """Frames, each with its CRC after it."""
    frames = random_frames(("sealer", demand.seed))
    sealed = [frame + zlib.crc32(frame).to_bytes(4, "little") for frame in frames]
    return _transform(
        partial(Sealer),
        "sealer",
        demand,
        input="item",
        output="item",
        items=[item for frame in frames for item in items(frame)],
        expected=[item for frame in sealed for item in items(frame)],
    )


def record_bytes(record: Struct, values: dict[str, int]) -> bytes:
    return b"".join(word.to_bytes(8, "little") for word in record.pack(values))


def receiver(demand: Demand) -> Case:
    """Frames, whole and damaged in every way."""
    random = Random(repr(("receiver", demand.seed)))
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
    return Case(
        name="receiver",
        block=partial(FrameReceiver),
        bench="link_bench",
        values={"seed": demand.seed, "stalls": demand.stalls, "frames": entries},
        test="received",
    )


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


def packet_fifo(demand: Demand, *, words: int = 16, cycles: int = 4000) -> Case:
    """Packets that are kept and dropped; the bench chooses its own stalls."""
    return Case(
        name="packet_fifo",
        block=partial(PacketFifo, words=words),
        bench="link_bench",
        values={"seed": demand.seed, "words": words, "cycles": cycles},
        test="packets",
    )


def over_the_pins(*, baud: int = 2_000_000) -> Case:
    """The framed protocol over pins that cocotbext-uart drives and reads."""
    requests = [
        Frame(LinkOpcode.STATUS, sequence=9),
        Frame(LinkOpcode.OPEN, sequence=1, session=0x101),
        Frame(LinkOpcode.WRITE, sequence=2, session=0x101, payload=bytes(range(48))),
        Frame(LinkOpcode.READ, sequence=3, session=0x101, count=6, wait=1),
    ]
    model = FramedDevice(Loopback())
    lines = [encode_frame(request) for request in requests]
    return Case(
        name="uart_frames",
        block=partial(SerialLoopback, clock=1e9 / PERIOD_NS, baud=baud),
        bench="uart_bench",
        values={
            "baud": baud,
            "requests": [list(line) for line in lines],
            "replies": [list(model.feed(line)) for line in lines],
        },
    )


def uart(baud: int, demand: Demand) -> list[Case]:
    """Both directions of a serial line at 100 MHz, against a model on the bit level."""
    parts = bit_time(1e9 / PERIOD_NS, baud)
    bit_ns = 1e9 / baud
    values = {
        "seed": (baud, demand.seed),
        "stalls": demand.stalls,
        "bytes": 8,
        "bit_ns": bit_ns,
        "off": [0.0, 0.02, -0.02],
        "limit": int(80 * 12 * bit_ns / PERIOD_NS),
    }
    ends = (("line_in", UartReceiver), ("line_out", UartTransmitter))
    return [
        Case(
            name=f"uart_{test}",
            block=partial(end, bit_time=parts),
            bench="link_bench",
            values=values,
            test=test,
        )
        for test, end in ends
    ]


def axi(config: Config, demand: Demand) -> Case:
    """The accelerator behind AXI ports that cocotbext-axi drives: identity and status."""
    identity = identity_words(config)
    blocks = {ResultBlock.IDENTITY: identity, ResultBlock.STATUS: [0]}
    results: list[int] = []
    for block, words in blocks.items():
        results += RESULT.pack({"block": block, "length": len(words)}) + words
    digest = config_hash(config)
    return Case(
        name="axi",
        block=partial(AxiAccelerator, config),
        bench="axi_bench",
        values={
            "seed": demand.seed,
            "stalls": demand.stalls,
            "settle": _FIRMWARE_SETTLES if config.control.microcontroller else _SETTLES,
            "program": [
                *begin(ANY_CONFIGURATION),
                *command(Opcode.IDENTIFY),
                *command(Opcode.END),
            ],
            "results": results,
            "constants": {
                "MAGIC_LOW": MAGIC & 0xFFFFFFFF,
                "MAGIC_HIGH": MAGIC >> 32,
                "HASH_LOW": digest & 0xFFFFFFFF,
                "HASH_HIGH": digest >> 32,
                "VERSIONS": LINK_PROTOCOL_VERSION << 16 | COMMAND_SET_VERSION,
            },
        },
    )


def link(config: Config, demand: Demand) -> list[Case]:
    """Every block of the framed link, a serial line, and the AXI wrapper of the configuration."""
    return [
        encoder(demand),
        decoder(demand),
        sealer(demand),
        receiver(demand),
        packet_fifo(demand),
        over_the_pins(),
        *uart(3_000_000, demand),
        axi(config, demand),
    ]
