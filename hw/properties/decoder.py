"""Property 12: no stream of words stops the decoder without an answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from amaranth.hdl import Cat, Mux, Signal, Value

from hw.arch.commands import Status
from hw.arch.config import Config
from hw.base.block import Block
from hw.control.decoder import FLUSH_CYCLES, Decoder
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.inside import Inside
from hw.properties.harness.property import Property
from hw.properties.harness.shrunk import shrunk

_WATCHDOG = 8  # cycles: any number counts alike, and a counterexample must be within reach
_BLOCKS = ("STATUS", "COUNTERS", "IDENTITY")
_UNWATCHED = ("HUNT", "HEADER", "FAIL", "FLUSH", *_BLOCKS)


@dataclass(frozen=True)
class DecoderAnswers(Property):
    """A `Decoder`, whatever the host sends and whatever the engine says.

    The decoder waits with a reason if a word is to come from the host or to go to it, or if the
    engine makes progress. The claim is that it does not wait longer than the watchdog without one.
    """

    number = 12
    title = "no stream stops the decoder without an error or the watchdog"

    config: Config

    @classmethod
    def of(cls, block: Block) -> Iterator["DecoderAnswers"]:
        if isinstance(block, Decoder):
            yield cls(shrunk(block.config, {"control.watchdog": _WATCHDOG}))

    @property
    def subject(self) -> str:
        array = self.config.array
        return f"Decoder of {array.rows} x {array.cols} PEs, {array.data_width} bits"

    @property
    def reduced(self) -> str:
        return f"a watchdog of {_WATCHDOG} cycles stands for any"

    def build(self, bench: ProofBench) -> None:
        decoder = Decoder(self.config)
        inside = bench.place(decoder)
        m, engine, result = bench.m, decoder.engine, decoder.result
        bench.polite(decoder.command, "command")
        bench.assume(implies(engine.store_failed, engine.store_status != Status.OK))
        began = bench.past(engine.storing | engine.store, "storing")
        bench.assume(implies(engine.storing, began))  # only what is asked for is stored
        number, numbers = inside.signal("fsm_state"), inside.states()
        bench.claim("the decoder is in one of its states", number < len(numbers))
        state = {name: number == place for name, place in numbers.items()}
        asks = state["HUNT"] | state["HEADER"]
        still = Signal(range(_WATCHDOG + FLUSH_CYCLES + 8))  # cycles of waiting without a reason
        reason = (
            engine.progress
            | result.valid
            | (decoder.command.valid & decoder.command.ready)
            | (asks & ~decoder.command.valid)
            | (state["FAIL"] & engine.storing)
        )
        m.d.sync += still.eq(Mux(reason, 0, still + 1))
        longest = _WATCHDOG + FLUSH_CYCLES + 3
        bench.claim(
            "the decoder waits no longer than the watchdog and its answer", still <= longest
        )
        _waits(bench, inside, state, still)
        _blocks(bench, inside, state)


def _waits(bench: ProofBench, inside: Inside, state: Mapping[str, Value], still: Signal) -> None:
    """How long each state can have waited."""
    decoder, idle, stuck = inside.component, inside.signal("idle"), inside.signal("stuck")
    position, status = inside.signal("position"), inside.signal("status")
    watched = Signal()
    bench.m.d.comb += watched.eq(~Cat(state[name] for name in _UNWATCHED).any())
    bench.claim("the watchdog counts to its limit", idle <= _WATCHDOG)
    bench.claim("the watchdog sees all waiting in other states", implies(watched, still <= idle))
    for name in ("HEADER", "COUNTERS", "IDENTITY"):
        bench.claim(f"{name} comes before the watchdog", implies(state[name], still <= _WATCHDOG))
    bench.claim("FAIL comes after the watchdog", implies(state["FAIL"], still <= _WATCHDOG + 1))
    bench.claim(
        "FLUSH takes its cycles",
        implies(
            state["FLUSH"],
            (position <= FLUSH_CYCLES) & (still <= _WATCHDOG + 2 + position),
        )
        & implies(state["FAIL"], position == 0),
    )
    bench.claim(
        "HUNT waits a cycle after reset", implies(state["HUNT"], still + decoder.flush <= 1)
    )
    bench.claim(
        "the engine is reset after an error, and before the first program",
        implies(decoder.flush, state["FLUSH"] | state["STATUS"] | state["HUNT"]),
    )
    bench.claim(
        "an error is never told as success",
        implies(state["FAIL"] | state["FLUSH"], status != Status.OK),
    )
    bench.claim(
        "the watchdog leads to its error",
        implies(bench.past(stuck & watched, "stuck"), state["FAIL"] & (status == Status.WATCHDOG)),
    )


def _blocks(bench: ProofBench, inside: Inside, state: Mapping[str, Value]) -> None:
    """Blocks of results are whole."""
    result = inside.component.result
    sent = result.valid & result.ready
    own = [state[f"{name}{part}"] for name in _BLOCKS for part in ("", "_WORDS")]
    bench.claim(
        "nothing is stored while other results are sent",
        implies(Cat(own).any() | state["FLUSH"], ~inside.component.engine.storing),
    )
    for name in _BLOCKS:
        bench.claim(f"{name} is on offer", implies(state[name], result.valid))
        bench.claim(
            f"the header of {name} is followed by its words",
            implies(bench.past(state[name] & sent, name.lower()), state[f"{name}_WORDS"]),
        )
