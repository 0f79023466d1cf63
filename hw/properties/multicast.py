"""Property 1: a beat goes at once, unchanged and only to the PEs that want it."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Cat, Signal, Value

from hw.base.block import Block
from hw.noc.multicast import XBus
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.property import Property


@dataclass(frozen=True)
class BusDelivers(Property):
    """An `XBus` of `cols` columns, tags of `tag` bits and payloads of `width`."""

    number = 1
    title = "a bus accepts a beat iff all that want it are ready, and gives it to those alone"

    width: int
    tag: int
    cols: int
    pipeline: int

    @classmethod
    def of(cls, block: Block) -> Iterator["BusDelivers"]:
        if isinstance(block, XBus):
            width = len(Value.cast(block.outputs[0].payload))
            yield cls(width, block.tag, block.cols, block.pipeline)

    @property
    def subject(self) -> str:
        kind = ", with a queue" if self.pipeline else ""
        return f"XBus of {self.cols} columns, {self.width} bits, tags of {self.tag}{kind}"

    def build(self, bench: ProofBench) -> None:
        bus = XBus(self.width, tag=self.tag, cols=self.cols, pipeline=self.pipeline)
        inside = bench.place(bus)
        wants = Cat(
            bus.enables[col] & (bus.ids[col] == bus.input.payload.tag) for col in range(self.cols)
        )
        payload = bus.input.payload.payload
        valid, ready = bus.input.valid, bus.input.ready
        if self.pipeline:
            # What the queue does with its items is another property, proven of the queue.
            queue = inside.part("queue").component
            entering, leaving = queue.input, queue.output
            bench.claim(
                "the queue gets every beat with the columns that want it",
                (entering.valid == valid)
                & (entering.ready == ready)
                & (entering.payload.payload == payload)
                & (entering.payload.targets == wants),
            )
            valid, ready = leaving.valid, leaving.ready
            payload, wants = leaving.payload.payload, leaving.payload.targets
        takers = Signal(self.cols)
        bench.m.d.comb += takers.eq(Cat(output.ready for output in bus.outputs))
        bench.claim(
            "a beat is accepted iff all that want it are ready", ready == ~(wants & ~takers).any()
        )
        for col, output in enumerate(bus.outputs):
            bench.claim(
                f"column {col} gets a beat iff it is accepted and wanted there",
                output.valid == (valid & ready & wants[col]),
            )
            bench.claim(
                f"column {col} gets the beat unchanged",
                implies(output.valid, Value.cast(output.payload) == payload),
            )
