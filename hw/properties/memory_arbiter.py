"""Properties 5 and 3 of the memory's arbiter: whole bursts, in order, each client in its turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value

from hw.base.block import Block
from hw.memory.arbiter import MemoryArbiter
from hw.memory.port import LENGTH_BITS
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.inside import Inside
from hw.properties.harness.property import Property
from hw.properties.queues import AT_ITS_RANK, placed

_ADDRESS_BITS = 4


@dataclass(frozen=True)
class BurstsTakeTurns(Property):
    """A `MemoryArbiter` of `clients` clients, with `outstanding` bursts of each direction."""

    number = 5
    title = "bursts reach the memory whole and in order, and each client has its turn"

    clients: int
    outstanding: int

    @classmethod
    def of(cls, block: Block) -> Iterator["BurstsTakeTurns"]:
        """The arbiter looks at no bit of an address."""
        if isinstance(block, MemoryArbiter):
            yield cls(len(list(block.clients)), block.outstanding)

    @property
    def subject(self) -> str:
        return f"MemoryArbiter of {self.clients} clients, {self.outstanding} bursts"

    @property
    def reduced(self) -> str:
        return f"addresses of {_ADDRESS_BITS} bits stand for all"

    def build(self, bench: ProofBench) -> None:
        arbiter = MemoryArbiter(
            clients=self.clients, address_bits=_ADDRESS_BITS, outstanding=self.outstanding
        )
        inside = bench.place(arbiter)
        clients, port = list(arbiter.clients), arbiter.port
        for index, client in enumerate(clients):
            bench.polite(client.request, f"request_{index}")
            bench.polite(client.write, f"write_{index}")
        chosen, owner = inside.signal("chosen"), inside.signal("owner")
        bench.claim("one client is the owner", owner.any() & ((owner & (owner - 1)) == 0))
        _grants(bench, clients, port, owner, chosen)
        bench.steady(port.request, "request")
        _turns(bench, clients, owner, chosen)
        bursts = {name: _Burst(bench, inside, name, clients, port) for name in ("writes", "reads")}
        bench.assume(implies(port.read.valid, bursts["reads"].owed))  # no answer without a question


def _grants(
    bench: ProofBench, clients: Sequence[Any], port: Any, owner: Value, chosen: Value
) -> None:
    requests = [client.request for client in clients]
    granted = Cat(one.valid & one.ready for one in requests)
    bench.claim("at most one request is granted", (granted & (granted - 1)[: len(granted)]) == 0)
    bench.claim(
        "a grant of the memory is the grant of a client",
        granted.any() == (port.request.valid & port.request.ready),
    )
    for index, one in enumerate(requests):
        bench.claim(
            f"the memory is asked what client {index} asks if that is granted",
            implies(granted[index], port.request.payload == one.payload),
        )
        bench.claim(
            f"client {index} waits if it is chosen", implies(chosen & owner[index], one.valid)
        )


def _turns(bench: ProofBench, clients: Sequence[Any], owner: Value, chosen: Value) -> None:
    """A client of the solver's choice waits for one burst of each other client at most."""
    count = len(clients)
    waiter = bench.constant(range(count), "waiter")
    bench.assume(waiter < count)
    requests = [client.request for client in clients]
    granted = [one.valid & one.ready for one in requests]
    waits = Signal()
    bench.m.d.comb += waits.eq(
        Cat(one.valid & ~one.ready & (waiter == i) for i, one in enumerate(requests)).any()
    )
    # Places until a client's turn, from the one that has it or, behind all others, had it last.
    turns = [Signal(range(count + 1), name=f"turn_{i}") for i in range(count)]
    for place, turn in enumerate(turns):
        distance = (
            Mux(owner[at], Mux(chosen, 0, count) if at == place else (place - at) % count, 0)
            for at in range(count)
        )
        bench.m.d.comb += turn.eq(reduce(or_, distance))
    own = Signal(range(count + 1))
    bench.m.d.comb += own.eq(reduce(or_, (Mux(waiter == i, turns[i], 0) for i in range(count))))
    for index in range(count):
        went = Signal(name=f"went_{index}")  # since the waiter's request has come
        bench.m.d.sync += went.eq(waits & (went | granted[index]))
        bench.claim(
            f"client {index} goes once at most before another one that waits",
            ~(waits & went & granted[index]),
        )
        bench.claim(
            f"client {index} comes after one that waits, once it went",
            implies(went, (waiter != index) & (own < turns[index])),
        )


