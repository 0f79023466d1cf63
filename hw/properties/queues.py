"""Property 2: queues lose, double, reorder and change nothing, and never overflow."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Mux, Signal, Value

from hw.base.block import Block
from hw.base.deep_queue import DeepQueue
from hw.base.queue import Queue
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.inside import Inside
from hw.properties.harness.property import Property

_DEEPEST = 8
_BITS = 8
_INSIDE = "pointers stay inside the ring"
_APART = "the pointers differ by the items in the memory"
AT_ITS_RANK = "the item followed is where its rank says"


class _Followed:
    """One item of the solver's choice, followed from its entry into a queue to its exit.

    `ahead` counts the items before it. As any item can be chosen, what holds for it holds for all.
    """

    def __init__(self, bench: ProofBench, queue: Queue | DeepQueue, capacity: int):
        m = bench.m
        width = len(Value.cast(queue.input.payload))
        chosen = bench.free(1, "chosen")
        self.put = queue.input.valid & queue.input.ready
        self.take = queue.output.valid & queue.output.ready
        self.inside = Signal(name="followed")
        self.value = Signal(width, name="followed_value")
        self.ahead = Signal(range(capacity + 1), name="followed_ahead")
        self.held = Signal(range(capacity + 2), name="items_held")
        m.d.sync += self.held.eq(self.held + self.put - self.take)
        with m.If(self.inside):
            m.d.sync += self.ahead.eq(self.ahead - self.take)
            with m.If(self.take & (self.ahead == 0)):
                m.d.sync += self.inside.eq(0)
        with m.Elif(self.put & chosen):
            m.d.sync += [
                self.inside.eq(1),
                self.value.eq(Value.cast(queue.input.payload)),
                self.ahead.eq(self.held - self.take),
            ]
        bench.claim(
            "an item leaves unchanged, after all that entered before it",
            implies(
                self.inside & queue.output.valid & (self.ahead == 0),
                Value.cast(queue.output.payload) == self.value,
            ),
        )
        bench.claim("no more items leave than entered", implies(queue.output.valid, self.held != 0))
        bench.claim("a queue never holds more than fits", self.held <= capacity)
        bench.claim(
            "fewer items are before one than there are",
            implies(self.inside, self.ahead < self.held),
        )


@dataclass(frozen=True)
class QueueOrder(Property):
    """A `Queue` of `places` items of `width` bits."""

    number = 2
    title = "queues keep items, their order and their contents"

    places: int
    width: int
    registered: bool

    @classmethod
    def of(cls, block: Block) -> Iterator["QueueOrder"]:
        """A queue looks at no bit of its items: those of `_BITS` bits stand for all."""
        if isinstance(block, Queue):
            yield cls(block.depth, _BITS, block.registered)

    @property
    def subject(self) -> str:
        kind = ", registered" if self.registered else ""
        return f"Queue of {self.places} items{kind}"

    @property
    def reduced(self) -> str:
        return f"items of {self.width} bits stand for all"

    def build(self, bench: ProofBench) -> None:
        queue = Queue(self.width, depth=self.places, registered=self.registered)
        inside = bench.place(queue)
        followed = _Followed(bench, queue, self.places)
        held = followed.held
        bench.claim("the level is the number of items", inside.signal("level") == held)
        bench.claim(
            "a queue takes items unless it is full", queue.input.ready == (held != self.places)
        )
        bench.claim("a queue offers items unless it is empty", queue.output.valid == (held != 0))
        bench.steady(queue.output, "output")
        here = placed(bench, inside, held, followed.ahead)
        bench.claim(AT_ITS_RANK, implies(followed.inside, here == followed.value))


@dataclass(frozen=True)
class DeepQueueOrder(Property):
    """A `DeepQueue` of `places` words of `width` bits."""

    number = 2
    title = "deep queues keep words, their order and their contents"

    places: int
    width: int

    @classmethod
    def of(cls, block: Block) -> Iterator["DeepQueueOrder"]:
        if isinstance(block, DeepQueue):
            yield cls(min(block.depth, _DEEPEST), _BITS)

    @property
    def subject(self) -> str:
        return "DeepQueue"

    @property
    def reduced(self) -> str:
        return f"{self.places} words of {self.width} bits stand for all"

    def build(self, bench: ProofBench) -> None:
        queue = DeepQueue(width=self.width, depth=self.places)
        inside = bench.place(queue)
        followed = _Followed(bench, queue, self.places + DeepQueue.AHEAD)
        front = inside.part("queue")
        memory = inside.part("memory")
        level, pending = inside.signal("level"), inside.signal("pending")
        ready = front.signal("level")
        out = Signal(len(ready) + 1)  # words that left the memory and are still here
        bench.m.d.comb += out.eq(ready + pending)
        bench.claim("all words are in the memory or ahead of it", followed.held == level + out)
        bench.claim("the memory holds no more than fits", level <= self.places)
        bench.claim(
            "a place is set aside for each word on its way",
            (ready + pending <= DeepQueue.AHEAD)
            & (inside.signal("credit") == DeepQueue.AHEAD - out),
        )
        bench.steady(queue.output, "output")
        rank = Signal(range(2 * self.places + 2))
        look = memory.submodule("mem").read_port(domain="comb")
        write, read = inside.signal("write"), inside.signal("read")
        bench.m.d.comb += [
            rank.eq(read + followed.ahead - out),
            look.addr.eq(_around(rank, self.places)),
        ]
        bench.claim(_INSIDE, (write < self.places) & (read < self.places))
        bench.claim(_APART, write == _around(read + level, self.places)[: len(write)])
        in_front = placed(bench, front, ready, followed.ahead)
        here = Mux(
            followed.ahead < ready,
            in_front,
            Mux(followed.ahead < out, memory.component.read.data, Value.cast(look.data)),
        )
        bench.claim(AT_ITS_RANK, implies(followed.inside, here == followed.value))


def _around(place: Value, size: int) -> Value:
    """A place in a ring, of one that is less than twice its size."""
    return Mux(place >= size, place - size, place)


def placed(bench: ProofBench, inside: Inside, held: Value, ahead: Value) -> Value:
    """Claim what a `Queue` of so many items keeps of its pointers; the item with so many ahead."""
    queue = inside.component
    if queue.depth == 1:
        return Value.cast(inside.signal("item"))
    if queue.depth == 2:
        places = [Value.cast(inside.signal(name)) for name in ("first", "second")]
        return Mux(ahead == 0, *places)
    memory = inside.submodule("items")
    look = memory.read_port(domain="comb")
    # `look` is not among the ports by which the queue itself reads.
    write, read = memory.write_ports[0].addr, memory.read_ports[0].addr
    outside = int(queue.registered)  # the oldest item is in a register, not in the memory
    stored = Mux(held == 0, 0, held - outside)
    rank = Signal(range(2 * queue.depth))
    bench.m.d.comb += [
        rank.eq(read + ahead - outside),
        look.addr.eq(_around(rank, queue.depth)),
    ]
    bench.claim(_INSIDE, (write < queue.depth) & (read < queue.depth))
    bench.claim(_APART, write == _around(read + stored, queue.depth)[: len(write)])
    if queue.registered:
        return Mux(ahead == 0, Value.cast(inside.signal("first")), Value.cast(look.data))
    return Value.cast(look.data)
