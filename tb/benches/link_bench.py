"""Blocks of the framed link: each against the codec that the driver uses."""

from random import Random
from typing import Any

import cocotb
from cocotb.triggers import Timer

from hw.link.items import BYTE, DECODED, RECEIVED
from tb.bus import PERIOD_NS, Bench, Sink, Source, Stalls, read_case, stall_rates
from tb.models import link as model

SHAPES = {"byte": 8, "item": BYTE, "decoded": DECODED}
STALLS = stall_rates(0.0, 0.5)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def transformed(dut: Any, stall: float) -> None:
    """A block with one stream in and one out: what goes in, and what must come out."""
    case = read_case()
    bench = Bench(dut, seed=case["seed"])
    source = Source(dut, "input", SHAPES[case["input"]], seed=case["seed"], stall=stall)
    sink = Sink(dut, "output", SHAPES[case["output"]], seed=case["seed"], stall=stall)
    bench.add(source, sink)
    source.items.extend(case["items"])
    await bench.start()
    expected = case["expected"]
    await bench.run(lambda: len(sink.received) >= len(expected), limit=20 * len(expected) + 1000)
    await bench.idle(50)
    assert source.idle
    assert sink.values == expected


class Payload:
    """Collects the bytes that a receiver puts."""

    def __init__(self, dut: Any):
        self._dut = dut
        self.bytes: list[int] = []

    def sample(self, cycle: int) -> None:
        if int(self._dut.put.value):
            self.bytes.append(int(self._dut.data.value))

    def drive(self) -> None:
        """The receiver drives."""


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def received(dut: Any, stall: float) -> None:
    """Frames, whole and damaged: header, verdict and payload of each."""
    case = read_case()
    bench = Bench(dut, seed=case["seed"], probe=0.0 if stall else 0.2)
    source = Source(dut, "input", DECODED, seed=case["seed"], stall=stall)
    frames = Sink(dut, "frame", RECEIVED, seed=case["seed"], stall=stall)
    payload = Payload(dut)
    bench.add(source, frames, payload)
    await bench.start()
    for entry in case["frames"]:
        frames.received.clear()
        payload.bytes.clear()
        source.items.extend(entry["items"])
        await bench.run(lambda: frames.values != [], limit=10 * len(entry["items"]) + 1000)
        (seen,) = frames.values
        assert bool(seen["good"]) == entry["good"], entry["name"]
        if entry["good"]:
            assert seen["header"] == entry["header"]
            assert payload.bytes == entry["payload"]
    assert {entry["good"] for entry in case["frames"]} == {True, False}


class FifoDriver:
    """Puts packets and decides on them at random; keeps the model in step."""

    def __init__(self, dut: Any, random: Random, *, words: int, stall: float):
        self.dut, self.random = dut, random
        self.model = model.PacketFifoModel(words=words)
        self._stalls = Stalls(random.random(), stall)
        self._left = 0
        self._act: dict[str, int] = {}
        self.cleared = self.overflows = 0
        self.taken: list[int] = []
        self.sink: Sink | None = None
        for name in ("put", "data", "keep", "drop", "clear"):
            getattr(dut, name).value = 0

    def sample(self, cycle: int) -> None:
        assert self.sink is not None
        fresh = self.sink.values[len(self.taken) :]
        for byte in fresh:
            self.model.take(byte)
        self.taken += fresh
        lost = bool(self.dut.overflow.value)
        assert self.model.must_overflow <= lost <= self.model.may_overflow
        least, most = self.model.room
        assert least <= int(self.dut.room.value) <= most
        self.model.act(**self._act)

    def drive(self) -> None:
        self._act = {}
        if not self._left:
            self._left = self.random.choice((1, 8, 8, 24, 40, 200))
        if self._stalls.go():
            self._left -= 1
            ends = self._left == 0
            action = self.random.choice(("keep", "keep", "keep", "drop")) if ends else "put"
            if action == "keep" and self.model.may_overflow:
                action, self.overflows = "drop", self.overflows + 1
            self._act = {action: 1, "data": self.random.randrange(256)}
        for name in ("put", "data", "keep", "drop"):
            getattr(self.dut, name).value = self._act.get(name, 0)


