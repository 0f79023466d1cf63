"""How the engines reach the global buffer: request signatures and the reader that hides latency."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from hw.arch.commands import ADDRESS
from hw.arch.config import Config
from hw.base.block import Block
from hw.base.queue import Queue


def read_port(width: int) -> Signature:
    """Initiator's side of a read port: a granted request (valid and ready) is answered in `data`
    in the next cycle, and only then."""
    return Signature({"request": Out(stream.Signature(ADDRESS)), "data": In(width)})


def act_address_bits(config: Config) -> int:
    """Bits of an activation address that tell existing buffer words apart."""
    return min(ADDRESS, ceil_log2(max(config.act_banks, 2)) + exact_log2(config.buffer.depth))


def psum_address_bits(config: Config) -> int:
    """Bits of a psum address that tell existing psum beats apart."""
    return min(ADDRESS, 1 + ceil_log2(max(config.psum_groups, 2)) + exact_log2(config.buffer.depth))


def act_write_layout(config: Config) -> data.StructLayout:
    """A write of some lanes of an activation word."""
    return data.StructLayout({"addr": ADDRESS, "mask": config.lanes, "data": config.buffer.width})


def psum_write_layout(config: Config) -> data.StructLayout:
    """A write of a psum beat, in buffer words."""
    return data.StructLayout({"addr": ADDRESS, "data": config.banks_per_beat * config.buffer.width})


class Reader(Block):
    """Turns a stream of addresses with labels into a stream of data with labels, in order.

    An item with `skip` is passed on without a read. Up to four items are under way, which hides the
    buffer's latency of one cycle at one item a cycle. Latency: 2 cycles. With `pipeline` requests
    come out of a queue of two, so that neither their addresses nor the buffer's answer to them is
    part of a longer path (latency + 1).

    Timing
    ------
    A word, one that is skipped, and one that waits for the port.

        cycle                  0  1  2  3  4  5  6
        input.valid            1  1  1  1  0  0  0
        input.payload.address  8  .  9  9  .  .  .
        input.payload.skip     0  1  0  0  .  .  .
        input.payload.label    1  2  3  3  .  .  .
        input.ready            1  1  0  1  1  1  1
        port.request.valid     1  0  1  1  0  0  0
        port.request.ready     1  1  0  1  1  1  1
        port.data              .  7  .  .  6  .  .
        output.valid           0  0  1  1  0  1  0
        output.payload.label   .  .  1  2  .  3  .
        output.payload.data    .  .  7  .  .  6  .
        output.ready           1  1  1  1  1  1  1

    Members
    -------
    input : in, stream of {address: ADDRESS, skip: 1, label: label}
        What to read.
    port : out, read_port(width)
        Read port of the buffer.
    output : out, stream of {data: width, label: label}
        What was read; the data of a skipped item may be anything.
    """

    DEPTH = 4

    def __init__(self, label, *, width: int, pipeline: int = 0):
        self.item = data.StructLayout({"data": width, "label": label})
        self.request = data.StructLayout({"address": ADDRESS, "skip": 1, "label": label})
        super().__init__(
            {
                "input": In(stream.Signature(self.request)),
                "port": Out(read_port(width)),
                "output": Out(stream.Signature(self.item)),
            }
        )
        self.label = label
        self.pipeline = pipeline

    def elaborate(self, platform: object) -> Module:
        m = Module()
        queue = Queue(self.item, depth=self.DEPTH, registered=bool(self.pipeline))
        m.submodules.queue = queue
        connect(m, queue.output, flipped(self.output))
        asked = self._asked(m)
        # The buffer does not hold its answer: whatever is asked for has its place in the queue.
        credit = Signal(range(self.DEPTH + 1), init=self.DEPTH)
        room = credit != 0
        pending = Signal()
        label = Signal(self.label, reset_less=True)
        accepted = Signal()
        m.d.comb += [
            self.port.request.valid.eq(asked.valid & ~asked.payload.skip & room),
            self.port.request.payload.eq(asked.payload.address),
            asked.ready.eq(room & (asked.payload.skip | self.port.request.ready)),
            accepted.eq(asked.valid & asked.ready),
            queue.input.valid.eq(pending),
            queue.input.payload.data.eq(self.port.data),
            queue.input.payload.label.eq(label),
        ]
        m.d.sync += [
            pending.eq(accepted),
            credit.eq(credit - accepted + (self.output.valid & self.output.ready)),
        ]
        with m.If(accepted):
            m.d.sync += label.eq(asked.payload.label)
        return m

    def _asked(self, m: Module) -> stream.Interface:
        """The stream of requests at the buffer's side of the pipeline."""
        if not self.pipeline:
            return self.input
        m.submodules.requests = queue = Queue(self.request, depth=2)
        connect(m, flipped(self.input), queue.input)
        return queue.output
