"""Property 4: a beat reaches every PE that wants it exactly once, from end to end of a network."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Mux, Signal, Value

from hw.base.block import Block
from hw.noc.multicast import MulticastNetwork
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.property import Property

_BITS = 2  # of a payload
_TAG = 3  # bits of a column tag
_LINES = 3  # rows, columns


@dataclass(frozen=True)
class NetworkDelivers(Property):
    """A `MulticastNetwork` of `rows` x `cols`, its tags and its registers as in the design."""

    number = 4
    title = "every PE gets the beats that it wants, once, in order and unchanged"
    inductive = False

    rows: int
    cols: int
    row_tag: int
    col_tag: int
    pipeline: int
    entry: int

    @classmethod
    def of(cls, block: Block) -> Iterator["NetworkDelivers"]:
        if isinstance(block, MulticastNetwork):
            rows, cols = (min(size, _LINES) for size in block.shape)
            row_tag, col_tag = block.tags
            tags = min(row_tag, _TAG), min(col_tag, _TAG)
            yield cls(rows, cols, *tags, block.pipeline, block.entry)

    @property
    def _empties(self) -> int:
        """Cycles after which it is empty, once nothing comes and everybody is ready."""
        return 2 * (self.pipeline + self.entry) + 1

    @property
    def bound(self) -> int:  # type: ignore[override]
        """Until it has filled, and has emptied itself."""
        return self._empties + 5

    @property
    def subject(self) -> str:
        queues = [name for name in ("pipeline", "entry") if getattr(self, name)]
        kind = f", {' and '.join(queues)}" if queues else ""
        return f"MulticastNetwork, tags of {self.row_tag} and {self.col_tag} bits{kind}"

    @property
    def reduced(self) -> str:
        tags = f"tags of up to {_TAG} bits"
        return f"{self.rows} x {self.cols} PEs, payloads of {_BITS} bits, {tags} stand for all"

    def build(self, bench: ProofBench) -> None:
        m = bench.m
        network = MulticastNetwork(
            _BITS,
            row_tag=self.row_tag,
            col_tag=self.col_tag,
            rows=self.rows,
            cols=self.cols,
            pipeline=self.pipeline,
            entry=self.entry,
        )
        bench.place(network)
        for name in ("rows", "ids", "enables"):
            bench.hold(getattr(network, name), name)  # tables change between passes alone
        row = bench.constant(range(self.rows), "row")
        col = bench.constant(range(self.cols), "col")
        bench.assume((row < self.rows) & (col < self.cols))
        beat = network.input.payload
        line = network.row_layout(self._chosen(network.rows, beat.bank, row))
        wanted = (
            line.enable
            & (line.id == beat.row)
            & (network.enables[beat.bank].bit_select(col, 1))
            & (
                (self._chosen(network.ids, beat.bank, col) + line.offset)[: self.col_tag]
                == beat.tag
            )
        )
        enters = Signal()
        m.d.comb += enters.eq(network.input.valid & network.input.ready & wanted)
        valid, ready, payload = (
            self._at(network, name, row, col) for name in ("valid", "ready", "payload")
        )
        held = _follow(bench, enters, Value.cast(beat.payload), (valid, ready, payload))
        everybody = Cat(one.ready for line in network.outputs for one in line).all()
        quiet, idle = everybody & ~network.input.valid, 1
        for cycle in range(self._empties):
            quiet = bench.past(quiet, f"quiet_{cycle}")
            idle = idle & quiet
        bench.claim("a network empties itself", implies(idle, held == 0))

    def _at(self, network: MulticastNetwork, name: str, row: Value, col: Value) -> Value:
        """A signal of the output of a row and column."""
        signals = ([Value.cast(getattr(one, name)) for one in line] for line in network.outputs)
        return Array(Array(line) for line in signals)[row][col]

    def _chosen(self, tables, bank, index) -> Value:
        """An element of the table of a bank."""
        banks = [Array(Value.cast(one) for one in tables[i]) for i in range(2)]
        return Mux(bank, banks[1][index], banks[0][index])


def _follow(bench: ProofBench, enters: Value, beat: Value, output: tuple[Value, ...]) -> Signal:
    """Follow a beat of the solver's choice to a PE; returns how many are on their way to it."""
    m = bench.m
    valid, ready, payload = output
    leaves = valid & ready
    held = Signal(4, name="held")
    followed, ahead, value = Signal(), Signal(4, name="ahead"), Signal(_BITS, name="value")
    m.d.sync += held.eq(held + enters - leaves)
    with m.If(followed):
        m.d.sync += ahead.eq(ahead - leaves)
        with m.If(leaves & (ahead == 0)):
            m.d.sync += followed.eq(0)
    with m.Elif(enters & bench.free(1, "chosen") & ((held != 0) | ~leaves)):
        m.d.sync += [followed.eq(1), value.eq(beat), ahead.eq(held - leaves)]
    bench.claim(
        "a PE is given what is on its way to it alone", implies(valid, (held != 0) | enters)
    )
    bench.claim("a PE is given a beat only when it takes it", implies(valid, ready))
    bench.claim(
        "a beat that passes at once is unchanged",
        implies(valid & (held == 0), payload == beat),
    )
    bench.claim(
        "a beat comes after those before it, unchanged",
        implies(valid & followed & (ahead == 0), payload == value),
    )
    return held
