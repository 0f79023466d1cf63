"""Stream agents with random stalls and a checker of the stream rules, stepped once a cycle.

Rules: a stream's `valid` never waits for its `ready`; once `valid`, payload and `valid` stay until
the transfer; neither depends combinationally on `ready`; control signals are never unknown.

All agents of a bench are plain objects that `Bench` steps at every rising edge: first each samples
what was there before the edge, then each drives what holds after it.
"""

import json
import os
import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from tb import codec
from tb.case_file import CASE_VARIABLE

PERIOD_NS = 10
RESET_CYCLES = 3


@cache
def read_case() -> dict[str, Any]:
    """The case that `tb.build.simulate` was given."""
    case: dict[str, Any] = json.loads(Path(os.environ[CASE_VARIABLE]).read_text())
    return case


def stall_rates(*usual: float) -> tuple[float, ...]:
    """The rates of stalls that a bench is run with: its usual ones, or 0 and the case's `stalls`.

    Benches ask while they are imported, in the simulator and elsewhere.
    """
    if CASE_VARIABLE not in os.environ:
        return usual
    wanted = read_case().get("stalls")
    return usual if wanted is None else tuple(sorted({0.0, float(wanted)}))


def _patience() -> float:
    """How much longer than usual a bench takes: two streams that wait multiply."""
    wanted = max(stall_rates(0.0))
    return 1 / (1 - wanted) ** 2


class Stalls:
    """A random sequence of "go" and "wait", in bursts, so that queues run full and empty.

    Parameters
    ----------
    rate : float
        Share of the cycles that wait, 0 to below 1.
    """

    def __init__(self, seed: object, rate: float):
        self._random = random.Random(repr(seed))
        self._rate = rate
        self._left = 0
        self._go = True

    def go(self) -> bool:
        """Whether to go on in this cycle."""
        if self._rate == 0:
            return True
        if not self._left:
            self._go = self._random.random() >= self._rate
            self._left = self._random.choice((1, 1, 1, 2, 3, 8))
        self._left -= 1
        return self._go


class Agent(Protocol):
    """Something that takes part in every cycle."""

    def sample(self, cycle: int) -> None:
        """Look at the signals just before a rising edge."""

    def drive(self) -> None:
        """Set inputs of the device for the time after it."""


class Source:
    """Drives an input stream of the device; holds `valid` and payload until the transfer.

    While nothing is offered the payload is random, so that a device which looks at it fails.

    Attributes
    ----------
    items : what is still to be sent, oldest first
    sent : (cycle, item) of every transfer
    """

    def __init__(self, dut: Any, name: str, shape: Any, *, seed: object = 0, stall: float = 0.0):
        self.name = name
        self._valid = getattr(dut, f"{name}__valid")
        self._ready = getattr(dut, f"{name}__ready")
        self._payload = getattr(dut, f"{name}__payload", None)
        self._shape = shape
        self._stalls = Stalls((seed, name), stall)
        self._noise = random.Random(repr((seed, name, "noise")))
        self.items: deque[Any] = deque()
        self.sent: list[tuple[int, Any]] = []
        self._offering = False
        self._withdraw()

    def _withdraw(self) -> None:
        self._offering = False
        self._valid.value = 0
        if self._payload is not None:
            self._payload.value = self._noise.getrandbits(len(self._payload))

    def transferred(self) -> bool:
        """Whether the device takes the item that is offered."""
        ready = self._ready.value
        assert ready.is_resolvable, f"{self.name}.ready is unknown"
        return bool(ready)

    def sample(self, cycle: int) -> None:
        if self._offering and self.transferred():
            self.sent.append((cycle, self.items.popleft()))
            self._offering = False
            if not self.items:
                self._withdraw()

    def drive(self) -> None:
        if self._offering or not self.items:
            return
        if self._stalls.go():
            self._offering = True
            self._valid.value = 1
            if self._payload is not None:
                self._payload.value = codec.encode(self._shape, self.items[0])
        else:
            self._withdraw()

    @property
    def idle(self) -> bool:
        """Everything was sent."""
        return not self.items

    def reset(self) -> None:
        """Forget what is under way."""
        self.items.clear()
        self._withdraw()


