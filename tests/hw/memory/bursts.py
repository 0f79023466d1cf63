"""Random bursts on memory ports in Amaranth's simulator, each answer compared with a plain list."""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from amaranth.lib import wiring
from amaranth.sim import Simulator

from hw.memory.port import MOST_BEATS

MOST_CYCLES = 100_000


@dataclass(frozen=True)
class Burst:
    """Words from `address` on, written if there are any, else `beats` words are read."""

    address: int
    beats: int
    words: tuple[int, ...] = ()


@dataclass
class Client:
    """Asks for bursts in an area of its own and checks what it reads.

    The first burst fills the area, which has at most 64 words, so that all others are checked.
    With `rate` below 1 it makes pauses between requests and between the words that it writes.

    Attributes
    ----------
    asked, accepted : lists of cycles in which a request came and was accepted
    """

    port: wiring.PureInterface
    area: range
    rng: random.Random
    bursts: int
    rate: float = 1.0
    asked: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    words_read: int = 0
    _writes: deque[int] = field(default_factory=deque)
    _expected: deque[int] = field(default_factory=deque)
    _held: dict[int, int] = field(default_factory=dict)

    async def bench(self, ctx: Any) -> None:
        """Take part in a simulation, which ends when all words have come."""
        request, write, read = self.port.request, self.port.write, self.port.read
        ctx.set(read.ready, 1)
        requesting = writing = False
        for cycle in range(MOST_CYCLES):
            if not requesting and len(self.asked) < self.bursts and self._goes():
                requesting = True
                self.asked.append(cycle)
                self._ask(ctx, self._draw())
            if not writing and self._writes and self._goes():
                writing = True
                ctx.set(write.payload, self._writes.popleft())
            ctx.set(request.valid, requesting)
            ctx.set(write.valid, writing)
            sampled = ctx.tick().sample(request.ready, write.ready, read.valid, read.payload)
            _, _, accepted, taken, valid, word = await sampled
            if requesting and accepted:
                requesting = False
                self.accepted.append(cycle)
            writing = writing and not taken
            if valid:
                expected = self._expected.popleft()
                self.words_read += 1
                assert word == expected, f"word {self.words_read}"
            if len(self.accepted) == self.bursts and not (
                writing or self._writes or self._expected
            ):
                return
        raise AssertionError(f"{len(self.accepted)} of {self.bursts} bursts were accepted")

    def _goes(self) -> bool:
        return self.rng.random() < self.rate

    def _draw(self) -> Burst:
        most = len(self.area)
        beats = self.rng.choice((1, 2, 3, self.rng.randint(1, most), most))
        if not self._held:
            beats = most
        address = self.rng.randrange(self.area.start, self.area.stop - beats + 1)
        words = tuple(self.rng.getrandbits(64) for _ in range(beats))
        return Burst(address, beats, words if not self._held or self.rng.random() < 0.5 else ())

    def _ask(self, ctx: Any, burst: Burst) -> None:
        payload = self.port.request.payload
        ctx.set(payload.address, burst.address)
        ctx.set(payload.length, burst.beats - 1)
        ctx.set(payload.write, bool(burst.words))
        # What is read is settled by the order of requests, so the words count from here on.
        for place in range(burst.address, burst.address + burst.beats):
            if burst.words:
                self._held[place] = burst.words[place - burst.address]
            else:
                self._expected.append(self._held[place])
        self._writes.extend(burst.words)


class StallingMemory:
    """A memory behind a port that makes pauses wherever the port allows them."""

    def __init__(self, port: wiring.PureInterface, rng: random.Random, rate: float) -> None:
        self.port, self.rng, self.rate = port, rng, rate
        self.words: dict[int, int] = {}
        self.served = 0
        self._beats: deque[tuple[int, bool, bool]] = deque()

    async def bench(self, ctx: Any) -> None:
        """Take part in a simulation without an end."""
        request, write, read = self.port.request, self.port.write, self.port.read
        accepting = False
        while True:
            accepting = accepting or (len(self._beats) < 2 * MOST_BEATS and self._goes())
            ctx.set(request.ready, accepting)
            place, writes, last = self._beats[0] if self._beats else (0, False, False)
            serving = bool(self._beats) and self._goes()
            ctx.set(write.ready, serving and writes)
            ctx.set(read.valid, serving and not writes)
            ctx.set(read.payload, self.words.get(place, 0))
            sampled = ctx.tick().sample(request.valid, request.payload, write.valid, write.payload)
            _, _, asked, payload, offered, word = await sampled
            if serving and (offered or not writes):
                self._beats.popleft()
                self.served += last
                if writes:
                    self.words[place] = word
            if accepting and asked:
                accepting = False
                for beat in range(payload.length + 1):
                    last = beat == payload.length
                    self._beats.append((payload.address + beat, bool(payload.write), last))

    def _goes(self) -> bool:
        return self.rng.random() < self.rate


def simulate(design: Any, clients: list[Client], memory: StallingMemory | None = None) -> None:
    """Run a design until every client has all its words."""
    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    if memory is not None:
        simulator.add_testbench(memory.bench, background=True)
    for client in clients:
        simulator.add_testbench(client.bench)
    simulator.run()
