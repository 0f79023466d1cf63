# amaranth: UnusedElaboratable=no
"""Two 8-bit weights times one activation in one 25 x 18 multiplier: every value there is."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.base.block import Block
from hw.emit.verilog import emit
from hw.pe.dense import DensePE
from sim.rtl import RtlEngine
from sim.verilator import Build, build_library

CONFIG = {"pe.macs": 2, "pe.weight_zero_points": False}
LOWEST = -255  # a stored activation of 8 bits less its zero point


def test_the_arithmetic_is_exact_for_all_operands():
    """What the PE's docstring says, in integers, for all activations and pairs of weights."""
    weights = np.arange(-128, 128, dtype=np.int64)
    high, low = weights[:, None], weights[None, :]
    packed = (high << 16) + low
    assert packed.min() >= -(1 << 24) and packed.max() < 1 << 24  # 25 bits
    for x in range(LOWEST, 256):
        both = packed * x
        first = ((both & 0xFFFF) ^ 0x8000) - 0x8000
        second = (both >> 16) + (both >> 15 & 1)
        assert (first == low * x).all() and (second == high * x).all(), x


class Exhaustive(Block):
    """Goes through all operands by itself and answers how many products differ.

    The word that starts it is the least activation.
    """

    def __init__(self):
        super().__init__({"cmd": In(stream.Signature(64)), "result": Out(stream.Signature(64))})

    def elaborate(self, platform):
        m = Module()
        word, at = Signal(signed(10)), Signal(17)
        weights = Signal(data.ArrayLayout(signed(8), 2))
        pair = data.ArrayLayout(signed(17), 2)
        ours, wanted = Signal(pair), Signal(pair)
        running, wrong = Signal(), Signal(32)
        narrow = Signal(signed(9))
        m.d.comb += [
            weights.as_value().eq(at),
            narrow.eq(word),
            ours.as_value().eq(DensePE(Config.of(CONFIG))._products(m, narrow, weights)),
            wanted[0].eq(narrow * weights[0]),
            wanted[1].eq(narrow * weights[1]),
            self.cmd.ready.eq(~running),
            self.result.valid.eq(running & (word == 256)),
            self.result.payload.eq(wrong),
        ]
        with m.If(self.cmd.valid & self.cmd.ready):
            m.d.sync += [running.eq(1), word.eq(self.cmd.payload)]
        with m.If(running & (word != 256)):
            m.d.sync += [
                at.eq((at + 1)[:16]),
                wrong.eq(wrong + (ours.as_value() != wanted.as_value())),
            ]
            with m.If(at == 65_535):
                m.d.sync += word.eq(word + 1)
        return m


def products_that_differ(lowest: int) -> int:
    library = build_library(emit(Exhaustive(), "exhaustive"), Build(top="exhaustive"))
    with RtlEngine(library) as engine:
        start = np.array([lowest], dtype=np.int64).view(np.uint64)
        result = engine.run(start, 1, 1 << 26, slice_cycles=1 << 24)
    assert result.cycles > (256 - lowest) << 16
    return int(result.words[0])


@pytest.mark.slow
def test_the_gateware_is_exact_for_all_operands():
    assert products_that_differ(LOWEST) == 0


@pytest.mark.slow
def test_an_activation_that_cannot_be_would_be_wrong():
    """-256 times -128 has 17 bits: so the test above can fail."""
    assert products_that_differ(-256) == 256
