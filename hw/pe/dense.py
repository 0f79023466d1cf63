"""The dense PE: a 1-D convolution primitive with three scratchpads, a cycle for every product."""

from amaranth.hdl import Module, Signal, ValueLike
from amaranth.lib import data
from amaranth.lib.wiring import connect, flipped

from hw.arch.config import Config
from hw.base.queue import Queue
from hw.pe.filter_spad import FilterSpad
from hw.pe.ifmap_spad import IfmapSpad
from hw.pe.passes import DensePass, pass_constants
from hw.pe.pipeline import Issue, PipelinePE
from hw.pe.walk import WindowWalk


class DensePE(PipelinePE):
    """Multiplies a filter row by an ifmap row and adds the psums of the PE below.

    Each cycle a PE that lacks nothing issues one multiply step: `pe.macs` products of one ifmap
    word with the next filters. Steps run over filters, ifmap words of the window (tap-major), and
    windows; a zero has its steps as any word, gated with `pe.zero_gating`. Passes follow each other
    without a bubble when filters and ifmaps are there; with `control.pipeline` a PE rests a cycle
    between them. What becomes of a step is said in `PipelinePE`.

    Timing
    ------
    A pass of two windows with two words each, one filter, psums from zero: 3·1 + 5·2, 3·2 + 5·4.
    Steps a to d go through the pipeline without a pause, and the second and the fourth one send.

        step in cycle             0   1   2   3   4   5   6   7   8
        issue                             a   b   c   d
        multiply                              a   b   c   d
        accumulate                                a   b   c   d

        cycle                     0   1   2   3   4   5   6   7   8   9  10
        config_pass               1   1   1   1   1   1   1   1   1   1   1
        started                   0   1   1   1   1   1   1   1   1   1   1
        running                   0   1   1   1   1   1   0   0   0   0   0
        filters.valid             1   1   0   0   0   0   0   0   0   0   0
        filters.payload.words.0   3   5   .   .   .   .   .   .   .   .   .
        filters.payload.last      0   1   .   .   .   .   .   .   .   .   .
        ifmap.valid               1   1   1   0   0   0   0   0   0   0   0
        ifmap.payload.words.0     1   2   4   .   .   .   .   .   .   .   .
        fired                     0   0   0   0   1   1   1   1   0   0   0
        output.valid              0   0   0   0   0   0   1   0   1   0   0
        output.payload.psums.0    .   .   .   .   .   .  13   .  26   .   .
        output.ready              1   1   1   1   1   1   1   1   1   1   1
    """

    @classmethod
    def pass_config(cls, config: Config) -> DensePass:
        """`DensePass`, of which the walk makes its counters."""
        return DensePass(config)

    @classmethod
    def pass_constants(cls, config: Config, constants: data.View) -> dict[str, ValueLike]:
        """Ends and counts of the walk."""
        return pass_constants(config, constants)

    def _front(self, m: Module, beats: Queue, advance: Signal, issue: Signal) -> Issue:
        config = self.parameters
        m.submodules.ifmap_spad = ifmap = IfmapSpad(config)
        m.submodules.filter_spad = filters = FilterSpad(config)
        m.submodules.walk = walk = WindowWalk(config)
        connect(m, beats.output, ifmap.beats)
        connect(m, flipped(self.filters), filters.beats)
        zero = Signal()
        m.d.comb += [
            walk.config.eq(self.config),
            walk.config_pass.eq(self.config_pass),
            self.started.eq(walk.started),
            self.running.eq(walk.running),
            zero.eq((ifmap.word == 0) & int(config.pe.zero_gating)),
            walk.step.eq(issue),
            ifmap.step.eq(issue & walk.word_done),
            ifmap.free.eq(walk.word_free),
            ifmap.rewind.eq(walk.window_done),
            filters.step.eq(issue),
            filters.rewind.eq(walk.window_done),
            filters.release.eq(walk.pass_done & walk.release),
            filters.enable.eq(issue & ~zero),
            self.starved_ifmap.eq(walk.running & ~ifmap.available & advance),
            self.starved_filter.eq(walk.running & ~filters.loaded & ifmap.available & advance),
        ]
        if config.control.access_counters:
            m.d.comb += [
                self.ifmap_spad_reads.eq(ifmap.step),
                self.ifmap_spad_writes.eq(ifmap.put),
                self.filter_spad_reads.eq(filters.fetches),
                self.filter_spad_writes.eq(self.filters.valid & self.filters.ready),
            ]
        ready = walk.running & ifmap.available & filters.loaded
        return Issue(ready, walk.operation, zero, ifmap.word, filters.weights)