class _Burst:
    """A burst of one direction, of the solver's choice, from its acceptance to its last beat."""

    def __init__(
        self, bench: ProofBench, inside: Inside, name: str, clients: Sequence[Any], port: Any
    ):
        m = bench.m
        queue = inside.part(name)
        turns = queue.component
        level = queue.signal("level")
        write = name == "writes"
        self.owed = level != 0
        payload = port.request.payload
        asked = port.request.valid & port.request.ready & (payload.write == write)
        beat = port.write.valid & port.write.ready if write else port.read.valid
        done = turns.output.valid & turns.output.ready
        granted = Cat(client.request.ready for client in clients)
        followed = Signal(name=f"{name}_followed")
        owner = Signal(len(clients), name=f"{name}_owner")
        length = Signal(LENGTH_BITS, name=f"{name}_length")
        ahead = Signal(range(turns.depth + 1), name=f"{name}_ahead")
        beats = Signal(LENGTH_BITS + 1, name=f"{name}_beats")
        now = Signal(name=f"{name}_now")
        m.d.comb += now.eq(followed & (ahead == 0))
        with m.If(followed):
            m.d.sync += [ahead.eq(ahead - done), beats.eq(beats + (now & beat))]
            with m.If(now & done):
                m.d.sync += followed.eq(0)
        with m.Elif(asked & bench.free(1, f"{name}_chosen")):
            m.d.sync += [
                followed.eq(1),
                owner.eq(granted),
                length.eq(payload.length),
                ahead.eq(level - done),
                beats.eq(0),
            ]
        one = "a write" if write else "a read"
        bench.claim(
            f"{one} has one owner", implies(followed, owner.any() & ((owner & (owner - 1)) == 0))
        )
        bench.claim("no more bursts are under way than have places", level <= turns.depth)
        bench.claim(f"{one} under way has its place", implies(followed, ahead < level))
        bench.claim(
            f"{one} whose turn has not come has no beats", implies(followed & ~now, beats == 0)
        )
        bench.claim(
            f"{one} ends with its last beat, and not before",
            implies(now & beat, done == (beats == length)),
        )
        bench.claim(
            f"{one} has no more beats than it asked for", implies(followed, beats <= length)
        )
        bench.claim(f"{one} ends with a beat", implies(done, beat))
        streams = [client.write if write else client.read for client in clients]
        told = Cat(stream.ready & stream.valid if write else stream.valid for stream in streams)
        bench.claim(
            f"beats of {one} pass for its client alone",
            implies(now, told == Mux(beat, owner, 0)),
        )
        for index, stream in enumerate(streams):
            bench.claim(
                f"words of {one} are those of client {index}, if they are its",
                implies(
                    now & beat & owner[index], stream.payload == getattr(port, name[:-1]).payload
                ),
            )
        if write:
            waits = bench.past(now & port.write.valid & ~port.write.ready, "word_waits")
            word = bench.past(port.write.payload, "word")
            bench.claim(
                "a word of a write stays until it is taken",
                implies(waits, port.write.valid & (port.write.payload == word)),
            )
        position = inside.signal("written" if write else "read")
        bench.claim(f"the beats of {one} are counted", implies(now, position == beats))
        bench.claim("no beats were counted before a burst", implies(level == 0, position == 0))
        rank = placed(bench, queue, level, ahead)
        entry = turns.shape(rank)
        bench.claim(
            AT_ITS_RANK, implies(followed, (entry.owner == owner) & (entry.length == length))
        )
