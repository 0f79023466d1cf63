"""Property 5: arbiters grant one at a time, lose nothing, and let nobody wait without a reason."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Cat, Signal, Value

from hw.base.block import Block
from hw.glb.arbiter import ReadArbiter, WriteArbiter
from hw.glb.ports import Reader
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.property import Property
from hw.properties.queues import AT_ITS_RANK, placed

_BITS = 4  # of data and labels


@dataclass(frozen=True)
class ReadsAreGranted(Property):
    """A `ReadArbiter` of `clients` clients, words of `width` bits."""

    number = 5
    title = "one client reads at a time, the first that asks, and the data are for it"

    clients: int
    width: int

    @classmethod
    def of(cls, block: Block) -> Iterator["ReadsAreGranted"]:
        if isinstance(block, ReadArbiter):
            yield cls(len(block.clients), len(block.port.data))

    @property
    def subject(self) -> str:
        return f"ReadArbiter of {self.clients} clients, {self.width} bits"

    def build(self, bench: ProofBench) -> None:
        arbiter = ReadArbiter(clients=self.clients, width=self.width)
        bench.place(arbiter)
        port = arbiter.port
        valid = Cat(client.request.valid for client in arbiter.clients)
        granted = valid & Cat(client.request.ready for client in arbiter.clients)
        bench.claim("at most one client is granted", (granted & (granted - 1)[: self.clients]) == 0)
        bench.claim(
            "a grant of the port is the grant of a client",
            granted.any() == (port.request.valid & port.request.ready),
        )
        for index, client in enumerate(arbiter.clients):
            bench.claim(
                f"client {index} waits for the port or an earlier client alone",
                client.request.ready == (port.request.ready & ~valid[:index].any()),
            )
            bench.claim(
                f"the port reads what client {index} asks if that is granted",
                implies(granted[index], port.request.payload == client.request.payload),
            )
            bench.claim(f"client {index} sees the port's data", client.data == port.data)


@dataclass(frozen=True)
class WritesTakeTurns(Property):
    """A `WriteArbiter` of items of `width` bits."""

    number = 5
    title = "one of two streams writes at a time, and neither is left out"

    width: int

    @classmethod
    def of(cls, block: Block) -> Iterator["WritesTakeTurns"]:
        if isinstance(block, WriteArbiter):
            yield cls(len(Value.cast(block.port.payload)))

    @property
    def subject(self) -> str:
        return f"WriteArbiter of {self.width} bits"

    def build(self, bench: ProofBench) -> None:
        arbiter = WriteArbiter(self.width)
        bench.place(arbiter)
        first, second, port = arbiter.first, arbiter.second, arbiter.port
        taken = Cat(one.valid & one.ready for one in (first, second))
        bench.claim("one stream goes at a time", taken != 3)
        bench.claim("what the port takes is a stream's", taken.any() == (port.valid & port.ready))
        for index, one in enumerate((first, second)):
            bench.claim(
                f"the port takes the item of stream {index} if that goes",
                implies(taken[index], port.payload == one.payload),
            )
        bench.polite(second, "second")
        outrun = bench.past(second.valid & ~second.ready & ~arbiter.patient, "outrun")
        bench.claim(
            "the second stream goes next, once it has waited without patience",
            implies(outrun, second.ready == port.ready),
        )
        bench.claim(
            "the first stream waits for the port or a second one that has waited alone",
            implies(~outrun, first.ready == port.ready),
        )


@dataclass(frozen=True)
class ReaderAnswers(Property):
    """A `Reader` of words of `width` bits with labels of `label`."""

    number = 5
    title = "a reader answers every request once and in order, with the data that came for it"

    width: int
    label: int
    pipeline: int

    @classmethod
    def of(cls, block: Block) -> Iterator["ReaderAnswers"]:
        """A reader looks at no bit of data and labels: a few bits stand for more."""
        if isinstance(block, Reader):
            yield cls(_BITS, _BITS, block.pipeline)

    @property
    def subject(self) -> str:
        return f"Reader{', with a queue of requests' if self.pipeline else ''}"

    @property
    def reduced(self) -> str:
        return f"data and labels of {self.width} bits stand for all"

    def build(self, bench: ProofBench) -> None:
        reader = Reader(self.label, width=self.width, pipeline=self.pipeline)
        inside = bench.place(reader)
        m, queue, pending = bench.m, inside.part("queue"), inside.signal("pending")
        asked = inside.part("requests").component.output if self.pipeline else reader.input
        level = queue.signal("level")
        accepted = asked.valid & asked.ready
        answered = reader.output.valid & reader.output.ready
        bench.claim(
            "the buffer is asked for what is not skipped, at the address wanted",
            (reader.port.request.valid & reader.port.request.ready)
            == (accepted & ~asked.payload.skip),
        )
        bench.claim(
            "the address is the request's",
            reader.port.request.payload == asked.payload.address,
        )
        # A request of the solver's choice, from its acceptance to its answer.
        followed, label, ahead = Signal(), Signal(self.label), Signal(range(Reader.DEPTH + 1))
        value, skipped = Signal(self.width), Signal()
        fresh = Signal()  # its data are on the port
        out = Signal(len(level) + 1)
        m.d.comb += out.eq(level + pending)
        m.d.sync += fresh.eq(0)
        with m.If(followed):
            m.d.sync += ahead.eq(ahead - answered)
            with m.If(fresh):
                m.d.sync += value.eq(reader.port.data)
            with m.If(answered & (ahead == 0)):
                m.d.sync += followed.eq(0)
        with m.Elif(accepted & bench.free(1, "chosen")):
            m.d.sync += [
                followed.eq(1),
                fresh.eq(1),
                label.eq(asked.payload.label),
                skipped.eq(asked.payload.skip),
                ahead.eq(out - answered),
            ]
        bench.claim(
            "places in the queue are set aside for what is asked",
            (out <= Reader.DEPTH) & (inside.signal("credit") == Reader.DEPTH - out),
        )
        bench.claim("a request in the reader has its place", implies(followed, ahead < out))
        bench.claim(
            "the newest request is the one whose data come",
            implies(fresh, followed & pending & (ahead == level)),
        )
        bench.claim(
            "the label waits beside the data that come",
            implies(
                followed & pending & (ahead == level), fresh & (inside.signal("label") == label)
            ),
        )
        item = reader.item(placed(bench, queue, level, ahead))
        here = (item.label == label) & (skipped | (item.data == value))
        bench.claim(AT_ITS_RANK, implies(followed & (ahead < level), here))
        shown = reader.output.payload
        bench.claim(
            "an answer has its request's label and data",
            implies(
                followed & reader.output.valid & (ahead == 0),
                (shown.label == label) & (skipped | (shown.data == value)),
            ),
        )
        bench.steady(reader.output, "output")
