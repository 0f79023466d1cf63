"""Property 10: the nest walker shows the passes of its loops, in order, with their bases."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Mux, Signal, Value

from hw.arch.commands import BASES, LOOP, LOOPS
from hw.base.block import Block
from hw.base.layouts import layout
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.inside import Inside
from hw.properties.harness.property import Property
from hw.sequencer.walker import NestWalker

_IDLE, _OPEN, _SHOW, _STEP = range(4)  # the walker's states


@dataclass(frozen=True)
class NestFollowsItsLoops(Property):
    """The `NestWalker`, of which all designs have the same one.

    Together its claims are the closed form: a base is where the command began, plus, for every loop
    that has stepped, what it adds.
    """

    number = 10
    title = "the nest walker steps as an odometer, and bases gain what its loops add"
    depth = 2

    @classmethod
    def of(cls, block: Block) -> Iterator["NestFollowsItsLoops"]:
        if isinstance(block, NestWalker):
            yield cls()

    @property
    def subject(self) -> str:
        return f"NestWalker of {LOOPS} loops"

    def build(self, bench: ProofBench) -> None:
        walker = NestWalker()
        inside = bench.place(walker)
        bench.assume(implies(walker.write.en, walker.idle & ~walker.start))
        bench.assume(implies(walker.next, walker.ready))
        nest = _Loops(bench, inside)
        active = ~walker.idle
        bench.assume(implies(active, nest.legal))
        self._state(bench, walker, inside, nest)
        self._bases(bench, inside, nest)
        last = Cat(nest.at_last(loop) for loop in range(LOOPS))
        first = Cat(nest.index(loop) == 0 for loop in range(LOOPS))
        shown = {
            "the first pass is told": walker.opening == first.all(),
            "the last pass is told": walker.closing == last.all(),
            "the beginning of a sum is told": (
                walker.first
                == (~walker.constants.after & (first | ~walker.constants.accumulate).all())
            ),
            "the end of a sum is told": (
                walker.last
                == (~walker.constants.before & (last | ~walker.constants.accumulate).all())
            ),
            "filters are sent as they are held": (
                walker.fresh == (~walker.constants.reuse & (first | ~walker.constants.held).all())
            ),
        }
        for sentence, condition in shown.items():
            bench.claim(sentence, implies(walker.ready, condition))

    def _state(self, bench: ProofBench, walker: NestWalker, inside: Inside, nest: "_Loops") -> None:
        """What the loops hold: those that are not opened yet hold anything."""
        state, loop = inside.signal("fsm_state"), inside.signal("loop")
        opening, shows = state == _OPEN, (state == _SHOW) | (state == _STEP)
        bench.claim("a pass is shown in its state", walker.ready == (state == _SHOW))
        bench.claim(
            "loops are opened and stepped one by one",
            implies(opening | (state == _STEP), loop < LOOPS),
        )
        flags = walker.opening
        bench.claim("a command opens with its first pass", implies(opening, flags))
        for number in range(LOOPS):
            known = shows | (opening & (number > loop))
            index = nest.index(number)
            bench.claim(
                f"loop {number} stays below its count", implies(known, index < nest.count(number))
            )
            bench.claim(
                f"loop {number} knows its first and last iteration",
                implies(
                    known,
                    (inside.signal("at_first")[number] == (index == 0))
                    & (inside.signal("at_last")[number] == nest.at_last(number)),
                ),
            )
            bench.claim(
                f"loop {number} starts over when one outside it steps",
                implies((opening | (state == _STEP)) & (number > loop), index == 0),
            )
        stepped = Cat(nest.index(number) == 0 for number in range(LOOPS)).all()
        bench.claim(
            "a pass after the first one has counted",
            implies(state == _SHOW, flags == stepped) & implies(state == _STEP, ~flags),
        )

    def _bases(self, bench: ProofBench, inside: Inside, nest: "_Loops") -> None:
        """Each base gains a loop's increment where that loop steps, and else stays as it is."""
        state, loop = inside.signal("fsm_state"), inside.signal("loop")
        stepping = (state == _STEP) & ~Array(map(nest.at_last, range(LOOPS)))[loop]
        bases, before = layout(BASES)(nest.bases), bench.past(nest.bases, "bases")
        moved = bench.past(~inside.component.idle, "moved")
        gains = Array(entry.as_value() for entry in nest.entries)[loop]
        gained = bench.past(Mux(stepping, gains, 0), "gained")
        for field in BASES.fields:
            was, gain = (view[field.name].as_unsigned() for view in _views(before, gained))
            bench.claim(
                f"the base {field.name} gains what the loop that steps adds, and nothing else",
                implies(moved, bases[field.name].as_unsigned() == (was + gain)[: field.width]),
            )


def _views(before: Signal, gained: Signal):
    return layout(BASES)(before), layout(LOOP)(gained)


class _Loops:
    """The records of the loops; 0 is the outermost one."""

    def __init__(self, bench: ProofBench, inside: Inside):
        self.inside = inside
        self.bases = inside.signal("bases")
        self.entries = [Signal(layout(LOOP), name=f"loop_{number}") for number in range(LOOPS)]
        for word in range(LOOP.words):
            memory = inside.submodule(f"loops_{word}")
            for number, entry in enumerate(self.entries):
                look = memory.read_port(domain="comb")
                bench.m.d.comb += [
                    look.addr.eq(number),
                    entry.as_value().word_select(word, 64).eq(look.data),
                ]

    def index(self, number: int) -> Signal:
        """The index of a loop."""
        return self.inside.signal(f"index_{number}")

    def count(self, number: int) -> Value:
        """Its iterations: one for a loop without a record."""
        given = self.inside.signal("given")
        return Mux(number + given < LOOPS, 1, self.entries[number].count)

    def at_last(self, number: int) -> Value:
        """Whether it is at its last iteration."""
        return self.index(number) + 1 == self.count(number)

    @property
    def legal(self) -> Value:
        """What the compiler promises: every loop has an iteration."""
        given = self.inside.signal("given")
        return (given <= LOOPS) & Cat(self.count(number) != 0 for number in range(LOOPS)).all()
