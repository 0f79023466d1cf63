"""The nest walker: from the descriptor of a CONV to the bases of one pass after the other."""

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arch.commands import BASES, CONSTANTS, DESCRIPTOR_WORDS, LOOP, LOOPS, START, Opcode
from hw.arch.config import LINK_WORD_BITS
from hw.base.block import Block
from hw.base.layouts import layout
from hw.engines.tables import compact
from hw.sequencer.next_command import descriptor_port

WORDS = DESCRIPTOR_WORDS[Opcode.CONV]


class NestWalker(Block):
    """Holds a CONV descriptor and steps through its passes.

    Stepping takes one cycle for each loop that starts over, and one for the loop that steps.

    Timing
    ------
    The first pass is shown when all loops are open, seven cycles after `start`; where only the
    innermost loop steps, the next pass is shown after a cycle. (The loops here have no end.)

        cycle     0   1   2   3   4   5   6   7   8   9  10  11
        start     1   0   0   0   0   0   0   0   0   0   0   0
        idle      1   0   0   0   0   0   0   0   0   0   0   0
        ready     0   0   0   0   0   0   0   1   1   0   1   0
        next      0   0   0   0   0   0   0   0   1   0   1   0
        opening   0   1   1   1   1   1   1   1   1   0   0   0
        first     1   1   1   1   1   1   1   1   1   1   1   1

    Members
    -------
    write : in, descriptor_port(WORDS)
        Writes descriptor words while `idle`; those that are not written are as before.
    start : in, 1
        Begin with the first pass.
    idle : out, 1
        No pass is left.
    ready : out, 1
        `bases` and what is said of the pass below are those of a pass.
    next : in, 1
        Go on to the next pass.
    constants : out, compact(CONSTANTS)
        What all passes of the command share.
    bases : out, compact(BASES)
        Where this pass begins in the buffer and in the filters.
    first, last : out, 1
        The pass is at the beginning, at the end of a sum: its psums start at zero, are complete.
    fresh, release : out, 1
        The pass is sent filters, else those of the pass before are still there; PEs forget them
        after it.
    opening, closing : out, 1
        The pass is the first, the last one of the command.
    """

    def __init__(self):
        super().__init__(
            {
                "write": In(descriptor_port(WORDS)),
                "start": In(1),
                "idle": Out(1),
                "ready": Out(1),
                "next": In(1),
                "constants": Out(compact(CONSTANTS)),
                "bases": Out(compact(BASES)),
                "first": Out(1),
                "last": Out(1),
                "fresh": Out(1),
                "release": Out(1),
                "opening": Out(1),
                "closing": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        constants = Signal(layout(CONSTANTS))
        words = Array(constants.as_value().word_select(i, 64) for i in range(CONSTANTS.words))
        bases = Signal(layout(BASES))
        base_words = [bases.as_value().word_select(i, 64) for i in range(BASES.words)]
        first_loop_word = START.words + CONSTANTS.words
        given = Signal(range(LOOPS + 1), init=LOOPS)  # loops that have a record
        start = layout(START)(Cat(Const(0, (START.words - 1) * LINK_WORD_BITS), self.write.data))
        with m.If(self.write.en):
            for i, word in enumerate(base_words):
                with m.If(self.write.index == i):
                    m.d.sync += word.eq(self.write.data)
            with m.If((self.write.index == START.words - 1) & start.constants):
                m.d.sync += given.eq(start.loops)
            for i in range(CONSTANTS.words):
                with m.If(self.write.index == START.words + i):
                    m.d.sync += words[i].eq(self.write.data)
        loop = Signal(range(LOOPS))
        entry = Signal(layout(LOOP))
        for i in range(LOOP.words):
            m.submodules[f"loops_{i}"] = memory = Memory(shape=64, depth=LOOPS, init=[])
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                write.data.eq(self.write.data),
                read.addr.eq(loop),
                entry.as_value().word_select(i, 64).eq(read.data),
            ]
            with m.Switch(self.write.index):
                for number in range(LOOPS):
                    with m.Case(first_loop_word + number * LOOP.words + i):
                        m.d.comb += [
                            write.addr.eq(LOOPS - 1 - number),
                            write.en.eq(self.write.en),
                        ]
        m.d.comb += [
            *(self.constants[f.name].eq(constants[f.name]) for f in CONSTANTS.fields),
            *(self.bases[f.name].eq(bases[f.name]) for f in BASES.fields),
        ]
        once = (loop + given < LOOPS) | (entry.count == 1)
        self._walk(m, _Nest(loop, entry, once, constants, bases))
        return m

    def _walk(self, m: Module, nest: "_Nest") -> None:
        """Step the bases, loop by loop; the outermost loop is loop 0."""
        loop, entry, constants, bases = nest.loop, nest.entry, nest.constants, nest.bases
        indices = Array(Signal(16, name=f"index_{i}") for i in range(LOOPS))
        at_first = Signal(LOOPS)
        at_last = Signal(LOOPS)
        mask, held = constants.accumulate, constants.held
        m.d.comb += [
            self.first.eq(~constants.after & (at_first | ~mask).all()),
            self.last.eq(~constants.before & (at_last | ~mask).all()),
            self.fresh.eq(~constants.reuse & (at_first | ~held).all()),
            self.release.eq(~constants.keep & (at_last | ~held).all()),
            self.closing.eq(at_last.all()),
        ]
        index = indices[loop]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                with m.If(self.start):
                    m.d.sync += [loop.eq(LOOPS - 1), self.opening.eq(1)]
                    m.next = "OPEN"
            with m.State("OPEN"):  # every loop at its first iteration
                m.d.sync += [
                    index.eq(0),
                    at_first.bit_select(loop, 1).eq(1),
                    at_last.bit_select(loop, 1).eq(nest.once),
                    loop.eq(loop - 1),
                ]
                with m.If(loop == 0):
                    m.next = "SHOW"
            with m.State("SHOW"):
                m.d.comb += self.ready.eq(1)
                with m.If(self.next):
                    m.d.sync += [loop.eq(LOOPS - 1), self.opening.eq(0)]
                    m.next = "STEP"
            with m.State("STEP"):
                with m.If(at_last.bit_select(loop, 1)):
                    m.d.sync += [
                        index.eq(0),
                        at_first.bit_select(loop, 1).eq(1),
                        at_last.bit_select(loop, 1).eq(nest.once),
                        loop.eq(loop - 1),
                    ]
                    with m.If(loop == 0):
                        m.next = "IDLE"
                with m.Else():
                    m.d.sync += [
                        index.eq(index + 1),
                        at_first.bit_select(loop, 1).eq(0),
                        # A step ahead, so that `last` and `closing` follow from registers.
                        at_last.bit_select(loop, 1).eq(index + 2 == entry.count),
                    ]
                    # An increment includes that the inner loops start over: one addition for each
                    # base.
                    for field in BASES.fields:
                        base = bases[field.name]
                        m.d.sync += base.eq(base + entry[field.name])
                    m.next = "SHOW"


@dataclass(frozen=True)
class _Nest:
    """What the walker holds: a loop's number, its record and whether it has one iteration, the
    constants, and the present bases."""

    loop: Signal
    entry: data.View
    once: Value
    constants: data.View
    bases: data.View