class Sink:
    """Takes from an output stream of the device at random times and checks the stream rules.

    Attributes
    ----------
    received : (cycle, value) of every transfer
    limit : take no more than so many items in all; None: as many as come
    """

    def __init__(self, dut: Any, name: str, shape: Any, *, seed: object = 0, stall: float = 0.0):
        self.name = name
        self._valid = getattr(dut, f"{name}__valid")
        self._ready = getattr(dut, f"{name}__ready")
        self._payload = getattr(dut, f"{name}__payload", None)
        self._shape = shape
        self._stalls = Stalls((seed, name), stall)
        self._coin = random.Random(repr((seed, name, "coin")))
        self.received: list[tuple[int, Any]] = []
        self.limit: int | None = None
        self._ready_now = False
        self._held: str | None = None
        self._seen: tuple[bool, str] | None = None
        self._ready.value = 0

    def _look(self) -> tuple[bool, str]:
        valid = self._valid.value
        assert valid.is_resolvable, f"{self.name}.valid is unknown"
        if not valid:
            return False, ""
        return True, "" if self._payload is None else str(self._payload.value)

    def probe(self) -> None:
        """In the middle of a cycle: remember the output, and turn `ready` over."""
        if not self._full():
            self._seen = self._look()
            self._ready_now = not self._ready_now
            self._ready.value = int(self._ready_now)

    def sample(self, cycle: int) -> None:
        valid, bits = self._look()
        if self._seen is not None:
            assert (valid, bits) == self._seen, f"{self.name} depends on its ready in one cycle"
            self._seen = None
        if self._held is not None:
            assert valid, f"{self.name}.valid fell before the transfer"
            assert bits == self._held, f"{self.name}.payload changed before the transfer"
        self._held = bits if valid and not self._ready_now else None
        if valid and self._ready_now:
            value = bits if self._shape is None else codec.decode(self._shape, bits)
            self.received.append((cycle, value))

    def drive(self) -> None:
        self._ready_now = self._stalls.go() and not self._full()
        self._ready.value = int(self._ready_now)

    def _full(self) -> bool:
        return self.limit is not None and len(self.received) >= self.limit

    @property
    def values(self) -> list[Any]:
        """The items received, in order."""
        return [value for _, value in self.received]

    def reset(self) -> None:
        """Forget what was on the stream."""
        self._held = self._seen = None
        self.received.clear()


class Bench:
    """Clock, reset and the cycle loop.

    Parameters
    ----------
    probe : float
        Share of the cycles in which the sinks' independence of `ready` is checked.
    """

    def __init__(self, dut: Any, *, seed: object = 0, probe: float = 0.2):
        self.dut = dut
        self.agents: list[Agent] = []
        self.cycle = 0
        self._probe = probe
        self._random = random.Random(repr((seed, "bench")))

    def add(self, *agents: Any) -> Any:
        """Let agents take part; returns the (first) agent."""
        self.agents.extend(agents)
        return agents[0]

    async def start(self) -> None:
        """Start the clock and reset the device."""
        self.dut.rst.value = 1
        Clock(self.dut.clk, PERIOD_NS, unit="ns").start()
        await self.reset()

    async def reset(self) -> None:
        """Hold the reset for a few cycles; agents stand still."""
        self.dut.rst.value = 1
        for _ in range(RESET_CYCLES):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def step(self) -> None:
        """One cycle."""
        sinks = [agent for agent in self.agents if isinstance(agent, Sink)]
        if sinks and self._random.random() < self._probe:
            await FallingEdge(self.dut.clk)
            for sink in sinks:
                sink.probe()
        await RisingEdge(self.dut.clk)
        for agent in self.agents:
            agent.sample(self.cycle)
        for agent in self.agents:
            agent.drive()
        self.cycle += 1

    async def run(self, until: Callable[[], bool], *, limit: int) -> None:
        """Step until the condition holds; fails after `limit` cycles with the streams' state.

        The limit suits a bench's usual stalls and grows with those of its case.
        """
        end = self.cycle + int(limit * _patience())
        while not until():
            assert self.cycle < end, f"not done after {limit} cycles: {self._report()}"
            await self.step()

    async def idle(self, cycles: int) -> None:
        """Let some cycles pass."""
        for _ in range(cycles):
            await self.step()

    def _report(self) -> str:
        parts: Iterable[str] = (
            f"{agent.name} has {len(agent.items)} left"
            if isinstance(agent, Source)
            else f"{agent.name} got {len(agent.received)}"
            for agent in self.agents
            if isinstance(agent, Source | Sink)
        )
        return ", ".join(parts)
