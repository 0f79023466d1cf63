"""The AXI wrapper between masters and streams of cocotbext-axi, with random pauses."""

from collections.abc import Iterator
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from hw.arch.registers import MEANINGS, STATE_COMMAND, STATE_RESULT, Register
from tb.bus import PERIOD_NS, Stalls, read_case, stall_rates

_MICROSECONDS = 200


class AxiBench:
    """The three ports."""

    def __init__(self, dut: Any, *, seed: object, stall: float):
        self.dut = dut
        reset = {"reset_active_level": False}
        self.registers = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, **reset
        )
        self.source = AxiStreamSource(
            AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, byte_size=64, **reset
        )
        self.sink = AxiStreamSink(
            AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, **reset
        )
        lite = self.registers
        channels = (
            *(lite.write_if.aw_channel, lite.write_if.w_channel, lite.write_if.b_channel),
            *(lite.read_if.ar_channel, lite.read_if.r_channel),
        )
        if stall:
            for number, channel in enumerate((*channels, self.source, self.sink)):
                channel.set_pause_generator(_pauses((seed, number), stall))

    async def start(self) -> None:
        Clock(self.dut.aclk, PERIOD_NS, unit="ns").start()
        self.dut.aresetn.value = 0
        for _ in range(4):
            await RisingEdge(self.dut.aclk)
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)

    async def read(self, register: Register) -> int:
        return int(await self.registers.read_dword(register))

    async def results(self, count: int) -> list[int]:
        """So many result words, which must be a packet."""
        await self.registers.write_dword(Register.PACKET, count)
        frame = await with_timeout(self.sink.recv(), _MICROSECONDS, "us")
        data = bytes(frame.tdata)
        assert len(data) == 8 * count, "the packet ends where PACKET says"
        return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]


def _pauses(seed: object, rate: float) -> Iterator[bool]:
    stalls = Stalls(seed, rate)
    while True:
        yield not stalls.go()


@cocotb.test()
@cocotb.parametrize(stall=stall_rates(0.0, 0.5))
async def programs(dut: Any, stall: float) -> None:
    """Identity block and status over the streams, in packets cut at random."""
    case = read_case()
    bench = AxiBench(dut, seed=case["seed"], stall=stall)
    random = Random(repr((case["seed"], stall)))
    await bench.start()
    for register, value in case["constants"].items():
        assert await bench.read(Register[register]) == value
    for round_ in range(1, 4):
        await bench.source.send(AxiStreamFrame(case["program"]))
        came: list[int] = []
        while len(came) < len(case["results"]):
            left = len(case["results"]) - len(came)
            came += await bench.results(min(left, random.choice((1, 2, 7, 100))))
            assert await bench.read(Register.PACKET) == 0
        assert came == case["results"]
        assert await bench.read(Register.WORDS_IN) == round_ * len(case["program"])
        assert await bench.read(Register.WORDS_OUT) == round_ * len(case["results"])
    assert await bench.read(Register.STATE) == 0


@cocotb.test()
@cocotb.parametrize(stall=stall_rates(0.0, 0.5))
async def control(dut: Any, stall: float) -> None:
    """A reset in mid-program, accesses that are refused, and nothing that passes unasked."""
    case = read_case()
    bench = AxiBench(dut, seed=case["seed"], stall=stall)
    await bench.start()
    await bench.source.send(AxiStreamFrame(case["program"]))
    await Timer(case["settle"] * PERIOD_NS, "ns")
    assert bench.sink.empty() and bench.sink.idle()
    before = await bench.read(Register.WORDS_IN)
    assert before < len(case["program"]), "results that nobody takes hold the stream"
    assert await bench.read(Register.STATE) == STATE_COMMAND | STATE_RESULT
    for register in Register:
        if not MEANINGS[register].write:
            reply = await bench.registers.write(int(register), bytes(4))
            assert reply.resp == AxiResp.SLVERR
    beyond = max(Register) + 4
    assert (await bench.registers.read(beyond, 4)).resp == AxiResp.SLVERR
    assert (await bench.registers.write(beyond, bytes(4))).resp == AxiResp.SLVERR
    part = await bench.registers.write(int(Register.PACKET), b"\x09")
    assert part.resp == AxiResp.SLVERR
    assert await bench.read(Register.PACKET) == 0
    await bench.registers.write_dword(Register.CONTROL, 1)
    await Timer(case["settle"] * PERIOD_NS, "ns")
    assert await bench.read(Register.STATE) == 0
    assert await bench.read(Register.WORDS_IN) == len(case["program"]) - before
    await bench.source.send(AxiStreamFrame(case["program"]))
    assert await bench.results(len(case["results"])) == case["results"]
