"""A PE that skips zeros sends what a dense one sends, in the same order, at its own times."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Array, Cat, Mux, Signal, Value
from amaranth.lib import data

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.dense import DensePE
from hw.pe.skipping import SkippingPE
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.property import Property
from hw.properties.harness.shrunk import shrunk

_SIZES = {
    "pe.ifmap_spad": 4,
    "pe.psum_spad": 4,
    "pe.ifmap_fifo": 1,
    "pe.psum_fifo": 2,
    "noc.ifmap": 1,
    "control.map_bits": 3,
    "array.psum_width": 8,
}
_SAME = ("pe.macs", "control.pipeline", "array.data_width", "pe.weight_zero_points")
_DRIVEN = ("config", "ifmap", "filters", "below", "column")
_WORDS = 5  # of ifmaps
_ROWS = 4  # of weights
_SENT = 4  # words that are compared
_WEIGHT_BITS = 2


@dataclass(frozen=True)
class SkippingSendsTheSame(Property):
    """A `SkippingPE` and a `DensePE` in a pass of the solver's choice, with the same words.

    The dense PE gets and gives its words at once, the other one when the solver likes. Times a
    weight, a word of 0 or 1 gives 0 or the weight: which products are added is seen without a
    multiplier.
    """

    number = 14
    title = "a PE that skips zeros sends the psums of a dense one, in the same order"
    bound = 12
    inductive = False

    config: Config

    @classmethod
    def of(cls, block: Block) -> Iterator["SkippingSendsTheSame"]:
        if isinstance(block, SkippingPE):
            config = block.parameters
            small = shrunk(Config(), {name: config.value(name) for name in _SAME})
            beat = {"noc.filter": config.pe.macs, "pe.filter_spad": 2 * _ROWS * config.pe.macs}
            yield cls(shrunk(small, {**_SIZES, **beat}))

    @property
    def subject(self) -> str:
        config = self.config
        kind = ", pipelined" if config.control.pipeline else ""
        return f"SkippingPE of {config.pe.macs} MACs, {config.array.data_width}-bit data{kind}"

    @property
    def reduced(self) -> str:
        return (
            f"a pass of a PE alone in its chain, scratchpads of 4 words, {_WORDS} ifmap words of 0 "
            "and 1, weights of 2 bits"
        )

    def build(self, bench: ProofBench) -> None:
        config = self.config
        counts = {
            name: bench.constant(4, name)
            for name in ("steps", "channels", "taps", "advance", "windows", "rounds")
        }
        diagonal = bench.constant(1, "diagonal")
        shape = data.StructLayout(
            {**dict.fromkeys((*counts, "psums"), 4), "diagonal": 1, "odd": 1, "window_shift": 5}
        )
        constants = Signal(shape)
        for name, count in counts.items():
            bench.m.d.comb += constants[name].eq(count)
            bench.assume(count != 0)
        per_round = Mux(diagonal, counts["channels"], 1)
        slots = counts["steps"] * per_round
        bench.m.d.comb += [
            constants.diagonal.eq(diagonal),
            constants.psums.eq(slots * config.pe.macs),
        ]
        words = counts["taps"] + (counts["windows"] - 1) * counts["advance"]
        rows = counts["steps"] * counts["taps"]
        bench.assume(counts["rounds"] * per_round == counts["taps"])
        bench.assume((slots * config.pe.macs <= 4) & (counts["taps"] <= 4) & (rows <= _ROWS))
        bench.assume((counts["advance"] <= counts["taps"]) & (words <= _WORDS))
        ifmaps = Array(bench.constant(1, f"ifmap_{n}") for n in range(_WORDS))
        width = config.weight_width * config.noc.filter
        filters = Array(bench.constant(width, f"filters_{n}") for n in range(_ROWS))
        for row in filters:
            for w in range(config.noc.filter):
                bench.assume(row.word_select(w, config.weight_width) < 1 << _WEIGHT_BITS)
        sent = []
        for name, kind in (("dense", DensePE), ("skipping", SkippingPE)):
            pe = kind(config)
            bench.place(pe, name=name, driven=(*_DRIVEN, "output") if kind is DensePE else _DRIVEN)
            if kind is DensePE:
                bench.m.d.comb += pe.output.ready.eq(1)
            constant = kind.pass_constants(config, constants)
            place = {"active": 1, "head": 1, "zero": 1, "tail": 1, "release": 1}
            bench.m.d.comb += [
                *(pe.config[field].eq(value) for field, value in {**constant, **place}.items()),
                pe.config_pass.eq(bench.started),
            ]
            eager = kind is DensePE
            taken = _fed(bench, pe.ifmap, words, f"{name}_ifmap", eager)
            bench.m.d.comb += pe.ifmap.payload.words[0].eq(ifmaps[taken[:3]])
            taken = _fed(bench, pe.filters, rows, f"{name}_filters", True)
            bench.m.d.comb += [
                Cat(pe.filters.payload.words).eq(filters[taken[:2]]),
                pe.filters.payload.last.eq(taken + 1 == rows),
            ]
            sent.append(_Sent(bench, pe.output, name))
        dense, skipping = sent
        for number in range(_SENT):
            bench.claim(
                f"word {number} is the same",
                implies(
                    (dense.count > number) & (skipping.count > number),
                    dense.words[number] == skipping.words[number],
                ),
            )


def _fed(bench: ProofBench, stream: Any, most: Value, name: str, eager: bool) -> Signal:
    """Offer so many beats, at once or when the solver likes; how many were taken."""
    taken = Signal(4, name=f"{name}_taken")
    with bench.m.If(stream.valid & stream.ready):
        bench.m.d.sync += taken.eq(taken + 1)
    bench.m.d.comb += stream.valid.eq(
        (1 if eager else bench.free(1, f"{name}_valid")) & (taken < most)
    )
    return taken


class _Sent:
    """The first words that leave on a stream."""

    def __init__(self, bench: ProofBench, stream: Any, name: str):
        bits = Value.cast(stream.payload)
        self.count = Signal(range(_SENT + 1), name=f"{name}_sent")
        self.words = [Signal(len(bits), name=f"{name}_word_{n}") for n in range(_SENT)]
        with bench.m.If(stream.valid & stream.ready & (self.count != _SENT)):
            bench.m.d.sync += self.count.eq(self.count + 1)
            for number, word in enumerate(self.words):
                with bench.m.If(self.count == number):
                    bench.m.d.sync += word.eq(bits)
