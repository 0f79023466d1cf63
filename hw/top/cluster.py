"""One of several clusters: decoder and engine between two queues."""

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.base.queue import Queue
from hw.top.core import place_core


class Cluster(Block):
    """Executes the command stream that its routes leave for it; all clusters are equal.

    A queue of two on each side keeps the handshakes of clusters apart.

    Members
    -------
    command : in, stream of LINK_WORD_BITS
        Words of the command stream.
    result : out, stream of LINK_WORD_BITS
        Words of the result stream.
    moving : out, 1
        Something moved in this cycle, for the watchdog.
    """

    def __init__(self, config: Config):
        word = stream.Signature(LINK_WORD_BITS)
        super().__init__({"command": In(word), "result": Out(word), "moving": Out(1)})
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.commands = commands = Queue(LINK_WORD_BITS, depth=2)
        m.submodules.results = results = Queue(LINK_WORD_BITS, depth=2)
        decoder = place_core(m, self.config)
        connect(m, flipped(self.command), commands.input)
        connect(m, commands.output, decoder.command)
        connect(m, decoder.result, results.input)
        connect(m, results.output, flipped(self.result))
        m.d.comb += self.moving.eq(
            decoder.engine.progress | decoder.engine.link_in | decoder.engine.link_out
        )
        return m
