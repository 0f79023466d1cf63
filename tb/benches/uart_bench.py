"""The link behind a serial line, with the line's other end modelled by cocotbext-uart."""

from typing import Any

import cocotb
from cocotb.triggers import with_timeout
from cocotbext.uart import UartSink, UartSource

from sw_driver.protocol.frames import Frame, FrameReader
from tb.bus import Bench, read_case

_MICROSECONDS = 2000


@cocotb.test()
async def over_the_pins(dut: Any) -> None:
    """Requests go in bit by bit; the replies are the model's, but for the room of the moment."""
    case = read_case()
    bench = Bench(dut, probe=0.0)
    source = UartSource(dut.rx, baud=case["baud"])
    sink = UartSink(dut.tx, baud=case["baud"])
    await bench.start()
    reader, other = FrameReader(), FrameReader()
    for request, expected in zip(case["requests"], case["replies"], strict=True):
        await source.write(bytes(request))
        seen: list[Frame | None] = []
        while not seen:
            data = await with_timeout(sink.read(), _MICROSECONDS, "us")
            seen = reader.feed(bytes(data))
        (wanted,) = other.feed(bytes(expected))
        (reply,) = seen
        assert reply is not None and wanted is not None
        assert (reply.opcode, reply.status) == (wanted.opcode, wanted.status)
        assert (reply.sequence, reply.session) == (wanted.sequence, wanted.session)
        assert reply.payload == wanted.payload