@cocotb.test()
@cocotb.parametrize(stall=(0.0, 0.3, 0.8))
async def packets(dut: Any, stall: float) -> None:
    """Random packets, kept and dropped, into a small buffer with a reader of another pace."""
    case = read_case()
    random = Random(repr((case["seed"], stall)))
    bench = Bench(dut, seed=case["seed"], probe=0.0)
    sink = Sink(dut, "output", 8, seed=case["seed"], stall=0.8 - stall)
    driver = FifoDriver(dut, random, words=case["words"], stall=stall)
    driver.sink = sink
    bench.add(sink, driver)
    await bench.start()
    await bench.idle(case["cycles"])
    assert len(driver.taken) > case["cycles"] // 50
    assert driver.overflows > 3 or stall
    for name in ("put", "keep", "drop"):
        getattr(dut, name).value = 0
    dut.drop.value = 1
    dut.clear.value = 1
    bench.agents.clear()
    await bench.idle(4)
    dut.drop.value = dut.clear.value = 0
    sink.reset()
    bench.add(sink)
    await bench.idle(20)
    assert sink.values == []
    assert int(dut.room.value) == case["words"]


@cocotb.test()
async def line_in(dut: Any) -> None:
    """A bit-level model of a sender drives the receiver's pin, at rates a little off."""
    case = read_case()
    bench = Bench(dut, seed=case["seed"], probe=0.0)
    sink = Sink(dut, "output", 8, seed=case["seed"])
    bench.add(sink)
    dut.line.value = 1
    await bench.start()
    random = Random(repr(case["seed"]))
    for off in case["off"]:
        sent = [random.randrange(256) for _ in range(case["bytes"])]
        sink.received.clear()
        cocotb.start_soon(_send(dut.line, sent, case["bit_ns"] * (1 + off), random))
        await bench.run(lambda: len(sink.received) >= case["bytes"], limit=case["limit"])
        assert sink.values == sent, f"rate off by {off}"
        await bench.idle(30)
    sink.received.clear()
    cocotb.start_soon(_glitch(dut.line, case["bit_ns"]))
    await bench.idle(int(30 * case["bit_ns"] / PERIOD_NS))
    assert sink.values == [], "a glitch or a break is no byte"


async def _send(line: Any, data: list[int], bit_ns: float, random: Random) -> None:
    for byte in data:
        for bit in (0, *((byte >> i & 1) for i in range(8)), 1):
            line.value = bit
            await Timer(round(bit_ns * 1000), unit="ps")
        if random.random() < 0.3:
            await Timer(round(random.random() * 3e3 * bit_ns), unit="ps")


async def _glitch(line: Any, bit_ns: float) -> None:
    """A pulse of a quarter bit, then a break of twelve bits."""
    for level, bits in ((0, 0.25), (1, 4.0), (0, 12.0), (1, 1.0)):
        line.value = level
        await Timer(round(bits * bit_ns * 1000), unit="ps")


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def line_out(dut: Any, stall: float) -> None:
    """A bit-level model of a receiver reads the transmitter's pin in the middle of each bit."""
    case = read_case()
    bench = Bench(dut, seed=case["seed"], probe=0.0)
    source = Source(dut, "input", 8, seed=case["seed"], stall=stall)
    bench.add(source)
    await bench.start()
    random = Random(repr(case["seed"]))
    sent = [random.randrange(256) for _ in range(case["bytes"])]
    source.items.extend(sent)
    heard: list[int] = []
    cocotb.start_soon(_hear(dut.line, case["bit_ns"], heard))
    await bench.run(lambda: len(heard) >= len(sent), limit=case["limit"])
    assert heard == sent


async def _hear(line: Any, bit_ns: float, heard: list[int]) -> None:
    while True:
        await line.falling_edge
        await Timer(round(1.5 * bit_ns * 1000), unit="ps")
        byte = 0
        for i in range(8):
            byte |= int(line.value) << i
            await Timer(round(bit_ns * 1000), unit="ps")
        assert int(line.value) == 1, "no stop bit"
        heard.append(byte)
