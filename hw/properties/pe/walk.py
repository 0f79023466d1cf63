"""Property 7: a window walk stays within the scratchpads and takes the steps that it should."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib import data

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.walk import WindowWalk
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.inside import Inside
from hw.properties.harness.property import Property
from hw.properties.harness.shrunk import shrunk

_COUNTS = (
    "array.data_width",
    "pe.ifmap_spad",
    "pe.psum_spad",
    "pe.macs",
    "control.map_bits",
    "control.pipeline",
)


@dataclass(frozen=True)
class WalkStays(Property):
    """The `WindowWalk` of a configuration."""

    number = 7
    title = "a walk stays within the scratchpads, and its ends are those of the counts"

    config: Config

    @classmethod
    def of(cls, block: Block) -> Iterator["WalkStays"]:
        if type(block) is WindowWalk:
            values = {name: block.parameters.value(name) for name in _COUNTS}
            yield cls(shrunk(Config(), values))

    @property
    def subject(self) -> str:
        pe = self.config.pe
        kind = ", resting between passes" if self.config.control.pipeline else ""
        return f"WindowWalk over {pe.ifmap_spad} words and {pe.psum_spad // pe.macs} slots{kind}"

    def build(self, bench: ProofBench) -> None:
        m, config = bench.m, self.config
        walk = WindowWalk(config)
        inside = bench.place(walk)
        slots, words = max(config.pe.psum_spad // config.pe.macs, 2), max(config.pe.ifmap_spad, 2)
        counts = _Counts(bench, config, "wanted", free=True)
        now = _Counts(bench, config, "now", free=False)
        bench.assume(counts.legal & _follow(walk.config, counts))
        bench.assume(implies(walk.step, walk.running))
        running, begin = walk.running, Signal()
        waits = config.control.pipeline  # a PE rests between passes
        pending = walk.config_pass != walk.started
        m.d.comb += begin.eq(pending & (~running | (0 if waits else walk.step & walk.pass_done)))
        bench.claim(
            "a pass begins as soon as the one before has ended",
            bench.past(walk.started + begin, "begun")[:2] == walk.started,
        )
        with m.If(begin):
            m.d.sync += [mine.eq(theirs) for mine, theirs in zip(now.all, counts.all, strict=True)]
        known = Signal()  # a pass has begun
        with m.If(begin):
            m.d.sync += known.eq(1)
        bench.claim("nothing runs before a pass has begun", implies(running, known))
        bench.claim("a pass has counts that the PE can hold", implies(known, now.legal))
        current = walk.config.shape()(Cat(inside.signal("current")))
        bench.claim("a pass keeps its configuration", implies(known, _follow(current, now)))
        # Where the walk is, counted from outside: word of the round, rounds and windows to come.
        word = Signal(range(words), name="word_of_round")
        rounds = Signal(range(words + 1))
        windows = Signal(config.control.map_bits + 1)  # -1 once a pass is over
        step = walk.step
        word_done, window_done = step & walk.word_done, step & walk.window_done
        round_done = Signal()
        m.d.comb += round_done.eq(word_done & (word + 1 == now.per_round))
        with m.If(word_done):
            m.d.sync += word.eq(Mux(round_done, 0, word + 1))
        with m.If(round_done):
            m.d.sync += rounds.eq(rounds - 1)
        with m.If(window_done):
            m.d.sync += [rounds.eq(now.rounds - 1), windows.eq(windows - 1)]
        with m.If(begin):
            m.d.sync += [
                word.eq(0),
                rounds.eq(counts.rounds - 1),
                windows.eq(counts.windows - 1),
            ]
        self._places(bench, walk, inside, now, word, rounds, known)
        self._windows(bench, walk, inside, now, windows, known)
        slot, index = inside.signal("slot"), inside.signal("step_index")
        bench.claim("the psum slot is one that the PE has", walk.operation.slot < slots)
        bench.claim("the word is one that the PE has", inside.signal("tap") < words)
        bench.claim(
            "a step is the last of its word iff it is the one before the word's number of steps",
            implies(known, walk.word_done == (index + 1 == now.steps)),
        )
        last = (slot + 1 == now.slots) & (rounds == 0)
        bench.claim(
            "a window ends with the last slot of its last round",
            implies(known, walk.window_done == last),
        )
        bench.claim(
            "a pass ends with its last window",
            implies(running, walk.pass_done == (walk.window_done & (windows == 0))),
        )
        bench.claim(
            "a word is free iff the next window does not need it",
            implies(
                running, walk.word_free == ((inside.signal("tap") < now.advance) | (windows == 0))
            ),
        )
        self._equal(bench, walk, now, rounds, running)

    def _equal(self, bench: ProofBench, walk: WindowWalk, now: "_Counts", rounds, running) -> None:
        operation = walk.operation
        bench.claim(
            "the first and the last round are told",
            implies(
                running,
                (operation.first == (rounds + 1 == now.rounds)) & (operation.last == (rounds == 0)),
            ),
        )

    def _places(self, bench: ProofBench, walk, inside: Inside, now, word, rounds, known) -> None:
        """How the counters follow from where the walk is; all are 0 between passes."""
        slot, index, tap = (inside.signal(name) for name in ("slot", "step_index", "tap"))
        ends = Cat(inside.signal(name) for name in ("word_ends", "round_ends", "last_begun"))
        flags = inside.signal("free") & inside.signal("first") & ~ends.any()
        resting = flags & (index == 0) & (slot == 0) & (tap == 0) & (word == 0)
        bench.claim(
            "between passes all counts are as at the beginning",
            implies(~walk.running, resting & (~known | (rounds + 1 == now.rounds))),
        )
        claims = {
            "words stay inside their round": word < now.per_round,
            "rounds stay inside their window": rounds < now.rounds,
            "steps stay inside the word": index < now.steps,
            "the slot follows from word and step": slot == word * now.steps + index,
            "the word follows from round and word of the round": (
                tap == (now.rounds - 1 - rounds) * now.per_round + word
            ),
            "the end of a word is told ahead": (
                inside.signal("word_ends") == ((index + 1 == now.steps) & (now.steps > 1))
            ),
            "the end of a round is told ahead": (
                inside.signal("round_ends") == ((slot + 1 == now.slots) & (now.slots > 1))
            ),
            "the last round is told ahead": (
                inside.signal("last_begun") == ((rounds == 0) & (now.rounds > 1))
            ),
            "the first round is told": inside.signal("first") == (rounds + 1 == now.rounds),
            "words to be freed are told": inside.signal("free") == (tap < now.advance),
        }
        for sentence, condition in claims.items():
            bench.claim(sentence, implies(known, condition))

    def _windows(self, bench: ProofBench, walk, inside: Inside, now, windows, known) -> None:
        """The negative counter of windows, which takes its number in after the beginning."""
        more, change = inside.signal("more"), inside.signal("change")
        settled = change.all()
        begins = windows + 1 == now.windows
        bench.claim(
            "the number of windows is taken in, then counted",
            implies(
                known,
                Mux(
                    settled,
                    more == (windows - 1)[: len(more)],
                    begins & (change == now.windows) & (more == more.init),
                ),
            ),
        )
        bench.claim("no more windows than wanted", implies(walk.running, windows < now.windows))


class _Counts:
    """The counts of a pass: those a compiler gives, of which a PE gets ends.

    `steps` of an ifmap word; `per_round` ifmap words; `rounds` and `windows`; `advance` words that
    a window has alone; `slots` = steps x per_round; taps = rounds x per_round.
    """

    def __init__(self, bench: ProofBench, config: Config, name: str, *, free: bool):
        self.most_slots = max(config.pe.psum_spad // config.pe.macs, 1)
        self.most_words = max(config.pe.ifmap_spad, 1)
        shapes: dict[str, object] = {
            "steps": range(self.most_slots + 1),
            "per_round": range(self.most_words + 1),
            "rounds": range(self.most_words + 1),
            "advance": range(self.most_words + 1),
            "windows": config.control.map_bits,
            "slots": range(self.most_slots + 1),
            "taps": range(self.most_words + 1),
        }
        make = bench.free if free else (lambda shape, name: Signal(shape, name=name))
        self.all = [make(shape, f"{name}_{field}") for field, shape in shapes.items()]
        (
            self.steps,
            self.per_round,
            self.rounds,
            self.advance,
            self.windows,
            self.slots,
            self.taps,
        ) = self.all

    @property
    def legal(self) -> Value:
        """What the compiler promises."""
        return Cat(
            Cat(count != 0 for count in self.all).all(),
            self.steps * self.per_round == self.slots,
            self.rounds * self.per_round == self.taps,
            self.slots <= self.most_slots,
            self.taps <= self.most_words,
            self.advance <= self.taps,
        ).all()


def _follow(config: data.View, counts: _Counts) -> Value:
    """Whether the fields of a `DensePass` are those of the counts."""
    return Cat(
        config.step_end == counts.steps - 2,
        config.slot_end == counts.slots - 2,
        config.last_tap == counts.taps - counts.per_round - 1,
        config.last_free == counts.advance - 1,
        config.windows == counts.windows,
        config.single == (counts.windows == 1),
    ).all()
