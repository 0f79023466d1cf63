"""Several clients on one memory port."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream
from amaranth.lib.wiring import In

from hw.base.block import Block
from hw.base.queue import Queue
from hw.memory.port import LENGTH_BITS, MemoryPort


class MemoryArbiter(Block):
    """Clients take turns on a memory, a burst each.

    Bursts reach the memory in the order in which the clients' requests are accepted, and whole.
    Whoever has just had its turn is last in the next choice, so a client whose request waits sees
    at most one burst of every other client before its own.

    Latency: a request is chosen in the cycle in which it comes and stands at the memory in the next
    one. While a burst is under way the next one is chosen already. Beats pass in the same cycle.

    Timing
    ------
    Both clients ask to read single words; the memory answers in the next cycle.

        cycle                    0  1  2  3  4  5  6  7
        clients.0.request.valid  1  1  1  1  1  1  0  0
        clients.0.request.ready  0  1  0  0  0  1  0  0
        clients.1.request.valid  1  1  1  1  0  0  0  0
        clients.1.request.ready  0  0  0  1  0  0  0  0
        port.request.valid       0  1  0  1  0  1  0  0
        port.request.ready       1  1  1  1  1  1  1  1
        port.read.valid          0  0  1  0  1  0  1  0
        port.read.payload        .  .  5  .  6  .  7  .
        clients.0.read.valid     0  0  1  0  0  0  1  0
        clients.1.read.valid     0  0  0  0  1  0  0  0

    Parameters
    ----------
    clients : int
        How many there are.
    address_bits : int
        Bits of an address.
    outstanding : int
        Bursts that may wait for beats, of each direction; what the memory can have under way.

    Members
    -------
    clients : in, clients times MemoryPort(address_bits)
        Those who ask.
    port : out, MemoryPort(address_bits)
        The memory.
    """

    def __init__(self, *, clients: int, address_bits: int, outstanding: int = 4):
        port = In(MemoryPort(address_bits))
        super().__init__({"clients": port.array(clients), "port": port.flip()})
        self.address_bits = address_bits
        self.outstanding = outstanding

    def elaborate(self, platform: object) -> Module:
        m = Module()
        clients, port = list(self.clients), self.port
        turn = data.StructLayout({"owner": len(clients), "length": LENGTH_BITS})
        m.submodules.writes = writes = Queue(turn, depth=self.outstanding)
        m.submodules.reads = reads = Queue(turn, depth=self.outstanding)
        passed = Signal()
        chosen, owner = self._choose(m, passed)
        m.d.comb += Value.cast(port.request.payload).eq(
            _of(owner, [client.request.payload for client in clients])
        )
        # The beats of a burst find their client by its entry in a queue, which must have room.
        write = port.request.payload.write
        room = Mux(write, writes.input.ready, reads.input.ready)
        m.d.comb += [
            port.request.valid.eq(chosen & room),
            passed.eq(port.request.valid & port.request.ready),
            writes.input.valid.eq(passed & write),
            reads.input.valid.eq(passed & ~write),
        ]
        for queue in (writes, reads):
            m.d.comb += [
                queue.input.payload.owner.eq(owner),
                queue.input.payload.length.eq(port.request.payload.length),
            ]
        for index, client in enumerate(clients):
            m.d.comb += client.request.ready.eq(passed & owner[index])
        self._route_writes(m, writes)
        self._route_reads(m, reads)
        return m

    def _choose(self, m: Module, passed: Value) -> tuple[Signal, Signal]:
        """Whether a client has been chosen, and which one, a bit each."""
        count = len(list(self.clients))
        chosen = Signal()
        owner = Signal(count, init=1 << (count - 1))
        wishes = [client.request.valid for client in self.clients]
        with m.If(~chosen):
            m.d.sync += chosen.eq(Cat(wishes).any())
            for last in range(count):
                with m.If(owner[last]):
                    # The last assignment counts: the client after the last one comes last here.
                    for step in range(count, 0, -1):
                        index = (last + step) % count
                        with m.If(wishes[index]):
                            m.d.sync += owner.eq(1 << index)
        with m.Elif(passed):
            m.d.sync += chosen.eq(0)
        return chosen, owner

    def _route_writes(self, m: Module, turns: Queue) -> None:
        """Words of the client whose burst is written now."""
        turn, port = turns.output, self.port
        clients = list(self.clients)
        offered = _of(turn.payload.owner, [client.write.valid for client in clients])
        m.d.comb += [
            port.write.payload.eq(
                _of(turn.payload.owner, [client.write.payload for client in clients])
            ),
            port.write.valid.eq(turn.valid & offered),
        ]
        for index, client in enumerate(clients):
            mine = turn.valid & turn.payload.owner[index]
            m.d.comb += client.write.ready.eq(port.write.ready & mine)
        _end(m, turn, port.write.valid & port.write.ready, "written")

    def _route_reads(self, m: Module, turns: Queue) -> None:
        """Words for the client whose burst is read now; all see them, one of them is told."""
        turn, port = turns.output, self.port
        for index, client in enumerate(self.clients):
            m.d.comb += [
                client.read.payload.eq(port.read.payload),
                client.read.valid.eq(port.read.valid & turn.valid & turn.payload.owner[index]),
            ]
        # Room was there when the burst was asked for.
        m.d.comb += port.read.ready.eq(1)
        _end(m, turn, port.read.valid, "read")


def _end(m: Module, turn: stream.Interface, beat: Value, name: str) -> None:
    """Let a turn end with the last beat of its burst; `name` of the counter of its beats."""
    beats = Signal(LENGTH_BITS, name=name)
    m.d.comb += turn.ready.eq(beat & (beats == turn.payload.length))
    with m.If(beat):
        m.d.sync += beats.eq(Mux(turn.ready, 0, beats + 1))


def _of(owner: Value, values: Sequence[ValueLike]) -> Value:
    """The value of the one whose bit is set."""
    masked = (Mux(owner[i], Value.cast(value), 0) for i, value in enumerate(values))
    return reduce(or_, masked)
