"""The AXI4 master between a client of its memory port and a memory of cocotbext-axi that pauses.

Addresses of one page answer with an error; the client waits for each to be reported.
"""

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiSlave

from tb.bus import PERIOD_NS, RESET_CYCLES, Stalls, read_case, stall_rates

PAGE_WORDS = 512
_MOST_BEATS = 64
_PATIENCE = 5000  # cycles without anything
_SETTLES = 500  # cycles in which the model has written everything
_MODELS = "cocotb"


class FailingMemory:
    """Bytes behind the slave; a page of them does not answer well."""

    def __init__(self, size: int, failing: range):
        self.bytes = bytearray(size)
        self.failing = failing

    async def write(self, address: int, data: bytes) -> None:
        """What the slave's model calls for each word."""
        assert len(data) == 8, "words are whole"
        if address // 8 in self.failing:
            raise ValueError
        self.bytes[address : address + 8] = data

    async def read(self, address: int, length: int) -> bytes:
        """The same."""
        if address // 8 in self.failing:
            raise ValueError
        return bytes(self.bytes[address : address + length])


@dataclass
class Client:
    """Bursts in random order, with what they must lead to."""

    dut: Any
    random: Random
    words: int
    failing: range
    stalls: Stalls
    held: dict[int, int] = field(default_factory=dict)
    writes: deque[int] = field(default_factory=deque)
    expected: deque[int | None] = field(default_factory=deque)
    fails: tuple[int, bool] | None = None  # the part that must be reported: address, write
    errors: int = 0
    crossings: int = 0

    def draw(self) -> tuple[int, int, bool]:
        """Address, beats and direction; many bursts are short, and many cross a boundary."""
        random = self.random
        beats = random.choice((1, 1, 2, 3, 4, random.randint(1, 16), random.randint(1, 64)))
        address = random.randrange(self.words - beats + 1)
        if random.random() < 0.3:
            edge = PAGE_WORDS * random.randrange(1, self.words // PAGE_WORDS)
            address = edge - random.randrange(min(beats + 1, PAGE_WORDS))
        chance = random.random()
        if chance < 0.03:
            address = self.failing.start + address % (PAGE_WORDS - beats)
        elif chance < 0.7 and address + beats > self.failing.start:
            address %= self.failing.start - _MOST_BEATS  # no more of them than this
        return address, beats, random.random() < 0.5

    def ask(self) -> None:
        """Put a request on the port."""
        address, beats, write = self.draw()
        places = range(address, address + beats)
        failing = [place for place in places if place in self.failing]
        if failing:
            # Before the page begins another part: the page is the last of the memory.
            self.fails = (failing[0], write)
        self.crossings += address // PAGE_WORDS != places[-1] // PAGE_WORDS
        for place in places:
            if write:
                word = self.random.getrandbits(64)
                self.writes.append(word)
                if place not in self.failing:
                    self.held[place] = word
            else:
                bad = place in self.failing
                self.expected.append(None if bad else self.held.get(place, 0))
        bits = (self.words - 1).bit_length()
        payload = address | (beats - 1) << bits | write << (bits + 6)
        self.dut.port__request__payload.value = payload

    async def run(self, bursts: int) -> None:
        """Ask for bursts until all of them are over, a cycle each turn."""
        dut = self.dut
        requesting = writing = False
        asked = idle = 0
        while asked < bursts or requesting or writing or self.writes or self.expected or self.fails:
            # A burst that fails is the last one until it has been reported.
            if not requesting and asked < bursts and self.fails is None and self.stalls.go():
                self.ask()
                requesting = True
                asked += 1
            if not writing and self.writes and self.stalls.go():
                dut.port__write__payload.value = self.writes.popleft()
                writing = True
            dut.port__request__valid.value = requesting
            dut.port__write__valid.value = writing
            await RisingEdge(dut.clk)
            idle += 1
            if requesting and dut.port__request__ready.value:
                requesting, idle = False, 0
            if writing and dut.port__write__ready.value:
                writing, idle = False, 0
            if dut.port__read__valid.value:
                word, idle = self.expected.popleft(), 0
                assert word is None or word == int(dut.port__read__payload.value)
            self.report(busy=bool(requesting or writing or self.writes or self.expected))
            assert idle < _PATIENCE, "it hangs"

    def report(self, *, busy: bool) -> None:
        """Look at the error and clear it once its burst is over."""
        dut = self.dut
        clearing = bool(dut.clear.value)
        dut.clear.value = 0
        if clearing:
            self.fails = None
            return
        if not dut.error.value:
            return
        assert self.fails is not None, "an error without a reason"
        assert self.fails == (int(dut.error_address.value), bool(dut.error_write.value))
        if not busy:
            self.errors += 1
            dut.clear.value = 1


def _pauses(seed: object, rate: float) -> Iterator[bool]:
    stalls = Stalls(seed, rate)
    while True:
        yield not stalls.go()


@cocotb.test()
@cocotb.parametrize(stall=stall_rates(0.0, 0.4))
async def bursts(dut: Any, stall: float) -> None:
    """Every word that is read was written, and every failure is reported."""
    case = read_case()
    logging.getLogger(_MODELS).setLevel(logging.ERROR)
    seed = (case["seed"], stall)
    words = 1 << case["address_bits"]
    failing = range(words - PAGE_WORDS, words)
    memory = FailingMemory(8 * words, failing)
    dut.rst.value = 1
    for name in ("clear", "port__request__valid", "port__write__valid"):
        getattr(dut, name).value = 0
    slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=memory)
    channels = (
        *(slave.write_if.aw_channel, slave.write_if.w_channel, slave.write_if.b_channel),
        *(slave.read_if.ar_channel, slave.read_if.r_channel),
    )
    if stall:
        for number, channel in enumerate(channels):
            channel.set_pause_generator(_pauses((seed, number), stall))
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    for _ in range(RESET_CYCLES):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    client = Client(dut, Random(repr(seed)), words, failing, Stalls((seed, "client"), stall))
    await client.run(case["bursts"])
    await ClockCycles(dut.clk, _SETTLES)
    for place, word in client.held.items():
        assert word == int.from_bytes(memory.bytes[8 * place : 8 * place + 8], "little")
    assert client.errors > case["bursts"] // 100 and client.crossings > case["bursts"] // 20
