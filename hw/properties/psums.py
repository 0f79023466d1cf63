"""Property 9: no window of psums is read back before it has been written."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Cat, Mux, Signal, Value, signed

from hw.arch.config import Config
from hw.base.block import Block
from hw.engines.psum_reader import PsumReader
from hw.engines.psum_writer import PsumWriter
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.inside import Inside
from hw.properties.harness.property import Property
from hw.properties.harness.shrunk import shrunk

_SAME = ("control.pipeline", "noc.psum_in", "noc.psum_out")
_SIZES = {"control.map_bits": 3, "array.rows": 4, "array.cols": 4}
_LOOPS = {"window": "windows", "segment": "segments", "column": "columns", "beat": "psum_beats"}
_OWN = ("segments", "columns")  # counts of the pass's table itself, not of its constants


@dataclass(frozen=True)
class WindowsAreWrittenFirst(Property):
    """A `PsumReader` and a `PsumWriter` on the same passes, as the engine places them.

    The solver chooses the place of a beat in its pass, and when the columns, the buffer and the
    post-processor take or give something.
    """

    number = 9
    title = "no window of psums is read before it is written"

    config: Config

    @classmethod
    def of(cls, block: Block) -> Iterator["WindowsAreWrittenFirst"]:
        if isinstance(block, PsumReader):
            same = {name: block.config.value(name) for name in _SAME}
            yield cls(shrunk(Config(), {**same, **_SIZES}))

    @property
    def subject(self) -> str:
        noc = self.config.noc
        kind = ", pipelined" if self.config.control.pipeline else ""
        return f"PsumReader of {noc.psum_in} psums, PsumWriter of {noc.psum_out}{kind}"

    @property
    def reduced(self) -> str:
        return "7 windows, 4 segments and 4 columns at most stand for all"

    def build(self, bench: ProofBench) -> None:
        reader, writer = PsumReader(self.config), PsumWriter(self.config)
        shared = ("tables", "issued")
        reading = bench.place(
            reader, name="reader", driven=(*shared, "written_pass", "written_window")
        )
        writing = bench.place(writer, name="writer", driven=shared)
        m = bench.m
        tables = bench.free(reader.tables.shape(), "tables")
        issued, issue = Signal(2), Signal()
        out = {"reader": (issued - reader.done)[:2], "writer": (issued - writer.done)[:2]}
        m.d.comb += [
            issue.eq(bench.free(1, "issue") & Cat(number <= 1 for number in out.values()).all()),
            reader.written_pass.eq(writer.done),
            reader.written_window.eq(writer.written_window),
        ]
        for block in (reader, writer):
            m.d.comb += [block.tables.eq(tables), block.issued.eq(issued)]
        m.d.sync += issued.eq(issued + issue)
        for name, number in out.items():
            bench.claim(f"the {name} has at most two passes before it", number <= 2)
        before, now = Signal(signed(4)), Signal(signed(4))  # passes that the reader is ahead
        m.d.comb += now.eq(before + _gone(bench, reader, "reader") - _gone(bench, writer, "writer"))
        m.d.sync += before.eq(now)
        bench.claim("the passes between the two are counted", now == out["writer"] - out["reader"])

        counts = {name: bench.constant(_count(tables[0], name).shape(), name) for name in _LOOPS}
        for name, count in counts.items():
            bench.assume(count != 0)
            for table in tables:
                bench.assume(_count(table, name) == count)
        beat = {
            name: bench.constant(reading.signal(f"{name}_index").shape(), f"beat_{name}")
            for name in _LOOPS
        }
        for name, count in counts.items():
            bench.assume(beat[name] < count)
        chosen = _place(beat)
        for name, inside in (("reader", reading), ("writer", writing)):
            for loop, count in counts.items():
                index = inside.signal(f"{loop}_index")
                bench.claim(f"the {name} counts the {loop} below its count", index < count)
        written = _written(bench, writing, counts, chosen, issued)
        asks = reading.part("reader").component.input.valid
        bench.claim(
            "psums are asked for of the pass before alone", implies(asks, (now == 0) | (now == 1))
        )
        bench.claim(
            "the writer is done with a beat before the reader asks for it",
            implies(asks & (now == 1) & (_place(_indices(reading)) == chosen), written),
        )


def _gone(bench: ProofBench, block: PsumReader | PsumWriter, name: str) -> Value:
    """Passes that an engine has finished with the last clock edge."""
    step = (block.done - bench.past(block.done, f"{name}_done"))[:2]
    bench.claim(f"the {name} finishes one pass at a time", step <= 1)
    return step


def _count(table: Value, loop: str) -> Value:
    name = _LOOPS[loop]
    return Value.cast(table[name] if name in _OWN else table.constants[name])


def _indices(inside: Inside) -> dict[str, Signal]:
    return {name: inside.signal(f"{name}_index") for name in _LOOPS}


def _place(indices: dict[str, Signal]) -> Value:
    """One number that grows from beat to beat of a pass."""
    return Cat(indices[name] for name in reversed(_LOOPS))


def _written(
    bench: ProofBench, inside: Inside, counts: dict[str, Signal], chosen: Value, issued: Signal
) -> Signal:
    """Whether the writer's present pass has handed on the beat that is chosen.

    The claims are what the writer remembers: its counters are one beat ahead of the beat that it
    holds, and a window counts as written when its last beat has left.
    """
    m, writer = bench.m, inside.component
    full, leave, drained = (inside.signal(name) for name in ("full", "leave", "drained"))
    held = writer.beat(inside.signal("beat"))
    indices = _indices(inside)
    place, position = _place(indices), Signal(len(chosen))
    window = position[-len(indices["window"]) :]
    last = Cat(indices[name] + 1 == counts[name] for name in _LOOPS if name != "window").all()
    held_last = Signal()
    with m.If(inside.signal("step")):
        m.d.sync += [position.eq(place), held_last.eq(last)]
    written, past, here, over = Signal(), Signal(), Signal(), Signal()
    to_buffer = writer.psums.valid & writer.psums.ready
    m.d.comb += [
        past.eq(drained | (chosen < place)),
        here.eq(full & (position == chosen)),
        over.eq(drained & ~full & writer.post_idle),
    ]
    with m.If(here & Mux(held.finished, leave, to_buffer)):
        m.d.sync += written.eq(1)
    with m.If(over):
        m.d.sync += written.eq(0)
    bench.claim(
        "beats are gathered of passes alone that were issued",
        implies(drained | full | place.any(), issued != writer.done),
    )
    bench.claim("beats that were gathered have left or are held", written == (past & ~here))
    bench.claim("the beat that is held was gathered", implies(here, past))
    bench.claim("a pass is over after its last beat", implies(drained, place == 0))
    bench.claim("a window ends with its last beat", implies(full, held.window_end == held_last))
    bench.claim(
        "the beat that is held is of the first window that is not written",
        implies(full, window == writer.written_window),
    )
    gathered = Mux(drained, counts["window"], indices["window"])
    bench.claim(
        "windows are written when all of their beats have left",
        gathered == writer.written_window + (full & held.window_end),
    )
    bench.claim("a pass counts as done when its beats have left", implies(over, written))
    return written
