"""What a VECTOR command reads and hands on, in NumPy, and a bench that runs the engine."""

import random
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.arch.commands import VECTOR, VectorOp
from hw.arch.entries import TABLE
from hw.vector.vector import VectorEngine

WINDOWED = (VectorOp.MAX, VectorOp.SUM)
ADDRESS_MASK = (1 << 20) - 1


@dataclass
class Expected:
    """Addresses read, and items as (accumulators, addr, lane, row), both in order."""

    reads: list = field(default_factory=list)
    items: list = field(default_factory=list)


def lanes_of(config, word, signed):
    """The lanes of a buffer word as integers."""
    width = config.array.data_width
    kind = np.dtype(f"{'i' if signed or width == 16 else 'u'}{width // 8}").newbyteorder("<")
    raw = int(word).to_bytes(config.buffer.width // 8, "little")
    return np.frombuffer(raw, kind).astype(np.int64)


def _addresses(command, block, e, f):
    """Words of window (e, f) of a block, in reading order."""
    c = command
    if c["op"] not in WINDOWED:
        y, x = e * c["stride_y"], f * c["stride_x"]
        sides = (("left", ""), ("right", "right_"))
        return [
            c[base] + block * c[side + "plane_stride"] + y * c[side + "row_stride"] + x
            for base, side in sides
        ]
    rows = e * c["stride_y"] + c["y"] + np.arange(c["window_rows"])
    columns = f * c["stride_x"] + c["x"] + np.arange(c["window_columns"])
    return [
        int(c["left"] + block * c["plane_stride"] + y * c["row_stride"] + x)
        for y in rows
        if 0 <= y < c["height"]
        for x in columns
        if 0 <= x < c["width"]
    ]


def _wrap(values, bits=32):
    """The values as signed integers of so many bits."""
    half = 1 << (bits - 1)
    return (values + half) % (1 << bits) - half


def _reduce(config, command, words, tables):
    """The accumulators of a window's words, one a lane."""
    op = command["op"]
    values = [lanes_of(config, word, command["signed"]) for word in words]
    if op == VectorOp.ADD:
        return tables[0][values[0] & 0xFF] + tables[1][values[1] & 0xFF]
    if op == VectorOp.MUL:
        return (values[0] - command["left_zero"]) * (values[1] - command["right_zero"])
    if op == VectorOp.ADD16:
        return values[0] + values[1]
    if not values:
        return np.zeros(config.lanes, np.int64)
    if op == VectorOp.MAX:
        return np.max(values, axis=0) - command["left_zero"]
    return np.sum(values, axis=0) - len(values) * command["left_zero"]


def expected(config, command, memory, tables):
    """What the engine has to do for a command (a dict of VECTOR's fields)."""
    result = Expected()
    lanes, units = config.lanes, config.post.units
    for block in range(command["blocks"]):
        for e in range(command["rows"]):
            for f in range(command["columns"]):
                reads = [a & ADDRESS_MASK for a in _addresses(command, block, e, f)]
                acc = _wrap(_reduce(config, command, [memory[a] for a in reads], tables))
                addr = command["output"] + block * command["plane"]
                addr += e * command["output_row_stride"] + f
                result.reads += reads
                for lane in range(0, lanes, units):
                    row = command["param"]
                    if command["by_count"]:
                        row += len(reads) - 1 if reads else 0
                    elif command["by_channel"]:
                        row += (block * lanes + lane) // units
                    part = tuple(int(value) for value in acc[lane : lane + units])
                    result.items.append((part, addr & ADDRESS_MASK, lane, row & 0xFFFF))
    return result


@dataclass
class Outcome(Expected):
    """What the engine did for one command, and the cycles in which it was busy."""

    cycles: int = 0


class Bench:
    """Runs commands one after the other on an engine with a buffer of `memory` words.

    Stream rules are checked on the way: an offer is kept until it is taken. With `stalls` every
    side waits at random; without, the buffer answers `latency` cycles after a request.
    """

    def __init__(self, config, memory, tables, *, seed=0, stalls=True, latency=2, bank=1):
        self.engine = VectorEngine(config)
        self._config, self._memory, self._tables = config, memory, tables
        self._random = random.Random(seed)
        self._stalls, self._latency, self._bank = stalls, latency, bank
        self._outcome = Outcome()

    def run(self, commands):
        """The outcomes of the commands."""
        outcomes = []

        async def drive(ctx):
            ctx.set(self.engine.bank, self._bank)
            if any(command["op"] == VectorOp.ADD for command in commands):
                await self._fill_tables(ctx)
            for command in commands:
                self._outcome = Outcome()
                await self._execute(ctx, command)
                outcomes.append(self._outcome)

        simulator = Simulator(self.engine)
        simulator.add_clock(1e-6)
        simulator.add_testbench(drive)
        simulator.add_testbench(self._buffer, background=True)
        simulator.add_testbench(self._sink, background=True)
        simulator.run()
        return outcomes

    async def _fill_tables(self, ctx):
        table = self.engine.table
        ctx.set(table.en, 1)
        for index, (left, right) in enumerate(zip(*self._tables, strict=True)):
            (word,) = TABLE.pack({"left": int(left), "right": int(right)})
            ctx.set(table.index, index)
            ctx.set(Value.cast(table.entry), word)
            await ctx.tick()
        ctx.set(table.en, 0)

    async def _execute(self, ctx, command):
        engine = self.engine
        descriptor = sum(word << (64 * i) for i, word in enumerate(VECTOR.pack(command)))
        ctx.set(Value.cast(engine.descriptor), descriptor)
        ctx.set(engine.start, 1)
        await ctx.tick()
        ctx.set(engine.start, 0)
        while ctx.get(engine.busy):
            self._outcome.cycles += 1
            assert self._outcome.cycles < 20000, "the engine does not finish"
            await ctx.tick()
        await ctx.tick()  # the sink notes what it took in the last busy cycle

    def _waits(self):
        return self._stalls and self._random.random() < 0.3

    async def _buffer(self, ctx):
        requests, responses = self.engine.requests, self.engine.responses
        due = deque()  # (cycle, word)
        cycle, offered = 0, None
        answered = False
        while True:
            extra = self._random.randrange(12) if self._waits() else 0
            if answered or not due or due[0][0] > cycle:
                answered = False
                ctx.set(responses.valid, 0)
            if due and due[0][0] <= cycle and not answered:
                ctx.set(responses.valid, 1)
                ctx.set(responses.payload.data, due[0][1])
            ctx.set(requests.ready, not self._waits())
            names = (requests.valid, requests.ready, requests.payload.addr)
            ends = (responses.valid, responses.ready)
            _, _, valid, ready, addr, sent, taken = await ctx.tick().sample(*names, *ends)
            if offered is not None:
                assert valid and addr == offered, "a request was withdrawn"
            offered = addr if valid and not ready else None
            if valid and ready:
                self._outcome.reads.append(addr)
                due.append((cycle + self._latency + extra, self._memory[addr]))
            if sent:
                assert taken, "there is no room for a response"
                due.popleft()
            cycle += 1

    async def _sink(self, ctx):
        items = self.engine.items
        offered = None
        units = self._config.post.units
        while True:
            ctx.set(items.ready, not self._waits())
            _, _, valid, ready, item = await ctx.tick().sample(
                items.valid, items.ready, items.payload
            )
            if offered is not None:
                assert valid and item == offered, "an item was withdrawn"
            offered = item if valid and not ready else None
            if valid and ready:
                acc = tuple(int(item.acc[unit]) for unit in range(units))
                self._outcome.items.append((acc, item.addr, item.lane, item.row))
                assert item.mask == (1 << units) - 1
                assert item.bank == self._bank
