"""A replayer on a RAM, with a core that does as the words say."""

import random
import zlib
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.sim import Simulator

from hw.arch.commands import BEGIN, MAGIC, RESULT, ResultBlock, Status
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.images.records import image_header
from hw.memory.ram import RamAdapter
from hw.replay.replayer import Replayer
from sim.replay import FunctionalReplayer
from sw_driver.protocol.errors import LinkError

WORDS = 1024

DATA, COUNTERS, END, FAIL = 1, 2, 3, 4
"""What a core's word asks for in its low byte: with the number of words above it."""


def core_word(kind, count=0):
    """A word that makes the core answer."""
    return 0xC0DE << 48 | count << 8 | kind


def config(width=64):
    """A configuration with a memory; `width` is that of the buffer."""
    values = {"buffer.width": width, "memory.kind": "ram", "memory.words": WORDS}
    return Config.of(values | ({"noc.ifmap": 4, "post.units": 1} if width == 32 else {}))


def image(config, records, blocks, *, begins=True, ends=True):
    """The words of an image with these records."""
    head = image_header(config_hash=config_hash(config), begins=begins, ends=ends, blocks=blocks)
    words = [*head, *records]
    return [*words, zlib.crc32(b"".join(word.to_bytes(8, "little") for word in words))]


class ReplayerOnRam(Component):
    """The replayer with its memory; the streams of host and core are outside."""

    def __init__(self, config, latency=1):
        word = stream.Signature(64)
        super().__init__(
            {
                "link": In(word),
                "answer": Out(word),
                "command": Out(word),
                "results": In(word),
                "restart": Out(1),
            }
        )
        self.config, self.latency = config, latency

    def elaborate(self, platform):
        m = Module()
        m.submodules.replayer = self.replayer = replayer = Replayer(self.config)
        m.submodules.ram = ram = RamAdapter(words=self.config.memory.words, latency=self.latency)
        connect(m, replayer.port, ram.port)
        connect(m, flipped(self.link), replayer.link)
        connect(m, replayer.answer, flipped(self.answer))
        connect(m, replayer.command, flipped(self.command))
        connect(m, flipped(self.results), replayer.results)
        m.d.comb += self.restart.eq(replayer.restart)
        return m


@dataclass
class Core:
    """What the core has taken, and what it owes: a model of decoder and engine in a few lines."""

    taken: list = field(default_factory=list)
    owed: list = field(default_factory=list)
    begun: int = 0  # words of the beginning of a program
    serial: int = 0

    def take(self, word):
        if self.begun <= BEGIN.words:
            if self.begun or word == MAGIC:
                self.begun += 1
            return
        self.taken.append(word)
        if word >> 48 != 0xC0DE:
            return
        kind, count = word & 0xFF, word >> 8 & 0xFFFF
        if kind in (DATA, COUNTERS):
            block = ResultBlock.DATA if kind == DATA else ResultBlock.COUNTERS
            self.owed += RESULT.pack({"block": block, "length": count})
            self.owed += range(1000 * self.serial, 1000 * self.serial + count)
            self.serial += 1
        elif kind in (END, FAIL):
            status = Status.OK if kind == END else Status.BAD_CHECKSUM
            self.owed += RESULT.pack({"block": ResultBlock.STATUS, "status": status, "length": 1})
            self.owed.append(count)
            self.begun = 0

    def restart(self):
        self.owed.clear()
        self.begun = 0


def run(config, words, *, stalls=0.0, seed=1, latency=1, idle=150, limit=60_000):
    """Send words; (answers, core) when nothing has moved for a while."""
    dut = ReplayerOnRam(config, latency)
    rng = random.Random(seed)
    core, answers = Core(), []

    async def bench(ctx):
        sent = quiet = cycles = 0
        results = core.owed
        while quiet < idle:
            assert cycles < limit, "the replayer does not come to rest"
            cycles += 1
            if not ctx.get(dut.link.valid) and sent < len(words) and rng.random() >= stalls:
                ctx.set(dut.link.payload, words[sent])
                ctx.set(dut.link.valid, 1)
            if not ctx.get(dut.results.valid) and results and rng.random() >= stalls:
                ctx.set(dut.results.payload, results[0])
                ctx.set(dut.results.valid, 1)
            ctx.set(dut.answer.ready, rng.random() >= stalls)
            ending = not core.begun and results  # takes no word before its status block has gone
            ctx.set(dut.command.ready, rng.random() >= stalls and not ending)
            link = ctx.get(dut.link.valid & dut.link.ready)
            given = ctx.get(dut.results.valid & dut.results.ready)
            answered = ctx.get(dut.answer.valid & dut.answer.ready)
            taken = ctx.get(dut.command.valid & dut.command.ready)
            restart = ctx.get(dut.restart)
            if answered:
                answers.append(ctx.get(dut.answer.payload))
            command = ctx.get(dut.command.payload)
            await ctx.tick()
            if link:
                sent += 1
                ctx.set(dut.link.valid, 0)
            if given:
                if results:
                    results.pop(0)
                ctx.set(dut.results.valid, 0)
            if restart:
                core.restart()
                ctx.set(dut.results.valid, 0)
            elif taken:
                core.take(command)
            quiet = 0 if link or given or answered or taken or restart else quiet + 1
        assert sent == len(words), f"{len(words) - sent} words were not taken"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return answers, core


def blocks(answers):
    """Result blocks as (fields of the header, words)."""
    found = []
    while answers:
        header = RESULT.unpack(answers[:1])
        found.append((header, answers[1 : 1 + header["length"]]))
        answers = answers[1 + header["length"] :]
    return found


class FunctionalCore:
    """The same core for the replayer without time."""

    def __init__(self):
        self.core = Core()

    def send(self, words):
        for word in words.tolist():
            self.core.take(word)

    def take_all(self):
        words = np.array(self.core.owed, dtype=np.uint64)
        self.core.owed.clear()
        return words

    @property
    def between_programs(self):
        return not self.core.begun


def expected(config, words):
    """(answers, words that the core has taken) of the replayer without time."""
    cores = []

    def make_core():
        cores.append(FunctionalCore())
        if len(cores) > 1:
            cores[-1].core.serial = cores[-2].core.serial
        return cores[-1]

    device = FunctionalReplayer(config, make_core=make_core)
    device.send(np.array(words, dtype=np.uint64))
    answers = []
    with suppress(LinkError):
        while True:
            answers.append(int(device.receive(1)[0]))
    return answers, [word for core in cores for word in core.core.taken]
